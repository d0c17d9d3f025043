import { InternalError } from "../../core/model/problems.ts";

/** An entry of a backlog; `gone` entries were dropped or replaced and are skipped. */
export interface Leavable {
  gone: boolean;
}

/**
 * A binary heap whose entries may be marked `gone` where they lie: marking is O(1), and they are swept out once they
 * outnumber the rest, so that a task that is put again and again does not make it grow.
 */
export class Backlog<T extends Leavable> {
  readonly #comesFirst: (a: T, b: T) => boolean;
  #heap: T[] = [];
  #gone = 0;

  /** `comesFirst(a, b)` says whether `a` leaves before `b`; a strict total order. */
  constructor(comesFirst: (a: T, b: T) => boolean) {
    this.#comesFirst = comesFirst;
  }

  /** How many entries are not gone. */
  get size(): number {
    return this.#heap.length - this.#gone;
  }

  push(entry: T): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as T;
      if (!this.#comesFirst(entry, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** The first entry, left where it is; `undefined` when there is none. */
  peek(): T | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || !first.gone) return first;
      this.#removeFirst();
      this.#gone--;
    }
  }

  /** Takes the first entry out. Throws InternalError when there is none. */
  pop(): T {
    const first = this.peek();
    if (first === undefined) throw new InternalError("an empty backlog was popped");
    this.#removeFirst();
    return first;
  }

  /** Marks an entry of this backlog as gone. */
  leave(entry: T): void {
    entry.gone = true;
    this.#gone++;
    if (this.#gone > 64 && this.#gone > this.#heap.length / 2) this.#sweep();
  }

  #sweep(): void {
    const live = this.#heap.filter((entry) => !entry.gone);
    // A sorted array is a heap.
    this.#heap = live.sort((a, b) => (this.#comesFirst(a, b) ? -1 : 1));
    this.#gone = 0;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    const count = heap.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && this.#comesFirst(heap[child + 1] as T, heap[child] as T)) child++;
      const below = heap[child] as T;
      if (!this.#comesFirst(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}
