import type { MonoMs } from "../../core/model/words.ts";
import type { Clock, Timer } from "../../ports.ts";

const BEAT_MS = 100;
const LATE_MS = 250;
/** What waited in the kernel meanwhile is delivered within so long. */
const DELIVERY_MS = 200;
/** A look at everything may itself make the loop late: it must not call for the next look. */
const REST_MS = 5_000;

/**
 * Notices that the event loop was held up for more than 250 ms while events came: the kernel's queue may have overflowed.
 * A late loop in which nothing came has lost nothing, for an overflow leaves a full queue behind.
 */
export class LateLoop {
  readonly #clock: Clock;
  readonly #countEvents: () => number;
  readonly #onLate: () => void;
  #timer: Timer | undefined;
  #lastAt: MonoMs | undefined;

  constructor(clock: Clock, countEvents: () => number, onLate: () => void) {
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
    const events = this.#countEvents();
    this.#timer = this.#clock.after(BEAT_MS, () => {
      if (this.#clock.monoMs() - from <= BEAT_MS + LATE_MS) return this.#beat();
      this.#timer = this.#clock.after(DELIVERY_MS, () => this.#afterDelay(events));
    });
  }

  #afterDelay(eventsBefore: number): void {
    const now = this.#clock.monoMs();
    const sinceLast = this.#lastAt === undefined ? Infinity : now - this.#lastAt;
    if (this.#countEvents() === eventsBefore) return this.#beat();
    if (sinceLast < REST_MS) {
      this.#timer = this.#clock.after(REST_MS - sinceLast, () => this.#afterDelay(eventsBefore));
      return;
    }
    this.#lastAt = now;
    this.#onLate();
    this.#beat();
  }
}
