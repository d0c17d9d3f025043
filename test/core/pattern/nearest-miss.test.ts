import fc from "fast-check";
import { expect, test } from "vitest";
import { matchPattern, nearestMiss } from "../../../src/core/pattern/pattern.ts";
import { models, pathsFor, pattern } from "./pattern-arbitrary.ts";

test.each([
  ["input/{id}.txt", "input/a.csv", { segment: 1, expected: "{id}.txt", got: "a.csv" }],
  ["input/{id}.txt", "inbox/a.txt", { segment: 0, expected: "input", got: "inbox" }],
  ["input/{id}.txt", "input/a/b.txt", { segment: 1, expected: "{id}.txt", got: "a" }],
  ["input/{id}", "input/a/b.txt", { segment: 1, expected: "{id}", got: "a/" }],
  ["input/{id}", "input/a/", { segment: 1, expected: "{id}", got: "a/" }],
  ["input/{a}/{b}", "input/x", { segment: 2, expected: "{b}", got: "" }],
  ["x/{d:date}.csv", "x/2026-02-30.csv", { segment: 1, expected: "{d:date}.csv", got: "2026-02-30.csv" }],
  ["{id}/{id}.txt", "a/b.txt", { segment: 1, expected: "a.txt", got: "b.txt" }],
  ["albums/{id}/", "albums/x", { segment: 1, expected: "{id}/", got: "x" }],
  ["albums/{id}/", "albums/x/1.jpg", { segment: 2, expected: "", got: "1.jpg" }],
  ["a/{p...}/{n}.md", "a/b/c/d.txt", { segment: 3, expected: "{n}.md", got: "d.txt" }],
  ["a/{p...:int}/{n}.md", "a/1/c/d.md", { segment: 1, expected: "{p...:int}", got: "1/c" }],
  ["a/{p...}/{n}.md", "a/b.md", { segment: 2, expected: "{n}.md", got: "" }],
  ["a/{p...}/{n}.md", "a", { segment: 1, expected: "{p...}", got: "" }],
  ["{a}/{b}", ".millrace/x", { segment: 0, expected: "{a}", got: ".millrace" }],
  ["a/{b}/c", "a/../c", { segment: 1, expected: "{b}", got: ".." }],
  ["{a}-{b}/{a}", "x-y/z", { segment: 1, expected: "x", got: "z" }],
])("%j fails on %j at %j", (text, path, miss) => {
  expect(nearestMiss(pattern(text), path)).toEqual(miss);
});

test("there is a miss exactly when the pattern does not match, and it names a segment of the path or its end", () => {
  const cases = fc.oneof(models(), models(["a", "b"])).chain((model) => fc.tuple(fc.constant(model), pathsFor(model)));
  fc.assert(
    fc.property(cases, ([{ text }, path]) => {
      const miss = nearestMiss(pattern(text), path);
      expect(miss === undefined).toBe(matchPattern(pattern(text), path) !== undefined);
      if (miss !== undefined) expect(miss.segment).toBeLessThanOrEqual(path.split("/").length);
    }),
    { numRuns: 3000 },
  );
});
