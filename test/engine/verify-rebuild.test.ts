import { beforeEach, describe, expect, test } from "vitest";
import { acceptTasks } from "../../src/engine/calls/accept.ts";
import type { RebuildReport, VerifiedRoot } from "../../src/engine/control.ts";
import { EngineRig, source, stage } from "../support/engine-rig.ts";
import { diskError } from "../support/memory-disk.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";
import { verifyRig } from "../support/verify-rig.ts";

const FOLDER = "/elsewhere";

function chain(more: object = {}): object {
  return {
    name: "chain",
    stages: [
      source("in", "in/{id}.txt"),
      stage("up", "in", "up/{id}.txt", "upper"),
      stage("out", "up", "out/{id}.txt", "wrap:x", more),
    ],
  };
}

let rig: EngineRig;
let stopper: AbortController;
beforeEach(() => {
  stopper = new AbortController();
});

/** A root whose work on these files is done, and long enough ago that nobody takes the sources for still being written. */
async function made(definition: object, ids: readonly string[] = ["1", "2"]): Promise<void> {
  rig = await new EngineRig([definition]).start();
  for (const id of ids) rig.write(`in/${id}.txt`, `text of ${id}`);
  await rig.quiet();
  await rig.pass(1000);
  await rig.stop();
  rig.ran.length = 0;
}

async function rebuild(definition: object, ...targets: string[]): Promise<VerifiedRoot> {
  rig.disk.makeFolders(FOLDER);
  const makeQueue = rig.root.ports.makeQueue!;
  const report = await verifyRig(rig, [definition], {
    targets,
    with: { begin: () => ({ folder: FOLDER, signal: stopper.signal }), makeQueue },
  });
  expect(rig.faults).toEqual([]);
  return report;
}

const counts = ({ checked }: VerifiedRoot): RebuildReport => checked.rebuilt!;
const named = ({ findings }: VerifiedRoot): string[] => findings.map(({ rule, path }) => `${rule} ${path}`);

describe("what was made is made again elsewhere", () => {
  test.each(["batch", "single"] as const)("in lane %s, and nothing of the root is touched", async (lane) => {
    const definition = chain();
    await made(definition);
    rig.runner.lane = lane;
    const before = rig.disk.list("/project/state")!.toSorted();
    const files = rig.files();
    const operations: string[] = [];
    rig.disk.onOperation = (name, path) => void operations.push(`${name} ${path}`);
    const report = await rebuild(definition);
    rig.disk.onOperation = undefined;
    expect(rig.ran.toSorted()).toEqual(["out@1", "out@2", "up@1", "up@2"]);
    expect(counts(report)).toEqual({ outputs: 4, rebuilt: 4, same: 4, differ: 0, failed: 0, leftOut: {} });
    expect(named(report)).toEqual([]);
    const writing = operations.filter((operation) =>
      /^(write|rename|remove|removeTree|copy|makeFolders) /.test(operation),
    );
    expect(writing.length).toBeGreaterThan(0);
    expect(writing.filter((operation) => !operation.includes(FOLDER))).toEqual([]);
    expect(rig.files()).toEqual(files);
    expect(rig.disk.list("/project/state")!.toSorted()).toEqual(before);
    expect(rig.disk.list(FOLDER)).toEqual([]);
  });

  test("only among the targets", async () => {
    const definition = chain();
    await made(definition);
    expect(counts(await rebuild(definition, "out@2", "up/1.txt"))).toMatchObject({ outputs: 2, same: 2 });
    expect(rig.ran.toSorted()).toEqual(["out@2", "up@1"]);
  });

  test("with no more attempts of a stage at a time than it allows", async () => {
    const definition = chain({ concurrency: 1 });
    await made(definition, ["1", "2", "3", "4"]);
    rig.runner.lane = "single";
    let running = 0;
    let most = 0;
    rig.scripts.set("out", async () => {
      most = Math.max(most, ++running);
      for (let i = 0; i < 5; i++) await Promise.resolve();
      running--;
      return undefined;
    });
    expect(counts(await rebuild(definition))).toMatchObject({ same: 8 });
    expect(most).toBe(1);
  });

  test("in a thread of its own where the shared one gives an attempt back", async () => {
    const definition = chain();
    await made(definition);
    const run = rig.runner.run.bind(rig.runner);
    const alone: string[] = [];
    rig.runner.run = async (requests, emit) => {
      const shared = requests.filter((request) => !request.alone);
      const nothing = { kind: "alone", because: "slow", reads: [], envReads: [], durationMs: 0, log: "" } as const;
      emit(shared.map(({ attemptId }) => ({ ...nothing, attemptId })));
      alone.push(...requests.filter((request) => request.alone).map(({ taskKey }) => taskKey));
      await run(
        requests.filter((request) => request.alone),
        emit,
      );
    };
    expect(counts(await rebuild(definition))).toMatchObject({ outputs: 4, rebuilt: 4, same: 4, leftOut: {} });
    expect(alone.toSorted()).toEqual(["chain#out@1", "chain#out@2", "chain#up@1", "chain#up@2"]);
  });

  test("more tasks than wait in the queue at a time", async () => {
    const definition = chain();
    const ids = Array.from({ length: 600 }, (_, i) => String(i));
    await made(definition, ids);
    expect(counts(await rebuild(definition))).toMatchObject({ outputs: 1200, rebuilt: 1200, same: 1200 });
    expect(new Set(rig.ran).size).toBe(1200);
    expect(rig.ran).toHaveLength(1200);
  });
});

describe("what is not repeated is named", () => {
  test("another result, with its task, its node and both hashes", async () => {
    const definition = chain();
    let calls = 0;
    rig = new EngineRig([definition]);
    rig.scripts.set("up", ({ input }) => `${input} ${calls++}`);
    await rig.start();
    for (const id of ["1", "2"]) rig.write(`in/${id}.txt`, id);
    await rig.quiet();
    await rig.pass(1000);
    await rig.stop();
    const report = await rebuild(definition);
    expect(named(report)).toEqual(["not-repeated up/1.txt", "not-repeated up/2.txt"]);
    const [finding] = report.findings;
    const { recorded, now } = finding!.rebuild!;
    expect(recorded).toBe(rig.manifest("1").states["up/{id}.txt"]!.contentHash);
    expect(now).not.toBe(recorded);
    expect(finding).toMatchObject({
      code: "M616",
      entity: "1",
      message: `"up/1.txt" of chain#up@1 (node: transform) is not repeated: recorded is ${recorded}; made again, it has ${now}`,
      rebuild: { task: "chain#up@1", stage: "chain#up", node: "transform", error: null },
    });
    // What follows is made from the bytes that are there: it is not blamed.
    expect(counts(report)).toEqual({ outputs: 4, rebuilt: 4, same: 2, differ: 2, failed: 0, leftOut: {} });
  });

  test("a failure, and a task that made something and makes nothing now", async () => {
    const definition = chain();
    await made(definition);
    rig.scripts.set("up@1", () => {
      throw new ScriptedFailure("the moon is full");
    });
    rig.scripts.set("up@2", () => null);
    const report = await rebuild(definition);
    expect(report.findings.map(({ rebuild: of }) => [of!.task, of!.now, of!.error])).toEqual([
      ["chain#up@1", null, "the moon is full"],
      ["chain#up@2", null, null],
    ]);
    expect(report.findings[0]!.message).toContain("made again, it fails: the moon is full");
    expect(report.findings[1]!.message).toContain("made again, it makes nothing");
    expect(counts(report)).toMatchObject({ same: 2, differ: 1, failed: 1 });
  });

  test("a task that chose to make nothing and makes something now", async () => {
    const definition = chain();
    rig = new EngineRig([definition]);
    rig.scripts.set("up", () => null);
    await rig.start();
    rig.write("in/1.txt", "a");
    await rig.quiet();
    await rig.pass(1000);
    await rig.stop();
    expect(counts(await rebuild(definition, "up"))).toMatchObject({ outputs: 1, same: 1 });
    rig.scripts.clear();
    const report = await rebuild(definition, "up");
    expect(named(report)).toEqual(["not-repeated up/1.txt"]);
    expect(report.findings[0]!.rebuild!.recorded).toBeNull();
  });
});

describe("what proves nothing is left out and counted", () => {
  test("tasks that are not fresh, by their status", async () => {
    const definition = chain();
    await made(definition);
    rig.put("in/1.txt", "another text");
    await rig.pass(1000);
    const report = await rebuild(definition);
    expect(counts(report)).toMatchObject({ outputs: 4, rebuilt: 2, same: 2, differ: 0 });
    expect(Object.values(counts(report).leftOut).reduce((a, b) => a + b, 0)).toBe(2);
    expect(counts(report).leftOut).toHaveProperty("stale");
    expect(rig.ran.toSorted()).toEqual(["out@2", "up@2"]);
  });

  test("sinks, whose effects must not be repeated", async () => {
    const definition = {
      name: "sends",
      stages: [
        source("in", "in/{id}.txt"),
        stage("up", "in", "up/{id}.txt", "upper"),
        { ...stage("send", "up", "sent/{id}.txt", "upper"), type: "sink" },
      ],
    };
    await made(definition);
    expect(counts(await rebuild(definition))).toMatchObject({ outputs: 4, same: 2, leftOut: { sink: 2 } });
    expect(rig.ran.toSorted()).toEqual(["up@1", "up@2"]);
  });

  test("what a person accepted, since no node made it", async () => {
    const definition = chain();
    rig = await new EngineRig([definition]).start();
    for (const id of ["1", "2"]) rig.write(`in/${id}.txt`, id);
    await rig.quiet();
    const task = rig.root.stages.topology.producerTask("out/1.txt")!;
    const { controls } = rig.root;
    rig.root.setControls({ ...controls, held: { [task.key]: "2026-11-20T13:00:00.000Z" } }, [task]);
    rig.write("out/1.txt", "written by hand and good");
    await rig.quiet();
    const accepted = await acceptTasks(rig.root, [task]);
    expect(accepted.map(({ why }) => why)).toEqual([undefined]);
    rig.root.setControls(controls, [task]);
    await rig.quiet();
    await rig.pass(1000);
    await rig.stop();
    expect(rig.text("out/1.txt")).toBe("written by hand and good");
    const report = await rebuild(definition);
    expect(named(report)).toEqual([]);
    expect(counts(report)).toMatchObject({ outputs: 4, rebuilt: 3, same: 3, leftOut: { accepted: 1 } });
  });

  test("inputs that somebody writes or takes away meanwhile", async () => {
    const definition = chain();
    await made(definition, ["1", "2", "3", "4"]);
    let first: string | undefined;
    rig.scripts.set("up", ({ task }) => {
      if (first !== undefined) return undefined;
      first = task;
      const [changed, gone] = ["1", "2", "3", "4"].filter((id) => task !== `up@${id}`);
      rig.put(`in/${changed}.txt`, "written by somebody meanwhile");
      rig.disk.removeTree(`/project/state/in/${gone}.txt`);
      return undefined;
    });
    const report = await rebuild(definition, "up");
    expect(named(report)).toEqual([]);
    expect(counts(report)).toMatchObject({ outputs: 4, rebuilt: 2, same: 2, leftOut: { overtaken: 2 } });
    expect(rig.ran).toHaveLength(4);
  });

  test("what comes after an interrupt; what runs is cut short", async () => {
    const definition = chain();
    await made(definition, ["1", "2", "3"]);
    rig.runner.lane = "single";
    rig.scripts.set("up", async () => {
      await Promise.resolve();
      stopper.abort();
      return new Promise(() => {});
    });
    const report = await rebuild(definition, "up");
    expect(named(report)).toEqual([]);
    expect(counts(report)).toEqual({
      outputs: 3,
      rebuilt: 0,
      same: 0,
      differ: 0,
      failed: 0,
      leftOut: { interrupted: 3 },
    });
    expect(rig.runner.hanging).toBe(0);
    expect(rig.disk.list(FOLDER)).toEqual([]);
  });

  test("where the machine has no room, that is the answer", async () => {
    const definition = chain();
    await made(definition);
    rig.runner.lane = "single";
    rig.disk.onOperation = (name, path) => {
      if (name === "makeFolders" && path.startsWith(`${FOLDER}/`)) throw diskError("ENOSPC", path);
    };
    await expect(rebuild(definition)).rejects.toThrow(
      /M516 the machine refuses what making outputs again needs: .*ENOSPC/,
    );
    expect(rig.ran).toEqual([]);
  });
});
