import type { HistoryReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import type { Paint, Style } from "../style.ts";
import { alignRows, type Cell } from "../table.ts";
import { timeWords, tookWords } from "../time-words.ts";

type Attempt = HistoryReport["attempts"][number];

/** `millrace history`: one line per attempt, newest first. */
export function historyScreen(report: HistoryReport, screen: Screen): string[] {
  if (report.attempts.length === 0) return ["no attempts"];
  const { style, width } = screen;
  const several = new Set(report.attempts.map((attempt) => attempt.pipeline)).size > 1;
  const rows = report.attempts.map((attempt): Cell[] => [
    { text: timeWords(attempt.startedAt), paint: style.dim },
    { text: attempt.result, paint: resultPaint(attempt.result, style) },
    { text: `${several ? `${attempt.pipeline}#` : ""}${attempt.stage}@${attempt.entity}`, paint: style.bold },
    { text: tookWords(attempt.durationMs), right: true },
    { text: noteWords(attempt), paint: style.dim },
  ]);
  return alignRows(rows, "", width);
}

/** The colour of a result word. */
export function resultPaint(result: Attempt["result"], style: Style): Paint {
  if (result === "failed") return style.bad;
  return result === "interrupted" || result === "dropped" ? style.warn : style.good;
}

function noteWords(attempt: Attempt): string {
  const again = attempt.attempt > 1 ? `attempt ${attempt.attempt}: ` : "";
  return again + (attempt.error?.split("\n")[0] ?? attempt.reasons);
}
