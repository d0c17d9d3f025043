import type { Status } from "../../core/model/words.ts";
import type { Run } from "../context.ts";
import { listScreen } from "../screens/list.ts";
import { asTargets } from "../target-paths.ts";

export const run: Run<{ readonly status?: readonly Status[]; readonly limit?: number }> = (context, args, options) =>
  context.ask(async (control) => {
    const targets = await asTargets(context, control, args);
    return control.list({ targets, ...options });
  }, listScreen);
