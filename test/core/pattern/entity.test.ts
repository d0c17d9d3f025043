import fc from "fast-check";
import { expect, test } from "vitest";
import { InternalError } from "../../../src/core/model/problems.ts";
import { entityIdOf, matchPattern, sameVariables, varsOfEntity } from "../../../src/core/pattern/pattern.ts";
import { models, pathsFor, pattern } from "./pattern-arbitrary.ts";

test.each([
  ["input/{id}.txt", { id: "001" }, "001"],
  ["{b}/{a}/{b}", { a: "1", b: "2" }, "2/1"],
  ["{a}/{p...}/{c}", { a: "1", p: "x/y", c: "2" }, "1/x/y/2"],
  ["config.json", {}, ""],
])("the entity of %j with %j is %j, and back", (text, vars, id) => {
  expect(entityIdOf(pattern(text), vars)).toBe(id);
  expect({ ...varsOfEntity(pattern(text), id) }).toEqual(vars);
});

test.each([
  ["input/{id}.txt", ""],
  ["input/{id}.txt", "a/b"],
  ["input/{id}.txt", "a\0"],
  ["{a}/{b}", "x"],
  ["{a}/{b}", "x/"],
  ["{a}/{p...}", "x//y"],
  ["{n:int}", "x"],
  ["config.json", "x"],
])("%j has no entity %j", (text, id) => {
  expect(varsOfEntity(pattern(text), id)).toBeUndefined();
});

test("every path that matches has an entity that gives its variables back", () => {
  const cases = models().chain((model) => fc.tuple(fc.constant(model), pathsFor(model)));
  fc.assert(
    fc.property(cases, ([{ text }, path]) => {
      const made = pattern(text);
      const vars = matchPattern(made, path);
      if (vars !== undefined) expect({ ...varsOfEntity(made, entityIdOf(made, vars)) }).toEqual({ ...vars });
    }),
    { numRuns: 2000 },
  );
});

test("an entity without a value for a variable is a fault of ours", () => {
  expect(() => entityIdOf(pattern("{a}"), {})).toThrow(InternalError);
});

test.each([
  ["{a}/{b}", "{b}-{a}", true],
  ["{a}/{a}", "{a:int}", true],
  ["{a}", "{a}/{b}", false],
  ["{a}/{b}", "{a}/{c}", false],
  ["x", "y", true],
])("%j and %j have the same variables: %j", (a, b, same) => {
  expect(sameVariables(pattern(a), pattern(b))).toBe(same);
  expect(sameVariables(pattern(b), pattern(a))).toBe(same);
});
