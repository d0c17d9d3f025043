import type { MonoMs, RelPath, WallMs } from "../../core/model/words.ts";
import type { StatColumns } from "../../core/plan/state-table.ts";
import type { Clock, Timer } from "../../ports.ts";
import { NumberHeap } from "./number-heap.ts";
import { WallTrust } from "../health/wall-trust.ts";

interface Waiting {
  stat: StatColumns;
  due: MonoMs;
  /** When it began to settle; a change of the file does not begin anew. */
  readonly since: MonoMs;
}

/** How close together due times are served in one go, in milliseconds. */
const GRAIN_MS = 2;

/**
 * Files that are not quiet yet. A path stays until its stat has been the same for the settle time; then `onDue` is told
 * to look again. The monotonic clock decides, so a jump of the wall clock neither hastens nor hangs a file.
 */
export class Settling {
  readonly #clock: Clock;
  readonly #onDue: (paths: readonly RelPath[]) => void;
  readonly #waiting = new Map<RelPath, Waiting>();
  readonly #wall: WallTrust;
  /** Paths by the grain of time that they are due in; one that is due at another time by now is skipped when its grain comes. */
  readonly #grains = new Map<number, Set<RelPath>>();
  readonly #order = new NumberHeap();
  #timer: Timer | undefined;
  #timerAt: MonoMs = Infinity;

  constructor(clock: Clock, onDue: (paths: readonly RelPath[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#wall = new WallTrust(clock);
  }

  /** For how long a file has surely been quiet that changed last at this wall time, in milliseconds; 0 when that cannot be known. */
  quietMs(changedAt: WallMs): number {
    return this.#wall.quietMs(changedAt);
  }

  get size(): number {
    return this.#waiting.size;
  }

  paths(): RelPath[] {
    return [...this.#waiting.keys()];
  }

  /** How long until the path is looked at again, in milliseconds; `undefined` when it does not wait. */
  remainingMs(path: RelPath): number | undefined {
    const waiting = this.#waiting.get(path);
    return waiting && Math.max(0, waiting.due - this.#clock.monoMs());
  }

  /** For how long the path that waits the shortest has been settling, in milliseconds; 0 when none does. */
  newestMs(): number {
    const now = this.#clock.monoMs();
    let newest = Infinity;
    for (const { since } of this.#waiting.values()) newest = Math.min(newest, now - since);
    return newest === Infinity ? 0 : newest;
  }

  forget(path: RelPath): void {
    this.#waiting.delete(path);
  }

  /**
   * Has the path been quiet for `settleMs`? When not, it waits, and `onDue` will name it.
   *
   * @param quietMs how long it was quiet already when first seen, by its change time; 0 when that cannot be known
   */
  isQuiet(path: RelPath, stat: StatColumns, settleMs: number, quietMs: number): boolean {
    const now = this.#clock.monoMs();
    const waiting = this.#waiting.get(path);
    if (waiting && sameStat(waiting.stat, stat)) {
      if (waiting.due > now) return false;
      this.#waiting.delete(path);
      return true;
    }
    const wait = settleMs - quietMs;
    if (wait <= 0) {
      this.#waiting.delete(path);
      return true;
    }
    this.lookAgain(path, stat, wait);
    return false;
  }

  /** Looks at the path again in `delayMs`, whatever happens to it until then. */
  lookAgain(path: RelPath, stat: StatColumns, delayMs: number): void {
    const now = this.#clock.monoMs();
    const due = now + delayMs;
    this.#waiting.set(path, { stat, due, since: this.#waiting.get(path)?.since ?? now });
    this.#plan(path, due);
    this.#arm(due);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
    this.#waiting.clear();
    this.#grains.clear();
    this.#order.clear();
  }

  #plan(path: RelPath, due: MonoMs): void {
    const grain = grainOf(due);
    let paths = this.#grains.get(grain);
    if (paths === undefined) {
      this.#grains.set(grain, (paths = new Set()));
      this.#order.push(grain);
    }
    paths.add(path);
  }

  #arm(due: MonoMs): void {
    if (this.#timer && this.#timerAt <= due) return;
    this.#timer?.cancel();
    this.#timerAt = due;
    this.#timer = this.#clock.after(Math.max(0, due - this.#clock.monoMs()), () => this.#fire());
  }

  /** Serves every grain that has begun; the cost follows what is due, not what waits. */
  #fire(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = this.#clock.monoMs();
    const due: RelPath[] = [];
    for (let grain = this.#order.least(); grain !== undefined; grain = this.#order.least()) {
      const { ready, next } = this.#serve(grain, now);
      due.push(...ready);
      if (next < Infinity) {
        this.#arm(next);
        break;
      }
      this.#order.pop();
      this.#grains.delete(grain);
    }
    if (due.length > 0) this.#onDue(due);
  }

  /** What of a grain is due now, and when the first of the rest is. What waits for another time or no more is dropped. */
  #serve(grain: number, now: MonoMs): { readonly ready: RelPath[]; readonly next: MonoMs } {
    const ready: RelPath[] = [];
    let next = Infinity;
    const paths = this.#grains.get(grain) ?? new Set<RelPath>();
    for (const path of paths) {
      const waiting = this.#waiting.get(path);
      if (waiting !== undefined && grainOf(waiting.due) === grain) {
        if (waiting.due > now + GRAIN_MS) {
          next = Math.min(next, waiting.due);
          continue;
        }
        waiting.due = now;
        ready.push(path);
      }
      paths.delete(path);
    }
    return { ready, next };
  }
}

function grainOf(due: MonoMs): number {
  return Math.ceil(due / GRAIN_MS);
}

function sameStat(a: StatColumns, b: StatColumns): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.ino === b.ino;
}
