import type { Run } from "../context.ts";
import { manifestScreen } from "../screens/manifest.ts";
import { asTargets } from "../target-paths.ts";

export const run: Run<object> = (context, args) =>
  context.ask(async (control) => {
    const [entity = ""] = await asTargets(context, control, args);
    return control.show({ entity });
  }, manifestScreen);
