import { describe, expect, expectTypeOf, test } from "vitest";
import { defineNode, definePipeline } from "../../../src/core/pipeline/define.ts";
import { loadCodeDefinition } from "../../../src/core/pipeline/load.ts";
import type { TaskStage } from "../../../src/core/model/pipeline.ts";
import { NODE_TYPES } from "../../support/definitions.ts";

const SOURCE = `import { definePipeline } from "millrace";
export default definePipeline({
  scanInterval: 30,
  stages: [
    { id: "in", type: "source", pattern: "in/{id}.txt" },
    {
      id: "out",
      type: "transform",
      input: "in",
      pattern: "out/{id}.txt",
      timeout: 5,
    },
  ],
});
`;
const DEFINITION = {
  scanInterval: 30,
  stages: [
    { id: "in", type: "source", pattern: "in/{id}.txt" },
    { id: "out", type: "transform", input: "in", pattern: "out/{id}.txt", timeout: 5 },
  ],
};
const load = (definition: unknown, text = SOURCE) =>
  loadCodeDefinition(definition, text, { file: "pipelines/p.ts", nodeTypes: NODE_TYPES });
const places = (definition: unknown, text?: string) =>
  load(definition, text).problems.map((p) => `${p.code} ${p.place?.pointer} ${p.place?.line}`);
const withOut = (more: object) => ({
  ...DEFINITION,
  stages: [DEFINITION.stages[0], { ...DEFINITION.stages[1], ...more }],
});

describe("a definition written as code", () => {
  test("loads like one in JSON, named by its file", () => {
    expect(load(DEFINITION).pipeline).toMatchObject({
      name: "p",
      file: "pipelines/p.ts",
      scanIntervalMs: 30_000,
      stages: [{ id: "in" }, { id: "out", timeoutMs: 5000 }],
    });
  });
  test("has its faults placed at the words", () => {
    expect(places({ ...DEFINITION, scanInterval: "x" })).toEqual(["M203 /scanInterval 3"]);
    expect(places(withOut({ timeout: "x" }))).toEqual(["M203 /stages/1/timeout 11"]);
    expect(places(withOut({ pattern: "out/{x}" }))).toEqual(["M204 /stages/1/pattern 10"]);
  });
  test("has faults of what is not written out placed at the nearest thing", () => {
    expect(places(withOut({ nod: 1 }))).toEqual(["M202 /stages/1/nod 6"]);
    expect(places({ ...DEFINITION, nod: 1 })).toEqual(["M202 /nod 1"]);
    expect(places(withOut({ nod: 1 }), "export default make();")).toEqual(["M202 /stages/1/nod 1"]);
    expect(places(withOut({ nod: 1 }), "")).toEqual(["M202 /stages/1/nod 1"]);
  });
  test.each([() => "text", null, "text", []])(
    "that is none is told once, with where code of nodes goes",
    (exported) => {
      expect(load(exported).problems).toMatchObject([
        { code: "M203", place: { line: 1 }, hint: expect.stringContaining("pipelines/nodes/") },
      ]);
    },
  );
  test("may leave keys undefined", () => expect(load(withOut({ node: undefined })).problems).toEqual([]));
  test.each<[string, unknown]>([
    ["a function", () => 1],
    ["a class instance", new Date(0)],
    ["a symbol", Symbol("s")],
    ["a bigint", 1n],
    ["not a number", NaN],
  ])("cannot hold %s", (_, value) =>
    expect(places(withOut({ tools: { x: value } }))[0]).toBe("M203 /stages/1/tools/x 6"),
  );
  test("is told to name a module where a node is a function", () => {
    const [found, ...others] = load(withOut({ node: () => 1 })).problems;
    expect(others).toEqual([]);
    expect(found?.hint).toMatch(/typeId: "module"/);
  });
  test("cannot hold itself", () => {
    const own: Record<string, unknown> = { ...DEFINITION };
    own["description"] = own;
    expect(load(own).problems.length).toBeGreaterThan(0);
  });
  test("cannot smuggle in a prototype", () => {
    const definition: unknown = JSON.parse(
      '{ "__proto__": { "enabled": false }, "stages": [{ "id": "a", "type": "source", "pattern": "a/{x}" }] }',
    );
    expect(places(definition)).toEqual(["M202 /__proto__ 1"]);
  });
});

describe("definePipeline and defineNode", () => {
  test("change nothing", () => {
    const run = () => "x";
    expect(defineNode(run)).toBe(run);
    const definition = { stages: [{ id: "a", type: "source", pattern: "a/{x}" }] } as const;
    expect(definePipeline(definition)).toBe(definition);
  });
  test("give a node's function the variables of its pattern", () => {
    defineNode<"orders/{region}/{date:date}/{path...}.csv">(({ entity }) => {
      expectTypeOf(entity.vars).toEqualTypeOf<{
        readonly region: string;
        readonly date: string;
        readonly path: string;
      }>();
    });
  });
  test("accept what loads", () => {
    const definition = definePipeline({
      retryPolicy: { backoffSeconds: [1, "5m"] },
      stages: [
        { id: "in", type: "source", pattern: "in/{id}.txt", settle: "1s", filter: { minSize: "1KB" } },
        {
          id: "out",
          type: "sink",
          input: { doc: { stage: "in" } },
          pattern: "out/{id}.txt",
          rerun: "always",
          node: { typeId: "copy" },
        },
      ],
    });
    const stage = load(definition).pipeline?.stages[1] as TaskStage | undefined;
    expect(stage?.inputs).toEqual([{ alias: "doc", stage: "in" }]);
    // @ts-expect-error a misspelt type
    expect(load(definePipeline({ stages: [{ id: "a", type: "sourc", pattern: "x" }] })).problems).toHaveLength(1);
  });
});
