import { describe, expect, test } from "vitest";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";
import { diskError } from "../support/memory-disk.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

/** More attempts than any of these worlds asks for. */
const MANY = 30;

/** Time passes; a world in which something runs again and again does not pass it. */
async function passes(rig: EngineRig, ms: number): Promise<boolean> {
  let isOver = false;
  const began = rig.ran.length;
  rig.clock.after(ms, () => (isOver = true));
  await rig.until(() => isOver || rig.ran.length - began > MANY, ms + 1);
  return isOver;
}

/** Two stages in a row, the second of which reads the source, too. */
const reading = (): object => echo({ second: "with:input" }, { retryPolicy: { maxAttempts: 3, backoffSeconds: [60] } });

function failing(): never {
  throw new ScriptedFailure("not today");
}

describe("what the watcher never told does not run a task again and again:", () => {
  test("a foreign file in its output's place that another pipeline's source claims", async () => {
    const one = { name: "one", stages: [source("in", "in/{id}.txt"), stage("out", "in", "out/{id}.txt", "upper")] };
    const two = { name: "two", stages: [source("got", "out/{id}.txt"), stage("end", "got", "end/{id}.txt", "wrap:e")] };
    const rig = await new EngineRig([one, two]).start();
    rig.put("out/1.txt", "not ours");
    rig.write("in/1.txt", "text");
    expect(await passes(rig, 60_000)).toBe(true);
    expect([rig.news(), rig.status("out/1.txt"), rig.text("out/1.txt")]).toEqual([["out@1"], "failed", "not ours"]);
    // Its removal, told by nobody, is found by a scan, and the task goes on.
    rig.remove("out/1.txt");
    await rig.quiet();
    expect([rig.news(), rig.text("end/1.txt")]).toEqual([["out@1", "end@1"], "e(TEXT)"]);
  });

  test.each([
    ["rewritten", (rig: EngineRig) => rig.put("input/1.txt", "another")],
    ["removed", (rig: EngineRig) => rig.disk.removeTree("/project/state/input/1.txt")],
  ])("an input that was %s, read by a task that fails", async (_how, change) => {
    const rig = await new EngineRig([reading()]).start();
    rig.write("input/1.txt", "text");
    await rig.quiet();
    rig.news();
    rig.scripts.set("output@1", ({ read }) => (read("input"), failing()));
    change(rig);
    rig.remove("output/1.txt");
    expect(await passes(rig, 50_000)).toBe(true);
    // What the attempt saw is a change like any other, for all whom it concerns.
    expect(rig.news().filter((ran) => ran === "output@1").length).toBeLessThanOrEqual(2);
    rig.scripts.clear();
    await rig.pass(200_000);
    await rig.quiet();
    expect(rig.text("upper/1.txt")).toBe(rig.text("input/1.txt")?.toUpperCase());
  });

  test.each([
    ["rewritten", (rig: EngineRig) => rig.put("input/1.txt", "another")],
    ["removed", (rig: EngineRig) => rig.disk.removeTree("/project/state/input/1.txt")],
  ])("an input that was %s, read by a task that succeeds", async (_how, change) => {
    const rig = await new EngineRig([reading()]).start();
    rig.write("input/1.txt", "text");
    await rig.quiet();
    rig.news();
    change(rig);
    rig.remove("output/1.txt");
    expect(await passes(rig, 60_000)).toBe(true);
    expect(rig.news().filter((ran) => ran === "output@1").length).toBeLessThanOrEqual(2);
    expect(rig.text("upper/1.txt")).toBe(rig.text("input/1.txt")?.toUpperCase());
  });

  test.each(["succeeds", "fails"])("a node that touches what it reads and %s", async (end) => {
    const rig = await new EngineRig([echo({}, { retryPolicy: { maxAttempts: 3, backoffSeconds: [60] } })]).start();
    rig.scripts.set("upper@1", ({ input }) => {
      rig.put("input/1.txt", input);
      return end === "fails" ? failing() : undefined;
    });
    rig.write("input/1.txt", "text");
    expect(await passes(rig, 50_000)).toBe(true);
    expect(rig.news()).toEqual(end === "fails" ? ["upper@1"] : ["upper@1", "output@1"]);
  });

  test("an input that can no longer be read within the granularity of the clock", async () => {
    const rig = await new EngineRig([echo()], { racyMs: 2000, settleMs: 1 }).start();
    rig.write("input/1.txt", "text");
    await rig.quiet();
    rig.news();
    rig.put("input/1.txt", "more");
    rig.disk.onOperation = (operation, path) => {
      if (operation === "open" && path.endsWith("upper/1.txt")) throw diskError("EACCES", path);
    };
    rig.changes.changed("input/1.txt");
    expect(await passes(rig, 1000)).toBe(true);
    rig.disk.onOperation = undefined;
  });
});

describe("an attempt that is overtaken although nothing changed", () => {
  test("waits longer each time, and is tried again for ever", async () => {
    const rig = await new EngineRig([echo()]).start();
    const path = "/project/state/input/1.txt";
    let isTorn = true;
    let isAttempt = false;
    // Attempts never get to read it, whatever a look says: a file system that tells another story to each who asks.
    rig.disk.onOperation = (operation, at) => {
      if (isTorn && isAttempt && operation === "open" && at === path) throw diskError("ELOOP", at);
    };
    const run = rig.runner.run.bind(rig.runner);
    rig.runner.run = (requests, emit) => {
      isAttempt = true;
      const running = run(requests, emit);
      isAttempt = false;
      return running;
    };
    rig.write("input/1.txt", "text");
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe(undefined);
    expect(await passes(rig, 600_000)).toBe(true);
    expect(rig.news().length).toBeGreaterThan(8);
    isTorn = false;
    await rig.pass(60_000);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(TEXT)");
  });
});

describe("too little of something that hits only reads", () => {
  test.each([
    ["EMFILE", "M513"],
    ["ENFILE", "M513"],
    ["ENOMEM", "M518"],
    ["EAGAIN", "M518"],
  ])(
    "(%s) pauses work with %s, costs no attempt, waits between tries, and work goes on by itself",
    async (code, told) => {
      const rig = await new EngineRig([reading()]).start();
      rig.write("input/0.txt", "before");
      await rig.quiet();
      rig.news();
      let refused = 0;
      const lift = refuseReads(rig, code, () => refused++);
      rig.write("input/0.txt", "after");
      rig.write("input/1.txt", "text");
      expect(await passes(rig, 5000)).toBe(true);
      expect([rig.root.pauses.current?.code, rig.faults]).toEqual([told, []]);
      expect(await passes(rig, 600_000)).toBe(true);
      // Ten minutes, and two looks a second at what is not known.
      expect(refused).toBeLessThan(1500);
      lift();
      await rig.pass(60_000);
      await rig.quiet();
      expect(rig.root.pauses.current).toBeNull();
      expect([rig.text("output/0.txt"), rig.text("output/1.txt")]).toEqual(["AFTER+after", "TEXT+text"]);
      expect([...rig.attempts("upper"), ...rig.attempts("output")].filter((row) => row.result === "failed")).toEqual(
        [],
      );
    },
  );

  test.each(["EMFILE", "ENOMEM"])("(%s) only for attempts is waited for, too", async (code) => {
    const rig = await new EngineRig([reading()]).start();
    rig.write("input/1.txt", "text");
    await rig.quiet();
    rig.news();
    let isShort = true;
    rig.scripts.set("upper@1", () => {
      if (isShort) throw diskError(code, "/project/state/input/1.txt");
      return undefined;
    });
    rig.write("input/1.txt", "more");
    expect(await passes(rig, 2000)).toBe(true);
    expect(rig.news().length).toBeLessThan(5);
    isShort = false;
    await rig.pass(120_000);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("MORE+more");
  });

  test("leaves a folder state as it was known, and looks again by itself", async () => {
    const definition = { name: "p", stages: [source("in", "in/{id}/"), stage("out", "in", "out/{id}.txt", "upper")] };
    const rig = await new EngineRig([definition]).start();
    rig.put("in/1/a.txt", "a");
    rig.changes.changed("in/1/a.txt", "in/1");
    await rig.quiet();
    const made = rig.text("out/1.txt");
    rig.disk.onOperation = (operation, path) => {
      if (operation.startsWith("list") && path.startsWith("/project/state/in/1")) throw diskError("EMFILE", path);
    };
    rig.put("in/1/b.txt", "b");
    rig.changes.changed("in/1/b.txt", "in/1");
    expect(await passes(rig, 30_000)).toBe(true);
    expect(rig.status("in/1/")).not.toBe("failed");
    rig.disk.onOperation = undefined;
    await rig.pass(60_000);
    await rig.quiet();
    expect(rig.text("out/1.txt")).not.toBe(made);
  });
});

/** Opening a state to read it fails, until the returned function is called. */
function refuseReads(rig: EngineRig, code: string, onRefused: () => void): () => void {
  rig.disk.onOperation = (operation, path) => {
    if (!path.startsWith("/project/state/") || path.includes("/.millrace")) return;
    if (operation !== "open" && operation !== "read") return;
    onRefused();
    throw diskError(code, path);
  };
  return () => (rig.disk.onOperation = undefined);
}
