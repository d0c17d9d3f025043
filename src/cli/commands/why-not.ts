import type { Run } from "../context.ts";
import { whyNotScreen } from "../screens/why-not.ts";
import { asTargets } from "../target-paths.ts";

export const run: Run<object> = (context, args) =>
  context.ask(async (control) => {
    const [path = ""] = await asTargets(context, control, args);
    return control.whyNot({ path });
  }, whyNotScreen);
