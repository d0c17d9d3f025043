import { describe, expect, test } from "vitest";
import type { Intent } from "../../src/ports.ts";
import { diskError } from "../support/memory-disk.ts";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";

/** A rig whose attempts of `upper` hang until they are let go. */
async function hanging(definition: object = echo()): Promise<{ rig: EngineRig; letGo: () => Promise<void> }> {
  const rig = await new EngineRig([definition]).start();
  let finish = (): void => {};
  rig.scripts.set("upper", () => new Promise((resolve) => (finish = () => resolve(undefined))));
  rig.write("input/1.txt", "a");
  await rig.until(() => rig.runner.hanging === 1);
  rig.news();
  return {
    rig,
    letGo: async () => {
      rig.scripts.clear();
      finish();
      await rig.quiet();
    },
  };
}

describe("an intent", () => {
  test.each([["batch"], ["single"]] as const)(
    "names where a result of lane %s waits in its batch folder",
    async (lane) => {
      const rig = await new EngineRig([echo()]).start();
      rig.runner.lane = lane;
      const waiting = new Map<string, boolean>();
      rig.disk.onOperation = (operation, path) => {
        // The rename of a result comes after its intent.
        const batch = /\/tmp\/[^/]+/.exec(path)?.[0];
        const intent = operation === "rename" && batch && rig.text(`.millrace${batch}/intent.json`);
        if (!intent || path.endsWith(".intent.json")) return;
        const [record] = (JSON.parse(intent) as Intent).records;
        waiting.set(path, path.endsWith(`.millrace${batch}/${record!.staged}`));
      };
      rig.write("input/1.txt", "a");
      await rig.quiet();
      expect([...waiting.values()]).toEqual([true, true]);
    },
  );
});

test("a result that cannot be announced does not become visible", async () => {
  const rig = await new EngineRig([echo()]).start();
  rig.write("input/1.txt", "old");
  await rig.quiet();
  rig.disk.onOperation = (operation, path) => {
    if (operation === "write" && path.endsWith("intent.json")) throw diskError("EIO", path);
  };
  rig.write("input/1.txt", "new");
  await rig.quiet();
  expect([rig.text("upper/1.txt"), rig.status("upper/1.txt")]).toEqual(["OLD", "retrying"]);
  rig.disk.onOperation = undefined;
  await rig.pass(120_000);
  await rig.quiet();
  expect(rig.text("output/1.txt")).toBe("out(NEW)");
});

describe("an attempt whose world changes while it runs", () => {
  test("is dropped and done again when its input changes, and counts as no failure", async () => {
    const { rig, letGo } = await hanging();
    rig.put("input/1.txt", "b");
    await letGo();
    expect(rig.news()).toEqual(["upper@1", "output@1"]);
    expect(rig.text("output/1.txt")).toBe("out(B)");
    expect(rig.attempts("upper").map((row) => row.result)).toEqual(["dropped", "ran"]);
    expect(rig.manifest("1").failures).toEqual({});
  });

  test("is cut short when it is told that its input is being written", async () => {
    const { rig } = await hanging();
    rig.write("input/1.txt", "b");
    rig.scripts.clear();
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(B)");
    expect(rig.attempts("upper").map((row) => row.result)).toEqual(["interrupted", "ran"]);
  });

  test("leaves nothing when its input vanishes", async () => {
    const { rig, letGo } = await hanging();
    rig.disk.removeTree("/project/state/input/1.txt");
    await letGo();
    expect(rig.news()).toEqual([]);
    expect([rig.files(), rig.root.table.size, rig.own("tmp")]).toEqual([{}, 0, []]);
  });

  test("moves to the trash what somebody put in its place meanwhile", async () => {
    const { rig, letGo } = await hanging();
    rig.put("upper/1.txt", "mine");
    await letGo();
    expect([rig.text("upper/1.txt"), rig.trashed()]).toEqual(["A", ["mine"]]);
  });

  test("is dropped when a state changes that it read beside its input", async () => {
    const rig = await new EngineRig([echo({ first: "first", second: "with:input" })]).start();
    let finish = (): void => {};
    rig.scripts.set("output", (attempt) => {
      attempt.read("input");
      return new Promise((resolve) => (finish = () => resolve(undefined)));
    });
    rig.write("input/1.txt", "ab");
    await rig.until(() => rig.runner.hanging === 1);
    rig.put("input/1.txt", "ax");
    rig.scripts.clear();
    finish();
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("a+ax");
    expect(rig.attempts("output").map((row) => row.result)).toEqual(["dropped", "ran"]);
  });

  test("believes what it read where the table knew other bytes under the same stat", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.write("input/1.txt", "abc");
    await rig.quiet();
    rig.news();
    rig.disk.rewriteWithSameStat("/project/state/input/1.txt", "xyz");
    rig.remove("upper/1.txt");
    await rig.pass(1000);
    expect(rig.news()).toEqual(["upper@1", "upper@1", "output@1"]);
    expect(rig.text("output/1.txt")).toBe("out(XYZ)");
  });
});

describe("an output folder on another file system", () => {
  test("gets a copy that is renamed beside the target, and nothing stays in tmp", async () => {
    const far = stage("far", "input", "far/{id}/result.txt", "upper");
    const rig = await new EngineRig([{ name: "p", stages: [source("input", "input/{id}.txt"), far] }]).start();
    rig.disk.makeFolders("/project/state/far");
    rig.disk.mounts.add("/project/state/far");
    const seen: (string | undefined)[] = [];
    rig.disk.onOperation = (operation, path) => {
      if (operation === "rename" && path.endsWith(".millrace-tmp"))
        seen.push(rig.text("far/1/result.txt"), rig.text(path.slice("/project/state/".length)));
    };
    rig.write("input/1.txt", "a");
    await rig.quiet();
    rig.disk.onOperation = undefined;
    expect(rig.attempts("far").map((row) => row.result)).toEqual(["ran"]);
    // The copy is whole under another name, and nothing lies under the result's own, until that moment.
    expect(seen).toEqual([undefined, "A"]);
    rig.write("far/1/result.txt", "mine");
    await rig.quiet();
    expect(rig.files()).toEqual({ "input/1.txt": "a", "far/1/result.txt": "A" });
    expect([rig.own("tmp"), rig.trashed()]).toEqual([[], ["mine"]]);
  });
});

describe("a folder that is made", () => {
  const folders = {
    name: "p",
    stages: [
      source("input", "input/{id}.txt"),
      stage("parts", "input", "parts/{id}/", "parts"),
      stage("sum", "parts", "sum/{id}.txt", "wrap:sum"),
    ],
  };

  async function rigOfFolders(): Promise<EngineRig> {
    const rig = await new EngineRig([folders]).start();
    rig.scripts.set("parts", ({ input }) => ({ "a.txt": input, "b.txt": input }));
    rig.write("input/1.txt", "one");
    await rig.quiet();
    rig.news();
    return rig;
  }

  test("is replaced whole, and wakes what is made of it when any file in it is edited", async () => {
    const rig = await rigOfFolders();
    rig.write("input/1.txt", "two");
    await rig.quiet();
    expect(rig.news()).toEqual(["parts@1", "sum@1"]);
    expect(rig.text("parts/1/a.txt")).toBe("two");
    rig.write("parts/1/a.txt", "edited");
    await rig.quiet();
    expect(rig.news()).toEqual(["parts@1"]);
    expect([rig.text("parts/1/a.txt"), rig.trashed()]).toEqual(["two", ["edited", "two"]]);
  });

  test("is as it was when the new one cannot be put in its place", async () => {
    const rig = await rigOfFolders();
    let renames = 0;
    rig.disk.onOperation = (operation, path) => {
      if (operation === "rename" && /\/tmp\/[^/]+\/\d+$/.test(path) && ++renames === 1) throw diskError("ENOSPC", path);
    };
    rig.write("input/1.txt", "two");
    await rig.quiet();
    expect([rig.text("parts/1/a.txt"), rig.status("parts/1/")]).toEqual(["one", "queued"]);
    await rig.pass(60_000);
    await rig.quiet();
    expect([rig.text("parts/1/a.txt"), rig.status("sum/1.txt")]).toEqual(["two", "fresh"]);
  });
});

describe("a disk that stays full", () => {
  test("ends no process: what waits is written when there is room", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.put("input/1.txt", "a");
    let isFull = true;
    rig.disk.onOperation = (operation, path) => {
      if (isFull && ["write", "rename", "makeFolders"].includes(operation)) throw diskError("ENOSPC", path);
    };
    rig.changes.changed("input/1.txt");
    await rig.pass(30_000);
    expect([rig.faults, rig.status("upper/1.txt"), rig.news()]).toEqual([[], "queued", []]);
    expect(rig.root.pauses.current?.code).toBe("M510");
    isFull = false;
    await rig.pass(60_000);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(A)");
    expect(rig.attempts("upper").map((row) => row.result)).toEqual(["interrupted", "ran"]);
    expect(rig.own("tmp")).toEqual([]);
  });

  test("keeps the history until the ledger can be written", async () => {
    const rig = await new EngineRig([echo()]).start();
    const add = rig.ledger.add.bind(rig.ledger);
    rig.ledger.add = () => {
      throw diskError("ENOSPC", "ledger.db");
    };
    rig.write("input/1.txt", "a");
    await rig.quiet();
    expect([rig.text("output/1.txt"), rig.ledger.attempts({})]).toEqual(["out(A)", []]);
    rig.ledger.add = add;
    await rig.pass(2000);
    expect(rig.ledger.attempts({}).map((row) => row.stage)).toEqual(["output", "upper"]);
  });

  test("keeps the index until it can be saved, and then saves all of it", async () => {
    const rig = await new EngineRig([echo()]).start();
    const save = rig.index.save.bind(rig.index);
    rig.index.save = () => {
      throw diskError("ENOSPC", "index.db");
    };
    rig.write("input/1.txt", "a");
    await rig.pass(10_000);
    rig.index.save = save;
    await rig.pass(10_000);
    rig.kill();
    await rig.restart();
    expect(rig.root.table.size).toBe(3);
    expect(rig.index.load()?.blobs.size).toBe(1);
  });
});
