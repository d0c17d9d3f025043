import { describe, expect, test, vi } from "vitest";
import { reserveOf } from "../../src/engine/health/machine-trouble.ts";
import { statusOfRoot } from "../../src/engine/calls/status.ts";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";
import { diskError } from "../support/memory-disk.ts";
import { MemoryScanner } from "../support/memory-scanner.ts";

const MB = 1024 * 1024;
const WRITES = new Set(["write", "rename", "copy", "makeFolders", "sync"]);

/** Makes every call of these kinds fail until the returned function is called. */
function refuse(rig: EngineRig, code: string, operations: ReadonlySet<string>): () => void {
  rig.disk.onOperation = (operation, path) => {
    if (operations.has(operation)) throw diskError(code, path);
  };
  return () => (rig.disk.onOperation = undefined);
}

const codesOf = (rig: EngineRig): (string | undefined)[] => [
  rig.root.pauses.current?.code,
  statusOfRoot(rig.root).paused?.code,
];

describe("a machine in trouble", () => {
  test.each([
    ["ENOSPC", "M510"],
    ["EDQUOT", "M510"],
    ["EROFS", "M511"],
    ["EMFILE", "M513"],
    ["ENFILE", "M513"],
  ])(
    "that says %s at every write pauses work with %s, costs no attempt, and work goes on by itself",
    async (code, problem) => {
      const rig = await new EngineRig([echo()]).start();
      for (let id = 0; id < 20; id++) rig.put(`input/${id}.txt`, `text ${id}`);
      const lift = refuse(rig, code, WRITES);
      rig.logged.length = 0;
      for (let id = 0; id < 20; id++) rig.changes.changed(`input/${id}.txt`);
      await rig.pass(600_000);
      await rig.quiet();
      expect([rig.faults, codesOf(rig)]).toEqual([[], [problem, problem]]);
      expect(rig.logged.filter((line) => line.includes("no new work"))).toHaveLength(1);
      expect(rig.logged.length).toBeLessThan(10);
      lift();
      await rig.pass(20_000);
      await rig.quiet();
      expect(Object.keys(rig.files("output/"))).toHaveLength(20);
      expect(codesOf(rig)).toEqual([undefined, undefined]);
      expect(rig.attempts("upper").filter((row) => row.result === "failed")).toEqual([]);
      for (let id = 0; id < 20; id++) expect(rig.manifest(`${id}`).failures).toEqual({});
      await rig.restart();
      expect(rig.own("tmp")).toEqual([]);
    },
  );

  test("that is full in the middle of work keeps every record, also over twenty cycles", async () => {
    const rig = await new EngineRig([echo()]).start();
    for (let cycle = 0; cycle < 20; cycle++) {
      rig.put(`input/${cycle}.txt`, `text ${cycle}`);
      let left = cycle;
      rig.disk.onOperation = (operation, path) => {
        if (WRITES.has(operation) && left-- <= 0) throw diskError("ENOSPC", path);
      };
      rig.changes.changed(`input/${cycle}.txt`);
      await rig.pass(5000);
      rig.disk.onOperation = undefined;
      await rig.pass(60_000);
      await rig.quiet();
      expect([rig.text(`output/${cycle}.txt`), codesOf(rig)[0]]).toEqual([`out(TEXT ${cycle})`, undefined]);
    }
    const runs = rig.news();
    expect(runs.length).toBeLessThan(20 * 4);
    await rig.restart();
    expect([rig.news(), rig.own("tmp")]).toEqual([[], []]);
  });

  test("is told by a command's own words only while it is so", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.scripts.set("upper@1", () => {
      throw Object.assign(new Error("cp: No space left on device"), { code: "EX" });
    });
    rig.machine.free = { freeBytes: 0, totalBytes: 100 * MB, freeFiles: 1 };
    rig.write("input/1.txt", "a");
    await rig.pass(5000);
    expect([rig.manifest("1").failures, codesOf(rig)[0]]).toEqual([{}, "M510"]);
  });
});

describe("the reserve", () => {
  test.each([
    [1 * MB, 0],
    [99 * MB, 0],
    [1000 * MB, 10 * MB],
    [100_000 * MB, 100 * MB],
  ])("of a file system of %i bytes is %i", (totalBytes, reserve) => {
    expect(reserveOf({ totalBytes, freeBytes: 0, freeFiles: undefined })).toBe(reserve);
  });

  test("is left: below it no new work starts, and above it work goes on", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.machine.free = { totalBytes: 2000 * MB, freeBytes: 19 * MB, freeFiles: 1000 };
    await rig.pass(2000);
    rig.write("input/1.txt", "a");
    await rig.pass(60_000);
    expect([rig.ran, codesOf(rig)[0]]).toEqual([[], "M510"]);
    expect(rig.root.pauses.current?.message).toBe(
      'the file system of "state/" is full: 19 MB and 1000 files are left of 2000 MB, 20 MB are kept free; no new work is started',
    );
    rig.machine.free = { totalBytes: 2000 * MB, freeBytes: 21 * MB, freeFiles: 1000 };
    await rig.pass(20_000);
    await rig.quiet();
    expect([rig.ran, codesOf(rig)[0]]).toEqual([["upper@1", "output@1"], undefined]);
  });

  test("is left in files, too: without a free inode no new work starts", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.machine.free = { totalBytes: 50 * MB, freeBytes: 19 * MB, freeFiles: 0 };
    await rig.pass(2000);
    rig.write("input/1.txt", "a");
    await rig.pass(60_000);
    expect([rig.ran, codesOf(rig)[0]]).toEqual([[], "M510"]);
  });
});

describe("a result that is larger than the room", () => {
  test("fails when there was room each time right after, and holds up nobody for long", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.scripts.set("upper@large", () => {
      throw diskError("ENOSPC", "/project/state/.millrace/tmp/x");
    });
    rig.write("input/large.txt", "too large");
    for (let id = 0; id < 10; id++) rig.write(`input/${id}.txt`, "a");
    await rig.pass(60_000);
    expect(Object.keys(rig.files("output/"))).toHaveLength(10);
    expect(rig.manifest("large").failures["upper/{id}.txt"]).toMatchObject({ category: "resource" });
    expect(rig.attempts("upper").filter((row) => row.entity === "large" && row.result === "interrupted")).toHaveLength(
      3,
    );
  });
});

describe("a scanner that fails", () => {
  test("is told as a problem, takes nothing for gone, and is asked again soon", async () => {
    const scan = vi.spyOn(MemoryScanner.prototype, "scan");
    const rig = await new EngineRig([echo()]).start();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    scan.mockRejectedValue(diskError("EIO", "/project/state"));
    await rig.pass(700_000);
    expect(rig.root.problems).toMatchObject([{ code: "M514" }]);
    expect(rig.logged.filter((line) => line.includes("a scan of the root failed"))).toHaveLength(1);
    expect([rig.faults, rig.status("output/1.txt")]).toEqual([[], "fresh"]);
    rig.put("input/2.txt", "unseen");
    scan.mockRestore();
    await rig.pass(10_000);
    await rig.quiet();
    expect([rig.root.problems, rig.text("output/2.txt")]).toEqual([[], "out(UNSEEN)"]);
  });

  test("does not end the start", async () => {
    const scan = vi.spyOn(MemoryScanner.prototype, "scan").mockRejectedValue(new Error("the thread ended"));
    const rig = new EngineRig([echo()]);
    rig.put("input/1.txt", "a");
    await rig.start();
    expect(rig.root.problems).toMatchObject([{ code: "M514" }]);
    scan.mockRestore();
    await rig.pass(10_000);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(A)");
  });
});

describe("an error of the disk on one file", () => {
  test.each(["input/1.txt", "upper/1.txt"])("that is %s costs what is made of it, and nothing else", async (bad) => {
    const rig = await new EngineRig([echo()]).start();
    rig.write("input/1.txt", "a");
    rig.write("input/2.txt", "b");
    await rig.quiet();
    rig.disk.onOperation = (operation, path) => {
      if ((operation === "open" || operation === "read") && path === `/project/state/${bad}`)
        throw diskError("EIO", path);
    };
    rig.write("input/1.txt", "A new");
    rig.write("input/2.txt", "B new");
    await rig.quiet();
    await rig.pass(1000);
    expect([rig.faults, codesOf(rig)[0], rig.text("output/2.txt")]).toEqual([[], undefined, "out(B NEW)"]);
    expect(rig.text("output/1.txt")).toBe("out(A)");
    // A source shows it by itself, a result by what is to be made of it.
    expect(rig.status("input/1.txt")).toBe(bad === "input/1.txt" ? "failed" : "fresh");
    rig.disk.onOperation = undefined;
    await rig.pass(2_000_000);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(A NEW)");
  });

  test("whose fsync fails makes the result anew instead of forcing the same bytes again", async () => {
    const synced = {
      name: "echo",
      stages: [
        source("input", "input/{id}.txt"),
        stage("upper", "input", "upper/{id}.txt", "upper", { durability: "sync" }),
      ],
    };
    const rig = await new EngineRig([synced]).start();
    const staged: string[] = [];
    rig.disk.onOperation = (operation, path) => {
      const isResult = /\/tmp\/[^/]+\/\d+$/.test(path);
      if (isResult && (operation === "write" || operation === "sync")) staged.push(operation);
      if (isResult && operation === "sync" && staged.length === 2) throw diskError("EIO", path);
    };
    rig.write("input/1.txt", "a");
    await rig.quiet();
    expect(rig.manifest("1").failures["upper/{id}.txt"]).toMatchObject({ category: "output" });
    await rig.pass(120_000);
    await rig.quiet();
    expect([staged, rig.text("upper/1.txt")]).toEqual([["write", "sync", "write", "sync"], "A"]);
  });
});
