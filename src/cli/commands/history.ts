import type { HistoryReport } from "../../engine/control.ts";
import type { Run } from "../context.ts";
import { historyScreen } from "../screens/history.ts";
import { asTargets } from "../target-paths.ts";

interface HistoryOptions {
  readonly limit?: number;
  readonly result?: HistoryReport["attempts"][number]["result"];
}

export const run: Run<HistoryOptions> = (context, args, options) =>
  context.ask(async (control) => {
    const [target] = await asTargets(context, control, args);
    return control.history({ ...(target === undefined ? {} : { target }), ...options });
  }, historyScreen);
