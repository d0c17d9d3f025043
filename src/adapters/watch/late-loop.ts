import type { MonoMs } from "../../core/model/words.ts";
import type { Clock, RescanCause, Timer } from "../../ports.ts";

const BEAT_MS = 100;
const LATE_MS = 250;
/** What waited in the kernel meanwhile is delivered within so long. */
const DELIVERY_MS = 200;
/** A loop that was held up for so long was not busy: the process was stopped, or the machine slept. */
const STOPPED_MS = 5_000;
/** The wall clock went on so much more, or less, than the monotonic one: the machine slept, or somebody set the clock. */
const JUMP_MS = 2_000;
/** A look at everything may itself make the loop late: it must not call for the next look. */
const REST_MS = 5_000;

/** Why everything is to be looked at. */
export type LateCause = Extract<RescanCause, "late-loop" | "resume">;

/**
 * Notices that the event loop was held up for more than 250 ms while events came: the kernel's queue may have overflowed.
 * A late loop in which nothing came has lost nothing, for an overflow leaves a full queue behind. Notices, too, that the process
 * was stopped for more than 5 s, that the machine slept, or that the clock was set by more than 2 s (`resume`): whatever
 * came then may have come by a way that tells nobody.
 */
export class LateLoop {
  readonly #clock: Clock;
  readonly #countEvents: () => number;
  readonly #onLate: (cause: LateCause) => void;
  #timer: Timer | undefined;
  #lastAt: MonoMs | undefined;

  constructor(clock: Clock, countEvents: () => number, onLate: (cause: LateCause) => void) {
    this.#clock = clock;
    this.#countEvents = countEvents;
    this.#onLate = onLate;
  }

  start(): void {
    this.#beat();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #beat(): void {
    const from = this.#clock.monoMs();
    const wallFrom = this.#clock.wallMs();
    const events = this.#countEvents();
    this.#timer = this.#clock.after(BEAT_MS, () => {
      const gapMs = this.#clock.monoMs() - from;
      const wallGapMs = this.#clock.wallMs() - wallFrom;
      const isResume = gapMs > BEAT_MS + STOPPED_MS || Math.abs(wallGapMs - gapMs) > JUMP_MS;
      if (!isResume && gapMs <= BEAT_MS + LATE_MS) return this.#beat();
      this.#timer = this.#clock.after(DELIVERY_MS, () => this.#afterDelay(events, isResume ? "resume" : "late-loop"));
    });
  }

  #afterDelay(eventsBefore: number, cause: LateCause): void {
    const now = this.#clock.monoMs();
    const sinceLast = this.#lastAt === undefined ? Infinity : now - this.#lastAt;
    if (cause === "late-loop" && this.#countEvents() === eventsBefore) return this.#beat();
    if (sinceLast < REST_MS) {
      this.#timer = this.#clock.after(REST_MS - sinceLast, () => this.#afterDelay(eventsBefore, cause));
      return;
    }
    this.#lastAt = now;
    this.#onLate(cause);
    this.#beat();
  }
}
