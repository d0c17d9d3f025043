import type { Place } from "../model/problem.ts";
import type { Path } from "./plain.ts";

/** A part of a text value, in UTF-16 units of the value (not of how it is written). */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Finds where the parts of one definition stand in its file. What is not there is placed at the nearest thing around it. */
export interface Locator {
  /** The value at `path`, or a part of it when it is a text. */
  value(path: Path, span?: Span): Place;
  /** The key that `path` ends with. */
  key(path: Path): Place;
}

/** Turns offsets of one text into places. Lines end with `\n`, `\r\n` or `\r`. */
export class Lines {
  readonly #file: string;
  readonly #text: string;
  readonly #starts: number[] = [0];

  constructor(file: string, text: string) {
    this.#file = file;
    this.#text = text;
    for (const end of text.matchAll(/\r\n|\n|\r/g)) this.#starts.push(end.index + end[0].length);
  }

  /** The place of a stretch of text, cut at the end of its line; `offset` is clamped into the text. */
  place(offset: number, length: number, pointer: string): Place {
    const at = Math.max(0, Math.min(offset, this.#text.length));
    const line = this.#lineOf(at);
    const start = this.#starts[line] ?? 0;
    const end = this.#starts[line + 1] ?? this.#text.length;
    const excerpt = this.#text.slice(start, end).replace(/[\r\n]+$/, "");
    const column = Math.min(at - start, excerpt.length);
    const covered = Math.max(1, Math.min(length, excerpt.length - column));
    return { file: this.#file, line: line + 1, column: column + 1, length: covered, pointer, excerpt };
  }

  #lineOf(offset: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
