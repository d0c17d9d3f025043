import type { LogsReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { timeWords } from "../time-words.ts";
import { resultPaint } from "./history.ts";

type Entry = LogsReport["entries"][number];

/** `millrace logs`: what each attempt printed, under a line that says which attempt it was; oldest first. */
export function logsScreen(report: LogsReport, screen: Screen): string[] {
  if (report.entries.length === 0) return ["no logs"];
  return report.entries.flatMap((entry) => entryLines(entry, screen));
}

/** One attempt's log. */
export function entryLines(entry: Entry, { style }: Screen): string[] {
  const head = `${style.dim(timeWords(entry.startedAt))}  ${resultPaint(entry.result, style)(entry.result)}  ${style.bold(entry.task)}  ${style.dim(`attempt ${entry.attempt}, run ${entry.runId}`)}`;
  return [
    head,
    ...(entry.error === null ? [] : bodyLines(entry.error).map((line) => style.bad(line))),
    ...bodyLines(entry.log),
  ];
}

function bodyLines(text: string): string[] {
  const body = text.replace(/\n+$/, "");
  return body === "" ? [] : body.split("\n").map((line) => `  ${line}`.trimEnd());
}
