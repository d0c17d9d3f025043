import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readJson } from "../../../src/core/pipeline/json-text.ts";
import type { Problem } from "../../../src/core/model/problem.ts";
import { load, loaded } from "../../support/definitions.ts";

const read = (text: string) => readJson(text, "pipelines/a.json");
const told = (text: string) =>
  read(text).problems.map((p) => `${p.code} ${p.place?.line}:${p.place?.column} ${p.message}`);

describe("malformed JSON is told with its place", () => {
  test.each([
    ["", "M201 1:1 the file is empty"],
    [" \n ", "M201 2:2 the file is empty"],
    ['{\n  "a": 1\n  "b": 2\n}', 'M201 3:3 "," is missing'],
    ['{\n  "a" 1 }', 'M201 2:7 ":" is missing after the key'],
    ['{ "a": [1, 2 }', 'M201 1:14 "]" is missing'],
    ['{ "a": 1', 'M201 1:9 "}" is missing'],
    ['{ "a": "b }', "M201 1:8 the text does not end: a double quote is missing"],
    ['{ "a": "\\q" }', "M201 1:8 no such escape"],
    ['{ "a": yes }', "M201 1:8 this is no JSON value"],
    ["{} {}", "M201 1:4 there is something after the definition's end"],
    ["{ 'a': 1 }", "M201 1:3 this is no JSON value"],
    ["/* {}", 'M201 1:1 the comment does not end: "*/" is missing'],
  ])("%j", (text, first) => expect(told(text)[0]).toBe(first));

  test("a missing comma does not hide the other faults", () => {
    const text = '{ "stages": [\n { "id": "a", "type": "source" "pattern": "x/{a}" } ],\n "nam": 1 }';
    expect(load(text).problems.map((p) => p.code)).toEqual(["M201", "M202"]);
  });
  test("brackets without end do not exhaust the stack", () => {
    expect(told("[".repeat(200_000))).toEqual(["M201 1:101 values are nested more than 100 deep"]);
    expect(told('{"a":'.repeat(200_000))).toHaveLength(1);
  });
});

describe("keys", () => {
  test("written twice are faults, wherever they are", () => {
    const { value, problems } = read('{ "a": 1, "b": { "c": 1,\n "c": 2 },\n "a": 3 }');
    expect(value).toEqual({ a: 1, b: { c: 1 } });
    expect(problems.map((p) => [p.code, p.place?.pointer, p.place?.line, p.notes?.[0]])).toEqual([
      ["M208", "/b/c", 2, "first: pipelines/a.json:1:18"],
      ["M208", "/a", 3, "first: pipelines/a.json:1:3"],
    ]);
  });
  test("called __proto__ are faults and never applied", () => {
    const definition = `{ "__proto__": { "name": "evil" }, "stages": [
      { "id": "a", "type": "source", "pattern": "a/{id}", "__proto__": { "settle": 1 } },
      { "id": "b", "type": "transform", "input": "a", "pattern": "b/{id}",
        "node": { "typeId": "module", "data": { "path": "x", "params": { "__proto__": { "admin": true } } } } } ] }`;
    const { problems } = load(definition);
    expect(problems.map((p) => `${p.code} ${p.place?.pointer}`)).toEqual([
      "M202 /__proto__",
      "M202 /stages/0/__proto__",
      "M202 /stages/1/node/data/params/__proto__",
    ]);
    expect(Object.getPrototypeOf(read(definition).value)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>)["admin"]).toBeUndefined();
  });
  test.each(["constructor", "toString", "hasOwnProperty"])("called %s are keys like others", (key) => {
    expect(load(`{ "${key}": 1, "stages": [] }`).problems.map((p) => p.code)).toEqual(["M202", "M203"]);
    expect(
      loaded(`{ "stages": [ { "id": "${key}", "type": "source", "pattern": "a/{${key}}" },
      { "id": "o", "type": "transform", "input": "${key}", "pattern": "b/{${key}}" } ] }`).stages,
    ).toHaveLength(2);
  });
});

/** Every problem has a place, and the place is in the file. */
function misplaced(problems: readonly Problem[], source: string): readonly Problem[] {
  const lines = source.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  return problems.filter(({ place }) => {
    const line = place === undefined ? undefined : lines[place.line - 1];
    if (place === undefined || line === undefined || place.excerpt !== line) return true;
    return (
      place.column < 1 ||
      place.column > line.length + 1 ||
      place.length < 1 ||
      (place.length > 1 && place.column - 1 + place.length > line.length)
    );
  });
}

const WHOLE = JSON.stringify(
  {
    name: "p",
    scanInterval: "5m",
    retryPolicy: { maxAttempts: 2, backoffSeconds: [1] },
    stages: [
      { id: "in", type: "source", pattern: "input/{id}.txt", filter: { minSize: 1 }, marker: "input/{id}.done" },
      {
        id: "a",
        type: "transform",
        input: { x: { stage: "in" } },
        pattern: "a/{id}.txt",
        node: { typeId: "if", data: { condition: "1" } },
        then: { typeId: "copy" },
      },
      {
        id: "b",
        type: "sink",
        input: ["a"],
        pattern: "b/{id}.txt",
        node: { typeId: "set", data: { fields: [{ name: "q\n", value: 1 }] } },
        validation: { matches: "a\\d" },
      },
    ],
  },
  undefined,
  1,
);

describe("whatever a file holds, loading it never throws and places every problem in the file", () => {
  test("the text that the others start from is right", () => expect(load(WHOLE).problems).toEqual([]));

  test("texts with a stretch replaced", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        "\\",
        "\n",
        "\r",
        "//",
        "/*",
        "\u0000",
        "\uD800",
        "{id}",
        "..",
        "__proto__",
        "null",
        "-1",
        '"x"',
        '{"a":1}',
      ),
    );
    const at = fc.nat(WHOLE.length);
    fc.assert(
      fc.property(at, fc.nat(40), piece, (from, length, text) => {
        const source = WHOLE.slice(0, from) + text + WHOLE.slice(from + length);
        const { pipeline, problems } = load(source);
        expect(misplaced(problems, source)).toEqual([]);
        expect(problems.length > 0).toBe(pipeline === undefined);
      }),
      { numRuns: 1500 },
    );
  });

  test("values with a part replaced or added", () => {
    const keys = fc.constantFrom(
      "id",
      "type",
      "pattern",
      "input",
      "node",
      "then",
      "data",
      "typeId",
      "filter",
      "stages",
      "env",
      "tools",
      "x",
      "stage",
      "marker",
      "",
      "__proto__",
    );
    const values = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom("a", "in", "b", "copy", "if", "{id}", "x/{id}/", "{a}{b}", "1KB", "5s", 0, -1, 1e300),
    );
    const change = fc.record({
      path: fc.array(fc.nat(8), { maxLength: 6 }),
      key: keys,
      value: values,
      replace: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const definition: unknown = JSON.parse(WHOLE);
        for (const one of changes) mutate(definition, one);
        const source = JSON.stringify(definition, undefined, 1);
        const { pipeline, problems } = load(source);
        expect(misplaced(problems, source)).toEqual([]);
        expect(problems.length > 0).toBe(pipeline === undefined);
      }),
      { numRuns: 1500 },
    );
  });

  const isPlaced = (source: string): void => {
    expect(misplaced(load(source).problems, source)).toEqual([]);
  };
  test("texts of any kind", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), isPlaced));
    fc.assert(fc.property(fc.json(), isPlaced));
  });
});

interface Change {
  readonly path: readonly number[];
  readonly key: string;
  readonly value: unknown;
  readonly replace: boolean;
}

function mutate(definition: unknown, { path, key, value, replace }: Change): void {
  let here = definition as Record<string, unknown>;
  for (const step of path) {
    const inside = Object.values(here).filter((part) => typeof part === "object" && part !== null);
    const next = inside[step % Math.max(1, inside.length)];
    if (next === undefined) break;
    here = next as Record<string, unknown>;
  }
  const names = Object.keys(here);
  const name = replace ? (names[key.length % Math.max(1, names.length)] ?? key) : key;
  Object.defineProperty(here, name, { value, enumerable: true, writable: true, configurable: true });
}
