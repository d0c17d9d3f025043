import { describe, expect, test } from "vitest";
import type { ControlsStore } from "../../src/ports.ts";

/** What every store of controls does. `make` gives an empty one and what frees it. */
export function describeControlsStore(name: string, make: () => { readonly store: ControlsStore } & Disposable): void {
  describe(`controls ${name}`, () => {
    test("hold and force nothing at first", () => {
      using made = make();
      expect(made.store.read()).toEqual({ version: 1, held: {}, forced: {} });
    });

    test("give back what was written", () => {
      using made = make();
      const controls = { version: 1, held: { "echo#output": "t" }, forced: { "echo#output@001": "u" } } as const;
      made.store.write(controls);
      expect(made.store.read()).toEqual(controls);
      made.store.write({ ...controls, held: {} });
      expect(made.store.read()).toEqual({ ...controls, held: {} });
    });
  });
}
