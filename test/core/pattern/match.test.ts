import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchPattern } from "../../../src/core/pattern/pattern.ts";
import { matchSlowly, models, pathsFor, pattern } from "./pattern-arbitrary.ts";

function match(text: string, path: string): Record<string, string> | undefined {
  const vars = matchPattern(pattern(text), path);
  return vars && { ...vars };
}

describe("a path that a pattern matches gives its variables", () => {
  test.each([
    ["input/{id}.txt", "input/001.txt", { id: "001" }],
    ["input/{id}.txt", "input/a.b.txt", { id: "a.b" }],
    ["input/{id}.txt", "input/.txt.txt", { id: ".txt" }],
    ["input/{id}.txt", "input/ a'\"\n$`-.txt", { id: " a'\"\n$`-" }],
    ["input/{id}.txt", "input/😀.txt", { id: "😀" }],
    ["input/{id}", "input/e\u0301", { id: "e\u0301" }],
    ["input/{id}", "input/.hidden", { id: ".hidden" }],
    ["input/{id}", "input/...", { id: "..." }],
    ["{id}", ".millrace2", { id: ".millrace2" }],
    ["x/{id}", "x/.millrace", { id: ".millrace" }],
    ["config.json", "config.json", {}],
    ["a/b/", "a/b/", {}],
    ["orders/{region}/{date}.csv", "orders/eu/2026-01-01.csv", { region: "eu", date: "2026-01-01" }],
    ["{a}-{b}", "x-y-z", { a: "x", b: "y-z" }],
    ["{a}--{b}", "x---y", { a: "x", b: "-y" }],
    ["{a}-{b}.{c}", "--.-..", { a: "-", b: ".-", c: "." }],
    ["docs/{path...}.md", "docs/a.md", { path: "a" }],
    ["docs/{path...}.md", "docs/a/b/c.md", { path: "a/b/c" }],
    ["{dir...}/{name}.txt", "a/b/c.txt", { dir: "a/b", name: "c" }],
    ["{top}/{dir...}/x/{name}", "a/x/x/x/b", { top: "a", dir: "x/x", name: "b" }],
    ["p-{a}-{dir...}-{b}", "p-1-x/y-z-w", { a: "1", dir: "x/y", b: "z-w" }],
    ["docs/{path...:slug}", "docs/a/b-c", { path: "a/b-c" }],
    ["albums/{id}/", "albums/x/", { id: "x" }],
    ["albums/{id...}/", "albums/x/y/", { id: "x/y" }],
    ["{id}/{id}.txt", "a/a.txt", { id: "a" }],
    ["{a}-{b}/{a}.txt", "x-y-z/x-y.txt", { a: "x-y", b: "z" }],
    ["{a}-{a}", "x-y-x-y", { a: "x-y" }],
    ["{a}-{b}/{a}-{b}.log", "joe-smith-1/joe-smith-1.log", { a: "joe", b: "smith-1" }],
    ["{a}-{b}-{a}", "x-y-z-x", { a: "x", b: "y-z" }],
    ["{n:int}-{s}", "-5-6", { n: "-5", s: "6" }],
    ["{s}-{n:int}", "a-b-5", { s: "a-b", n: "5" }],
    ["{s}-{day:date}.csv", "eu-1-2024-02-29.csv", { s: "eu-1", day: "2024-02-29" }],
    ["{x:/[a-z]{2,3}/}-{y:/[a-z-]+/}", "ab-cd-ef", { x: "ab", y: "cd-ef" }],
    ["{x:/a*/}b", "aab", { x: "aa" }],
    ["{x:/.{2}/}.txt", "😀😀.txt", { x: "😀😀" }],
    ["{x:/[^/]/}", "😀", { x: "😀" }],
    ["{{{x}}}", "{a}", { x: "a" }],
    ["a{{b}}", "a{b}", {}],
  ])("%j and %j", (text, path, vars) => {
    expect(match(text, path)).toEqual(vars);
  });
});

describe("a path that a pattern does not match gives nothing", () => {
  test.each([
    ["input/{id}.txt", "input/.txt"],
    ["input/{id}.txt", "input/a.TXT"],
    ["input/{id}.txt", "input/a/b.txt"],
    ["input/{id}.txt", "inputs/a.txt"],
    ["input/{id}.txt", "x/input/a.txt"],
    ["input/{id}.txt", "input/a.txt/"],
    ["input/{id}.txt", "input/a\0.txt"],
    ["input/{id}", "input/a/"],
    ["input/{id}", "input/"],
    ["input/{id}", "input/.."],
    ["input/{id}", "input/."],
    ["input/{id}", "./input"],
    ["{id}", ".millrace"],
    ["{id}/", ".millrace/"],
    ["{a}/{b}", ".millrace/x"],
    ["{a...}", ".millrace/manifests/x.json"],
    ["{a...}", "a/../b"],
    ["{a...}", "a//b"],
    ["{a...}", "/a"],
    ["{a...}", "a/"],
    ["docs/{path...}.md", "docs/a/.md"],
    ["docs/x{path...}", "docs/x/a"],
    ["docs/{path...:slug}", "docs/a/b_c"],
    ["albums/{id}/", "albums/x"],
    ["albums/{id}/", "albums/x/y"],
    ["aba{x}aba", "ababa"],
    ["é/{id}", "e\u0301/a"],
    ["{id}/{id}.txt", "a/b.txt"],
    ["{a}-{b}/{a}.txt", "x-y/z.txt"],
    ["{a}-{a}", "x-y"],
    ["{a}-{a}", "xx-x"],
    ["{d:date}", "2023-02-29"],
    ["{n:int}-{s}", "a-b"],
    ["{x:/a*/}b", "b"],
    ["{x:/./}", "/"],
  ])("%j and %j", (text, path) => {
    expect(match(text, path)).toBeUndefined();
  });
});

test("a variable may have any name, since the answer has no prototype", () => {
  const vars = matchPattern(pattern("{__proto__}-{constructor}"), "a-b")!;
  expect(Object.getPrototypeOf(vars)).toBeNull();
  expect(Object.entries(vars)).toEqual([
    ["__proto__", "a"],
    ["constructor", "b"],
  ]);
});

test("matching is trying every split, the leftmost variable shortest first", () => {
  const cases = models().chain((model) => fc.tuple(fc.constant(model), pathsFor(model)));
  let matched = 0;
  fc.assert(
    fc.property(cases, ([model, path]) => {
      const expected = matchSlowly(model, path);
      if (expected !== undefined) matched++;
      expect(match(model.text, path)).toEqual(expected);
    }),
    { numRuns: 5000 },
  );
  expect(matched).toBeGreaterThan(500);
});

test("a variable that is used twice has one value, and only paths that are the pattern match", () => {
  const cases = models(["a", "b"]).chain((model) => fc.tuple(fc.constant(model), pathsFor(model)));
  fc.assert(
    fc.property(cases, ([model, path]) => {
      const vars = match(model.text, path);
      if (vars === undefined) return;
      expect(model.elements.map((e) => (typeof e === "string" ? e : vars[e.name])).join("")).toBe(path);
      expect(matchSlowly(model, path)).toBeDefined();
    }),
    { numRuns: 5000 },
  );
});

test("a variable that stands alone in one segment is found wherever else it is used", () => {
  const value = fc.string({ unit: fc.constantFrom("a", "-", "1"), minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(value, value, (a, b) => {
      expect(match("{a}-{b}/{b}-{a}-{b}/x{a}", `${a}-${b}/${b}-${a}-${b}/x${a}`)).toEqual({ a, b });
    }),
  );
});

// Half a million characters: with quadratic time the test would run for hours and fail by its timeout.
describe("matching takes linear time", () => {
  const dashes = "-".repeat(500_000);
  test.each([
    ["{a}-{b}-{c}-{d}-{e}.txt", dashes],
    ["{a}-{b}-{c}-{d}-{e}.txt", `${dashes}.txt`],
    ["{a}--{b}--{c}-{b}--{a}.txt", dashes],
    ["{a:/-*/}x{b:/(-|--|---)*/}.txt", `${dashes}x${dashes}`],
    ["{a:/(-*)*/}.txt", dashes],
    ["{a:/(-|--)*x/}", dashes],
    ["{a:/-*-*-*-*x/}", dashes],
    ["{a:slug}-{b:slug}-{c:slug}.txt", "a-".repeat(100_000)],
    ["{a:slug}", "a-".repeat(100_000)],
    ["{a...}-{b}-{c}", "-/".repeat(100_000)],
    ["{a...:/(-|--)*/}x", "-/-".repeat(100_000)],
  ])("%s", (text, path) => {
    const found = matchPattern(pattern(text), path);
    expect(found === undefined).toBe(!path.endsWith(".txt"));
  });

  test("the name of 251 dashes that froze a daemon", () => {
    const vars = match("{a}-{b}-{c}-{d}-{e}.txt", `${"-".repeat(251)}.txt`);
    expect(vars).toEqual({ a: "-", b: "-", c: "-", d: "-", e: "-".repeat(243) });
  });
});
