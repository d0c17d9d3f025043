import type { ActionReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";

/** How many lines tell what a command changed, before most of them are only counted. */
const MOST_LINES = 10;
/** How many are named then. */
const EXAMPLES = 3;

/** What a command changed: `retry  output@001`, one line each; of many how many there are, and some of them; all with `-v`. Refusals are told on stderr. */
export function actionScreen(verb: string): (report: ActionReport, screen: Screen) => string[] {
  return ({ changed }, { style, verbose }) => {
    if (changed.length === 0) return [`${verb}: nothing changed`];
    if (verbose || changed.length <= MOST_LINES) return changed.map((target) => `${style.good(verb)}  ${target}`);
    const more = changed.length - EXAMPLES;
    const what = changed.every((target) => target.includes("@")) ? "tasks" : "tasks and stages";
    return [
      `${style.good(verb)}  ${changed.length} ${what}`,
      ...changed.slice(0, EXAMPLES).map((target) => `  ${target}`),
      style.dim(`  and ${more} more (-v names all)`),
    ];
  };
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
