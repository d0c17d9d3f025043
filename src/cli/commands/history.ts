import type { HistoryReport } from "../../engine/control.ts";
import type { Run } from "../context.ts";
import { historyScreen } from "../screens/history.ts";

interface HistoryOptions {
  readonly limit?: number;
  readonly result?: HistoryReport["attempts"][number]["result"];
}

export const run: Run<HistoryOptions> = (context, [target], options) =>
  context.ask((control) => control.history({ ...(target === undefined ? {} : { target }), ...options }), historyScreen);
