import type { Status } from "../../core/model/words.ts";
import type { Run } from "../context.ts";
import { listScreen } from "../screens/list.ts";

export const run: Run<{ readonly status?: readonly Status[]; readonly limit?: number }> = (context, targets, options) =>
  context.ask((control) => control.list({ targets, ...options }), listScreen);
