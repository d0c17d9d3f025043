import { describe, expect, test } from "vitest";
import type { Owner, OwnerLock } from "../../src/ports.ts";

/** What every owner's lock does. `make` gives a maker of locks on one root, and what frees it. */
export function describeOwnerLock(name: string, make: () => { readonly lock: () => OwnerLock } & Disposable): void {
  const owner = (pid: number): Owner => ({ pid, host: "mill", since: "2026-11-20T13:06:55.123Z", door: "" });

  describe(`the owner's lock ${name}`, () => {
    test("is held by nobody at first", () => {
      using made = make();
      expect(made.lock().current()).toBeUndefined();
    });

    test("refuses a second owner and names the first", () => {
      using made = make();
      const [first, second] = [made.lock(), made.lock()];
      expect(first.acquire(owner(1))).toEqual({ ok: true, value: undefined });
      const refused = second.acquire(owner(2));
      expect(refused).toMatchObject({ ok: false, problems: [{ code: "M110" }] });
      expect(JSON.stringify(refused)).toContain("process 1 on");
      expect([first.current(), second.current()]).toEqual([owner(1), owner(1)]);
      first.release();
    });

    test("is free when it was released", () => {
      using made = make();
      const [first, second] = [made.lock(), made.lock()];
      first.acquire(owner(1));
      first.release();
      expect([first.current(), second.current()]).toEqual([undefined, undefined]);
      expect(second.acquire(owner(2)).ok).toBe(true);
      expect(first.current()).toEqual(owner(2));
      second.release();
    });

    test("released by one who does not hold it stays held", () => {
      using made = make();
      const [first, second] = [made.lock(), made.lock()];
      first.acquire(owner(1));
      second.release();
      expect(second.current()).toEqual(owner(1));
      first.release();
    });
  });
}
