import type { Clock, Timer } from "../ports.ts";

/** Things to do once after a while, each under a name: a second request under a name that waits changes nothing. */
export class NamedTimers {
  readonly #clock: Clock;
  readonly #timers = new Map<string, Timer>();
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  once(name: string, delayMs: number, act: () => void): void {
    if (this.#stopped || this.#timers.has(name)) return;
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(name);
      if (!this.#stopped) act();
    });
    this.#timers.set(name, timer);
  }

  /** Nothing fires any more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
