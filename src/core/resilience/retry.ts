import type { RetryPolicy } from "../model/pipeline.ts";
import type { WallMs } from "../model/words.ts";

/**
 * The delay before attempt `failures + 1`, in whole milliseconds.
 *
 * `backoffSeconds[failures - 1]`, the last one repeating; uniform in [delay * (1 - jitter), delay].
 * `random` is a number in [0, 1), handed in so that a test can choose it.
 * With the default policy (7 attempts, no jitter):
 *
 * | after failure | 1    | 2     | 3      | 4   | 5   | 6    | 7           |
 * | ------------- | ---- | ----- | ------ | --- | --- | ---- | ----------- |
 * | next try in   | 60 s | 5 min | 15 min | 1 h | 4 h | 24 h | quarantined |
 *
 * @param failures how many attempts failed so far, at least 1
 */
export function retryDelayMs(policy: RetryPolicy, failures: number, random: number): number {
  const { backoffSeconds, jitter } = policy;
  const seconds = backoffSeconds[Math.min(failures, backoffSeconds.length) - 1] ?? 0;
  return Math.round(seconds * 1000 * (1 - jitter * random));
}

/** When a failed task is tried again: the wall time to write down, and the delay that bounds it after a clock has jumped. */
export interface NextRetry {
  readonly at: WallMs;
  readonly delayMs: number;
}

/**
 * The next try after `failures` failed attempts in a row; `undefined` when the policy's attempts are used up (quarantined).
 * `retryAfterMs` is what the other side asked for: never sooner than that, later if the policy says so.
 */
export function nextRetry(
  policy: RetryPolicy,
  failures: number,
  nowWallMs: WallMs,
  random: number,
  retryAfterMs = 0,
): NextRetry | undefined {
  if (failures >= policy.maxAttempts) return undefined;
  const delayMs = Math.max(retryDelayMs(policy, failures, random), Math.ceil(retryAfterMs));
  return { at: nowWallMs + delayMs, delayMs };
}

/**
 * How long to wait now, in milliseconds, for a retry that was set earlier, perhaps by another process.
 * In [0, delayMs] whatever the wall clock did in between; an unreadable time counts as due.
 */
export function remainingMs(nextRetryAtWall: WallMs, delayMs: number, nowWall: WallMs): number {
  const left = nextRetryAtWall - nowWall;
  return left > 0 ? Math.min(left, delayMs) : 0;
}
