import type { RelPath } from "../model/words.ts";
import type { Row, StateTable } from "./state-table.ts";

/** How many rows of a table may be passed over, as a multiple of all rows, before the table's own index is cheaper. */
const PASSES = 4;

/**
 * Finds rows for somebody who asks in about the order of the rows, such as a scan: without the table's index, which takes
 * longer to make than a whole comparison. In any other order it soon asks the table.
 */
export class RowCursor {
  readonly #table: StateTable;
  #last: Row = -1;
  /** Stages take turns, so the rows of one of them lie some steps apart. */
  #step = 1;
  #left: number;

  constructor(table: StateTable) {
    this.#table = table;
    this.#left = table.end * PASSES;
  }

  find(path: RelPath): Row | undefined {
    const guess = this.#last + this.#step;
    const row = guess >= 0 && this.#table.pathOf(guess) === path ? guess : this.#search(path);
    if (row === undefined) return undefined;
    this.#step = row - this.#last;
    this.#last = row;
    return row;
  }

  /** From the last row to the end, then from the beginning. */
  #search(path: RelPath): Row | undefined {
    if (this.#left <= 0) return this.#table.find(path);
    return this.#searchIn(path, this.#last + 1, this.#table.end) ?? this.#searchIn(path, 0, this.#last + 1);
  }

  #searchIn(path: RelPath, from: Row, to: Row): Row | undefined {
    for (let row = from; row < to; row++) {
      if (this.#table.pathOf(row) !== path) continue;
      this.#left -= row - from;
      return row;
    }
    this.#left -= to - from;
    return undefined;
  }
}
