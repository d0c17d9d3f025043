import type { Problem } from "../core/model/problem.ts";
import type { ProblemCode } from "../core/model/problems.ts";
import type { Status } from "../core/model/words.ts";
import type { StatusCounts } from "../engine/control.ts";
import type { Interrupt } from "./world.ts";

/** The exit codes of every command; design section 11. */
export const EXIT = {
  /** Done; for a command that reads: shown. */
  done: 0,
  /** Some work failed, is retrying, blocked or quarantined. */
  workFailed: 1,
  /** Usage, unknown target or definition wrong; nothing ran. */
  refused: 2,
  /** Only with `--exit-code`: stale or waiting work exists. */
  workWaits: 3,
  /** The root is held by another daemon, or the daemon is not reachable. */
  rootTaken: 4,
  interrupted: 130,
  terminated: 143,
} as const;

/** The root is held; its daemon does not answer. */
const ROOT_TAKEN: ReadonlySet<ProblemCode> = new Set<ProblemCode>(["M110", "M112"]);

/** The exit code of a command that was refused for these problems. */
export function exitCodeOf(problems: readonly Problem[]): number {
  return problems.some((problem) => ROOT_TAKEN.has(problem.code)) ? EXIT.rootTaken : EXIT.refused;
}

export function exitCodeOfInterrupt(interrupt: Interrupt): number {
  return interrupt === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
}

/** Statuses that need a person or a retry. */
const TROUBLED: readonly Status[] = ["failed", "retrying", "quarantined", "blocked"];
const UNFINISHED: readonly Status[] = ["missing", "stale", "settling", "waiting", "queued", "running", "held"];

/** The exit code of `--exit-code`: trouble counts before waiting work. */
export function exitCodeOfCounts(counts: readonly StatusCounts[]): number {
  const any = (statuses: readonly Status[]) => counts.some((of) => statuses.some((status) => (of[status] ?? 0) > 0));
  if (any(TROUBLED)) return EXIT.workFailed;
  return any(UNFINISHED) ? EXIT.workWaits : EXIT.done;
}
