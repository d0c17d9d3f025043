import type { FailureRecord } from "../core/model/manifest.ts";
import type { MonoMs, WallMs } from "../core/model/words.ts";
import type { Task } from "../core/plan/topology.ts";
import type { Verdict } from "../core/plan/verdict.ts";
import { remainingMs } from "../core/resilience/retry.ts";
import type { Clock, StageWork } from "../ports.ts";
import type { Attempted } from "./commit.ts";
import type { ManifestBook } from "./manifest-book.ts";

/** When a failed task is tried again, as its record has it and by our own clock. */
export interface Retry {
  readonly at: WallMs;
  readonly dueAt: MonoMs;
}

/** A task between its verdict and its end. */
export interface Underway {
  readonly task: Task;
  readonly reasons: string;
  readonly order: number;
  /** When its next try is due; `undefined` for a first try. */
  readonly retry: Retry | undefined;
  /** How it failed last, when it was judged. */
  readonly failure: FailureRecord | undefined;
  attemptId: string | undefined;
  /** The code of the running attempt. */
  work: StageWork | undefined;
  /** Something happened while the attempt ran: its end is judged, whatever it is. */
  isDoubted: boolean;
}

/** An attempt on its way. */
export interface Prepared extends Omit<Attempted, "outcome"> {
  readonly reasons: string;
  readonly order: number;
  readonly startedAt: number;
  /** Why it has no place for its result; then it fails without a run. */
  readonly noRoom: Error | undefined;
}

/** How the task failed last; `undefined` when it did not. */
export function failureOf({ entity, stage }: Task, book: ManifestBook): FailureRecord | undefined {
  const { failures } = book.get(entity.id);
  const pattern = stage.pattern.text;
  return Object.hasOwn(failures, pattern) ? failures[pattern] : undefined;
}

/** When a failed task is due. A wait that has `begun` is not reckoned again: the wall clock may have been set since. */
export function retryOf(
  { retryAt }: Verdict,
  begun: Retry | undefined,
  failure: FailureRecord | undefined,
  clock: Clock,
): Retry | undefined {
  if (retryAt === undefined) return undefined;
  if (begun?.at === retryAt) return begun;
  return { at: retryAt, dueAt: clock.monoMs() + remainingMs(retryAt, failure?.delayMs ?? 0, clock.wallMs()) };
}
