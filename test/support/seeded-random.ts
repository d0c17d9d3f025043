import type { Random } from "../../src/ports.ts";

/** The same chance every time: mulberry32, and ids that count up. */
export class SeededRandom implements Random {
  #state: number;
  #ids = 0;

  constructor(seed: number = 1) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  id(): string {
    return (++this.#ids).toString(36).padStart(12, "0");
  }
}
