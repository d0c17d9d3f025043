import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { loadHasher } from "../../../src/core/hash/hash.ts";
import type { ErrorCategory } from "../../../src/core/model/manifest.ts";
import { commonText, incidentInTarget, incidentOf, incidentTarget } from "../../../src/core/plan/incident.ts";

beforeAll(loadHasher);

const entity = (id: string, vars: Record<string, string> = { id }): { id: string; vars: Record<string, string> } => ({
  id,
  vars,
});
const idOf = (error: string, id: string, stage = "echo#upper", category: ErrorCategory = "node"): string =>
  incidentOf({ stage, category, error, entity: entity(id) });

describe("failures of one cause are one incident", () => {
  test.each([
    ["the entity's id", "cannot read 001", "001", "cannot read 002", "002"],
    ["an id that is a word", "no rate for alpha today", "alpha", "no rate for beta today", "beta"],
    ["an id that is a number of the message", "exited with code 3", "3", "exited with code 3", "1"],
    ["an id that is a quoted name", 'no field "a"', "a", 'no field "b"', "1"],
    ["quoted names", 'no field "a.b"', "1", 'no field "c"', "2"],
    ["names in other quotes", "no 'a b' in `x`", "1", "no 'c' in `y z`", "2"],
    ["paths", "ENOENT: open /tmp/a/001.txt", "x", "ENOENT: open /var/b.txt", "y"],
    ["relative paths in brackets", "at run (nodes/shout.ts:3:9)", "x", "at run (nodes/other.ts:4:1)", "y"],
    ["numbers", "got 3 of 10 rows", "x", "got 12.5 of 1,000 rows", "y"],
    ["hex strings", "digest deadbeef01 is wrong", "x", "digest 0123456789abcdef is wrong", "y"],
    [
      "ids of services",
      "request 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
      "x",
      "request 00000000-0000-0000-0000-000000000000",
      "y",
    ],
    ["white space", "a\n  b", "x", "a b ", "y"],
    ["names that a pattern would read", "bad .*+?^${}()|[]\\ here", ".*+?^${}()|[]\\", "bad $& here", "$&"],
  ])("%s do not count", (_, first, firstId, second, secondId) => {
    expect(commonText(first, entity(firstId))).toBe(commonText(second, entity(secondId)));
    expect(idOf(first, firstId)).toBe(idOf(second, secondId));
  });

  test("each variable's value is taken out, not only the id", () => {
    const one = entity("eu/monday", { region: "eu", day: "monday" });
    const two = entity("us/friday", { region: "us", day: "friday" });
    expect(commonText("no rate on monday for eu", one)).toBe(commonText("no rate on friday for us", two));
  });

  test("a value inside a longer word stays: it is not about the entity", () => {
    expect(commonText("error in parser", entity("e"))).toBe("error in parser");
    expect(commonText("e: error", entity("e"))).toBe("*: error");
  });

  test("an apostrophe is no quote", () => {
    expect(commonText("can't read what isn't there", entity("x"))).toBe("can't read what isn't there");
  });
});

describe("failures of different causes are different incidents", () => {
  test.each([
    ["the text", ["out of tea", "out of milk"], ["a#b", "a#b"], ["node", "node"]],
    ["the stage", ["out of tea", "out of tea"], ["a#b", "a#c"], ["node", "node"]],
    ["the category", ["out of tea", "out of tea"], ["a#b", "a#b"], ["node", "timeout"]],
  ] as const)("%s counts", (_, errors, stages, categories) => {
    const ids = [0, 1].map((at) => idOf(errors[at]!, "1", stages[at], categories[at]));
    expect(new Set(ids).size).toBe(2);
  });
});

const anyEntity = fc.record({ id: fc.string(), vars: fc.dictionary(fc.string(), fc.string()) });

test("whatever the error and the entity, there is an id of eight hex digits, the same each time", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), anyEntity, (error, any) => {
      const failure = { stage: "a#b", category: "node", error, entity: any } as const;
      expect(incidentOf(failure)).toMatch(/^[0-9a-f]{8}$/);
      expect(incidentOf(failure)).toBe(incidentOf(failure));
      expect(incidentInTarget(incidentTarget(incidentOf(failure)))).toBe(incidentOf(failure));
    }),
  );
});

test("errors that differ by the entity's name alone are one incident, whatever the name", () => {
  const word = fc.stringMatching(/^[a-z]{3,12}-[0-9]{1,5}$/);
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(idOf(`cannot parse ${a}: no title`, a)).toBe(idOf(`cannot parse ${b}: no title`, b));
    }),
  );
});

test.each(['"', "'", "`", "“", "/", "a", "1", "1.", "0", "\\", " ", "(", "x'", "12345678-"])(
  "a text of a million %j is answered",
  (piece) => {
    expect(commonText(piece.repeat(1_000_000), entity(piece)).length).toBeLessThan(50_000);
  },
);

test.each([
  "incident:",
  "incident:ab12cd3",
  "incident:AB12CD34",
  "incident:ab12cd345",
  "output@incident:ab12cd34",
  "ab12cd34",
])("%j is no incident", (text) => {
  expect(incidentInTarget(text)).toBeUndefined();
});
