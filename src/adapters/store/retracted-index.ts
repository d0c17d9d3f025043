import type { RelPath } from "../../core/model/words.ts";
import type { TrashEntry } from "../../ports.ts";

/** The retracted results among some trash entries, by the path they were at. */
export class RetractedIndex {
  readonly #byPath = new Map<RelPath, TrashEntry[]>();
  readonly #pathOf = new Map<string, RelPath>();

  constructor(entries: Iterable<TrashEntry>) {
    for (const entry of entries) this.add(entry);
  }

  /** Takes an entry in; one that is no retracted result, or that is known, changes nothing. */
  add(entry: TrashEntry): void {
    if (entry.of === null || entry.path === "" || this.#pathOf.has(entry.name)) return;
    this.#pathOf.set(entry.name, entry.path);
    const others = this.#byPath.get(entry.path) ?? [];
    // Names begin with their time.
    this.#byPath.set(
      entry.path,
      [...others, entry].toSorted((a, b) => (a.name < b.name ? 1 : -1)),
    );
  }

  delete(name: string): void {
    const path = this.#pathOf.get(name);
    if (path === undefined) return;
    this.#pathOf.delete(name);
    const left = this.#byPath.get(path)!.filter((entry) => entry.name !== name);
    if (left.length > 0) this.#byPath.set(path, left);
    else this.#byPath.delete(path);
  }

  /** Newest first. */
  at(path: RelPath): readonly TrashEntry[] {
    return this.#byPath.get(path) ?? [];
  }
}
