import type { WhyNotReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { taskTable } from "./list.ts";

/** `millrace why-not`: the facts one by one, the deciding one marked, then the tasks of the path. */
export function whyNotScreen(report: WhyNotReport, screen: Screen): string[] {
  const { style } = screen;
  const last = report.reasons.length - 1;
  return [
    style.bold(report.path),
    ...report.reasons.map((reason, at) => (at === last ? `  => ${style.bold(reason)}` : `  -  ${reason}`)),
    ...(report.tasks.length === 0 ? [] : ["", ...taskTable(report.tasks, screen)]),
  ];
}
