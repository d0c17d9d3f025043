import { describe, expect, test } from "vitest";
import type { ManifestStore } from "../../src/ports.ts";
import { failureRecord, manifest, stateRecord } from "../support/store-fixtures.ts";

/** What every store of manifests does. `make` gives an empty one and what frees it. */
export function describeManifestStore(name: string, make: () => { readonly store: ManifestStore } & Disposable): void {
  describe(`manifests ${name}`, () => {
    test("an entity that nothing was recorded for has none", () => {
      using made = make();
      expect(made.store.read("001")).toEqual({ ok: true, value: undefined });
      expect(made.store.ids()).toEqual([]);
    });

    test.each([
      "001",
      "",
      "Upper",
      "a/b",
      "-rf",
      "CON",
      "e\u0301",
      "\u00e9",
      "\n",
      "%",
      "\u{1f600}",
      "x".repeat(240),
      "é".repeat(120),
    ])("what is written for %j is read back", (id) => {
      using made = make();
      const written = manifest(id, { failures: { "x/{id}": failureRecord() } });
      made.store.write(written, { sync: true });
      expect(made.store.read(id)).toEqual({ ok: true, value: written });
      expect(made.store.ids()).toEqual([id]);
    });

    test("ids are sorted by code units", () => {
      using made = make();
      const ids = ["b", "a", "B", "", "é", "10", "9", `${"z".repeat(230)}1`, `${"z".repeat(230)}0`];
      for (const id of ids) made.store.write(manifest(id));
      expect(made.store.ids()).toEqual(ids.toSorted());
    });

    test("the last write counts", () => {
      using made = make();
      made.store.write(manifest("001"));
      const second = manifest("001", { states: { other: stateRecord({ contentHash: null }) } });
      made.store.write(second);
      expect(made.store.read("001")).toEqual({ ok: true, value: second });
    });

    test("a manifest without states and failures is removed", () => {
      using made = make();
      made.store.write(manifest("001"));
      made.store.write(manifest("001", { states: {} }), { sync: true });
      expect(made.store.read("001")).toEqual({ ok: true, value: undefined });
      expect(made.store.ids()).toEqual([]);
    });

    test("what a writer does to its object afterwards is not stored", () => {
      using made = make();
      const states = { "output/{id}.json": stateRecord() };
      made.store.write({ version: 1, entityId: "001", states, failures: {} });
      states["output/{id}.json"] = stateRecord({ contentHash: null });
      expect(made.store.read("001")).toEqual({ ok: true, value: manifest("001") });
    });

    test("every entity has a file of its own", () => {
      using made = make();
      expect(new Set(["a", "A", "a/b", "a%2fb", ""].map((id) => made.store.fileOf(id))).size).toBe(5);
      expect(made.store.fileOf("001")).toBe(".millrace/manifests/001.json");
    });
  });
}
