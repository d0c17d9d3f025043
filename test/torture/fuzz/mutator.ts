import type { SeededRandom } from "../../support/seeded-random.ts";

/** What breaks programs: keys of prototypes, paths that leave, numbers that are none, halves of characters. */
const HOSTILE: readonly string[] = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "../../etc/passwd",
  "/etc/passwd",
  "..",
  ".millrace",
  "\u0000",
  "\ud800",
  "\u202e",
  "\ufeff",
  "1e400",
  "-1",
  "9007199254740993",
  "0.1e-400",
  "null",
  "true",
  "[]",
  "{}",
  '""',
  "{{$.x}}",
  "{a}{b}",
  "{a...}",
  "{x:/(a+)+/}",
  "{x:/(/}",
  "//",
  "/*",
  ",",
  '"',
  "\\",
  "{",
  "}",
  "[",
  "%2e%2e%2f",
  "%",
  "~0123456789abcdef.json",
  "*?[!",
  "a".repeat(300),
  "-".repeat(2_000),
  "[".repeat(3_000),
];

/** Makes bad texts of good ones: one third stays valid in parts, the rest is random bytes. */
export class Mutator {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!;
  }

  /** The text as it is, changed in a few places, or something without any likeness. */
  mutate(text: string): string {
    const kind = this.#random.next();
    if (kind < 0.1) return text;
    if (kind < 0.2) return this.#bytes(this.#below(200));
    let changed = text;
    for (let changes = 1 + this.#below(4); changes > 0; changes--) changed = this.#change(changed);
    return changed;
  }

  #change(text: string): string {
    const at = this.#below(text.length + 1);
    const end = Math.min(text.length, at + this.#below(12));
    const [before, middle, after] = [text.slice(0, at), text.slice(at, end), text.slice(end)];
    switch (this.#below(8)) {
      case 0:
        return before + after;
      case 1:
        return before + middle + middle + after;
      case 2:
        return before;
      case 3:
        return before + this.#bytes(1 + this.#below(4)) + after;
      case 4:
        return this.#replaceOne(text, /-?\d+(\.\d+)?/g);
      case 5:
        return this.#replaceOne(text, /"[^"]*"/g, (word) => JSON.stringify(word));
      case 6:
        return this.#replaceOne(text, /"[^"]*"/g);
      default:
        return before + this.pick(HOSTILE) + middle + after;
    }
  }

  /** One of the places that match becomes something hostile. */
  #replaceOne(text: string, places: RegExp, write: (word: string) => string = (word) => word): string {
    const found = [...text.matchAll(places)];
    if (found.length === 0) return text;
    const { index, 0: old } = this.pick(found);
    return text.slice(0, index) + write(this.pick(HOSTILE)) + text.slice(index + old.length);
  }

  #bytes(count: number): string {
    return Array.from({ length: count }, () => String.fromCharCode(this.#below(256))).join("");
  }

  #below(limit: number): number {
    return Math.floor(this.#random.next() * limit);
  }
}
