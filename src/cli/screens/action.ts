import type { ActionReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";

/** What a command changed: `retry: output@001`, one line each. Refusals are told on stderr. */
export function actionScreen(verb: string): (report: ActionReport, screen: Screen) => string[] {
  return (report, { style }) =>
    report.changed.length === 0
      ? [`${verb}: nothing changed`]
      : report.changed.map((target) => `${style.good(verb)}  ${target}`);
}
