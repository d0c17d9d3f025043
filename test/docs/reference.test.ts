import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createNodeTypes } from "../../src/adapters/execute/nodes/registry.ts";
import { PROBLEM_TITLES } from "../../src/core/model/problems.ts";
import { matchPattern, parsePattern } from "../../src/core/pattern/pattern.ts";
import { TYPE_NAMES } from "../../src/core/pattern/value-type.ts";
import { anyNode, stageSchemas, topSchema } from "../../src/core/pipeline/definition-schema.ts";
import { loadDefinition } from "../../src/core/pipeline/load.ts";
import { keysAt } from "../../src/core/pipeline/schema-walk.ts";
import { z } from "../../src/core/pipeline/schema.ts";
import { docBlocks, sectionOf, tableNames } from "../support/doc-blocks.ts";
import { CHECKOUT } from "../support/shipped-project.ts";

const NODE_TYPES = createNodeTypes(new URL("file:///host-that-is-never-started.ts"));
const page = (name: string): string => readFileSync(join(CHECKOUT, "docs", name), "utf8");
const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();

describe("docs/definitions.md", () => {
  const text = page("definitions.md");
  const { source, transform, sink } = stageSchemas;
  const common = keysAt(source, []).filter((key) => keysAt(sink, []).includes(key));
  const own = (keys: readonly string[]): string[] => keys.filter((key) => !common.includes(key));

  test.each([
    ["## The keys of a pipeline", keysAt(topSchema, [])],
    ["## The keys of every stage", common],
    ["### filter", keysAt(source, ["filter"])],
    ["### validation", keysAt(sink, ["validation"])],
    ["### node, then, else", keysAt(anyNode, [])],
    ["### retryPolicy", keysAt(topSchema, ["retryPolicy"])],
  ])("%s has every key, and no other", (heading, keys) => {
    expect(keys.length).toBeGreaterThan(0);
    expect(sorted(tableNames(text, heading))).toEqual(sorted(keys));
  });

  test("the keys of sources and of the other stages are there, and no other", () => {
    const documented = (heading: string, below: readonly string[]): string[] =>
      sorted(tableNames(text, heading)).filter((key) => !below.includes(key));
    expect(documented("## The keys of a source", keysAt(source, ["filter"]))).toEqual(sorted(own(keysAt(source, []))));
    const parts = [...keysAt(sink, ["validation"]), ...keysAt(anyNode, []), ...keysAt(topSchema, ["retryPolicy"])];
    expect(documented("## The keys of a transform and of a sink", parts)).toEqual(sorted(own(keysAt(sink, []))));
    expect(own(keysAt(sink, [])).filter((key) => !keysAt(transform, []).includes(key))).toEqual(["rerun"]);
  });

  test("its examples load as they stand", () => {
    const examples = docBlocks(text).filter(({ language }) => language === "jsonc");
    expect(examples.length).toBeGreaterThan(0);
    for (const { text: example } of examples)
      expect(loadDefinition(example, { file: "pipelines/example.json", nodeTypes: NODE_TYPES }).problems).toEqual([]);
  });
});

describe("docs/nodes.md", () => {
  const text = page("nodes.md");

  test("every type has its section, and no other is there", () => {
    const headings = [...text.matchAll(/^## (\w+)$/gm)].map((found) => found[1] ?? "");
    expect(sorted(headings)).toEqual(sorted(NODE_TYPES.keys()));
  });

  test.each([...NODE_TYPES])("%s has every key of its data, and no other", (typeId, type) => {
    const names = tableNames(text, `## ${typeId}`).filter((name) => !NOT_DATA.test(name));
    expect(sorted(names)).toEqual(sorted(dataKeys(z.toJSONSchema(type.data, { io: "input" }))));
  });

  test.each([...NODE_TYPES.keys()])("an example of %s loads as it stands", (typeId) => {
    const examples = docBlocks(sectionOf(text, `## ${typeId}`)).filter(({ language }) => language === "json");
    expect(examples.length).toBeGreaterThan(0);
    for (const { text: example } of examples) {
      const written = JSON.parse(example) as Record<string, unknown>;
      const stage = Object.hasOwn(written, "typeId")
        ? { id: "made", type: "transform", input: "input", pattern: "made/{id}.txt", node: written }
        : written;
      const definition = { stages: [{ id: "input", type: "source", pattern: "input/{id}.txt" }, stage] };
      const file = "pipelines/example.json";
      expect(loadDefinition(JSON.stringify(definition), { file, nodeTypes: NODE_TYPES }).problems).toEqual([]);
    }
  });
});

/** What a module's function gets stands in a table, too. */
const NOT_DATA = /^(?:entity|input|inputs|signal|log\(\.\.\.\)|attempt|idempotencyKey|output\.path)$/;

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

/** The keys of an object schema, those of the objects in its lists written `list[].key`. */
function dataKeys(schema: unknown): string[] {
  const { properties = {}, anyOf = [] } = schema as JsonSchema;
  const own = Object.entries(properties).flatMap(([key, { items }]) => {
    const inside = items && !Array.isArray(items) ? dataKeys(items) : [];
    return [key, ...inside.map((name) => `${key}[].${name}`)];
  });
  return [...own, ...anyOf.flatMap(dataKeys)];
}

describe("docs/patterns.md", () => {
  const text = page("patterns.md");

  test("every example matches", () => {
    const rows = [...text.matchAll(/^\| `([^`]+)` +\| `([^`]+)`/gm)].map(([, pattern = "", path = ""]) => ({
      pattern,
      path,
    }));
    const others = [...text.matchAll(/^\| `([^`]+)` +\| [^`|]*`([^`]+)`/gm)].length;
    expect(rows.length).toBeGreaterThan(4);
    expect(others).toBeGreaterThanOrEqual(rows.length);
    for (const { pattern, path } of rows) {
      const parsed = parsePattern(pattern);
      expect(parsed.ok && matchPattern(parsed.pattern, path), `${pattern} and ${path}`).toBeTruthy();
    }
  });

  test("every type is there, and no other", () => {
    expect(sorted(tableNames(text, "## Types"))).toEqual(sorted(TYPE_NAMES));
  });
});

describe("docs/errors.md", () => {
  const text = page("errors.md");
  const headings = [...text.matchAll(/^### (M\d+) (.*)$/gm)].map(([, code = "", title = ""]) => [code, title] as const);

  test("every code is there with its title, and no other, in order", () => {
    expect(headings).toEqual(Object.entries(PROBLEM_TITLES));
  });

  test.each(headings)("%s says what it means and what to do", (code, title) => {
    const [meaning = "", todo = ""] = sectionOf(text, `### ${code} ${title}`).trim().split("\n\nDo: ");
    expect(meaning.length).toBeGreaterThan(20);
    expect(todo).toMatch(/^\S.*\.$/s);
  });
});
