import type { MonoMs, WallMs } from "../../core/model/words.ts";
import type { Clock } from "../../ports.ts";

/** More than any clock is slewed between two looks, less than any settle time that means something. */
const TOLERANCE_MS = 50;

/**
 * How far a time that the file system wrote may be taken for an age. While nobody sets the wall clock, as far as it goes; once
 * somebody has, a file's time says how old it is only where both lie after the jump.
 *
 * A jump shows as a difference between how far the wall clock and the monotonic one went. One from before this process began
 * cannot be seen: a file written last before it, within its settle time of the start, may look old, and is looked at again
 * with its next change.
 */
export class WallTrust {
  readonly #clock: Clock;
  #aheadMs: number;
  #jumpedAt: MonoMs | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#aheadMs = clock.wallMs() - clock.monoMs();
  }

  /** For how long a file has surely been quiet that changed last at this wall time, in milliseconds; 0 when that cannot be known. */
  quietMs(changedAt: WallMs): number {
    const now = this.#clock.monoMs();
    const wall = this.#clock.wallMs();
    // Taken anew each time, so that a slow correction never adds up to a jump.
    const aheadMs = wall - now;
    if (Math.abs(aheadMs - this.#aheadMs) > TOLERANCE_MS) this.#jumpedAt = now;
    this.#aheadMs = aheadMs;
    const ageMs = wall - changedAt;
    const isBeforeJump = this.#jumpedAt !== undefined && ageMs >= now - this.#jumpedAt;
    return ageMs < 0 || isBeforeJump ? 0 : ageMs;
  }
}
