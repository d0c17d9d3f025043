import { describe, expect, test } from "vitest";
import { pipelineJsonSchema } from "../../../src/core/pipeline/json-schema.ts";
import { NODE_TYPES } from "../../support/definitions.ts";

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly const?: unknown;
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly definitions?: Readonly<Record<string, Schema>>;
}
const schema = pipelineJsonSchema(NODE_TYPES) as Schema;

/** A schema with its reference followed. */
function follow(found: Schema | undefined): Schema {
  const name = (found?.$ref ?? found?.allOf?.[0]?.$ref)?.replace("#/definitions/", "");
  return name === undefined ? (found ?? {}) : { ...follow(schema.definitions?.[name]), ...found };
}
const stages = (follow(follow(schema.properties?.["stages"]).items).oneOf ?? []).map(follow);
const stageOf = (type: string) => stages.find((stage) => follow(stage.properties?.["type"]).const === type);
const keysOf = (found: Schema | undefined) => Object.keys(found?.properties ?? {}).toSorted();

describe("the JSON Schema", () => {
  test("is plain JSON", () => expect(JSON.parse(JSON.stringify(schema))).toEqual(schema));

  const stage = ["id", "name", "description", "type", "pattern"];
  const task = [
    "input",
    "node",
    "then",
    "else",
    "validation",
    "timeout",
    "concurrency",
    "priority",
    "retryPolicy",
    "env",
    "tools",
    "durability",
    "onEdit",
    "onOrphan",
  ];
  test.each<[string, Schema | undefined, readonly string[]]>([
    [
      "a definition",
      schema,
      [
        "$schema",
        "name",
        "description",
        "mode",
        "version",
        "enabled",
        "stateRoot",
        "scanInterval",
        "maxConcurrentEntities",
        "retryPolicy",
        "stages",
      ],
    ],
    ["a source", stageOf("source"), [...stage, "filter", "settle", "marker"]],
    ["a transform", stageOf("transform"), [...stage, ...task]],
    ["a sink", stageOf("sink"), [...stage, ...task, "rerun"]],
  ])("has the keys of %s, described, and no others", (_, found, keys) => {
    expect(keysOf(found)).toEqual(keys.toSorted());
    expect(found?.additionalProperties).toBe(false);
    const silent = Object.entries(found?.properties ?? {}).filter(([, key]) => !follow(key).description);
    expect(silent.map(([key]) => key)).toEqual([]);
  });

  test("asks for what must be there only", () => {
    expect(schema.required).toEqual(["stages"]);
    expect(stageOf("source")?.required?.toSorted()).toEqual(["id", "pattern", "type"]);
    expect(stageOf("sink")?.required?.toSorted()).toEqual(["id", "input", "pattern", "type"]);
  });

  test("knows the data of each node type, and whether it may be left out", () => {
    const nodes = (follow(stageOf("transform")?.properties?.["node"]).oneOf ?? []).map(follow);
    const byType = new Map(nodes.map((node) => [follow(node.properties?.["typeId"]).const, node]));
    expect([...byType.keys()]).toEqual([...NODE_TYPES.keys()]);
    expect(byType.get("copy")?.required).toEqual(["typeId"]);
    expect(byType.get("transform")?.required).toEqual(["typeId", "data"]);
    expect(keysOf(follow(byType.get("transform")?.properties?.["data"]))).toEqual(["expression"]);
  });

  test("shows defaults as they are written", () => {
    expect(follow(schema.properties?.["scanInterval"]).default).toBe("10m");
    expect(follow(stageOf("sink")?.properties?.["timeout"]).default).toBe(300);
    expect(follow(schema.properties?.["stateRoot"]).default).toBe("state/");
  });
});
