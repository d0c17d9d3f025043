import { describe, expect, test } from "vitest";
import type { IndexStore } from "../../src/ports.ts";

/** What every index store does. `make` gives an empty one and what frees it. */
export function describeIndexStore(name: string, make: () => { readonly store: IndexStore } & Disposable): void {
  const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

  describe(`the index ${name}`, () => {
    test("is none before it was saved", () => {
      using made = make();
      expect(made.store.load()).toBeUndefined();
      expect(made.store.loadMeta()).toBeUndefined();
    });

    test("gives back what was saved", () => {
      using made = make();
      const blobs = new Map([
        ["files", bytes(1, 2, 3)],
        ["__proto__", bytes()],
      ]);
      made.store.save({ at: 1, text: "é" }, blobs);
      expect(plain(made.store)).toEqual({ meta: { at: 1, text: "é" }, blobs: { files: [1, 2, 3], ["__proto__"]: [] } });
      expect(made.store.loadMeta()).toEqual({ at: 1, text: "é" });
    });

    test("keeps blobs that a save does not name, and forgets those that it names with null", () => {
      using made = make();
      made.store.save(
        { at: 1 },
        new Map([
          ["a", bytes(1)],
          ["b", bytes(2)],
          ["c", bytes(3)],
        ]),
      );
      made.store.save(
        { at: 2 },
        new Map([
          ["b", null],
          ["c", bytes(4)],
        ]),
      );
      expect(plain(made.store)).toEqual({ meta: { at: 2 }, blobs: { a: [1], c: [4] } });
    });

    test("changes the document alone", () => {
      using made = make();
      made.store.save({ at: 1 }, new Map([["a", bytes(1)]]));
      made.store.saveMeta({ at: 2 });
      expect(plain(made.store)).toEqual({ meta: { at: 2 }, blobs: { a: [1] } });
    });
  });
}

function plain(store: IndexStore): unknown {
  const loaded = store.load();
  if (loaded === undefined) return undefined;
  return { meta: loaded.meta, blobs: Object.fromEntries([...loaded.blobs].map(([name, blob]) => [name, [...blob]])) };
}
