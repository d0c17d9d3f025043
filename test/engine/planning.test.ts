import { describe, expect, test } from "vitest";
import { acceptTasks } from "../../src/engine/calls/accept.ts";
import type { Task } from "../../src/core/plan/topology.ts";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

const POLICY = { maxAttempts: 4, backoffSeconds: [5, 10, 30] };

async function made(definition: object, files: Record<string, string> = { "input/1.txt": "ab" }): Promise<EngineRig> {
  const rig = new EngineRig([definition]);
  for (const [path, text] of Object.entries(files)) rig.put(path, text);
  await rig.start();
  rig.news();
  return rig;
}

async function write(rig: EngineRig, path: string, text: string): Promise<string[]> {
  rig.write(path, text);
  await rig.quiet();
  return rig.news();
}

function fails(rig: EngineRig, task: string): void {
  rig.scripts.set(task, () => {
    throw new ScriptedFailure("no");
  });
}

function taskOf(rig: EngineRig, path: string): Task {
  return rig.root.stages.topology.producerTask(path)!;
}

function hold(rig: EngineRig, ...keys: string[]): void {
  const held = Object.fromEntries(keys.map((key) => [key, "2026-01-01T00:00:00.000Z"]));
  const tasks = ["upper/1.txt", "output/1.txt"].map((path) => taskOf(rig, path));
  rig.root.setControls({ ...rig.root.controls, held }, tasks);
}

function invalidate(rig: EngineRig, path: string): void {
  const task = taskOf(rig, path);
  const forced = { [task.key]: new Date(rig.clock.wallMs()).toISOString() };
  rig.root.setControls({ ...rig.root.controls, forced }, rig.root.withFollowers(task));
}

describe("what runs", () => {
  test("is what a change concerns, in the order of the stages", async () => {
    const rig = await made(echo(), { "input/1.txt": "a", "input/2.txt": "b" });
    expect(await write(rig, "input/2.txt", "c")).toEqual(["upper@2", "output@2"]);
    expect(rig.text("output/2.txt")).toBe("out(C)");
  });

  test("ends where the bytes come out the same", async () => {
    const rig = await made(echo({ first: "first" }));
    expect(await write(rig, "input/1.txt", "ax")).toEqual(["upper@1"]);
    expect(rig.attempts("upper").at(-1)).toMatchObject({ result: "unchanged", reasons: "input-changed" });
  });

  test("is nothing for a touched source or a touched result", async () => {
    const rig = await made(echo());
    expect(await write(rig, "input/1.txt", "ab")).toEqual([]);
    expect(await write(rig, "upper/1.txt", "AB")).toEqual([]);
  });

  test("is what read the changed file, though it was not declared", async () => {
    const rig = await made(echo({ first: "first", second: "with:input" }));
    expect(rig.text("output/1.txt")).toBe("a+ab");
    expect(await write(rig, "input/1.txt", "ax")).toEqual(["upper@1", "output@1"]);
    expect(rig.attempts("output").at(-1)).toMatchObject({ result: "ran", reasons: "input-changed" });
  });

  test("is what was edited or lost, and the edit is in the trash", async () => {
    const rig = await made(echo());
    expect(await write(rig, "upper/1.txt", "mine")).toEqual(["upper@1"]);
    expect([rig.text("upper/1.txt"), rig.trashed()]).toEqual(["AB", ["mine"]]);
    rig.remove("output/1.txt");
    await rig.quiet();
    expect(rig.news()).toEqual(["output@1"]);
  });

  test("is nothing when a source goes: what was made of it goes, too, and is taken back with it", async () => {
    const rig = await made(echo());
    rig.remove("input/1.txt");
    await rig.pass(300);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["orphaned", "orphaned"]);
    await rig.quiet();
    expect([rig.files(), rig.root.table.size, rig.news()]).toEqual([{}, 0, []]);
    expect(await write(rig, "input/1.txt", "ab")).toEqual([]);
    expect([rig.attempts("output").at(-1)?.result, rig.text("output/1.txt"), rig.trashed()]).toEqual([
      "restored",
      "out(AB)",
      [],
    ]);
    // Of other bytes it is made anew.
    rig.remove("input/1.txt");
    await rig.quiet();
    expect(await write(rig, "input/1.txt", "cd")).toEqual(["upper@1", "output@1"]);
  });

  test("follows what nobody was told of at the next scan", async () => {
    const rig = await made(echo());
    rig.put("input/1.txt", "new");
    rig.put("input/2.txt", "two");
    rig.disk.removeTree("/project/state/output/1.txt");
    await rig.pass(600_000);
    await rig.quiet();
    expect(rig.news().toSorted()).toEqual(["output@1", "output@2", "upper@1", "upper@2"]);
  });
});

describe("a result that the stage chose not to make", () => {
  test("retracts the older one and what was made of it", async () => {
    const rig = await made(echo({ first: "skip:no" }));
    expect(await write(rig, "input/1.txt", "no")).toEqual(["upper@1"]);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["skipped", undefined]);
    expect([rig.text("upper/1.txt"), rig.trashed()]).toEqual([undefined, ["ab", "out(ab)"]]);
    await rig.restart();
    expect(rig.news()).toEqual([]);
  });

  test("leaves an edited one where it is, shown as orphaned, and has no more to do", async () => {
    const rig = await made(echo({ first: "skip:no" }));
    rig.put("upper/1.txt", "mine");
    expect(await write(rig, "input/1.txt", "no")).toEqual(["upper@1"]);
    expect([rig.text("upper/1.txt"), rig.status("upper/1.txt")]).toEqual(["mine", "orphaned"]);
    expect(rig.trashed()).toEqual(["out(ab)"]);
    expect(await write(rig, "upper/1.txt", "mine, again")).toEqual([]);
    expect(rig.status("upper/1.txt")).toBe("orphaned");
  });
});

describe("a task that fails", () => {
  test("is tried again exactly as the policy says, then quarantined; what follows is blocked", async () => {
    const rig = await new EngineRig([echo({}, { retryPolicy: POLICY })]).start();
    fails(rig, "upper@1");
    await write(rig, "input/1.txt", "a");
    const tries: number[] = [];
    const started = rig.attempts("upper")[0]!.startedAt;
    for (let second = 0; second <= 60; second++) {
      await rig.pass(1000);
      tries.push(...rig.ran.splice(0).map(() => Math.round((rig.clock.wallMs() - started) / 1000)));
    }
    expect(rig.attempts("upper").map((row) => Math.round((row.startedAt - started) / 1000))).toEqual([0, 5, 15, 45]);
    expect(tries).toHaveLength(3);
    expect(rig.attempts("upper").map((row) => row.attempt)).toEqual([1, 2, 3, 4]);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["quarantined", "blocked"]);
    await rig.pass(86_400_000 / 24);
    expect(rig.news()).toEqual([]);
  });

  test("keeps its last good result, and blocks what would be made of the next", async () => {
    const rig = await made(echo());
    fails(rig, "upper@1");
    await write(rig, "input/1.txt", "new");
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["retrying", "blocked"]);
    expect(rig.text("output/1.txt")).toBe("out(AB)");
  });

  test.each<[string, (rig: EngineRig) => Promise<unknown>]>([
    ["another input", (rig) => write(rig, "input/1.txt", "other")],
    ["other code", (rig) => rig.redefine([echo({ first: "wrap:new" })])],
  ])("is freed at once by %s", async (_name, change) => {
    const rig = await made(echo());
    fails(rig, "upper@1");
    await write(rig, "input/1.txt", "new");
    rig.news();
    rig.scripts.clear();
    await change(rig);
    await rig.quiet();
    rig.ran.splice(0);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["fresh", "fresh"]);
    expect(rig.manifest("1").failures).toEqual({});
    expect(rig.attempts("upper").at(-1)).toMatchObject({ attempt: 1, result: "ran" });
  });

  test("waits on over a restart, and over a clock that was set back no longer than its delay", async () => {
    const rig = await made(echo({}, { retryPolicy: { maxAttempts: 9, backoffSeconds: [600] } }));
    fails(rig, "upper@1");
    await write(rig, "input/1.txt", "new");
    await rig.pass(500_000);
    await rig.restart();
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([[], "retrying"]);
    await rig.pass(90_000);
    expect(rig.news()).toEqual([]);
    await rig.pass(11_000);
    expect(rig.news()).toEqual(["upper@1"]);

    await rig.stop();
    await rig.revive({ jumpMs: -86_400_000 });
    await rig.pass(599_000);
    expect(rig.news()).toEqual([]);
    await rig.pass(2000);
    expect(rig.news()).toEqual(["upper@1"]);
  });

  test.each([
    ["forwards", 86_400_000],
    ["backwards", -86_400_000],
  ])(
    "waits its delay by our own clock when the wall clock is set %s and it is looked at again",
    async (_name, jump) => {
      const rig = await made(echo({}, { retryPolicy: { maxAttempts: 9, backoffSeconds: [600] } }));
      fails(rig, "upper@1");
      await write(rig, "input/1.txt", "new");
      rig.news();
      await rig.pass(300_000);
      rig.clock.jumpWall(jump);
      rig.root.journey.replan([taskOf(rig, "upper/1.txt")]);
      await rig.pass(299_000);
      expect(rig.news()).toEqual([]);
      await rig.pass(2000);
      expect(rig.news()).toEqual(["upper@1"]);
    },
  );

  test("waits at least as long as the other side asked for", async () => {
    const rig = await made(echo({}, { retryPolicy: POLICY }));
    rig.scripts.set("upper@1", () => {
      throw new ScriptedFailure("busy", "node", 20_000);
    });
    await write(rig, "input/1.txt", "new");
    rig.news();
    await rig.pass(19_000);
    expect(rig.news()).toEqual([]);
    await rig.pass(2000);
    expect(rig.news()).toEqual(["upper@1"]);
  });

  test("that cannot run as it is written is not tried again before an edit", async () => {
    const rig = await made(echo());
    rig.scripts.set("upper@1", () => {
      throw new ScriptedFailure("wrong", "definition");
    });
    await write(rig, "input/1.txt", "new");
    rig.news();
    await rig.pass(3_600_000);
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([[], "failed"]);
  });
});

describe("what a person says", () => {
  test("a held stage waits, and goes on when it is released", async () => {
    const rig = await made(echo());
    hold(rig, "echo#output");
    expect(await write(rig, "input/1.txt", "new")).toEqual(["upper@1"]);
    expect(rig.status("output/1.txt")).toBe("held");
    await rig.restart();
    expect(rig.news()).toEqual([]);
    hold(rig);
    await rig.quiet();
    expect(rig.news()).toEqual(["output@1"]);
  });

  test("an attempt that ends while what it was made from is held and stale does not pass for fresh", async () => {
    const rig = await made(echo());
    let finish = (): void => {};
    rig.scripts.set("output", () => new Promise((resolve) => (finish = () => resolve(undefined))));
    await rig.redefine([echo({ second: "wrap:new" })]);
    await rig.until(() => rig.runner.hanging === 1);
    rig.runner.ignoresCancel = true;
    hold(rig, "echo#upper");
    rig.write("input/1.txt", "new");
    await rig.pass(1000);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["held", "running"]);
    finish();
    await rig.quiet();
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["held", "waiting"]);
  });

  test("an invalidated task runs once, and nothing follows from the same bytes", async () => {
    const rig = await made(echo());
    invalidate(rig, "upper/1.txt");
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@1"]);
    expect(rig.root.controls.forced).toEqual({});
    await rig.restart();
    expect(rig.news()).toEqual([]);
  });

  test("an invalidated task that fails backs off like any other, and is not forgotten", async () => {
    const rig = await made(echo());
    fails(rig, "upper");
    invalidate(rig, "upper/1.txt");
    await rig.pass(1000);
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([["upper@1"], "retrying"]);
    rig.scripts.clear();
    await rig.pass(60_000);
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([["upper@1"], "fresh"]);
  });

  test("an invalidated task that fails backs off even where the clock was set back", async () => {
    const rig = await made(echo());
    fails(rig, "upper");
    invalidate(rig, "upper/1.txt");
    rig.clock.jumpWall(-3_600_000);
    await rig.pass(1000);
    expect(rig.news().length).toBeLessThanOrEqual(2);
    expect(rig.status("upper/1.txt")).toBe("retrying");
  });

  test("invalidating a quarantined task gives it one attempt", async () => {
    const rig = await made(echo({}, { retryPolicy: { maxAttempts: 1, backoffSeconds: [5] } }));
    fails(rig, "upper");
    await write(rig, "input/1.txt", "new");
    expect(rig.status("upper/1.txt")).toBe("quarantined");
    rig.news();
    await rig.pass(1000);
    invalidate(rig, "upper/1.txt");
    await rig.quiet();
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([["upper@1"], "quarantined"]);
  });

  test("an accepted edit is the result: nothing is made again, and what follows is made of it", async () => {
    const rig = await made(echo());
    hold(rig, "echo#upper");
    await write(rig, "upper/1.txt", "mine");
    await acceptTasks(rig.root, [taskOf(rig, "upper/1.txt")]);
    hold(rig);
    await rig.quiet();
    expect(rig.news()).toEqual(["output@1"]);
    expect([rig.text("upper/1.txt"), rig.text("output/1.txt")]).toEqual(["mine", "out(mine)"]);
  });
});

describe("a file in the way", () => {
  const chained = {
    name: "after",
    stages: [source("made", "output/{id}.txt"), stage("final", "made", "final/{id}.txt", "wrap:final")],
  };

  test("that another pipeline was given stops the task until it is removed", async () => {
    const rig = new EngineRig([echo(), chained]);
    rig.put("output/1.txt", "given");
    await rig.start();
    expect(rig.news()).toEqual(["final@1"]);
    expect(await write(rig, "input/1.txt", "a")).toEqual(["upper@1", "output@1"]);
    expect([rig.status("output/1.txt"), rig.status("final/1.txt")]).toEqual(["failed", "blocked"]);
    expect(rig.text("output/1.txt")).toBe("given");
    expect(rig.manifest("1").failures["output/{id}.txt"]?.error).toContain("foreign-file");
    await rig.pass(3_600_000);
    expect(rig.news()).toEqual([]);
    rig.remove("output/1.txt");
    await rig.quiet();
    expect(rig.news()).toEqual(["output@1", "final@1"]);
    expect(rig.text("final/1.txt")).toBe("final(out(A))");
  });

  test("that another pipeline was given is the result once it is accepted", async () => {
    const rig = new EngineRig([echo(), chained]);
    rig.put("output/1.txt", "given");
    await rig.start();
    await write(rig, "input/1.txt", "a");
    await acceptTasks(rig.root, [taskOf(rig, "output/1.txt")]);
    await rig.quiet();
    expect([rig.news(), rig.status("final/1.txt")]).toEqual([[], "fresh"]);
    expect([rig.status("output/1.txt"), rig.text("final/1.txt")]).toEqual(["fresh", "final(given)"]);
  });

  test("with the very bytes is adopted; any other goes to the trash", async () => {
    const rig = new EngineRig([echo()]);
    rig.put("upper/1.txt", "A");
    rig.put("upper/2.txt", "what");
    rig.put("input/1.txt", "a");
    rig.put("input/2.txt", "b");
    await rig.start();
    expect([rig.text("upper/1.txt"), rig.text("upper/2.txt"), rig.trashed()]).toEqual(["A", "B", ["what"]]);
    expect(
      rig
        .attempts("upper")
        .map((row) => `${row.entity} ${row.result}`)
        .toSorted(),
    ).toEqual(["1 unchanged", "2 ran"]);
  });

  test("that cannot be read fails the task, which backs off", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.put("upper/1.txt", "in the way");
    rig.disk.chmod("/project/state/upper/1.txt", 0o000);
    rig.write("input/1.txt", "a");
    await rig.pass(1000);
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([["upper@1"], "retrying"]);
  });
});

describe("names", () => {
  test("that cannot be read back fail without an attempt, and go with their source", async () => {
    const rig = await new EngineRig([
      {
        name: "p",
        stages: [source("in", "in/{a}/{b}.txt"), stage("out", "in", "out/{a}-{b}.txt", "upper")],
      },
    ]).start();
    rig.write("in/x-y/z.txt", "a");
    await rig.quiet();
    expect(rig.news()).toEqual([]);
    const { topology } = rig.root.stages;
    const [task] = topology.affected("in/x-y/z.txt", topology.role(topology.roleNumber("in/x-y/z.txt")));
    expect(rig.status(task!.path)).toBe("failed");
    rig.remove("in/x-y/z.txt");
    await rig.quiet();
    expect(rig.root.table.size).toBe(0);
  });
});
