import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchPattern, renderPattern } from "../../../src/core/pattern/pattern.ts";
import { models, pattern, values } from "./pattern-arbitrary.ts";

test.each([
  ["output/{id}.json", { id: "001" }, "output/001.json"],
  ["a{{b}}/{x}", { x: "1" }, "a{b}/1"],
  ["{id}/{id}.txt", { id: "a", other: "ignored" }, "a/a.txt"],
  ["docs/{p...}.md", { p: "a/b" }, "docs/a/b.md"],
  ["albums/{id}/", { id: "x" }, "albums/x/"],
  ["{a}-{b}", { a: "x", b: "y-z" }, "x-y-z"],
  ["config.json", {}, "config.json"],
])("%j with %j is the path %j", (text, vars, path) => {
  expect(renderPattern(pattern(text), vars)).toEqual({ ok: true, path });
});

describe("a binding without a path says why", () => {
  test.each([
    ["output/{id}.json", {}, "unbound", '"output/{id}.json" needs a value for {id}'],
    ["output/{toString}", {}, "unbound", '"output/{toString}" needs a value for {toString}'],
    ["output/{id}", { id: "" }, "invalid-value", '{id} cannot be "": a value has at least one character'],
    ["output/{id}", { id: "a/b" }, "invalid-value", '{id} cannot be "a/b": its "/" would make folders'],
    ["output/{id}", { id: "a\0" }, "invalid-value", String.raw`{id} cannot be "a\u0000": no file name can hold it`],
    ["output/{id}", { id: "\ud800" }, "invalid-value", String.raw`{id} cannot be "\ud800": no file name can hold it`],
    ["output/{id}", { id: ".." }, "invalid-value", '"output/.." cannot be the path of a state'],
    ["output/{p...}", { p: "a/../../b" }, "invalid-value", '"output/a/../../b" cannot be the path of a state'],
    ["output/{p...}", { p: "/a" }, "invalid-value", '{p} cannot be "/a": its "/" would make folders'],
    ["{id}/x", { id: ".millrace" }, "invalid-value", '".millrace/x" cannot be the path of a state'],
    ["{n:int}", { n: "1.5" }, "invalid-value", '{n} cannot be "1.5": it is no int'],
    ["{d:date}", { d: "2026-02-30" }, "invalid-value", '{d} cannot be "2026-02-30": it is no date'],
    [
      "{a}-{b}",
      { a: "x-y", b: "z" },
      "ambiguous-name",
      '{a} = "x-y" makes "x-y-z", which would be read as {a} = "x" by "{a}-{b}"',
    ],
    [
      "{a}-{b}/{b}-{a}",
      { a: "x-y", b: "z" },
      "ambiguous-name",
      '{a} = "x-y" makes "x-y-z/z-x-y", which would not be read back by "{a}-{b}/{b}-{a}"',
    ],
  ])("%j with %j: %s", (text, vars, reason, message) => {
    expect(renderPattern(pattern(text), vars)).toEqual({ ok: false, reason, message });
  });
});

test("match(render(vars)) gives back vars, or the name is ambiguous", () => {
  const cases = fc.tuple(fc.oneof(models(), models(["a", "b", "c"])), fc.array(values, { minLength: 9, maxLength: 9 }));
  const seen = { ok: 0, "ambiguous-name": 0, "invalid-value": 0, unbound: 0 };
  fc.assert(
    fc.property(cases, ([model, texts]) => {
      const made = pattern(model.text);
      const vars = Object.fromEntries(made.variables.map(({ name }, i) => [name, texts[i]!]));
      const rendered = renderPattern(made, vars);
      seen[rendered.ok ? "ok" : rendered.reason]++;
      if (rendered.ok) expect({ ...matchPattern(made, rendered.path) }).toEqual(vars);
      else if (rendered.reason === "ambiguous-name") {
        const path = made.elements.map((e) => (typeof e === "string" ? e : vars[e.name])).join("");
        expect({ ...matchPattern(made, path) }).not.toEqual(vars);
      }
    }),
    { numRuns: 5000 },
  );
  expect(seen.ok).toBeGreaterThan(300);
  expect(seen["ambiguous-name"]).toBeGreaterThan(30);
  expect(seen.unbound).toBe(0);
});

test("every path that matches is rendered from what it gives", () => {
  const names = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
    .filter((name) => /^(?!\.\.?$)[^/\0]+$/su.test(name));
  fc.assert(
    fc.property(names, names, (a, b) => {
      const made = pattern("x/{a}-{b}.txt");
      const path = `x/${a}-${b}.txt`;
      const vars = matchPattern(made, path)!;
      expect(renderPattern(made, vars)).toEqual({ ok: true, path });
    }),
  );
});
