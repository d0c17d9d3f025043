import type { ActionReport, RestoreReport, TrashReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { alignRows, type Cell } from "../table.ts";
import { timeWords } from "../time-words.ts";
import { sizeWords } from "./task-lines.ts";

/** `millrace trash`: when, where, how large and why, one line per entry; the entry's name with `-v`. */
export function trashScreen(report: TrashReport, { style, width, verbose }: Screen): string[] {
  if (report.total === 0) return ["the trash is empty"];
  const rows = report.entries.map((entry): Cell[] => [
    { text: timeWords(entry.at), paint: style.dim },
    { text: entry.path === "" || verbose ? entry.name : entry.path, paint: style.bold },
    ...(verbose ? [entry.path] : []),
    { text: sizeWords(entry.bytes), right: true },
    entry.task === null ? entry.why : `${entry.why} (${entry.task})`,
  ]);
  const more = report.total - report.entries.length;
  return [
    ...alignRows(rows, "  ", width),
    ...(more > 0 ? [style.dim(`  and ${more} more: raise --limit`)] : []),
    style.dim("  put back with: millrace trash restore <path>"),
  ];
}

/** What was put back, and what it is now. Refusals are told on stderr. */
export function restoreScreen({ restored }: RestoreReport, { style, width }: Screen): string[] {
  if (restored.length === 0) return ["trash restore: nothing was put back"];
  return alignRows(
    restored.map(({ path, what }): Cell[] => [{ text: "restored", paint: style.good }, path, what]),
    "",
    width,
  );
}

/** How much was removed for ever. */
export function emptyScreen({ changed }: ActionReport): string[] {
  return [`trash empty: ${changed.length} ${changed.length === 1 ? "entry is" : "entries are"} gone`];
}
