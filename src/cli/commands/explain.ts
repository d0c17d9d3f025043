import type { Run } from "../context.ts";
import { explainScreen } from "../screens/explain.ts";

export const run: Run<object> = (context, [target = ""]) =>
  context.ask((control) => control.explain({ target }), explainScreen);
