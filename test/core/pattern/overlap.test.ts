import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findOverlap, folderStateOf, matchPattern, type Pattern } from "../../../src/core/pattern/pattern.ts";
import { allTexts, models, pathsFor, pattern } from "./pattern-arbitrary.ts";

function covers(made: Pattern, path: string): boolean {
  return matchPattern(made, path) !== undefined || folderStateOf(made, path) !== undefined;
}

/** Both match it, or one does and it lies in a folder state of the other. */
function meets(a: Pattern, b: Pattern, path: string): boolean {
  const exact = matchPattern(a, path) !== undefined || matchPattern(b, path) !== undefined;
  return exact && covers(a, path) && covers(b, path);
}

describe("two patterns that overlap give a path of both", () => {
  test.each([
    ["input/{id}.txt", "input/{name}.txt", "input/001.txt"],
    ["input/{id}.txt", "{all...}", "input/001.txt"],
    ["docs/{path...}.md", "docs/{a}/{b}.md", "docs/a/b.md"],
    ["x/{a}.txt", "x/readme.txt", "x/readme.txt"],
    ["x/{a:int}.txt", "x/{b:hex}.txt", "x/1.txt"],
    ["x/{a:date}.csv", "x/{b}-{c}.csv", "x/2026-01-31.csv"],
    ["{a:/[a-c]+/}", "{b:/[c-z]+/}", "c"],
    ["{a:week}", String.raw`{b:/\d+-W53/}`, "1198-W53"],
    ["albums/{id}/", "albums/{id}/thumbs/{n}.jpg", "albums/001/thumbs/001.jpg"],
    ["albums/{id}/", "albums/{x}/sub/", "albums/001/sub/"],
    ["{p...}/", "a/b.txt", "a/b.txt"],
    ["{a}-{b:int}", "{a:/[x-]+/}5", "x-5"],
  ])("%j and %j: %j", (a, b, wanted) => {
    const path = findOverlap(pattern(a), pattern(b))!;
    expect(meets(pattern(a), pattern(b), path), path).toBe(true);
    if (!wanted.includes("/") || path.length !== wanted.length)
      expect(path.length).toBeLessThanOrEqual(wanted.length + 4);
    expect(meets(pattern(b), pattern(a), findOverlap(pattern(b), pattern(a))!)).toBe(true);
  });

  test("the path is one that a person would write", () => {
    expect(findOverlap(pattern("input/{id}.txt"), pattern("{a}/{b}"))).toBe("input/001.txt");
    expect(findOverlap(pattern("x/{d:date}.csv"), pattern("x/{e}-{f}.csv"))).toBe("x/2026-01-31.csv");
    expect(findOverlap(pattern("x/{d}/"), pattern("x/{e}/{f}.jpg"))).toBe("x/001/001.jpg");
    expect(findOverlap(pattern("{a:/[a-c]+/}.txt"), pattern("{b:/[b-z]+/}.txt"))).toBe("b.txt");
  });
});

describe("two patterns without a common path are disjoint", () => {
  test.each([
    ["input/{id}.txt", "output/{id}.txt"],
    ["input/{id}.txt", "input/{id}.json"],
    ["input/{id}.txt", "input/{a}/{b}.txt"],
    ["{a:int}", "{b:/[a-z]+/}"],
    ["{a:date}", String.raw`{b:/\d{4}-02-3\d/}`],
    ["{a:week}", "{b:/2025-W53/}"],
    ["{a:slug}", "{b:/.*_.*/}"],
    ["a{x}", "b{x}"],
    ["{x}ab", "{x}ba"],
    [".{a}/x", ".millrac{b:/e/}/x"],
    ["{a}/x", String.raw`{b:/\.\.?/}/x`],
    ["x/{a}", String.raw`x/{b:/\.+/}`.replace("+", "{1,2}")],
    ["albums/{id}/", "albums/{id}.zip"],
    ["albums/{id}/", "albums/{id}"],
    ["albums/{id}/", "album/{id}/x"],
    ["{p...:/[ab]/}", "a/b/c/{x}"],
    ["{a}", "é"].map((text) => (text === "{a}" ? "e\u0301{a}" : "é{a}")) as [string, string],
  ])("%j and %j", (a, b) => {
    expect(findOverlap(pattern(a), pattern(b))).toBeUndefined();
    expect(findOverlap(pattern(b), pattern(a))).toBeUndefined();
  });
});

test("uses of one variable count as independent, so that an overlap is never missed", () => {
  expect(findOverlap(pattern("{a}/{a}"), pattern("x/y"))).toBe("x/y");
});

const texts = allTexts("ab-1/.", 4).filter((text) => !text.startsWith("/") && !text.includes("//"));

test("an overlap is a path of both, and without one no path is", () => {
  let [overlapping, disjoint] = [0, 0];
  const cases = fc
    .tuple(models(), models())
    .chain(([a, b]) => fc.tuple(fc.constant([a, b] as const), fc.array(pathsFor(a), { minLength: 10, maxLength: 10 })));
  fc.assert(
    fc.property(cases, ([[first, second], paths]) => {
      const [a, b] = [pattern(first.text), pattern(second.text)];
      const found = findOverlap(a, b);
      if (found === undefined) {
        disjoint++;
        expect([...texts, ...paths].find((path) => meets(a, b, path))).toBeUndefined();
      } else {
        overlapping++;
        expect(meets(a, b, found), found).toBe(true);
      }
    }),
    { numRuns: 600 },
  );
  expect(Math.min(overlapping, disjoint)).toBeGreaterThan(50);
});

describe("the folder state of a path", () => {
  test.each([
    ["albums/{id}/", "albums/x/1.jpg", "albums/x/"],
    ["albums/{id}/", "albums/x/", "albums/x/"],
    ["albums/{id}/", "albums/x/a/b/c", "albums/x/"],
    ["albums/{id}/", "albums/x", undefined],
    ["albums/{id}/", "album/x/y", undefined],
    ["albums/{id:int}/", "albums/x/y", undefined],
    ["albums/{id}.d/", "albums/x.d/y", "albums/x.d/"],
    ["albums/", "albums/x", "albums/"],
    ["{p...}/data/", "a/data/b/data/c", "a/data/"],
    ["{p...}/data/", "a/b/data/c", "a/b/data/"],
    ["{p...}/data/", "a/b/c", undefined],
    ["{a}-{p...}/{a}/", "x-y/z/x/f", "x-y/z/x/"],
    ["{p...}/", ".millrace/tmp/x", undefined],
    ["albums/{id}.txt", "albums/a.txt", undefined],
  ])("%j and %j: %j", (text, path, folder) => {
    expect(folderStateOf(pattern(text), path)).toBe(folder);
  });

  test("is a prefix that the pattern matches, and there is one whenever some prefix matches", () => {
    const cases = models().chain((model) =>
      fc.tuple(fc.constant(`${model.text.replace(/\/$/, "")}/`), pathsFor(model)),
    );
    fc.assert(
      fc.property(cases, ([text, path]) => {
        const made = pattern(text);
        const prefixes = Array.from(path, (_, i) => path.slice(0, i + 1)).filter((prefix) => prefix.endsWith("/"));
        expect(folderStateOf(made, path)).toBe(prefixes.find((prefix) => matchPattern(made, prefix) !== undefined));
      }),
      { numRuns: 2000 },
    );
  });
});
