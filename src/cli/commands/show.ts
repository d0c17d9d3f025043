import type { Run } from "../context.ts";
import { manifestScreen } from "../screens/manifest.ts";

export const run: Run<object> = (context, [entity = ""]) =>
  context.ask((control) => control.show({ entity }), manifestScreen);
