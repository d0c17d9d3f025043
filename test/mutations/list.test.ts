import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CHECKOUT } from "../support/shipped-project.ts";
import { MUTATIONS } from "./list.ts";
import { plant } from "./mutation.ts";

const PROMISES = [...Array.from({ length: 19 }, (_, i) => `P${i + 1}`), "P23"];

/** The file as it is, and with the fault in it. */
function planted(mutation: (typeof MUTATIONS)[number]): { before: string; after: string } {
  const before = readFileSync(join(CHECKOUT, mutation.file), "utf8");
  const result = plant(before, mutation);
  if ("wrong" in result) throw new Error(result.wrong);
  return { before, after: result.source };
}

describe("the planted faults", () => {
  test.each(MUTATIONS.map((mutation) => [mutation.promise, mutation.fault, mutation] as const))(
    "%s: %s",
    (_promise, _fault, mutation) => {
      const { before, after } = planted(mutation);
      expect(after).not.toBe(before);
      expect(mutation.tests.filter((file) => !existsSync(join(CHECKOUT, file)))).toEqual([]);
    },
  );

  test("are at least 30, and at least one breaks each promise", () => {
    expect(MUTATIONS.length).toBeGreaterThanOrEqual(30);
    expect(PROMISES.filter((promise) => !MUTATIONS.some((mutation) => mutation.promise === promise))).toEqual([]);
    expect(MUTATIONS.filter(({ promise }) => !PROMISES.includes(promise))).toEqual([]);
  });

  test("are told apart by what they say", () => {
    expect(new Set(MUTATIONS.map(({ fault }) => fault)).size).toBe(MUTATIONS.length);
  });
});
