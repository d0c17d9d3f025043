import type { ActionReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";

/** What a command changed: `retry: output@001`, one line each. Refusals are told on stderr. */
export function actionScreen(verb: string): (report: ActionReport, screen: Screen) => string[] {
  return (report, { style }) =>
    report.changed.length === 0
      ? [`${verb}: nothing changed`]
      : report.changed.map((target) => `${style.good(verb)}  ${target}`);
}

/** What `accept --deletions` let go: how many, and some of them; all of them with `-v`. */
export function deletionsScreen({ changed }: ActionReport, { style, verbose }: Screen): string[] {
  if (changed.length === 0) return ["accept: no deletions are frozen"];
  const shown = verbose ? changed : changed.slice(0, 5);
  const more = changed.length - shown.length;
  const results = changed.length === 1 ? "result is" : "results are";
  return [
    `${style.good("accept")}  ${changed.length} ${results} taken away now, by the daemon or by the next run`,
    ...shown.map((task) => `  ${task}`),
    ...(more > 0 ? [style.dim(`  and ${more} more (-v names all)`)] : []),
  ];
}
