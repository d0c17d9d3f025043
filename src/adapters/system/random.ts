import type { Clock, Random } from "../../ports.ts";

const TIME_DIGITS = 8;
const COUNT_DIGITS = 4;
const COUNTS = 36 ** COUNT_DIGITS;

/**
 * Chance from the machine. An id is 8 digits of wall time in milliseconds (good until 2059) and 4 that begin at random in
 * each millisecond and count up, so that ids of one process never collide and always rise, even when the clock is set back.
 */
export class SystemRandom implements Random {
  readonly #clock: Pick<Clock, "wallMs">;
  #atMs = 0;
  #count = 0;

  constructor(clock: Pick<Clock, "wallMs"> = { wallMs: () => Date.now() }) {
    this.#clock = clock;
  }

  next(): number {
    return Math.random();
  }

  id(): string {
    const now = Math.floor(this.#clock.wallMs());
    if (now > this.#atMs) {
      this.#atMs = now;
      // The lower half: room to count up within the millisecond.
      this.#count = Math.floor(Math.random() * (COUNTS / 2));
    } else if (++this.#count === COUNTS) {
      this.#atMs += 1;
      this.#count = 0;
    }
    return this.#atMs.toString(36).padStart(TIME_DIGITS, "0") + this.#count.toString(36).padStart(COUNT_DIGITS, "0");
  }
}
