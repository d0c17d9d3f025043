import type { MonoMs, WallMs } from "../../src/core/model/words.ts";
import type { Clock, Timer } from "../../src/ports.ts";

interface Waiting {
  readonly dueAt: MonoMs;
  readonly fire: () => void;
}

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  #wallMs: WallMs;
  #monoMs: MonoMs = 0;
  readonly #waiting = new Set<Waiting>();

  constructor(wallMs: WallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs;
  }

  wallMs(): WallMs {
    return this.#wallMs;
  }

  monoMs(): MonoMs {
    return this.#monoMs;
  }

  after(delayMs: number, fire: () => void): Timer {
    const waiting = { dueAt: this.#monoMs + Math.max(0, delayMs), fire };
    this.#waiting.add(waiting);
    return { cancel: () => void this.#waiting.delete(waiting) };
  }

  /** How many timers wait. */
  get timers(): number {
    return this.#waiting.size;
  }

  /** When the next timer is due, monotonic. */
  nextDue(): MonoMs | undefined {
    return this.#next()?.dueAt;
  }

  /** Moves both clocks on and fires what is due on the way, each at its own time, in order. */
  advance(ms: number): void {
    const end = this.#monoMs + ms;
    for (let next = this.#next(); next !== undefined && next.dueAt <= end; next = this.#next()) {
      this.#move(next.dueAt - this.#monoMs);
      this.#waiting.delete(next);
      next.fire();
    }
    this.#move(end - this.#monoMs);
  }

  /** The same, letting promises settle after each timer. */
  async advanceSettled(ms: number): Promise<void> {
    const end = this.#monoMs + ms;
    await settle();
    for (let due = this.nextDue(); due !== undefined && due <= end; due = this.nextDue()) {
      this.advance(due - this.#monoMs);
      await settle();
    }
    this.advance(end - this.#monoMs);
  }

  /** Moves both clocks on without firing anything, as a blocked event loop does; the next `advance` fires what is overdue. */
  block(ms: number): void {
    this.#move(ms);
  }

  /** Sets the wall clock alone: somebody changed the time. */
  jumpWall(ms: number): void {
    this.#wallMs += ms;
  }

  #move(ms: number): void {
    if (ms <= 0) return;
    this.#monoMs += ms;
    this.#wallMs += ms;
  }

  #next(): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#waiting) if (first === undefined || waiting.dueAt < first.dueAt) first = waiting;
    return first;
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
