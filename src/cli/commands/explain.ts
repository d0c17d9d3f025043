import type { Run } from "../context.ts";
import { explainScreen } from "../screens/explain.ts";
import { asTargets } from "../target-paths.ts";

export const run: Run<object> = (context, args) =>
  context.ask(async (control) => {
    const [target = ""] = await asTargets(context, control, args);
    return control.explain({ target });
  }, explainScreen);
