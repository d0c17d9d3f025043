import { STATUSES, type Evidence, type Status } from "../../core/model/words.ts";
import type { FrozenReport, StatusCounts, TroubleReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { cut } from "../safe-text.ts";
import { inWords, timeWords } from "../time-words.ts";

/** A hash as people compare it: its first eight digits and `..`; whole with `-v`; `absent` where there was nothing. */
export function hashWords(hash: string | null | undefined, verbose: boolean): string {
  if (hash === null || hash === undefined) return "absent";
  return verbose || hash.length <= 8 ? hash : `${hash.slice(0, 8)}..`;
}

/** Before and now: `a1b2c3d4.. -> c3d4e5f6..`; whole hashes where the short ones would look equal. */
export function changeWords(
  before: string | null | undefined,
  now: string | null | undefined,
  verbose: boolean,
): string {
  const alike = before !== now && hashWords(before, false) === hashWords(now, false);
  return `${hashWords(before, verbose || alike)} -> ${hashWords(now, verbose || alike)}`;
}

/** What the evidence says beside its subject; empty when there are no hashes to compare. */
export function evidenceWords(evidence: Evidence, verbose: boolean): string {
  const silent = evidence.before === undefined && evidence.now === undefined;
  return silent ? "" : changeWords(evidence.before, evidence.now, verbose);
}

/** Counts in the order of all tables: `3 fresh, 1 retrying`; `nothing` when there are none. */
export function countWords(counts: StatusCounts, without: readonly Status[] = []): string {
  const words = STATUSES.filter((status) => (counts[status] ?? 0) > 0 && !without.includes(status));
  return words.map((status) => `${counts[status]} ${status}`).join(", ") || "nothing";
}

/** How tasks are called on one screen: `stage@entity`, with the pipeline before it where the screen shows several. */
export function nameTasks(
  tasks: readonly { readonly pipeline: string }[],
): (task: { readonly pipeline: string; readonly task: string }) => string {
  const several = new Set(tasks.map((task) => task.pipeline)).size > 1;
  return (task) => (several ? `${task.pipeline}#${task.task}` : task.task);
}

/** How often it was tried and when it comes again: `attempt 2 of 7, next in 42 s`; empty before a first attempt. */
export function attemptWords(
  failure: { readonly attempts: number; readonly maxAttempts: number; readonly nextRetryAt: string | null },
  nowMs: number,
): string {
  if (failure.attempts === 0) return "";
  const next = failure.nextRetryAt === null ? "no retry by itself" : `next ${inWords(failure.nextRetryAt, nowMs)}`;
  return `attempt ${failure.attempts} of ${failure.maxAttempts}, ${next}`;
}

/** Tasks that need eyes: two lines each, the status and the tries, then the error. */
export function troubleLines(trouble: readonly TroubleReport[], screen: Screen): string[] {
  const nameOf = nameTasks(trouble);
  const width = Math.max(0, ...trouble.map((task) => task.status.length));
  return trouble.flatMap((task) => {
    const tries = attemptWords(task, screen.nowMs);
    const status = screen.style.status(task.status)(task.status) + " ".repeat(width - task.status.length);
    const indent = " ".repeat(width + 4);
    return [
      `  ${status}  ${screen.style.bold(nameOf(task))}${tries === "" ? "" : `  ${screen.style.dim(tries)}`}`,
      ...errorLines(task.error, indent, screen),
    ];
  });
}

/** The first line of an error, cut to the screen; all of it with `-v`. */
export function errorLines(error: string, indent: string, screen: Screen): string[] {
  const lines = error.split("\n").filter((line) => line.trim() !== "");
  const shown = screen.verbose ? lines : lines.slice(0, 1);
  return shown.map((line) => indent + cut(line, screen.width - indent.length));
}

/** Deletions that wait for a person: what, why, and both ways out. */
export function frozenLines(frozen: FrozenReport | null, screen: Screen): string[] {
  if (frozen === null) return [];
  const { total, why, examples, since } = frozen;
  const results = total === 1 ? "1 result is" : `${total} results are`;
  const more = total > examples.length ? ` and ${total - examples.length} more` : "";
  return [
    screen.style.bad(`FROZEN  ${results} kept since ${timeWords(since)}: too many gone at once`),
    ...why.map((sentence) => `  ${sentence}`),
    screen.style.dim(`  ${examples.join(", ")}${more}`),
    "  do: bring the files back; or, when it was meant: millrace accept --deletions",
  ];
}

/** A size for people: `812 B`, `4.2 KB`, `1.5 GB` (1 KB is 1024 bytes). */
export function sizeWords(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let [size, unit] = [bytes, 0];
  for (; size >= 1024 && unit < units.length - 1; unit++) size /= 1024;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
