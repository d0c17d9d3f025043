import { describe, expect, test } from "vitest";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";

function withSource(more: object): object {
  return {
    name: "p",
    stages: [source("input", "input/{id}.txt", more), stage("upper", "input", "upper/{id}.txt", "upper")],
  };
}

describe("a file that is being written", () => {
  test("is read once, when it has been quiet for the settle time", async () => {
    const rig = await new EngineRig([withSource({ settle: "200ms" })]).start();
    for (const text of ["a", "ab", "abc"]) {
      rig.write("input/1.txt", text);
      await rig.pass(150);
      expect(rig.status("input/1.txt")).toBe("settling");
    }
    expect(rig.news()).toEqual([]);
    await rig.pass(49);
    expect(rig.news()).toEqual([]);
    await rig.pass(10);
    expect(rig.news()).toEqual(["upper@1"]);
    expect(rig.text("upper/1.txt")).toBe("ABC");
  });

  test("shows as settling, and so does what will be made of it", async () => {
    const rig = await new EngineRig([withSource({ settle: "200ms" })]).start();
    rig.write("input/1.txt", "a");
    await rig.pass(10);
    expect([rig.status("input/1.txt"), rig.status("upper/1.txt")]).toEqual(["settling", "settling"]);
    rig.remove("input/1.txt");
    await rig.quiet();
    expect(rig.root.table.size).toBe(0);
    expect(rig.news()).toEqual([]);
  });

  test("that vanishes unseen while it settles leaves nothing behind, nor after a restart", async () => {
    const rig = await new EngineRig([withSource({ settle: "200ms" })]).start();
    rig.write("input/1.txt", "a");
    await rig.pass(10);
    await rig.stop();
    rig.disk.removeTree("/project/state/input/1.txt");
    await rig.revive();
    expect(rig.root.table.size).toBe(0);
  });

  test.each([
    ["forwards", 3_600_000],
    ["backwards", -3_600_000],
  ])("waits its time when the wall clock is set %s meanwhile", async (_name, jump) => {
    const rig = await new EngineRig([withSource({ settle: "200ms" })]).start();
    rig.write("input/1.txt", "a");
    await rig.pass(100);
    rig.clock.jumpWall(jump);
    rig.changes.changed("input/1.txt");
    await rig.pass(90);
    expect(rig.news()).toEqual([]);
    await rig.pass(20);
    expect(rig.news()).toEqual(["upper@1"]);
  });

  test("that is old when it is first seen is read at once", async () => {
    const rig = new EngineRig([withSource({ settle: "200ms" })]);
    rig.put("input/1.txt", "a");
    rig.clock.block(10_000);
    await rig.begin();
    await rig.pass(1);
    expect(rig.news()).toEqual(["upper@1"]);
  });

  test("is read at once with a settle time of 0", async () => {
    const rig = await new EngineRig([withSource({ settle: 0 })]).start();
    rig.write("input/1.txt", "a");
    await rig.pass(0);
    await rig.pass(0);
    expect(rig.text("upper/1.txt")).toBe("A");
  });
});

describe("a source with a done-file", () => {
  const marked = withSource({ settle: 0, marker: "input/{id}.done" });

  test("waits for it", async () => {
    const rig = await new EngineRig([marked]).start();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([[], "settling"]);
    rig.write("input/1.done", "");
    await rig.quiet();
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([["upper@1"], "fresh"]);
  });

  test("is taken at once when the done-file came first", async () => {
    const rig = await new EngineRig([marked]).start();
    rig.write("input/1.done", "");
    await rig.quiet();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@1"]);
  });

  test("finds a done-file whose event was lost at the next scan", async () => {
    const rig = await new EngineRig([marked]).start();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    rig.put("input/1.done", "");
    await rig.pass(600_000);
    expect(rig.news()).toEqual(["upper@1"]);
  });
});

describe("a file that its source's filter refuses", () => {
  test("is taken when it has grown, and not before", async () => {
    const rig = await new EngineRig([withSource({ settle: 0, filter: { minSize: 3 } })]).start();
    rig.write("input/1.txt", "ab");
    await rig.quiet();
    expect([rig.news(), rig.status("upper/1.txt")]).toEqual([[], undefined]);
    rig.write("input/1.txt", "abc");
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@1"]);
  });

  test("takes away what was made of it when it was larger", async () => {
    const rig = await new EngineRig([withSource({ settle: 0, filter: { minSize: 3 } })]).start();
    rig.write("input/1.txt", "abc");
    await rig.quiet();
    rig.write("input/1.txt", "ab");
    await rig.quiet();
    expect(rig.files()).toEqual({ "input/1.txt": "ab" });
  });
});

describe("on a file system with a coarse clock", () => {
  /** A rewrite that no stat tells from what was there before. */
  function rewriteUnseen(rig: EngineRig, path: string, text: string): void {
    rig.disk.rewriteWithSameStat(`/project/state/${path}`, text);
  }

  test("a rewrite that left the stat as it was is found", async () => {
    const rig = await new EngineRig([withSource({ settle: 0 })], { racyMs: 20 }).start();
    rig.write("input/1.txt", "abc");
    await rig.pass(5);
    expect(rig.news()).toEqual(["upper@1"]);
    rewriteUnseen(rig, "input/1.txt", "xyz");
    await rig.quiet();
    expect(rig.text("upper/1.txt")).toBe("XYZ");
    expect(rig.status("upper/1.txt")).toBe("fresh");
  });

  test("work goes on at once all the same, and a file is looked at a bounded number of times", async () => {
    const rig = await new EngineRig([echo()], { racyMs: 2000, settleMs: 0 }).start();
    const before = rig.operations;
    rig.write("input/1.txt", "hello");
    await rig.pass(10);
    expect(rig.news()).toEqual(["upper@1", "output@1"]);
    await rig.quiet();
    expect(rig.operations - before).toBeLessThan(150);
    expect(rig.root.settling.size).toBe(0);
  });

  test("a file with a time in the future is judged, and left in peace", async () => {
    const rig = await new EngineRig([echo()], { racyMs: 20 }).start();
    rig.put("input/1.txt", "hello");
    rig.clock.jumpWall(-3_600_000);
    rig.changes.changed("input/1.txt");
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@1", "output@1"]);
    expect(rig.root.settling.size).toBe(0);
  });
});
