import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { once } from "node:events";
import { promisify } from "node:util";
import { execFile as execFileCallback } from "node:child_process";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NODE_TYPES } from "../../../src/adapters/execute/nodes/index.ts";
import type { NodeType, SingleContext, SingleNodeType, SingleResult } from "../../../src/adapters/execute/node-type.ts";
import { createNodeRunner } from "../../../src/adapters/execute/runner.ts";
import { hashBytes, loadHasher } from "../../../src/core/hash/hash.ts";
import { z } from "../../../src/core/pipeline/schema.ts";
import { batchWorkerUrl, executePorts } from "../../../src/engine/compose-execute.ts";
import type { AttemptOutcome, AttemptRequest, NodeRunner } from "../../../src/ports.ts";
import { attemptRequest, stageWork, type TestNode } from "../../support/attempt-requests.ts";
import { TestProject } from "../../support/single-attempt.ts";

const faultyWorker = new URL("../../support/faulty-batch-worker.ts", import.meta.url);
const execFile = promisify(execFileCallback);
const ENDLESS = "(() => { for (;;); })()";

let project: TestProject;
let runner: NodeRunner;
/** What the node type `test` does. */
let behave: (context: SingleContext) => Promise<SingleResult>;
let closed: number;

const single: SingleNodeType = {
  typeId: "test",
  description: "",
  version: 1,
  data: z.object({}),
  dataIs: "params",
  branches: false,
  lane: "single",
  codeFiles: () => [],
  findFaults: () => [],
  run: (context) => behave(context),
  close: async () => {
    closed++;
  },
};
const nodeTypes: ReadonlyMap<string, NodeType> = new Map<string, NodeType>([...NODE_TYPES, ["test", single]]);

// Starting a thread is the dearest thing here: the tests share a runner, but for those that close theirs or break its threads.
let shared: NodeRunner;
beforeAll(async () => {
  await loadHasher();
  shared = newRunner(batchWorkerUrl);
});
afterAll(() => shared.close());
beforeEach(() => {
  project = new TestProject();
  closed = 0;
  behave = (context) => context.stage("made");
  runner = shared;
});
afterEach(async () => {
  if (runner !== shared) await runner.close();
  project[Symbol.dispose]();
});

function newRunner(batchWorker: URL): NodeRunner {
  return createNodeRunner({ ports: executePorts(), nodeTypes, batchWorker });
}

/** Attempts of one stage, one per text; the text is the input. */
function requests(
  texts: readonly string[],
  node: TestNode,
  options: Parameters<typeof stageWork>[2] = {},
): AttemptRequest[] {
  const work = stageWork(project, node, options);
  return texts.map((text, index) => {
    project.write(`state/input/${index}.txt`, text);
    return attemptRequest(project, work, String(index));
  });
}
/** Every outcome; what the shared thread gives back is asked for again alone. */
async function run(all: readonly AttemptRequest[]): Promise<AttemptOutcome[]> {
  const first = await runOnce(all);
  const again = all.filter((_, at) => first[at]!.kind === "alone");
  const alone = await runOnce(again.map((request) => ({ ...request, alone: true })));
  return first.map((outcome) => (outcome.kind === "alone" ? alone.shift()! : outcome));
}
async function runOnce(all: readonly AttemptRequest[]): Promise<AttemptOutcome[]> {
  const outcomes = new Map<string, AttemptOutcome>();
  await runner.run(all, (some) => {
    for (const outcome of some) {
      expect(outcomes.has(outcome.attemptId)).toBe(false);
      outcomes.set(outcome.attemptId, outcome);
    }
  });
  return all.map(({ attemptId }) => outcomes.get(attemptId)!);
}
function staged({ output }: AttemptRequest): string | undefined {
  return existsSync(output.staged) ? readFileSync(output.staged, "utf8") : undefined;
}
async function runOne(node: TestNode, options: Parameters<typeof stageWork>[2] = {}): Promise<AttemptOutcome> {
  return (await run(requests(["hello"], node, options)))[0]!;
}

describe("the batch lane", () => {
  const upper: TestNode = ["transform", { expression: "$.input.content.toUpperCase()" }];

  test("runs many attempts, each with its own outcome", async () => {
    const all = requests(
      Array.from({ length: 100 }, (_, index) => `text ${index}`),
      upper,
    );
    const outcomes = await run(all);
    for (const [index, outcome] of outcomes.entries()) {
      expect(outcome).toMatchObject({ kind: "produced", hash: hashBytes(`TEXT ${index}`), log: "", envReads: [] });
      expect(staged(all[index]!)).toBe(`TEXT ${index}`);
    }
  });

  test("runs several batches at a time", async () => {
    const all = requests(["a", "b", "c", "d"], upper);
    const batches = await Promise.all([run(all.slice(0, 1)), run(all.slice(1, 3)), run(all.slice(3))]);
    expect(batches.flat().map(({ kind }) => kind)).toEqual(["produced", "produced", "produced", "produced"]);
  });

  test("an endless expression is given back, and alone it times out", async () => {
    const node: TestNode = ["transform", { expression: `$.input.content === 'endless' ? ${ENDLESS} : 'done'` }];
    const all = requests(["a", "endless", "b"], node, { timeoutMs: 1000 });
    expect((await runOnce(all)).map(({ kind }) => kind)).toEqual(["produced", "alone", "produced"]);
    const [outcome] = await run(all.slice(1, 2));
    expect(outcome).toMatchObject({ kind: "failed", category: "timeout", error: "no result within 1 s" });
  });

  test("a slow expression ends in a thread of its own, and its stage shares none any more", async () => {
    const expression = "(() => { const until = Date.now() + 300; while (Date.now() < until); return 'slow'; })()";
    const all = requests(["a", "b", "c", "d", "e"], ["transform", { expression }]);
    const { work } = all[0]!;
    expect(runner.laneOf(work)).toBe("batch");
    expect((await run(all)).map(({ kind }) => kind)).toEqual(Array(5).fill("produced"));
    expect(all.map(staged)).toEqual(Array(5).fill("slow"));
    expect(runner.laneOf(work)).toBe("single");
    expect(runner.laneOf({ ...work, code: { ...work.code, codeHash: "another" } })).toBe("batch");
  });

  test("a cancelled attempt is interrupted, before it starts and while it runs alone", async () => {
    const node: TestNode = ["transform", { expression: ENDLESS }];
    const [waiting, running] = requests(["waiting", "running"], node) as [AttemptRequest, AttemptRequest];
    const ends = [runOnce([waiting]), runOnce([{ ...running, alone: true }])];
    runner.cancel(waiting.attemptId);
    runner.cancel(running.attemptId);
    expect((await Promise.all(ends)).flat().map(({ kind }) => kind)).toEqual(["interrupted", "interrupted"]);
  });

  test("closing interrupts what runs and what is asked for later", async () => {
    runner = newRunner(batchWorkerUrl);
    const node: TestNode = ["transform", { expression: `$.input.content === 'quick' ? 'done' : ${ENDLESS}` }];
    const all = requests(["quick", "endless", "endless"], node);
    let closing: Promise<void> | undefined;
    const kinds: string[] = [];
    await runner.run(all, (some) => {
      kinds.push(...some.map(({ kind }) => kind));
      closing ??= runner.close();
    });
    await closing;
    expect(kinds).toEqual(["produced", "interrupted", "interrupted"]);
    expect((await run(all)).map(({ kind }) => kind)).toEqual(["interrupted", "interrupted", "interrupted"]);
    expect(closed).toBe(1);
  });

  test.each(["crash", "hang"])(
    "a thread that does %s costs one attempt, and the others are done in a new one",
    async (how) => {
      runner = newRunner(faultyWorker);
      const all = requests(["a", "b", how, "c"], ["copy"], { timeoutMs: 1500 });
      const outcomes = await run(all);
      expect(outcomes.map(({ kind }) => kind)).toEqual(["produced", "produced", "failed", "produced"]);
      expect(outcomes[2]).toMatchObject({ category: how === "crash" ? "resource" : "timeout" });
    },
  );

  test.each(["crash once", "hang once"])(
    "an attempt that failed with its thread (%s) is done again alone",
    async (how) => {
      runner = newRunner(faultyWorker);
      const all = requests(["a", how, "b"], ["copy"]);
      expect((await run(all)).map(({ kind }) => kind)).toEqual(["produced", "produced", "produced"]);
      expect(all.map(staged)).toEqual(["a", how, "b"]);
    },
  );

  test("a worker that cannot start fails its attempts and does not hang", async () => {
    const missing = new URL("./not-there.ts", import.meta.url);
    runner = newRunner(missing);
    const outcomes: AttemptOutcome[] = [];
    await runner.run(requests(["a", "b"], ["copy"]), (some) => outcomes.push(...some));
    expect(outcomes).toMatchObject([
      { kind: "failed", category: "resource", error: expect.stringContaining("could not start") },
      { kind: "failed", category: "resource" },
    ]);
  });

  test("an expression that wants all memory fails, and the next attempt runs", async () => {
    const expression = `$.input.content === 'big' ? (() => { const a = []; for (;;) a.push(new Uint8Array(1 << 20)); })() : 'ok'`;
    const outcomes = await run(requests(["big", "small"], ["transform", { expression }]));
    expect(outcomes).toMatchObject([{ kind: "failed", category: "node" }, { kind: "produced" }]);
  });
});

test("a process whose runner is closed ends by itself", async () => {
  const [request] = requests(["endless", "quick"], ["transform", { expression: "1" }]);
  const source = (path: string): string => JSON.stringify(new URL(`../../../src/${path}`, import.meta.url).href);
  const script = `
    import { createNodeRunner } from ${source("adapters/execute/runner.ts")};
    import { NODE_TYPES } from ${source("adapters/execute/nodes/index.ts")};
    import { batchWorkerUrl, executePorts } from ${source("engine/compose-execute.ts")};
    const runner = createNodeRunner({ ports: executePorts(), nodeTypes: NODE_TYPES, batchWorker: batchWorkerUrl });
    await runner.run([${JSON.stringify(request)}], ([outcome]) => console.log(outcome.kind));
    await runner.close();`;
  const { stdout } = await execFile(process.execPath, ["--input-type=module", "-e", script]);
  expect(stdout).toBe("produced\n");
});

test.each<[string, TestNode, Parameters<typeof stageWork>[2], string]>([
  ["every node", ["if", { condition: "1" }], { then: ["copy"], else: ["copy"] }, "batch"],
  ["no branch at all", ["if", { condition: "1" }], {}, "batch"],
  ["not one branch", ["if", { condition: "1" }], { then: ["copy"], else: ["test"] }, "single"],
  ["not the node", ["test"], {}, "single"],
])("a stage takes the batch lane when its nodes can: %s", (_what, node, options, lane) => {
  expect(runner.laneOf(stageWork(project, node, options))).toBe(lane);
});

describe("the single lane", () => {
  test.each<[string, () => unknown, string]>([
    ["text", () => "text", "text"],
    ["bytes", () => new TextEncoder().encode("bytes"), "bytes"],
    ["an array buffer", () => new TextEncoder().encode("buffer").buffer, "buffer"],
    ["a web stream", () => new Blob(["a ", "stream"]).stream(), "a stream"],
    ["a blob", () => new Blob(["a blob"]), "a blob"],
    ["an async iterable", () => chunks("it", new TextEncoder().encode("ems")), "items"],
    ["an object", () => ({ a: [1] }), '{\n  "a": [\n    1\n  ]\n}\n'],
    ["null", () => null, "null\n"],
  ])("stages %s", async (_what, value, text) => {
    behave = (context) => context.stage(value());
    const all = requests(["hello"], ["test"]);
    const [outcome] = await run(all);
    expect(staged(all[0]!)).toBe(text);
    expect(outcome).toMatchObject({
      kind: "produced",
      hash: hashBytes(text),
      size: text.length,
      reads: [{ path: "input/0.txt", hash: hashBytes("hello") }],
    });
  });

  test.each<[string, () => unknown, string]>([
    ["a function", () => () => 1, "returned a function"],
    ["NaN", () => NaN, "returned NaN"],
    ["a circle", circle, "cannot be written as JSON"],
    ["a stream that breaks", () => breaking(), "broke off: no more"],
    ["nothing, and no file", () => undefined, "returned nothing and did not fill output.path"],
  ])("fails for %s", async (_what, value, error) => {
    behave = (context) => context.stage(value());
    expect(await runOne(["test"])).toMatchObject({
      kind: "failed",
      category: "node",
      error: expect.stringContaining(error),
    });
  });

  test("a folder is there to be filled, and hashed as a tree", async () => {
    behave = async (context) => {
      context.log(String(statSync(context.request.output.staged).isDirectory()));
      project.write(relative(project.folder, join(context.request.output.staged, "deep/file.txt")), "12345");
      return context.stage(undefined);
    };
    const work = stageWork(project, ["test"]);
    project.write("state/input/7.txt", "x");
    const [outcome] = await run([attemptRequest(project, work, "7", { output: "out/7/" })]);
    expect(outcome).toMatchObject({ kind: "produced", size: 5, log: "true" });
  });

  test("a value for a folder is refused with what to do", async () => {
    const work = stageWork(project, ["test"]);
    project.write("state/input/7.txt", "x");
    const [outcome] = await run([attemptRequest(project, work, "7", { output: "out/7/" })]);
    expect(outcome).toMatchObject({
      category: "definition",
      error: expect.stringContaining("fill the folder output.path"),
    });
  });

  test("a result that breaks `validation` fails", async () => {
    expect(await runOne(["test"], { validation: { json: true } })).toMatchObject({
      kind: "failed",
      category: "validation",
    });
  });

  test("passes failures, skips and thrown errors on", async () => {
    behave = async () => ({ kind: "failed", error: "busy", category: "node", retryAfterMs: 5000 });
    expect(await runOne(["test"])).toMatchObject({ kind: "failed", error: "busy", retryAfterMs: 5000 });
    behave = async () => ({ kind: "skipped" });
    expect(await runOne(["test"])).toMatchObject({ kind: "skipped", reads: [{ path: "input/0.txt" }] });
    behave = () => Promise.reject(new Error("boo"));
    expect(await runOne(["test"])).toMatchObject({ kind: "failed", error: "boo", category: "node" });
  });

  test("an input that changes or vanishes under it overtakes whatever it made", async () => {
    behave = (context) => {
      project.write("state/input/0.txt", "changed");
      return context.stage("made");
    };
    expect(await runOne(["test"])).toMatchObject({ kind: "overtaken", path: "input/0.txt" });
    behave = async () => {
      rmSync(join(project.root, "input/0.txt"));
      return { kind: "failed", error: "gone", category: "node" };
    };
    expect(await runOne(["test"])).toMatchObject({ kind: "overtaken", path: "input/0.txt" });
  });

  test("an input that is written anew with the same bytes does not", async () => {
    behave = (context) => {
      project.write("state/input/0.txt", "hello");
      return context.stage("made");
    };
    expect(await runOne(["test"])).toMatchObject({ kind: "produced" });
  });

  test("times out, once what it runs has ended", async () => {
    let ended = false;
    behave = async ({ signal }) => {
      await once(signal, "abort");
      expect(signal.reason).toBe("timeout");
      ended = true;
      return { kind: "produced" };
    };
    expect(await runOne(["test"], { timeoutMs: 50 })).toMatchObject({ kind: "failed", category: "timeout" });
    expect(ended).toBe(true);
  });

  test("is interrupted when it is cancelled", async () => {
    behave = async ({ signal, request }) => {
      const aborted = once(signal, "abort");
      runner.cancel(request.attemptId);
      await aborted;
      return { kind: "failed", error: signal.reason, category: "node" };
    };
    expect((await runOne(["test"])).kind).toBe("interrupted");
  });

  test("fills templates; what they read is recorded", async () => {
    behave = async (context) => {
      const template = {
        url: "/{{$.entity.id}}",
        body: "{{$.input.content.length}}",
        e: "{{$env.HOME}}",
      };
      const filled = await context.fill(template);
      return filled.kind === "filled" ? context.stage(filled.value) : { kind: "skipped" };
    };
    const all = requests(["hello"], ["test"]);
    const [outcome] = await run(all);
    expect(JSON.parse(staged(all[0]!) ?? "")).toMatchObject({ url: "/0", body: 5 });
    expect(outcome).toMatchObject({ envReads: ["HOME"], reads: [{ path: "input/0.txt" }] });
  });

  test("a template that fails says so, and an endless one is cut off by the stage's timeout", async () => {
    behave = async (context) => {
      const filled = await context.fill("{{null.x}}");
      return filled.kind === "failed" ? filled : { kind: "skipped" };
    };
    expect(await runOne(["test"])).toMatchObject({
      kind: "failed",
      error: expect.stringContaining('"null.x" failed at 1:5'),
    });
    behave = async (context) => {
      const filled = await context.fill(`{{${ENDLESS}}}`);
      return filled.kind === "failed" ? filled : { kind: "skipped" };
    };
    expect(await runOne(["test"], { timeoutMs: 500 })).toMatchObject({ kind: "failed", category: "timeout" });
  });

  test.each([
    ["$.input.content === 'hello'", "made"],
    ["false", "hello"],
  ])("runs the branch that an `if` chose: %s", async (condition, text) => {
    const all = requests(["hello"], ["if", { condition }], { then: ["test"], else: ["copy"] });
    expect(await run(all)).toMatchObject([{ kind: "produced", hash: hashBytes(text) }]);
    expect(staged(all[0]!)).toBe(text);
  });

  test("keeps the end of the log, whole characters, at most 64 KiB; values of `env` are masked in it", async () => {
    process.env["MILLRACE_TEST_SECRET"] = "swordfish";
    behave = (context) => {
      for (let line = 0; line < 20_000; line++) context.log(`line ${line} ä😀\n`);
      context.log("the swordfish\n");
      return context.stage("made");
    };
    const { log } = await runOne(["test"], { env: ["MILLRACE_TEST_SECRET"] });
    expect(Buffer.byteLength(log)).toBeLessThanOrEqual(64 << 10);
    expect(log.endsWith("line 19999 ä😀\nthe ***MILLRACE_TEST_SECRET***\n")).toBe(true);
    expect(log).not.toContain("\uFFFD");
  });
});

async function* chunks(...all: readonly (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  yield* all;
}
async function* breaking(): AsyncGenerator<string> {
  yield "some";
  throw new Error("no more");
}
function circle(): unknown {
  const object: Record<string, unknown> = {};
  object["self"] = object;
  return object;
}
