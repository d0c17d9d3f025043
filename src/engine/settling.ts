import type { MonoMs, RelPath } from "../core/model/words.ts";
import type { StatColumns } from "../core/plan/state-table.ts";
import type { Clock, Timer } from "../ports.ts";

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
  #timer: Timer | undefined;
  #timerAt: MonoMs = Infinity;

  constructor(clock: Clock, onDue: (paths: readonly RelPath[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
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
    this.#arm(due);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
    this.#waiting.clear();
  }

  #arm(due: MonoMs): void {
    if (this.#timer && this.#timerAt <= due) return;
    this.#timer?.cancel();
    this.#timerAt = due;
    this.#timer = this.#clock.after(Math.max(0, due - this.#clock.monoMs()), () => this.#fire());
  }

  #fire(): void {
    this.#timer = undefined;
    this.#timerAt = Infinity;
    const now = this.#clock.monoMs();
    const due: RelPath[] = [];
    let next = Infinity;
    // Insertion order is nearly the order of due times; a scan of all is still cheap beside one look at the disk each.
    for (const [path, waiting] of this.#waiting) {
      if (waiting.due <= now + GRAIN_MS) {
        waiting.due = now;
        due.push(path);
      } else if (waiting.due < next) {
        next = waiting.due;
      }
    }
    if (next < Infinity) this.#arm(next);
    if (due.length > 0) this.#onDue(due);
  }
}

function sameStat(a: StatColumns, b: StatColumns): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.ino === b.ino;
}
