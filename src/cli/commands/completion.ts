import { COMMANDS, GLOBAL_FLAGS } from "../commands.ts";
import type { Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";

const SCRIPTS = {
  bash: async () => (await import("../completion/bash.ts")).bashScript,
  zsh: async () => (await import("../completion/zsh.ts")).zshScript,
  fish: async () => (await import("../completion/fish.ts")).fishScript,
} as const;

export const run: Run<object> = async (context, [shell = ""]) => {
  if (context.json) return context.misuse('"completion" prints a shell script, no JSON', 'leave out "--json"');
  if (!Object.hasOwn(SCRIPTS, shell)) {
    return context.misuse(
      `"${shell}" is no shell that is known here`,
      `write one of ${Object.keys(SCRIPTS).join(", ")}`,
    );
  }
  const script = await SCRIPTS[shell as keyof typeof SCRIPTS]();
  context.world.out.write(script(COMMANDS, GLOBAL_FLAGS));
  return EXIT.done;
};
