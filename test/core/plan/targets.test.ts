import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchesGlob, namesStage, namesTask, parseTarget } from "../../../src/core/plan/targets.ts";
import { Topology } from "../../../src/core/plan/topology.ts";
import { loaded } from "../../support/definitions.ts";

const echo = loaded({
  name: "echo",
  stages: [
    { id: "input", type: "source", pattern: "input/{id}.txt" },
    { id: "output", type: "transform", input: "input", pattern: "output/{id}.json" },
  ],
});
const topology = new Topology([echo]);
const task = topology.producerTask("output/001.json")!;

describe("a target", () => {
  test.each([
    "output/001.json",
    "./output/001.json",
    "echo",
    "output",
    "echo#output",
    "output@001",
    "echo#output@001",
    "output@0*",
    "output/*.json",
    "output@00?",
    "*",
  ])('"%s" names the task output@001 of echo', (text) => {
    expect(namesTask(parseTarget(text), task)).toBe(true);
  });

  test.each(["001", "output@", "output@01", "output@00??", "input", "out", "echo#", "Output", "output@0"])(
    '"%s" does not',
    (text) => {
      expect(namesTask(parseTarget(text), task)).toBe(false);
    },
  );

  test("names a stage by its id, its key or its pipeline, and not by one of its tasks", () => {
    const stage = topology.stage("echo#output")!;
    for (const text of ["output", "echo#output", "echo", "out*"])
      expect(namesStage(parseTarget(text), stage)).toBe(true);
    expect(namesStage(parseTarget("output@001"), stage)).toBe(false);
  });
});

describe("a glob", () => {
  /** What a glob means, said in another way. */
  function slowly(glob: string, text: string): boolean {
    if (glob === "") return text === "";
    if (glob[0] === "*") return slowly(glob.slice(1), text) || (text !== "" && slowly(glob, text.slice(1)));
    return text !== "" && (glob[0] === "?" || glob[0] === text[0]) && slowly(glob.slice(1), text.slice(1));
  }

  test("matches as its definition says", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 8 });
    const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 });
    fc.assert(
      fc.property(letters, text, (glob, name) => {
        expect(matchesGlob(glob, name)).toBe(slowly(glob, name));
      }),
      { numRuns: 2000 },
    );
  });

  test("takes characters of every kind for what they are", () => {
    expect(matchesGlob("a.c+(d)[e]$", "a.c+(d)[e]$")).toBe(true);
    expect(matchesGlob("a.c", "abc")).toBe(false);
    expect(matchesGlob("a*c", "a/b\nc")).toBe(true);
  });

  test("with many stars looks at each character of a hostile name a bounded number of times", () => {
    let reads = 0;
    const glob = `${"*a".repeat(20)}*b`;
    const name = new Proxy(Object("a".repeat(2000)) as object, {
      get: (target, key) => {
        if (typeof key === "string" && /^\d+$/.test(key)) reads++;
        return Reflect.get(target, key) as unknown;
      },
    }) as unknown as string;
    expect(matchesGlob(glob, name)).toBe(false);
    // At most the rest of the glob after its last star for each character, never a power of the stars.
    expect(reads).toBeLessThan(2000 * 6);
  });
});
