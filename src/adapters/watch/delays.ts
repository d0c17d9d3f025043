const FIRST_MS = 10_000;
const LONGEST_MS = 600_000;

/** How long to wait before each next try: 10 s, then twice as long each time, at most 10 min. */
export class Delays {
  #nextMs = FIRST_MS;

  /** Milliseconds. */
  next(): number {
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(LONGEST_MS, delayMs * 2);
    return delayMs;
  }

  /** It went well: the next trouble is another one. */
  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}
