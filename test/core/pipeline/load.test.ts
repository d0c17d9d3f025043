import { describe, expect, test } from "vitest";
import { load, loaded } from "../../support/definitions.ts";
import { renderProblem } from "../../../src/core/model/problem.ts";
import type { SourceStage, TaskStage } from "../../../src/core/model/pipeline.ts";

const SOURCE = { id: "in", type: "source", pattern: "input/{id}.txt" };
const COPY = { id: "out", type: "transform", input: "in", pattern: "output/{id}.txt" };
const withSource = (more: object) => ({ stages: [{ ...SOURCE, ...more }, COPY] });
const withTask = (more: object) => ({ stages: [SOURCE, { ...COPY, ...more }] });
const task = (more: object) => loaded(withTask(more)).stages[1] as TaskStage;
const source = (more: object) => loaded(withSource(more)).stages[0] as SourceStage;

/** Code, pointer and line of each problem. */
const places = (definition: unknown) => load(definition).problems.map((p) => `${p.code} ${p.place?.pointer}`);
const messages = (definition: unknown) => load(definition).problems.map((p) => `${p.code} ${p.message} | ${p.hint}`);

const ECHO = `{ "name": "echo", "mode": "pipeline", "stateRoot": "state/", "scanInterval": 30, "maxConcurrentEntities": 5,
  "retryPolicy": { "maxAttempts": 3, "backoffSeconds": [5, 10, 30] },
  "stages": [
    { "id": "input", "type": "source", "pattern": "input/{id}.txt", "settle": "500ms", "filter": { "minSize": 1 } },
    { "id": "transformed", "type": "transform", "input": "input", "pattern": "transformed/{id}.txt",
      "node": { "typeId": "transform", "data": { "expression": "$.input.content.toUpperCase()" } } },
    { "id": "output", "type": "transform", "input": "transformed", "pattern": "output/{id}.json",
      "node": { "typeId": "set", "data": { "fields": [ { "name": "id", "value": "{{$.entity.id}}" },
                                                      { "name": "original", "value": "{{$.input.content}}" } ] } },
      "validation": { "minSize": 2 } } ] }`;

describe("examples load as they are written", () => {
  test("the echo pipeline of the design", () => {
    const echo = loaded(ECHO, "pipelines/echo.json");
    expect(echo).toMatchObject({
      name: "echo",
      description: "",
      version: 1,
      enabled: true,
      file: "pipelines/echo.json",
      stateRoot: "state/",
      scanIntervalMs: 30_000,
      maxConcurrentEntities: 5,
      retryPolicy: { maxAttempts: 3, backoffSeconds: [5, 10, 30], jitter: 0 },
    });
    const [input, transformed, output] = echo.stages;
    expect(input).toMatchObject({
      key: "echo#input",
      type: "source",
      settleMs: 500,
      filter: { minSize: 1 },
      marker: undefined,
    });
    expect(transformed).toMatchObject({
      key: "echo#transformed",
      name: "transformed",
      pipeline: "echo",
      inputs: [{ alias: "input", stage: "input" }],
      ancestors: ["input"],
      node: { typeId: "transform", data: { expression: "$.input.content.toUpperCase()" } },
    });
    expect(output).toMatchObject({ ancestors: ["transformed", "input"], validation: { minSize: 2 } });
    expect((output as TaskStage).node.place).toMatchObject({ line: 8, pointer: "/stages/2/node/data" });
  });

  test.each([
    [
      "content-creator",
      `{
  "stages": [
    {"id": "draft", "type": "source", "pattern": "drafts/{slug}.md"},
    {"id": "article", "type": "transform", "input": "draft", "pattern": "articles/{slug}.md"}
  ]
}`,
    ],
    [
      "social-publisher",
      `{
  "stages": [
    {"id": "article", "type": "source", "pattern": "articles/{slug}.md"},
    {"id": "tweet", "type": "transform", "input": "article", "pattern": "tweets/{slug}.json"}
  ]
}`,
    ],
  ])("%s of the walkthrough, named by its file, copying its input", (name, text) => {
    const pipeline = loaded(text, `pipelines/${name}.json`);
    expect(pipeline.name).toBe(name);
    expect((pipeline.stages[1] as TaskStage).node).toMatchObject({ typeId: "copy", data: {} });
  });

  test("with comments, trailing commas and a byte order mark", () => {
    const text = `\uFEFF// mine\n${JSON.stringify(withTask({})).replace("]}", ", /* end */ ], }")}`;
    expect(loaded(text).stages).toHaveLength(2);
  });
});

describe("what is left out has the default of the design", () => {
  test("of a pipeline", () => {
    expect(loaded(withTask({}))).toMatchObject({
      name: "test",
      stateRoot: "state/",
      scanIntervalMs: 600_000,
      maxConcurrentEntities: 10,
      retryPolicy: { maxAttempts: 7, backoffSeconds: [60, 300, 900, 3600, 14400, 86400], jitter: 0 },
    });
  });
  test("of a source", () => {
    expect(source({})).toMatchObject({ filter: {}, settleMs: undefined, marker: undefined, description: "" });
  });
  test("of a transform", () => {
    expect(task({})).toMatchObject({
      node: { typeId: "copy", data: {} },
      then: undefined,
      else: undefined,
      validation: {},
      timeoutMs: 300_000,
      concurrency: Infinity,
      priority: 0,
      retryPolicy: { maxAttempts: 7 },
      env: [],
      tools: {},
      durability: "process",
      onEdit: "rebuild",
      onOrphan: "trash",
      rerun: "changed",
    });
  });
  test("of a stage's retry policy: its pipeline's", () => {
    const retryPolicy = { maxAttempts: 3, jitter: 0.5 };
    const pipeline = loaded({ retryPolicy, stages: [SOURCE, { ...COPY, retryPolicy: { maxAttempts: 9 } }] });
    expect((pipeline.stages[1] as TaskStage).retryPolicy).toMatchObject({ maxAttempts: 9, jitter: 0.5 });
    expect((pipeline.stages[1] as TaskStage).retryPolicy.backoffSeconds[0]).toBe(60);
  });
});

describe("every key does what it says", () => {
  test.each([
    [5, 5000],
    [0.25, 250],
    ["500ms", 500],
    ["5s", 5000],
    ["1.5m", 90_000],
    ["1h", 3_600_000],
    ["2d", 172_800_000],
  ])("timeout %j is %i ms", (timeout, ms) => expect(task({ timeout }).timeoutMs).toBe(ms));
  test.each([
    [7, 7],
    ["7B", 7],
    ["1KB", 1024],
    ["1.5MB", 1_572_864],
    ["1GB", 1_073_741_824],
  ])("minSize %j is %i bytes", (minSize, bytes) => {
    expect(source({ filter: { minSize } }).filter).toEqual({ minSize: bytes });
    expect(task({ validation: { minSize } }).validation).toEqual({ minSize: bytes });
  });
  test("delays may carry a unit", () => {
    expect(task({ retryPolicy: { backoffSeconds: [1, "2s", "1m"] } }).retryPolicy.backoffSeconds).toEqual([1, 2, 60]);
  });
  test.each<[unknown, string]>([
    ["in", "in"],
    [["in"], "in"],
    [{ text: "in" }, "text"],
    [{ text: { stage: "in" } }, "text"],
  ])("input %j", (input, alias) => expect(task({ input }).inputs).toEqual([{ alias, stage: "in" }]));
  test("an alias may be called input", () =>
    expect(task({ input: { input: "in" } }).inputs).toEqual([{ alias: "input", stage: "in" }]));
  test("a marker has the source's variables, or fewer", () => {
    expect(source({ marker: "input/{id}.done" }).marker?.text).toBe("input/{id}.done");
    expect(source({ marker: "input/all.done" }).marker?.text).toBe("input/all.done");
  });
  test("a sink may run for changed code", () =>
    expect(task({ type: "sink", rerun: "always" })).toMatchObject({ type: "sink", rerun: "always" }));
  test("a node that chooses has branches", () => {
    const stage = task({
      node: { typeId: "if", data: { condition: "true" } },
      then: { typeId: "copy" },
      else: { typeId: "copy" },
    });
    expect(stage.then).toMatchObject({ typeId: "copy", data: {} });
    expect(stage.else).toMatchObject({ typeId: "copy", data: {} });
  });
  test("a node's data has its type's defaults", () => {
    expect(task({ node: { typeId: "module", data: { path: "a.ts" } } }).node.data).toEqual({
      path: "a.ts",
      params: {},
    });
  });
  test("the rest", () => {
    const more = {
      concurrency: 2,
      priority: 5,
      env: ["TOKEN", "TOKEN"],
      tools: { magick: "magick --version" },
      durability: "sync",
      onEdit: "keep",
      onOrphan: "delete",
    };
    expect(task({ ...more, name: "Out", description: "d", validation: { json: true, matches: "^ok" } })).toMatchObject({
      ...more,
      env: ["TOKEN"],
      name: "Out",
      description: "d",
      validation: { json: true, matches: "^ok" },
    });
    expect(
      loaded({ ...withTask({}), enabled: false, version: "2b", mode: "workflow", description: "d" }),
    ).toMatchObject({
      enabled: false,
      version: "2b",
      description: "d",
    });
  });
  test("stages come after their inputs, however they are written", () => {
    const stages = [
      { ...COPY, id: "c", input: "b", pattern: "c/{id}" },
      { ...COPY, id: "b", pattern: "b/{id}" },
      SOURCE,
    ];
    const pipeline = loaded({ stages });
    expect(pipeline.stages.map(({ id }) => id)).toEqual(["in", "b", "c"]);
    expect((pipeline.stages[2] as TaskStage).ancestors).toEqual(["b", "in"]);
  });
  test("a pipeline is frozen to its depths", () => {
    const pipeline = loaded(ECHO);
    const stage = pipeline.stages[2] as TaskStage;
    expect(() => Object.assign(stage.node.data["fields"] as object, { 0: 1 })).toThrow(TypeError);
    expect(
      [pipeline, pipeline.stages, stage, stage.pattern, stage.pattern.variables, stage.retryPolicy].every(
        Object.isFrozen,
      ),
    ).toBe(true);
  });
});

describe("unbound variables", () => {
  test("are shown as in the style guide", () => {
    const text = `{
  "stages": [
    { "id": "article", "type": "source", "pattern": "articles/{id}.md" },
    { "id": "tweet", "type": "transform", "input": "article",
      "pattern": "tweets/{slug}.json" }
  ]
}`;
    const [found, ...others] = load(text, "pipelines/social.json").problems;
    expect(others).toEqual([]);
    expect(found && renderProblem(found)).toBe(
      `error M204  output pattern uses "{slug}", which no input binds
  pipelines/social.json:5:26  /stages/1/pattern
          "pattern": "tweets/{slug}.json" }
                             ~~~~~~
  inputs bind: {id}   (articles/{id}.md, line 3)
  do: write {id} here, or name the input variable {slug}`,
    );
  });
  test("more than the input's cannot be in this release", () => {
    expect(messages(withTask({ pattern: "o/{id}/{page}.txt" }))).toEqual([
      'M204 output pattern uses "{page}", which no input binds | take {page} out; one state that makes many (expand) is not in this release',
    ]);
  });
  test("fewer than the input's neither", () => {
    expect(messages(withTask({ pattern: "o/all.txt" }))).toEqual([
      "M212 output pattern leaves out {id} of its input; grouping is not in this release | add {id} to the output pattern",
    ]);
  });
  test("a value that the output could not take is told", () => {
    const stages = [{ ...SOURCE, pattern: "input/{id...}" }, COPY];
    expect(places({ stages })).toEqual(["M204 /stages/1/pattern"]);
    expect(places(withTask({ pattern: "o/{id:int}" }))).toEqual(["M204 /stages/1/pattern"]);
  });
  test("of a marker too", () =>
    expect(messages(withSource({ marker: "input/{x}.done" }))[0]).toMatch(/^M204 marker uses "\{x\}"/));
});

describe("bad definitions", () => {
  test("all faults at once, in the order of the file", () => {
    const stages = [
      { id: "in", type: "source", patern: "x/{id}", settle: "soon" },
      { id: "b", type: "tranform", input: "inn", pattern: "../{id}", node: { typeId: "trasform" } },
      {
        id: "b",
        type: "sink",
        input: ["in"],
        pattern: "c/{id}",
        node: { typeId: "transform", data: { expresion: "1" } },
        rerun: "never",
      },
    ];
    expect(places({ nam: "x", retryPolicy: { maxAttempts: 0 }, stages })).toEqual([
      "M202 /nam",
      "M203 /retryPolicy/maxAttempts",
      "M217 /stages/0/pattern",
      "M202 /stages/0/patern",
      "M203 /stages/0/settle",
      "M203 /stages/1/type",
      "M206 /stages/1/input",
      "M207 /stages/1/pattern",
      "M205 /stages/1/node/typeId",
      "M208 /stages/2/id",
      "M217 /stages/2/node/data/expression",
      "M202 /stages/2/node/data/expresion",
      "M203 /stages/2/rerun",
    ]);
  });

  test.each<[string, object, string]>([
    [
      "an unknown key",
      { ...withTask({}), stateroot: "x" },
      'M202 the definition has no key "stateroot" | did you mean "stateRoot"?',
    ],
    [
      "an unknown key of a stage",
      withTask({ timout: 3 }),
      'M202 stage "out" has no key "timout" | did you mean "timeout"?',
    ],
    [
      "a misspelt node type",
      withTask({ node: { typeId: "coppy" } }),
      'M205 there is no node type "coppy" | did you mean "copy"?',
    ],
    [
      "a node type like no other",
      withTask({ node: { typeId: "zzzzz" } }),
      'M205 there is no node type "zzzzz" | node types: copy, if, module, set, transform',
    ],
    [
      "a misspelt stage",
      withTask({ input: "inn" }),
      'M206 there is no stage "inn" in this pipeline | did you mean "in"?',
    ],
    [
      "a key of another type",
      withSource({ timeout: 3 }),
      'M218 a source has no "timeout" | remove it; "timeout" belongs to a transform or a sink',
    ],
    [
      "rerun of a transform",
      withTask({ rerun: "always" }),
      'M218 a transform has no "rerun" | remove it; "rerun" belongs to a sink',
    ],
    [
      "a wrong type",
      withTask({ concurrency: "2" }),
      'M203 "concurrency" is "2", but must be a number | write a number',
    ],
    [
      "a value out of range",
      withTask({ concurrency: 0 }),
      'M203 "concurrency" is 0, but must be at least 1 | write at least 1',
    ],
    [
      "a fraction",
      withTask({ priority: 1.5 }),
      'M203 "priority" is 1.5, but must be a whole number | write a whole number',
    ],
    [
      "a misspelt word",
      withTask({ onEdit: "kep" }),
      'M203 "onEdit" is "kep", but must be one of "rebuild", "keep" | did you mean "keep"?',
    ],
    [
      "a missing key",
      withTask({ pattern: undefined }),
      'M217 stage "out" lacks "pattern" | add "pattern": text in double quotes',
    ],
    [
      "then without a choice",
      withTask({ then: { typeId: "copy" } }),
      'M218 "then" needs a node that chooses, and "copy" does not | remove "then", or use "if" as "node"',
    ],
    [
      "data that its type finds wrong",
      withTask({ node: { typeId: "transform", data: { expression: "(((" } } }),
      "M219 the expression does not parse | close it",
    ],
    [
      "no stages",
      { stages: [] },
      'M203 "stages" is an empty list, but must be a list of at least 1 item | write a list of at least 1 item',
    ],
    [
      "a stage as its own input",
      withTask({ input: "out" }),
      'M209 stage "out" is its own input | make one of them start from a source',
    ],
    [
      "an alias with two meanings",
      { stages: [SOURCE, COPY, { ...COPY, id: "c", pattern: "c/{id}", input: { in: "out" } }] },
      'M203 the alias "in" is also the id of a stage, so "$.in" would have two meanings | choose another alias',
    ],
    [
      "sizes that nothing can have",
      withSource({ filter: { minSize: "2KB", maxSize: 5 } }),
      'M203 "minSize" is larger than "maxSize", so nothing could pass | make it the smaller one',
    ],
    [
      "minFiles of files",
      withSource({ filter: { minFiles: 2 } }),
      'M203 "minFiles" needs a pattern for folders | end the pattern with "/", or remove "minFiles"',
    ],
    [
      "json of a folder",
      withTask({ pattern: "o/{id}/", validation: { json: true } }),
      'M203 "json" checks a file, and the stage makes a folder | remove "json", or take the final "/" off the pattern',
    ],
    [
      "an expression without linear time",
      withTask({ validation: { matches: "a(?=b)" } }),
      'M203 "(?=" is not allowed: only plain groups take linear time | use ( or (?: and say what to match, not what to look for',
    ],
    [
      "a time without sense",
      withTask({ timeout: "5 parsecs" }),
      'M203 "timeout" is "5 parsecs", but must be a time from 1ms to 366d | write seconds as a number, or text with a unit: "500ms", "5s", "10m", "1h", "2d"',
    ],
    [
      "a time of zero",
      withTask({ timeout: "0s" }),
      'M203 "timeout" is "0s", but must be a time from 1ms to 366d | write seconds as a number, or text with a unit: "500ms", "5s", "10m", "1h", "2d"',
    ],
    [
      "a stage called entity",
      withTask({ id: "entity" }),
      'M203 "id" is "entity", but must be a short name that starts with a letter or digit, other than "entity" | use letters, digits, "_", "-" and "."; in expressions "$.entity" is the entity itself',
    ],
  ])("%s", (_, definition, expected) => {
    const found = messages(definition);
    expect(found).toEqual([expected]);
  });

  test.each([3, null, "x", [], true])("a definition that is %j", (definition) => {
    expect(places(JSON.stringify(definition))).toEqual(["M203 "]);
  });
  test.each([[3], [null], ["x"], [[]]])("a stage that is %j", (stage) =>
    expect(places({ stages: [stage] })).toEqual(["M203 /stages/0"]),
  );
  test.each([[3], [null], [[]], [{}], [[3]], [{ a: 3 }], [{ "a b": "in" }]])("an input that is %j", (input) => {
    const found = load(withTask({ input })).problems;
    expect(found).toHaveLength(1);
    expect(found[0]?.place?.pointer).toMatch(/^\/stages\/1\/input/);
  });
  test("a circle of stages is told once", () => {
    const stages = ["a", "b", "c"].map((id, i) => ({
      id,
      type: "transform",
      input: ["b", "c", "a"][i],
      pattern: `${id}/{id}`,
    }));
    expect(messages({ stages })).toEqual([
      'M209 stages form a circle: "a" <- "b" <- "c" <- "a" | make one of them start from a source',
    ]);
  });
  test("a file name that cannot be a pipeline's name", () => {
    expect(load(withTask({}), "pipelines/a#b.json").problems.map((p) => p.code)).toEqual(["M217"]);
    expect(load({ name: "ok", ...withTask({}) }, "pipelines/a#b.json").pipeline?.name).toBe("ok");
  });
});

describe("what belongs to later releases is refused, never ignored", () => {
  test.each(["onMemberFailure", "onIncomplete", "when", "maxDelay"])("%s", (key) => {
    expect(messages(withTask({ [key]: "x" }))).toEqual([
      `M212 "${key}" is not in this release | remove "${key}"; a later release brings it`,
    ]);
  });
  test("resilience", () => expect(places({ ...withTask({}), resilience: {} })).toEqual(["M212 /resilience"]));
  test("optional inputs", () =>
    expect(places(withTask({ input: { a: { stage: "in", optional: true } } }))).toEqual([
      "M212 /stages/1/input/a/optional",
    ]));
  test.each([[["in", "in"]], [{ a: "in", b: "in" }]])("several inputs: %j", (input) => {
    expect(load(withTask({ input })).problems.map((p) => p.code)).toEqual(["M212"]);
  });
});

describe("places", () => {
  test("a fault in a pattern is placed behind escapes", () => {
    const text = '{ "stages": [ { "id": "a", "type": "source", "pattern": "\\u0061\\"/../{id}" } ] }';
    const place = load(text).problems[0]?.place;
    expect(text.slice((place?.column ?? 0) - 1).slice(0, place?.length)).toBe("..");
  });
  test.each(["\n", "\r\n", "\r"])("lines may end with %j", (end) => {
    const text = ["{", '  "stages": [],', '\t"nam": 3', "}"].join(end);
    expect(load(text).problems.at(-1)?.place).toMatchObject({ line: 3, column: 2, length: 5, excerpt: '\t"nam": 3' });
  });
});
