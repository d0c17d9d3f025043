import { describe, expect, test } from "vitest";
import { EngineRig, echo, source, stage } from "../support/engine-rig.ts";
import { diskError } from "../support/memory-disk.ts";

const ROOT = "/project/state";
const WRITES = new Set(["write", "rename", "copy", "makeFolders", "sync", "remove", "removeTree"]);

/** A process killed between its last rename and its manifest: only the intent says what the output is. */
async function diedBeforeItsManifest(): Promise<EngineRig> {
  for (let last = 1; last < 200; last++) {
    const rig = new EngineRig([echo()]);
    rig.put("input/1.txt", "a");
    await rig.revive({ lastOperation: last });
    rig.kill();
    if (rig.text("upper/1.txt") !== "A") continue;
    expect([rig.own("manifests"), rig.own("tmp").length, rig.news()]).toEqual([[], 1, ["upper@1"]]);
    return rig;
  }
  throw new Error("it never made its first result");
}

describe("recovery after a kill", () => {
  test("adopts what was renamed, and does not make it again", async () => {
    const rig = await diedBeforeItsManifest();
    await rig.revive();
    expect([rig.news(), rig.text("output/1.txt"), rig.own("tmp")]).toEqual([["output@1"], "out(A)", []]);
  });

  test("writes into the history what a dead process did not live to write, once", async () => {
    const rig = await diedBeforeItsManifest();
    expect(rig.attempts("upper")).toEqual([]);
    await rig.revive();
    const [row, ...others] = rig.attempts("upper");
    expect(row).toMatchObject({ taskKey: "echo#upper@1", result: "ran", attempt: 1, path: "upper/1.txt", reasons: "" });
    expect(row!.runId).toBe(rig.manifest("1").states["upper/{id}.txt"]!.runId);
    expect(others).toEqual([]);
    await rig.restart();
    expect(rig.attempts("upper")).toHaveLength(1);
  });

  test("takes what an earlier batch put in place for ours, not for an edit, though its manifest was not written", async () => {
    const stages = [
      source("input", "input/{id}.txt"),
      stage("upper", "input", "upper/{id}.txt", "upper", { onEdit: "keep" }),
      stage("output", "upper", "output/{id}.txt", "wrap:last"),
    ];
    const rig = new EngineRig([{ name: "echo", stages }]);
    let isSlow = false;
    rig.scripts.set("output", () => (isSlow ? new Promise(() => {}) : undefined));
    await rig.start();
    rig.write("input/1.txt", "old");
    await rig.quiet();
    // The manifest waits for the end of the chain, whose second batch hangs.
    isSlow = true;
    rig.write("input/1.txt", "new");
    await rig.until(() => rig.runner.hanging === 1);
    rig.kill();
    isSlow = false;
    expect([rig.text("upper/1.txt"), rig.text("output/1.txt")]).toEqual(["NEW", "last(OLD)"]);
    rig.put("input/1.txt", "newer");
    rig.news();
    await rig.revive();
    expect([rig.text("output/1.txt"), rig.trashed(), rig.news()]).toEqual(["last(NEWER)", [], ["upper@1", "output@1"]]);
  });

  test("that finds a full disk starts all the same, keeps the intents, and finishes when there is room", async () => {
    const rig = await diedBeforeItsManifest();
    rig.disk.onOperation = (operation, path) => {
      if (WRITES.has(operation)) throw diskError("ENOSPC", path);
    };
    await rig.revive();
    await rig.pass(60_000);
    expect([rig.faults, rig.news(), rig.own("tmp").length > 0]).toEqual([[], [], true]);
    expect(rig.root.pauses.current?.code).toBe("M510");
    rig.disk.onOperation = undefined;
    await rig.pass(60_000);
    await rig.quiet();
    expect([rig.news(), rig.text("output/1.txt"), rig.own("tmp")]).toEqual([["output@1"], "out(A)", []]);
  });

  test("that finds a full disk loses nothing when it is killed, too", async () => {
    const rig = await diedBeforeItsManifest();
    rig.disk.onOperation = (operation, path) => {
      if (WRITES.has(operation)) throw diskError("ENOSPC", path);
    };
    await rig.revive();
    rig.kill();
    rig.disk.onOperation = undefined;
    await rig.revive();
    expect([rig.news(), rig.text("output/1.txt"), rig.own("tmp")]).toEqual([["output@1"], "out(A)", []]);
  });

  test.each(["", "{}", '{"version":2}', "\0\0\0"])(
    "that finds an intent of %j goes by the bytes on disk",
    async (text) => {
      const rig = await diedBeforeItsManifest();
      for (const batch of rig.own("tmp")) rig.disk.write(`${ROOT}/.millrace/tmp/${batch}/intent.json`, text);
      rig.logged.length = 0;
      await rig.revive();
      expect(rig.logged.filter((line) => line.includes("interrupted commit"))).toHaveLength(1);
      // Equal bytes are adopted: that costs a run, and nothing is taken for a stranger's.
      expect([rig.text("output/1.txt"), rig.trashed(), rig.own("tmp")]).toEqual(["out(A)", [], []]);
    },
  );

  test("that cannot remove or read a batch's folder leaves it to the next start", async () => {
    const rig = await diedBeforeItsManifest();
    rig.disk.onOperation = (operation, path) => {
      if (operation === "removeTree" && path.includes("/tmp/")) throw diskError("EIO", path);
      if (operation === "read" && path.endsWith("/intent.json")) throw diskError("EIO", path);
    };
    await rig.revive();
    expect([rig.faults, rig.text("output/1.txt"), rig.own("tmp").length > 0]).toEqual([[], "out(A)", true]);
    rig.disk.onOperation = undefined;
    await rig.restart();
    expect([rig.news().length, rig.own("tmp")]).toEqual([2, []]);
  });

  test("leaves a manifest of a later release as it is, and the rest goes on", async () => {
    const rig = await diedBeforeItsManifest();
    const later = JSON.stringify({ version: 99, entityId: "1" });
    rig.disk.write(`${ROOT}/.millrace/manifests/1.json`, later);
    rig.put("input/2.txt", "b");
    await rig.revive();
    expect([rig.text(".millrace/manifests/1.json"), rig.text("upper/1.txt")]).toEqual([later, "A"]);
    expect([rig.text("output/2.txt"), rig.status("upper/1.txt")]).toEqual(["out(B)", "failed"]);
  });
});

test("a stop in the middle of a chain cuts what runs, writes what is done, and leaves nothing to recover", async () => {
  const rig = await new EngineRig([echo()]).start();
  let isSlow = true;
  rig.scripts.set("output", () => (isSlow ? new Promise(() => {}) : undefined));
  rig.write("input/1.txt", "a");
  await rig.until(() => rig.runner.hanging === 1);
  await rig.stop(2000);
  isSlow = false;
  const written = JSON.parse(rig.text(".millrace/manifests/1.json") ?? "{}") as { states?: object };
  expect(Object.keys(written.states ?? {})).toEqual(["input/{id}.txt", "upper/{id}.txt"]);
  expect(rig.own("tmp")).toEqual([]);
  rig.news();
  await rig.revive();
  expect([rig.news(), rig.text("output/1.txt")]).toEqual([["output@1"], "out(A)"]);
});

test("a manifest that was lost while no process ran is noticed by the next one, and its records are made again", async () => {
  const rig = await new EngineRig([echo()]).start();
  rig.write("input/1.txt", "a");
  await rig.quiet();
  await rig.stop();
  rig.disk.remove(`${ROOT}/.millrace/manifests/1.json`);
  rig.news();
  await rig.revive();
  expect([rig.news(), rig.trashed()]).toEqual([["upper@1", "output@1"], []]);
  expect(Object.keys(rig.manifest("1").states).length).toBe(3);
});

describe("a manifest that the disk refuses to read", () => {
  test("fails its entity's tasks, not the daemon, and is looked at again at the next scan", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    let isBad = true;
    rig.disk.onOperation = (operation, path) => {
      if (isBad && operation === "read" && path.endsWith("/manifests/1.json")) throw diskError("EIO", path);
    };
    rig.write("input/1.txt", "changed");
    rig.write("input/2.txt", "b");
    await rig.quiet();
    expect([rig.faults, rig.status("upper/1.txt"), rig.text("output/2.txt")]).toEqual([[], "failed", "out(B)"]);
    isBad = false;
    await rig.pass(1_200_000);
    await rig.quiet();
    expect([rig.status("upper/1.txt"), rig.text("output/1.txt")]).toEqual(["fresh", "out(CHANGED)"]);
  });
});

describe("two pipelines that share an entity", () => {
  const other = {
    name: "other",
    stages: [source("in", "input/{id}.txt"), stage("lower", "in", "lower/{id}.txt", "first")],
  };
  const wanted = ["input/{id}.txt", "lower/{id}.txt", "output/{id}.txt", "upper/{id}.txt"];
  const recorded = (rig: EngineRig): string[] => Object.keys(rig.manifest("1").states).toSorted();

  test("never lose each other's records, however their batches interleave", async () => {
    for (const first of ["upper", "lower"]) {
      const rig = await new EngineRig([echo(), other]).start();
      const finish: (() => void)[] = [];
      for (const name of ["upper", "lower"])
        rig.scripts.set(
          name,
          ({ input }) => new Promise((resolve) => (finish[name === first ? 0 : 1] = () => resolve(input))),
        );
      rig.write("input/1.txt", "a");
      await rig.until(() => rig.runner.hanging === 2);
      finish[0]!();
      await rig.until(() => rig.text(`${first}/1.txt`) === "a");
      finish[1]!();
      await rig.quiet();
      expect(recorded(rig)).toEqual(wanted);
      await rig.restart();
      expect(recorded(rig)).toEqual(wanted);
    }
  });

  test("nor with a kill after any operation on the disk", { timeout: 120_000 }, async () => {
    const prepared = (): EngineRig => {
      const rig = new EngineRig([echo(), other]);
      rig.put("input/1.txt", "a");
      return rig;
    };
    const calm = await prepared().start();
    const [total, files] = [calm.operations, calm.files()];
    for (let last = 0; last <= total; last++) {
      const rig = prepared();
      await rig.revive({ lastOperation: last });
      rig.kill();
      await rig.revive();
      expect([recorded(rig), rig.files(), rig.own("tmp")], `killed after ${last}`).toEqual([wanted, files, []]);
      rig.news();
      await rig.restart();
      expect(rig.news(), `killed after ${last}`).toEqual([]);
    }
  });
});
