import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileOwnerLock } from "../../src/adapters/store/owner.ts";
import { NodeDisk } from "../../src/adapters/system/disk.ts";
import {
  definePipeline,
  executeStage,
  isStale,
  MillraceError,
  type PipelineDefinition,
  readPipeline,
  scanForWork,
  StateStore,
} from "../../src/index.ts";

const INPUT = "input/{id}.txt";
const UPPER = "upper/{id}.txt";
const UPPER_STAGES = [
  { id: "input", type: "source", pattern: INPUT },
  {
    id: "upper",
    type: "transform",
    input: "input",
    pattern: UPPER,
    node: { typeId: "transform", data: { expression: "$.input.content.toUpperCase()" } },
  },
  { id: "wrap", type: "transform", input: "upper", pattern: "wrap/{id}.txt" },
] as const;
const PIPELINE: PipelineDefinition = definePipeline({ name: "demo", stages: UPPER_STAGES });

let folder: string;
let root: string;
let store: StateStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-library-"));
  root = join(folder, "state");
  store = new StateStore(root, { projectFolder: folder });
  store.init();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function work(pipeline: PipelineDefinition = PIPELINE): Promise<string[]> {
  return (await scanForWork(store, pipeline)).map((item) => `${item.stageId}@${item.entityId} ${item.reason}`);
}

function problemsOf(act: () => unknown): string[] {
  try {
    act();
  } catch (error) {
    if (error instanceof MillraceError) return error.problems.map(({ code }) => code);
    throw error;
  }
  return [];
}

describe("files of a store", () => {
  test("what is written is read, listed, hashed and found", () => {
    const hash = store.write(INPUT, "001", "hello\n");
    expect(store.read(INPUT, "001")).toBe("hello\n");
    expect([...(store.readBytes(INPUT, "001") ?? [])]).toEqual([...Buffer.from("hello\n")]);
    expect(store.getContentHash(INPUT, "001")).toBe(hash);
    expect(store.exists(INPUT, "001")).toBe(true);
    expect(readFileSync(join(root, "input/001.txt"), "utf8")).toBe("hello\n");
  });

  test("a value that is neither text nor bytes is written as JSON", () => {
    store.write("out/{id}.json", "a", { b: 1 });
    expect(store.read("out/{id}.json", "a")).toBe('{\n  "b": 1\n}\n');
  });

  test("what is not there is undefined, absent and unlisted", () => {
    expect(store.read(INPUT, "001")).toBeUndefined();
    expect(store.getContentHash(INPUT, "001")).toBeUndefined();
    expect(store.exists(INPUT, "001")).toBe(false);
    expect(store.listEntities(INPUT)).toEqual([]);
    expect(store.delete(INPUT, "001")).toBe(false);
  });

  test.each([
    [INPUT, ["001", "002"]],
    ["{folder}/{id}.txt", ["deep/x", "input/001", "input/002"]],
    ["deep/{path...}.txt", ["a/b/y", "x"]],
    ["deep/{name}/", ["a"]],
    ["deep/x.txt", [""]],
    ["none/{id}", []],
  ])("%s lists %j", (pattern, ids) => {
    for (const id of ["002", "001", ".hidden"]) store.write("{path...}", `input/${id}.txt`, id);
    store.write("{path...}", "deep/x.txt", "x");
    store.write("{path...}", "deep/a/b/y.txt", "y");
    expect(store.listEntities(pattern)).toEqual(ids);
  });

  test("a link into a circle does not hang a list", async () => {
    const { symlinkSync } = await import("node:fs");
    store.write("deep/{id}.txt", "x", "x");
    symlinkSync("..", join(root, "deep/again"));
    expect(store.listEntities("deep/{path...}.txt")).toEqual(["x"]);
  });

  test("what is deleted goes to the trash, with its record", () => {
    store.write(INPUT, "001", "hello");
    store.registerSource(INPUT, "001");
    expect(store.delete(INPUT, "001")).toBe(true);
    expect(store.exists(INPUT, "001")).toBe(false);
    expect(store.getManifest("001").states).toEqual({});
    expect(store.listEntities("input/{id}.txt")).toEqual([]);
  });

  test.each([
    ["input/{id", "001", ["M207", "M207"]],
    [INPUT, "a/b", ["M133"]],
    [INPUT, "", ["M133"]],
    ["{a}-{b}", "x-y/z", ["M133"]],
  ])("the pattern %s with the id %j is refused", (pattern, id, codes) => {
    expect(problemsOf(() => store.exists(pattern, id))[0]).toBe(codes[0]);
  });

  test("a folder cannot be read or written as a file", () => {
    expect(problemsOf(() => store.write("in/{id}/", "a", "x"))).toEqual(["M135"]);
    expect(problemsOf(() => store.read("in/{id}/", "a"))).toEqual(["M135"]);
    expect(problemsOf(() => store.write(INPUT, "a", undefined))).toEqual(["M135"]);
  });

  test("init can be called again", () => {
    store.write(INPUT, "001", "hello");
    store.init();
    expect(store.read(INPUT, "001")).toBe("hello");
  });
});

describe("records of a store", () => {
  test("a registered source has the code hash source00", () => {
    store.write(INPUT, "001", "hello");
    store.registerSource(INPUT, "001");
    expect(store.getManifest("001").states[INPUT]).toMatchObject({ path: "input/001.txt", codeHash: "source00" });
  });

  test("a source that is not there cannot be registered", () => {
    expect(problemsOf(() => store.registerSource(INPUT, "001"))).toEqual(["M134"]);
  });

  test("an unknown entity has an empty manifest", () => {
    expect(store.getManifest("nobody")).toEqual({ version: 1, entityId: "nobody", states: {}, failures: {} });
  });
});

describe("failures of a store", () => {
  let nowMs: number;
  beforeEach(() => {
    nowMs = Date.UTC(2026, 0, 1);
    store = new StateStore(root, { projectFolder: folder, clock: { wallMs: () => nowMs } });
  });

  test("a task that never failed may be tried", () => {
    expect(store.shouldRetry("003", UPPER)).toBe(true);
    expect(store.getFailure("003", UPPER)).toBeUndefined();
  });

  test("a failed task waits for its backoff, longer each time, then gives up", () => {
    const policy = { maxAttempts: 3, backoffSeconds: [5, 10] };
    const fail = () => store.recordFailure({ entityId: "003", stagePattern: UPPER, error: "timeout", policy });
    fail();
    expect(store.shouldRetry("003", UPPER)).toBe(false);
    nowMs += 4999;
    expect(store.shouldRetry("003", UPPER)).toBe(false);
    nowMs += 1;
    expect(store.shouldRetry("003", UPPER)).toBe(true);
    expect(fail()).toMatchObject({ attempts: 2, delayMs: 10_000, error: "timeout" });
    nowMs += 10_000;
    expect(store.shouldRetry("003", UPPER)).toBe(true);
    expect(fail()).toMatchObject({ attempts: 3, nextRetryAt: null });
    nowMs += 1e9;
    expect(store.shouldRetry("003", UPPER)).toBe(false);
  });

  test("a cleared failure is forgotten", () => {
    store.recordFailure({ entityId: "003", stagePattern: UPPER, error: "timeout" });
    expect(store.clearFailure("003", UPPER)).toBe(true);
    expect(store.clearFailure("003", UPPER)).toBe(false);
    expect(store.shouldRetry("003", UPPER)).toBe(true);
  });

  test("a recorded failure keeps its task out of the work until the backoff is over, whatever changes", async () => {
    store.write(INPUT, "001", "a");
    store.recordFailure({ entityId: "001", stagePattern: UPPER, error: "timeout" });
    expect(await work()).toEqual([]);
    store.write(INPUT, "001", "b");
    expect(await work()).toEqual([]);
    nowMs += 60_000;
    expect(await work()).toEqual(["upper@001 output_missing"]);
  });

  test("a success clears the failure", async () => {
    store.write(INPUT, "001", "a");
    store.recordFailure({ entityId: "001", stagePattern: UPPER, error: "timeout" });
    expect(await executeStage(store, "001", "upper", PIPELINE)).toMatchObject({ success: true, result: "ran" });
    expect(store.getFailure("001", UPPER)).toBeUndefined();
  });
});

describe("scanning and executing", () => {
  test("each execution makes the next stage due, until nothing is left", async () => {
    store.write(INPUT, "001", "hello");
    const seen: string[][] = [];
    for (let items = await scanForWork(store, PIPELINE); items.length > 0; items = await scanForWork(store, PIPELINE)) {
      seen.push(items.map((item) => `${item.stageId}@${item.entityId}`));
      await executeStage(store, items[0]!.entityId, items[0]!.stageId, PIPELINE);
    }
    expect(seen).toEqual([["upper@001"], ["wrap@001"]]);
    expect(store.read("wrap/{id}.txt", "001")).toBe("HELLO");
  });

  test("a changed source makes its product stale, with evidence", async () => {
    store.write(INPUT, "001", "a");
    await executeStage(store, "001", "upper", PIPELINE);
    store.write(INPUT, "001", "b");
    const [item] = await scanForWork(store, PIPELINE);
    expect(item).toMatchObject({ stageId: "upper", reason: "input_changed", reasons: ["input-changed"] });
    expect(item?.evidence[0]).toMatchObject({ subject: "input/001.txt" });
  });

  test("a definition that is changed in place counts at the next call", async () => {
    const pipeline = JSON.parse(JSON.stringify(PIPELINE)) as { stages: { node: { data: { expression: string } } }[] };
    store.write(INPUT, "001", "Hello");
    await executeStage(store, "001", "upper", pipeline);
    pipeline.stages[1]!.node.data.expression = "$.input.content.toLowerCase()";
    expect(await work(pipeline as unknown as PipelineDefinition)).toEqual(["upper@001 code_changed"]);
  });

  test("a fresh result is left alone, unless forced", async () => {
    store.write(INPUT, "001", "a");
    const first = await executeStage(store, "001", "upper", PIPELINE);
    expect(first).toMatchObject({ success: true, result: "ran", outputPath: "upper/001.txt", attempt: 1 });
    const { contentHash } = first;
    expect(await executeStage(store, "001", "upper", PIPELINE)).toMatchObject({
      result: "fresh",
      contentHash,
      attempt: 0,
    });
    expect(await executeStage(store, "001", { id: "upper" }, PIPELINE, { force: true })).toMatchObject({
      success: true,
      result: "unchanged",
      contentHash,
    });
    expect(await work()).toEqual(["wrap@001 output_missing"]);
  });

  test("only the stage asked for runs", async () => {
    store.write(INPUT, "001", "a");
    store.write(INPUT, "002", "b");
    await executeStage(store, "001", "upper", PIPELINE);
    expect(store.listEntities(UPPER)).toEqual(["001"]);
    expect(store.listEntities("wrap/{id}.txt")).toEqual([]);
  });

  test("calls may overlap", async () => {
    const ids = ["1", "2", "3", "4", "5"];
    for (const id of ids) store.write(INPUT, id, `text ${id}`);
    const results = await Promise.all(ids.map((id) => executeStage(store, id, "upper", PIPELINE)));
    expect(results.map(({ result }) => result)).toEqual(ids.map(() => "ran"));
    expect(store.listEntities(UPPER)).toEqual(ids);
    expect(new NodeDisk().list(join(root, ".millrace/tmp"))).toEqual([]);
  });

  test("a stage whose input is not made yet is not ready, and says why", async () => {
    store.write(INPUT, "001", "a");
    expect(await executeStage(store, "001", "wrap", PIPELINE)).toMatchObject({
      success: false,
      result: "not-ready",
      error: "upper/001.txt must be made first",
    });
    expect(await executeStage(store, "002", "upper", PIPELINE)).toMatchObject({
      result: "not-ready",
      error: "input/002.txt is not there",
    });
  });

  test("a failing node is a result, counts its attempts, and runs again when called", async () => {
    const stages = structuredClone(PIPELINE.stages) as unknown as { node: { data: { expression: string } } }[];
    stages[1]!.node.data.expression = "(() => { throw new Error('no') })()";
    const failing = { ...PIPELINE, stages, retryPolicy: { maxAttempts: 2 } } as unknown as PipelineDefinition;
    store.write(INPUT, "001", "a");
    expect(await executeStage(store, "001", "upper", failing)).toMatchObject({
      success: false,
      result: "failed",
      category: "node",
      contentHash: null,
      attempt: 1,
    });
    expect(await work(failing)).toEqual([]);
    expect(await executeStage(store, "001", "upper", failing)).toMatchObject({ attempt: 2, nextRetryAt: null });
    // Quarantined now: a daemon would not touch it, a call does.
    expect(await executeStage(store, "001", "upper", failing)).toMatchObject({ attempt: 3, result: "failed" });
    expect(await work()).toEqual(["upper@001 output_missing"]);
  });

  test("a module is found from the project folder", async () => {
    mkdirSync(join(folder, "pipelines/nodes"), { recursive: true });
    writeFileSync(
      join(folder, "pipelines/nodes/shout.ts"),
      "export default ({ input, params }) => input.content + params.mark;",
    );
    const node = { typeId: "module", data: { path: "nodes/shout.ts", params: { mark: "!" } } };
    const stages = [UPPER_STAGES[0], { id: "loud", type: "transform", input: "input", pattern: "loud/{id}.txt", node }];
    store.write(INPUT, "001", "hey");
    expect(await executeStage(store, "001", "loud", { stages })).toMatchObject({ success: true, error: null });
    expect(store.read("loud/{id}.txt", "001")).toBe("hey!");
  });

  test("a disabled pipeline has no work", async () => {
    store.write(INPUT, "001", "a");
    expect(await work({ ...PIPELINE, enabled: false })).toEqual([]);
  });

  test("a wrong definition throws every fault at once", async () => {
    const stages = [
      { id: "a", type: "source", pattern: "x/{id}", foo: 1 },
      { id: "b", type: "transform", pattern: "y/{id}" },
    ];
    const error = await scanForWork(store, { stages }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MillraceError);
    expect((error as MillraceError).problems.map(({ code }) => code)).toEqual(["M202", "M217"]);
    expect((error as MillraceError).message).toContain("/stages/0/foo");
  });

  test("stages that would write one path are refused", async () => {
    const stages = [...UPPER_STAGES, { ...UPPER_STAGES[2], id: "twin" }];
    await expect(scanForWork(store, { stages })).rejects.toMatchObject({ problems: [{ code: "M211" }] });
  });

  test.each(["input", "nothing"])("%s is no stage that can be executed", async (stage) => {
    await expect(executeStage(store, "001", stage, PIPELINE)).rejects.toMatchObject({ problems: [{ code: "M206" }] });
  });

  test("nothing is changed while somebody else owns the root", async () => {
    store.write(INPUT, "001", "a");
    const lock = new FileOwnerLock(root, new NodeDisk());
    expect(lock.acquire({ pid: 1, host: "elsewhere", since: "2026-01-01T00:00:00.000Z", door: "" }).ok).toBe(true);
    await expect(executeStage(store, "001", "upper", PIPELINE)).rejects.toMatchObject({ problems: [{ code: "M110" }] });
    expect(problemsOf(() => store.write(INPUT, "002", "b"))).toEqual(["M110"]);
    expect(await work()).toEqual(["upper@001 output_missing"]);
    lock.release();
    expect(await executeStage(store, "001", "upper", PIPELINE)).toMatchObject({ success: true });
  });
});

test("what a dead owner left is finished first, whatever release wrote the manifest", async () => {
  store.write(INPUT, "001", "a");
  await executeStage(store, "001", "upper", PIPELINE);
  const record = store.getManifest("001").states[UPPER]!;
  const batch = join(root, ".millrace/tmp/b1");
  const intent = { taskKey: "demo#upper@001", entityId: "001", pattern: UPPER, path: record.path, staged: "0", record };
  const leaveIntent = (): void => {
    mkdirSync(batch);
    writeFileSync(join(batch, "intent.json"), JSON.stringify({ version: 1, batchId: "b1", records: [intent] }));
  };
  const manifest = join(root, ".millrace/manifests/001.json");

  rmSync(manifest);
  leaveIntent();
  store.write(INPUT, "002", "b");
  expect(store.getManifest("001").states[UPPER]).toEqual(record);

  writeFileSync(manifest, '{ "version": 99 }');
  leaveIntent();
  store.write(INPUT, "003", "c");
  expect(readFileSync(manifest, "utf8")).toBe('{ "version": 99 }');
  expect(problemsOf(() => store.getManifest("001"))).toEqual(["M402"]);
  expect(existsSync(batch)).toBe(false);
});

describe("staleness of one result", () => {
  const query = { entityId: "001", stagePattern: UPPER };
  beforeEach(async () => {
    store.write(INPUT, "001", "a");
    await executeStage(store, "001", "upper", PIPELINE);
  });

  test("an untouched result is fresh", async () => {
    const { codeHash } = store.getManifest("001").states[UPPER]!;
    expect(await isStale(store, { ...query, currentCodeHash: codeHash })).toEqual({
      isStale: false,
      reason: null,
      details: "",
      evidence: [],
    });
  });

  test("another code hash makes it stale", async () => {
    const { codeHash } = store.getManifest("001").states[UPPER]!;
    expect(await isStale(store, { ...query, currentCodeHash: "xyz99999" })).toMatchObject({
      isStale: true,
      reason: "code_changed",
      details: `Code hash changed: ${codeHash} -> xyz99999`,
    });
  });

  test.each([
    ["input_changed", (folder: string) => writeFileSync(join(folder, "input/001.txt"), "b")],
    ["input_removed", (folder: string) => rmSync(join(folder, "input/001.txt"))],
    ["output_modified", (folder: string) => writeFileSync(join(folder, "upper/001.txt"), "b")],
    ["output_missing", (folder: string) => rmSync(join(folder, "upper/001.txt"))],
  ])("%s is seen", async (reason, change) => {
    change(root);
    expect(await isStale(store, query)).toMatchObject({ isStale: true, reason });
  });

  test("a result that was never made is missing, one that nobody recorded is foreign", async () => {
    expect(await isStale(store, { entityId: "009", stagePattern: UPPER, stageId: "upper" })).toMatchObject({
      reason: "output_missing",
      details: "Output missing: upper/009.txt (stage upper)",
    });
    store.write(UPPER, "009", "mine");
    expect(await isStale(store, { entityId: "009", stagePattern: UPPER })).toMatchObject({ reason: "foreign_file" });
  });
});

describe("a definition file", () => {
  test("comments are allowed and the name is the file's", async () => {
    writeFileSync(join(folder, "demo.json"), '{ // hello\n "stages": [] }');
    expect(await readPipeline(join(folder, "demo.json"))).toEqual({ name: "demo", stages: [] });
  });

  test.each([
    ["M201", "{ oops"],
    ["M203", "[]"],
  ])("%s for %s", async (code, text) => {
    writeFileSync(join(folder, "demo.json"), text);
    const error = await readPipeline(join(folder, "demo.json")).catch((thrown: unknown) => thrown);
    expect((error as MillraceError).problems[0]?.code).toBe(code);
  });

  test("one that is not there is told", async () => {
    expect(existsSync(join(folder, "none.json"))).toBe(false);
    await expect(readPipeline(join(folder, "none.json"))).rejects.toMatchObject({ problems: [{ code: "M216" }] });
  });
});
