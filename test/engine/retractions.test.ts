import { describe, expect, test } from "vitest";
import { problem } from "../../src/core/model/problem.ts";
import type { RelPath } from "../../src/core/model/words.ts";
import { acceptTasks } from "../../src/engine/calls/accept.ts";
import type { ExplainReport } from "../../src/engine/control.ts";
import { explainTask } from "../../src/engine/calls/reports.ts";
import { runRoots } from "../../src/engine/run.ts";
import { diskError } from "../support/memory-disk.ts";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

/** Two stages in a row, whose products go as `policy` says. */
function chain(policy?: string, more: object = {}): object {
  const onOrphan = policy === undefined ? {} : { onOrphan: policy };
  return {
    name: "echo",
    ...more,
    stages: [
      source("input", "input/{id}.txt"),
      stage("upper", "input", "upper/{id}.txt", "upper", onOrphan),
      stage("output", "upper", "output/{id}.txt", "wrap:out", onOrphan),
    ],
  };
}

async function made(definition: object | readonly object[], count = 1): Promise<EngineRig> {
  const rig = new EngineRig(Array.isArray(definition) ? definition : [definition]);
  for (let i = 1; i <= count; i++) rig.put(`input/${i}.txt`, `text ${i}`);
  await rig.start();
  await rig.stop();
  await rig.revive();
  rig.news();
  return rig;
}

function explain(rig: EngineRig, path: RelPath): Promise<ExplainReport> {
  return explainTask(rig.root, rig.root.stages.topology.producerTask(path)!);
}

const ids = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Removes sources, and the watcher sees it. */
function removeSources(rig: EngineRig, from: number, to: number): void {
  for (const id of ids(from, to)) rig.remove(`input/${id}.txt`);
}

const count = (rig: EngineRig, folder: string): number => Object.keys(rig.files(`${folder}/`)).length;

describe("a source that vanishes", () => {
  test("takes the whole chain of its products to the trash, with their records, after a second look", async () => {
    const rig = await made(chain());
    const record = rig.manifest("1").states["output/{id}.txt"];
    rig.remove("input/1.txt");
    await rig.pass(300);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["orphaned", "orphaned"]);
    expect(count(rig, "output")).toBe(1);
    await rig.quiet();
    expect([rig.files(), rig.trashed()]).toEqual([{}, ["TEXT 1", "out(TEXT 1)"]]);
    expect([rig.own("manifests"), rig.root.table.size, rig.news()]).toEqual([[], 0, []]);
    const entry = rig.root.ports.trash.entries().find(({ path }) => path === "output/1.txt");
    expect(entry?.of).toEqual({ taskKey: "echo#output@1", entityId: "1", pattern: "output/{id}.txt", record });
  });

  test('leaves its products where they are with onOrphan "keep": they are shown, and live again with it', async () => {
    const rig = await made(chain("keep"));
    rig.remove("input/1.txt");
    await rig.quiet();
    expect([rig.text("upper/1.txt"), rig.text("output/1.txt"), rig.trashed()]).toEqual(["TEXT 1", "out(TEXT 1)", []]);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["orphaned", "orphaned"]);
    expect(Object.keys(rig.manifest("1").states).toSorted()).toEqual(["output/{id}.txt", "upper/{id}.txt"]);
    rig.write("input/1.txt", "text 1");
    await rig.quiet();
    expect([rig.status("output/1.txt"), rig.news()]).toEqual(["fresh", []]);
  });

  test('removes its products for good with onOrphan "delete"', async () => {
    const rig = await made(chain("delete"));
    rig.remove("input/1.txt");
    await rig.quiet();
    expect([rig.files(), rig.trashed(), rig.own("manifests")]).toEqual([{}, [], []]);
  });

  test("takes folders with it, too", async () => {
    const rig = new EngineRig([
      { name: "p", stages: [source("input", "input/{id}.txt"), stage("parts", "input", "parts/{id}/", "parts")] },
    ]);
    rig.scripts.set("parts", ({ input }) => ({ "a.txt": input, "b.txt": "b" }));
    rig.put("input/1.txt", "a");
    await rig.start();
    rig.remove("input/1.txt");
    await rig.quiet();
    expect([rig.files(), rig.trashed(), rig.own("manifests")]).toEqual([{}, ["a", "b"], []]);
  });

  test("takes what other pipelines made of its products", async () => {
    const far = { name: "far", stages: [source("in", "output/{id}.txt"), stage("far", "in", "far/{id}.txt", "upper")] };
    const rig = await made([chain(), far]);
    rig.remove("input/1.txt");
    await rig.quiet();
    expect([rig.files(), rig.trashed().length, rig.own("manifests")]).toEqual([{}, 3, []]);
  });

  test("and is back before the second look keeps everything, and nothing runs", async () => {
    const rig = await made(chain());
    rig.remove("input/1.txt");
    await rig.pass(300);
    expect(rig.status("output/1.txt")).toBe("orphaned");
    rig.write("input/1.txt", "text 1");
    await rig.quiet();
    expect([rig.status("output/1.txt"), rig.news(), rig.trashed()]).toEqual(["fresh", [], []]);
  });

  test("and is back unseen before the second look keeps everything", async () => {
    const rig = await made(chain());
    rig.remove("input/1.txt");
    await rig.pass(300);
    rig.put("input/1.txt", "text 1");
    await rig.quiet();
    expect([rig.status("output/1.txt"), rig.news(), rig.trashed()]).toEqual(["fresh", [], []]);
  });

  test.each([
    ["", "trash"],
    [', with onOrphan "delete", too', "delete"],
  ])("and is back at the very moment its product would go keeps it%s", async (_words, policy) => {
    let hits = 0;
    // The first look is the event's, one confirms it, and the last is that of the moment itself: it comes back before any of them.
    for (let at = 2; ; at++) {
      const rig = await made(chain(policy));
      let looks = 0;
      rig.disk.onOperation = (_operation, path) => {
        if (path !== "/project/state/input/1.txt" || ++looks !== at) return;
        rig.disk.onOperation = undefined;
        rig.put("input/1.txt", "text 1");
      };
      rig.remove("input/1.txt");
      await rig.quiet();
      rig.disk.onOperation = undefined;
      if (looks < at) break;
      hits++;
      const made1 = { "input/1.txt": "text 1", "upper/1.txt": "TEXT 1", "output/1.txt": "out(TEXT 1)" };
      expect([rig.files(), rig.trashed()], `look ${at}`).toEqual([made1, []]);
    }
    expect(hits).toBeGreaterThanOrEqual(3);
  });

  test("leaves a product that was edited by hand, and says so; what follows from it goes", async () => {
    const rig = await made(chain());
    rig.disk.removeTree("/project/state/input/1.txt");
    rig.put("upper/1.txt", "mine");
    rig.changes.changed("input/1.txt", "upper/1.txt");
    await rig.quiet();
    expect([rig.files(), rig.trashed()]).toEqual([{ "upper/1.txt": "mine" }, ["out(TEXT 1)"]]);
    expect(rig.status("upper/1.txt")).toBe("orphaned");
    expect((await explain(rig, "upper/1.txt")).summary).toContain("its output was edited by hand, so it stays");
    expect(Object.keys(rig.manifest("1").states)).toEqual(["upper/{id}.txt"]);
  });

  test("leaves a product that was edited between the second look and its end", async () => {
    const rig = await made(chain());
    let looks = 0;
    rig.disk.onOperation = (_operation, path) => {
      if (path !== "/project/state/output/1.txt" || ++looks !== 2) return;
      rig.disk.onOperation = undefined;
      rig.put("output/1.txt", "mine");
    };
    rig.remove("input/1.txt");
    await rig.quiet();
    expect([rig.text("output/1.txt"), rig.status("output/1.txt")]).toEqual(["mine", "orphaned"]);
  });

  test("leaves what a person accepted", async () => {
    const rig = await made(chain());
    await acceptTasks(rig.root, [rig.root.stages.topology.producerTask("output/1.txt")!]);
    rig.remove("input/1.txt");
    await rig.quiet();
    expect([rig.files(), rig.status("output/1.txt")]).toEqual([{ "output/1.txt": "out(TEXT 1)" }, "orphaned"]);
  });

  test("leaves no record of a failure, either", async () => {
    const rig = await made(chain());
    rig.scripts.set("upper@2", () => {
      throw new ScriptedFailure("boom");
    });
    rig.write("input/2.txt", "b");
    await rig.quiet();
    expect(Object.keys(rig.manifest("2").failures)).toEqual(["upper/{id}.txt"]);
    rig.remove("input/2.txt");
    await rig.quiet();
    expect(rig.own("manifests")).toEqual(["1.json"]);
  });

  test("while no process runs loses its products in the next run, in the same one", async () => {
    const rig = await made(chain(), 3);
    await rig.stop();
    rig.disk.removeTree("/project/state/input/2.txt");
    await rig.revive();
    expect(Object.keys(rig.files()).toSorted()).toEqual(
      ["input", "output", "upper"].flatMap((folder) => [`${folder}/1.txt`, `${folder}/3.txt`]),
    );
  });

  test("leaves no record when its product is lost with it, also without an index", async () => {
    const rig = await made(chain());
    await rig.stop();
    for (const folder of ["input", "upper", "output"]) rig.disk.removeTree(`/project/state/${folder}/1.txt`);
    rig.index.discard();
    await rig.revive();
    expect(rig.own("manifests")).toEqual([]);
  });

  test("while its product is being made leaves nothing", async () => {
    const rig = await made(chain());
    rig.scripts.set("upper", () => new Promise(() => {}));
    rig.write("input/1.txt", "new");
    await rig.until(() => rig.status("upper/1.txt") === "running");
    rig.remove("input/1.txt");
    await rig.quiet();
    expect([rig.files(), rig.own("manifests")]).toEqual([{}, []]);
  });

  test("keeps its products while the disk refuses to move them, and lets them go when it does not any more", async () => {
    const rig = await made(chain());
    rig.disk.onOperation = (operation, path) => {
      if (operation === "rename" && path.includes("/output/")) throw diskError("EACCES", path);
    };
    rig.remove("input/1.txt");
    await rig.quiet();
    expect([rig.text("output/1.txt"), rig.status("output/1.txt")]).toEqual(["out(TEXT 1)", "orphaned"]);
    rig.disk.onOperation = undefined;
    await rig.pass(15_000);
    await rig.quiet();
    expect(rig.files()).toEqual({});
  });
});

test.each([
  ["", "away"],
  [" for want of space", "space"],
] as const)("nothing is taken away while the root's work is paused%s; then it goes", async (_words, name) => {
  const rig = await made(chain());
  const why = problem("M512", "the root is away", "bring it back");
  rig.root.pauses.set(name, why);
  rig.remove("input/1.txt");
  await rig.pass(60_000);
  expect([rig.status("output/1.txt"), rig.trashed(), rig.root.isQuiet]).toEqual(["orphaned", [], true]);
  rig.root.pauses.clear(name);
  await rig.quiet();
  expect([rig.files(), rig.trashed().length]).toEqual([{}, 2]);
});

describe("a definition edit", () => {
  test("that makes a filter refuse a source takes its products away", async () => {
    const rig = await made(chain());
    const [input, ...others] = (chain() as { stages: object[] }).stages;
    await rig.redefine([{ name: "echo", stages: [{ ...input, filter: { minSize: 100 } }, ...others] }]);
    await rig.quiet();
    expect([rig.files(), rig.trashed().length]).toEqual([{ "input/1.txt": "text 1" }, 2]);
  });

  test("that gives a source another pattern takes away what was made under the old one", async () => {
    const rig = await made(chain());
    const [, ...others] = (chain() as { stages: object[] }).stages;
    await rig.redefine([{ name: "echo", stages: [source("input", "inbox/{id}.txt"), ...others] }]);
    await rig.quiet();
    expect([rig.files(), rig.own("manifests")]).toEqual([{ "input/1.txt": "text 1" }, []]);
  });

  test("that has a stage no more leaves its outputs alone", async () => {
    const rig = await made(chain());
    const stages = (chain() as { stages: object[] }).stages.slice(0, 2);
    await rig.redefine([{ name: "echo", stages }]);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(TEXT 1)");
    expect(Object.keys(rig.manifest("1").states)).toContain("output/{id}.txt");
  });

  test("from keep to trash lets go what was kept", async () => {
    const rig = await made(chain("keep"));
    rig.remove("input/1.txt");
    await rig.quiet();
    await rig.redefine([chain("trash")]);
    await rig.quiet();
    expect([rig.files(), rig.trashed().length, rig.own("manifests")]).toEqual([{}, 2, []]);
  });
});

describe("a stage that chooses to make nothing", () => {
  const skipping = (policy?: string): object =>
    echo({ first: "skip:no" }, policy === undefined ? {} : { policy }) && {
      name: "echo",
      stages: [
        source("input", "input/{id}.txt"),
        stage("upper", "input", "upper/{id}.txt", "skip:no", policy === undefined ? {} : { onOrphan: policy }),
        stage("output", "upper", "output/{id}.txt", "wrap:out"),
      ],
    };

  test("has its older result taken away, and what was made of it", async () => {
    const rig = await made(skipping());
    rig.write("input/1.txt", "no");
    await rig.until(() => rig.status("upper/1.txt") === "skipped");
    expect(rig.manifest("1").states["upper/{id}.txt"]).toMatchObject({
      contentHash: null,
      leftover: expect.anything(),
    });
    expect([rig.status("output/1.txt"), rig.text("upper/1.txt")]).toEqual(["waiting", "text 1"]);
    await rig.quiet();
    expect([rig.files(), rig.trashed()]).toEqual([{ "input/1.txt": "no" }, ["out(text 1)", "text 1"]]);
    expect(rig.manifest("1").states["upper/{id}.txt"]).not.toHaveProperty("leftover");
    expect(Object.keys(rig.manifest("1").states).toSorted()).toEqual(["input/{id}.txt", "upper/{id}.txt"]);
    expect([rig.status("upper/1.txt"), rig.status("output/1.txt"), rig.news()]).toEqual([
      "skipped",
      undefined,
      ["upper@1"],
    ]);
  });

  test("makes something again before that: the older result is simply replaced", async () => {
    const rig = await made(skipping());
    rig.write("input/1.txt", "no");
    await rig.until(() => rig.status("upper/1.txt") === "skipped");
    rig.write("input/1.txt", "yes");
    await rig.quiet();
    expect([rig.text("output/1.txt"), rig.trashed()]).toEqual(["out(yes)", []]);
  });

  test('keeps its older result with onOrphan "keep", shown as orphaned', async () => {
    const rig = await made(skipping("keep"));
    rig.write("input/1.txt", "no");
    await rig.quiet();
    expect([rig.text("upper/1.txt"), rig.status("upper/1.txt")]).toEqual(["text 1", "orphaned"]);
  });

  test("shows a file that was edited by hand in its output's place", async () => {
    const rig = await made(skipping());
    rig.put("upper/1.txt", "mine");
    rig.write("input/1.txt", "no");
    await rig.quiet();
    expect([rig.text("upper/1.txt"), rig.status("upper/1.txt"), rig.trashed()]).toEqual([
      "mine",
      "orphaned",
      ["out(text 1)"],
    ]);
    expect((await explain(rig, "upper/1.txt")).task.waitingFor.join("; ")).toContain("so it stays");
  });
});

describe("the guard", () => {
  test("freezes everything when more than half of at least 20 sources vanish at once, and other work goes on", async () => {
    const rig = await made(chain(), 40);
    removeSources(rig, 1, 21);
    await rig.quiet();
    expect([count(rig, "upper"), count(rig, "output"), rig.trashed()]).toEqual([40, 40, []]);
    expect(rig.root.retractions.report()).toMatchObject({
      total: 42,
      why: [
        "21 of 40 sources of input/{id}.txt (echo#input) vanished: more than half",
        "21 of 40 outputs of upper/{id}.txt (echo#upper) would go: more than half",
        "21 of 40 outputs of output/{id}.txt (echo#output) would go: more than half",
      ],
    });
    rig.write("input/50.txt", "fifty");
    await rig.quiet();
    expect([rig.text("output/50.txt"), rig.news()]).toEqual(["out(FIFTY)", ["upper@50", "output@50"]]);
    expect((await explain(rig, "output/1.txt")).summary).toContain("millrace accept --deletions");
  });

  test.each([
    [40, 20],
    [19, 19],
  ])("lets go of %i sources %i", async (all, gone) => {
    const rig = await made(chain(), all);
    removeSources(rig, 1, gone);
    await rig.quiet();
    expect([count(rig, "output"), rig.root.retractions.report()]).toEqual([all - gone, null]);
  });

  test("lets everything be as it was when the files return, and nothing runs", async () => {
    const rig = await made(chain(), 30);
    removeSources(rig, 1, 30);
    await rig.quiet();
    expect(rig.root.retractions.report()?.total).toBe(60);
    for (const id of ids(1, 30)) rig.write(`input/${id}.txt`, `text ${id}`);
    await rig.quiet();
    await rig.pass(5000);
    expect([rig.root.retractions.report(), rig.news(), rig.status("output/7.txt")]).toEqual([null, [], "fresh"]);
    expect(rig.controls.read().retractions).toBeUndefined();
  });

  test("is still there after a restart, and a run with it has failed", async () => {
    const rig = await made(chain(), 30);
    removeSources(rig, 1, 30);
    await rig.quiet();
    await rig.restart();
    expect([rig.root.retractions.report()?.total, count(rig, "output")]).toEqual([60, 30]);
    expect(rig.root.retractions.report()?.why[0]).toContain("30 of 30 sources of input/{id}.txt");
    let report: unknown;
    void runRoots([rig.root], { settleTimeoutMs: 1000, wait: false, scan: true }).then((result) => (report = result));
    await rig.until(() => report !== undefined);
    expect(report).toMatchObject({ value: { failed: true, retracted: 0, frozen: { total: 60 } } });
  });

  test("lets go what a person accepts, and only that", async () => {
    const rig = await made(chain(), 30);
    removeSources(rig, 1, 30);
    await rig.quiet();
    rig.write("input/1.txt", "text 1");
    await rig.quiet();
    expect(rig.root.retractions.accept()).toHaveLength(58);
    await rig.quiet();
    expect([rig.files(), rig.trashed().length]).toEqual([
      { "input/1.txt": "text 1", "upper/1.txt": "TEXT 1", "output/1.txt": "out(TEXT 1)" },
      58,
    ]);
    await rig.pass(5000);
    expect([rig.own("manifests"), rig.controls.read().retractions]).toEqual([["1.json"], undefined]);
  });

  test("lets go what was accepted also when it is killed half way", async () => {
    const rig = await made(chain(), 40);
    removeSources(rig, 1, 40);
    await rig.quiet();
    let moves = 0;
    rig.root.retractions.accept();
    rig.disk.onOperation = (operation, path) => {
      if (operation === "rename" && path.includes("/upper/") && ++moves === 10) rig.kill();
    };
    await rig.until(() => rig.isDead);
    rig.disk.onOperation = undefined;
    await rig.revive();
    expect([rig.files(), rig.own("manifests"), rig.news()]).toEqual([{}, [], []]);
  });

  test("sees a slow deletion within one scan interval", async () => {
    const rig = await made(chain(), 40);
    for (const id of ids(1, 40)) {
      rig.remove(`input/${id}.txt`);
      await rig.pass(5000);
    }
    await rig.quiet();
    expect(count(rig, "output")).toBe(20);
    expect(rig.root.retractions.report()?.total).toBe(40);
  });

  test("forgets what went long before", async () => {
    const rig = await made(chain(), 40);
    removeSources(rig, 1, 15);
    await rig.quiet();
    await rig.pass(1_300_000);
    removeSources(rig, 16, 26);
    await rig.quiet();
    expect([count(rig, "output"), rig.root.retractions.report()]).toEqual([14, null]);
  });

  test("does not count files that were back unseen at the second look", async () => {
    const rig = await made(chain(), 30);
    removeSources(rig, 1, 20);
    await rig.pass(300);
    expect(rig.status("output/1.txt")).toBe("orphaned");
    for (const id of ids(1, 20)) rig.put(`input/${id}.txt`, `text ${id}`);
    await rig.quiet();
    expect([rig.root.retractions.report(), rig.logged.filter((line) => line.includes("vanished"))]).toEqual([null, []]);
    expect([count(rig, "output"), rig.trashed(), rig.news()]).toEqual([30, [], []]);
  });

  test("does not count a file that was deleted and came back again and again", async () => {
    const rig = await made(chain(), 20);
    for (let i = 0; i < 30; i++) {
      rig.remove("input/1.txt");
      await rig.quiet();
      expect(rig.text("output/1.txt")).toBeUndefined();
      rig.write("input/1.txt", "text 1");
      await rig.quiet();
    }
    expect([rig.text("output/1.txt"), rig.root.retractions.report()]).toEqual(["out(TEXT 1)", null]);
  });

  test("freezes what an edit would take away", async () => {
    const rig = await made(chain(), 25);
    const [input, ...others] = (chain() as { stages: object[] }).stages;
    await rig.redefine([{ name: "echo", stages: [{ ...input, filter: { minSize: 100 } }, ...others] }]);
    await rig.quiet();
    expect([count(rig, "output"), rig.root.retractions.report()?.total]).toEqual([25, 50]);
    await rig.redefine([chain()]);
    await rig.quiet();
    await rig.pass(5000);
    expect([rig.status("output/9.txt"), rig.root.retractions.report(), rig.news()]).toEqual(["fresh", null, []]);
  });

  test("freezes the older results of a stage that suddenly makes nothing, and what follows waits", async () => {
    const rig = await made(echo(), 25);
    await rig.redefine([echo({ first: "skip:text" })]);
    await rig.quiet();
    expect([count(rig, "upper"), count(rig, "output"), rig.status("output/3.txt")]).toEqual([25, 25, "waiting"]);
    expect(rig.root.retractions.report()).toMatchObject({ total: 25 });
    await rig.restart();
    expect(rig.root.retractions.report()).toMatchObject({ total: 25 });
    rig.root.retractions.accept();
    await rig.quiet();
    expect(count(rig, "upper")).toBe(0);
  });

  test("freezes any deletion when the folder is on another device", async () => {
    const rig = await made(chain(), 5);
    await rig.restart();
    rig.disk.devices.set("/project/state/input", 7);
    rig.remove("input/1.txt");
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(TEXT 1)");
    expect(rig.root.retractions.report()?.why[0]).toContain("on another device");
    rig.root.retractions.accept();
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBeUndefined();
    rig.remove("input/2.txt");
    await rig.quiet();
    expect(rig.text("output/2.txt")).toBeUndefined();
  });

  test("counts a file with another name and the same content as moved", async () => {
    const rig = await made(chain(), 30);
    for (const id of ids(1, 30)) {
      rig.disk.rename(`/project/state/input/${id}.txt`, `/project/state/input/new-${id}.txt`);
      rig.changes.changed(`input/${id}.txt`, `input/new-${id}.txt`);
    }
    await rig.quiet();
    expect([rig.root.retractions.report(), count(rig, "output"), rig.trashed().length]).toEqual([null, 30, 60]);
    expect(rig.text("output/new-7.txt")).toBe("out(TEXT 7)");
  });

  test("counts a folder that was moved away as gone", async () => {
    const rig = await made(chain(), 30);
    rig.disk.rename("/project/state/input", "/project/state/input2");
    rig.changes.changed("input/");
    await rig.quiet();
    expect([count(rig, "output"), rig.root.retractions.report()?.total]).toEqual([30, 60]);
    rig.disk.rename("/project/state/input2", "/project/state/input");
    rig.changes.changed("input/");
    await rig.quiet();
    await rig.pass(5000);
    expect([rig.root.retractions.report(), rig.status("output/9.txt"), rig.news()]).toEqual([null, "fresh", []]);
  });

  test("freezes one pattern and lets another one's single deletion go", async () => {
    const other = { name: "other", stages: [source("in", "in/{id}.md"), stage("out", "in", "out/{id}.md", "upper")] };
    const rig = await made([chain(), other], 30);
    for (const id of ids(1, 30)) rig.write(`in/${id}.md`, "m");
    await rig.quiet();
    removeSources(rig, 1, 30);
    rig.remove("in/1.md");
    await rig.quiet();
    expect([count(rig, "output"), count(rig, "out")]).toEqual([30, 29]);
  });
});

test("500 files deleted and made again at any moment lose no output of a living input", async () => {
  const rig = await made(chain(), 25);
  let seed = 7;
  const next = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  for (let race = 0; race < 500; race++) {
    const path = `input/${1 + next(25)}.txt`;
    rig.disk.removeTree(`/project/state/${path}`);
    if (next(3) > 0) rig.changes.changed(path);
    await rig.pass(next(1200));
    rig.put(path, next(2) === 0 ? `text ${race}` : "the same");
    if (next(3) > 0) rig.changes.changed(path);
    if (next(4) === 0) await rig.pass(next(900));
  }
  let isDone = false;
  void rig.root.scan().then(() => (isDone = true));
  await rig.until(() => isDone);
  await rig.quiet();
  expect([count(rig, "input"), rig.root.retractions.report(), rig.faults]).toEqual([25, null, []]);
  for (const [path, text] of Object.entries(rig.files("input/")))
    expect(rig.text(path.replace("input/", "output/"))).toBe(`out(${text.toUpperCase()})`);
});
