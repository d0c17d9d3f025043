import type { Run } from "../context.ts";
import { whyNotScreen } from "../screens/why-not.ts";

export const run: Run<object> = (context, [path = ""]) =>
  context.ask((control) => control.whyNot({ path }), whyNotScreen);
