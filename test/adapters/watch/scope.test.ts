import { expect, test } from "vitest";
import { levelBelow, relative, withoutOverlap } from "../../../src/adapters/watch/scope.ts";

test.each([
  ["input", "input", 0],
  ["input", "input/a", 1],
  ["input", "input/a/b", 2],
  ["input", "input-2/a", undefined],
  ["input", "other", undefined],
  ["", "", 0],
  ["", "input/a", 2],
  ["a/b", "a", undefined],
])("below %j, %j is at level %j", (base, path, level) => {
  expect(levelBelow(base, path)).toBe(level);
});

test("a path is relative to a root, to the file system's root too", () => {
  expect(relative("/state", "/state/input/a")).toBe("input/a");
  expect(relative("/state", "/state")).toBe("");
  expect(relative("/state", "/state-2/a")).toBeUndefined();
  expect(relative("/", "/a")).toBe("a");
});

test("a base inside another that reaches as deep is left out, one that reaches deeper stays", () => {
  const kept = withoutOverlap([
    { path: "a/b/c", depth: 1 },
    { path: "a", depth: 2 },
    { path: "a/b", depth: 1 },
    { path: "a", depth: 1 },
    { path: "ab", depth: 1 },
    { path: "z", depth: Infinity },
    { path: "z/deep", depth: Infinity },
  ]);
  expect(kept).toEqual([
    { path: "z", depth: Infinity },
    { path: "a", depth: 2 },
    { path: "ab", depth: 1 },
    { path: "a/b/c", depth: 1 },
  ]);
});

test("the root with everything covers every base", () => {
  const all = { path: "", depth: Infinity };
  expect(withoutOverlap([{ path: "a", depth: Infinity }, all, { path: "b/c", depth: 3 }])).toEqual([all]);
});
