import type { RunReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { countWords, frozenLines } from "./task-lines.ts";
import { troublePart } from "./trouble.ts";

const RESULTS = ["ran", "unchanged", "restored", "skipped", "failed", "interrupted", "dropped"] as const;

/** `millrace run`: one line that sums it up, then what needs eyes. */
export function runScreen(report: RunReport, screen: Screen): string[] {
  return [summaryLine(report), ...attentionLines(report, screen)];
}

/** What needs eyes after a run: files that did not settle, and failing tasks as `status` shows them. */
export function attentionLines(report: RunReport, screen: Screen): string[] {
  return [
    ...frozenLines(report.frozen, screen),
    ...report.unsettled.map(
      (path) =>
        `  ${screen.style.warn("not settled")}  ${path}  ${screen.style.dim("(still being written; see --settle-timeout)")}`,
    ),
    ...troublePart(report, screen),
  ];
}

/** `2 ran, 0 failed, 3 fresh`, or `nothing to do: 4 fresh`. Zeros of other words are left out. */
function summaryLine({ results, counts, failed, retracted }: RunReport): string {
  const goneWords = retracted === 0 ? [] : [`${retracted} taken away`];
  const attempts = RESULTS.some((word) => (results[word] ?? 0) > 0);
  if (!attempts && Object.values(counts).every((count) => count === 0) && !failed && retracted === 0)
    return "nothing to do: there are no files for any stage yet";
  if (!attempts && retracted > 0) return [...goneWords, countWords(counts)].join(", ");
  if (!attempts) return `${failed ? "nothing could run" : "nothing to do"}: ${countWords(counts)}`;
  const did = RESULTS.filter((word) => word === "ran" || word === "failed" || (results[word] ?? 0) > 0);
  const rest = countWords(counts, ["fresh", ...(results.failed === undefined ? [] : (["failed"] as const))]);
  return [
    ...did.map((word) => `${results[word] ?? 0} ${word}`),
    ...goneWords,
    `${counts.fresh ?? 0} fresh`,
    ...(rest === "nothing" ? [] : [rest]),
  ].join(", ");
}
