import { describe, expect, test } from "vitest";
import { diskError } from "../support/memory-disk.ts";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

const chained = [
  echo(),
  {
    name: "after",
    stages: [source("made", "output/{id}.txt"), stage("final", "made", "final/{id}.txt", "wrap:final")],
  },
];

describe("hot loops", () => {
  test("a forced task that fails backs off", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    rig.news();
    rig.scripts.set("upper", () => {
      throw new ScriptedFailure("no");
    });
    rig.root.setControls(
      { version: 1, held: {}, forced: { "echo#upper@1": new Date(rig.clock.wallMs()).toISOString() } },
      [rig.root.stages.topology.producerTask("upper/1.txt")!],
    );
    await rig.pass(1000);
    expect(rig.news()).toEqual(["upper@1"]);
    expect(rig.status("upper/1.txt")).toBe("retrying");
  });

  test("an output that cannot be read fails, and backs off", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.put("upper/1.txt", "in the way");
    rig.disk.chmod("/project/state/upper/1.txt", 0o000);
    rig.write("input/1.txt", "a");
    await rig.pass(1000);
    expect(rig.news()).toEqual(["upper@1"]);
    expect(rig.status("upper/1.txt")).toBe("retrying");
  });

  test("racy window: within it, hashes count", async () => {
    const rig = await new EngineRig([echo()], { racyMs: 20, settleMs: 0 }).start();
    rig.write("input/1.txt", "hello");
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@1", "output@1"]);
  });

  test("racy window: a time in the future", async () => {
    const rig = await new EngineRig([echo()], { racyMs: 20 }).start();
    rig.put("input/1.txt", "hello");
    rig.clock.jumpWall(-3_600_000);
    rig.changes.changed("input/1.txt");
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@1", "output@1"]);
  });

  test("a skipped task with a foreign file in its place does not run at each look", async () => {
    const rig = await new EngineRig([echo({ first: "skip:no" })]).start();
    rig.write("input/1.txt", "no");
    await rig.quiet();
    rig.write("upper/1.txt", "mine");
    await rig.quiet();
    rig.news();
    rig.changes.changed("upper/1.txt");
    await rig.restart();
    expect(rig.news()).toEqual([]);
    expect(rig.text("upper/1.txt")).toBe("mine");
  });
});

describe("disk full", () => {
  test.each(["makeFolders", "write", "rename"] as const)("at %s", async (operation) => {
    const rig = await new EngineRig([echo()]).start();
    let isFull = true;
    rig.disk.onOperation = (op, path) => {
      if (isFull && op === operation) throw diskError("ENOSPC", path);
    };
    isFull = false;
    rig.put("input/1.txt", "a");
    isFull = true;
    rig.changes.changed("input/1.txt");
    await rig.pass(1000);
    expect(rig.faults).toEqual([]);
    isFull = false;
    await rig.pass(70_000);
    expect(rig.text("output/1.txt")).toBe("out(A)");
    expect(rig.status("output/1.txt")).toBe("fresh");
  });
});

describe("left behind", () => {
  test("followers of a large touched output", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.write("input/1.txt", "a".repeat(2_000_000));
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@1", "output@1"]);
    rig.write("upper/1.txt", "A".repeat(2_000_000));
    await rig.quiet();
    expect(rig.news()).toEqual([]);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["fresh", "fresh"]);
  });

  test("a source gone while hashed", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.write("input/1.txt", "a".repeat(2_000_000));
    await rig.quiet();
    rig.write("input/1.txt", "b".repeat(2_000_000));
    await rig.until(() => rig.root.journey.isPlanning && rig.status("upper/1.txt") === "waiting");
    rig.disk.removeTree("/project/state/input/1.txt");
    await rig.quiet();
    rig.changes.changed("input/1.txt");
    await rig.quiet();
    expect(rig.status("input/1.txt")).toBe(undefined);
    expect(rig.root.table.find("input/1.txt")).toBe(undefined);
    expect(rig.status("upper/1.txt")).toBe("orphaned");
  });

  test("a stage removed while its file settles leaves the root quiet", async () => {
    const rig = await new EngineRig(chained).start();
    rig.write("input/1.txt", "a");
    await rig.pass(10);
    expect(rig.status("input/1.txt")).toBe("settling");
    await rig.redefine([chained[1]]);
    await rig.quiet();
    expect(rig.root.settling.size).toBe(0);
  });

  test("a pattern changed while an attempt runs", async () => {
    const rig = await new EngineRig([echo()]).start();
    let finish = (): void => {};
    rig.scripts.set("upper", () => new Promise((resolve) => (finish = () => resolve(undefined))));
    rig.write("input/1.txt", "a");
    await rig.until(() => rig.runner.hanging === 1);
    const changed = echo() as { stages: object[] };
    changed.stages[1] = stage("upper", "input", "big/{id}.txt", "upper");
    await rig.redefine([changed]);
    rig.scripts.clear();
    finish();
    await rig.quiet();
    expect(rig.files()).toEqual({ "input/1.txt": "a", "big/1.txt": "A", "output/1.txt": "out(A)" });
  });
});
