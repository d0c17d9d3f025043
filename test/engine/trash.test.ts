import { describe, expect, test } from "vitest";
import { RootsControl } from "../../src/engine/control-roots.ts";
import type { RestoreReport, TrashReport } from "../../src/engine/control.ts";
import type { Result } from "../../src/core/model/result.ts";
import { sweepTrash } from "../../src/engine/orphans/trash-retention.ts";
import { echo, EngineRig } from "../support/engine-rig.ts";

const HOUR = 3_600_000;
const DAY = 86_400_000;

async function made(files: Record<string, string> = { "input/1.txt": "ab" }): Promise<EngineRig> {
  const rig = new EngineRig([echo()]);
  for (const [path, text] of Object.entries(files)) rig.put(path, text);
  await rig.start();
  rig.news();
  return rig;
}
const control = (rig: EngineRig): RootsControl =>
  new RootsControl([rig.root], { owner: () => null, ignored: () => () => undefined });
function value<T>(answer: Result<T>): T {
  if (!answer.ok) throw new Error(answer.problems.map(({ code, message }) => `${code} ${message}`).join());
  return answer.value;
}
const listed = async (rig: EngineRig, ...targets: string[]): Promise<TrashReport> =>
  value(await control(rig).trash({ targets }));
const restored = async (rig: EngineRig, ...targets: string[]): Promise<RestoreReport> =>
  value(await control(rig).restore({ targets }));

/** Moves a result aside as a retraction does. */
function retract(rig: EngineRig, path: string): void {
  const task = rig.root.stages.topology.producerTask(path)!;
  const pattern = task.stage.pattern.text;
  const { [pattern]: record, ...states } = rig.manifest(task.entity.id).states;
  const of = { taskKey: task.key, entityId: task.entity.id, pattern, record: record! };
  rig.root.ports.trash.put(path, "its source is gone", of);
  rig.root.book.put({ ...rig.manifest(task.entity.id), states });
  rig.root.flushManifests();
}

describe("the list of the trash", () => {
  test("names what was edited by hand, with its size, the newest first", async () => {
    const rig = await made();
    rig.write("output/1.txt", "mine");
    await rig.quiet();
    await rig.pass(1000);
    rig.write("upper/1.txt", "mine, too");
    await rig.quiet();
    const { total, entries } = await listed(rig);
    expect(total).toBe(2);
    expect(entries.map(({ path, bytes, why, task, root }) => [root, path, bytes, why, task])).toEqual([
      ["state/", "upper/1.txt", 9, "edited by hand, made again", null],
      ["state/", "output/1.txt", 4, "edited by hand, made again", null],
    ]);
  });

  test("finds entries by path, by name, by glob, and retracted results by task, stage and pipeline", async () => {
    const rig = await made({ "input/1.txt": "a", "input/2.txt": "b" });
    retract(rig, "output/1.txt");
    retract(rig, "output/2.txt");
    const [{ name } = { name: "" }] = (await listed(rig, "output/1.txt")).entries;
    for (const target of [name, "output@1", "echo#output@1", "output/1.*"])
      expect((await listed(rig, target)).entries.map(({ path }) => path)).toEqual(["output/1.txt"]);
    for (const target of ["output", "echo#output", "echo", "output@*"])
      expect((await listed(rig, target)).total).toBe(2);
    expect(value(await control(rig).trash({ limit: 1 }))).toMatchObject({ total: 2, entries: [{}] });
    expect(await control(rig).trash({ targets: ["nothing"] })).toMatchObject({ problems: [{ code: "M141" }] });
  });

  test("adds up what is below a folder", async () => {
    const rig = await made();
    rig.put("pages/1/a.txt", "12");
    rig.put("pages/1/deep/b.txt", "345");
    rig.root.ports.trash.put("pages/1/", "why");
    expect((await listed(rig, "pages/1")).entries).toMatchObject([{ path: "pages/1/", bytes: 5 }]);
  });
});

describe("what is put back", () => {
  test("is a result again when its inputs are there: its record comes along, and nothing runs", async () => {
    const rig = await made();
    const before = rig.manifest("1");
    retract(rig, "output/1.txt");
    expect(await restored(rig, "output/1.txt")).toMatchObject({
      restored: [{ path: "output/1.txt", what: "it is the result of output@1 again" }],
      refused: [],
    });
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(AB)");
    expect(rig.manifest("1")).toEqual(before);
    expect(rig.status("output/1.txt")).toBe("fresh");
    expect(rig.news()).toEqual([]);
    expect((await listed(rig)).total).toBe(0);
  });

  test("lies there without a record when its inputs are gone, and stays", async () => {
    const rig = await made();
    retract(rig, "output/1.txt");
    retract(rig, "upper/1.txt");
    rig.remove("input/1.txt");
    await rig.quiet();
    expect((await restored(rig, "output@1")).restored).toMatchObject([
      { what: "it lies there without a record: what it was made from is not there (upper/1.txt)" },
    ]);
    await rig.pass(60_000);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(AB)");
    expect(Object.keys(rig.manifest("1").states)).not.toContain("output/{id}.txt");
  });

  test("is refused where something is by now, and both stay", async () => {
    const rig = await made();
    rig.write("output/1.txt", "mine");
    await rig.quiet();
    const { restored: back, refused } = await restored(rig, "output/1.txt");
    expect(back).toEqual([]);
    expect(refused).toMatchObject([
      {
        target: "output/1.txt",
        why: expect.stringMatching(/^"output\/1.txt" was not put back: something is there now; /),
      },
    ]);
    expect(rig.text("output/1.txt")).toBe("out(AB)");
    expect(rig.trashed()).toEqual(["mine"]);
  });

  test("an edited output, put back while its stage is held, can be accepted", async () => {
    const rig = await made();
    rig.write("output/1.txt", "mine");
    await rig.quiet();
    value(await control(rig).hold({ targets: ["output@1"] }));
    rig.remove("output/1.txt");
    await rig.quiet();
    expect((await restored(rig, "output/1.txt")).restored).toMatchObject([
      { what: 'it is not what was last recorded of output@1: keep it with "millrace accept output/1.txt"' },
    ]);
    await rig.quiet();
    value(await control(rig).accept({ targets: ["output/1.txt"] }));
    value(await control(rig).release({ targets: ["output@1"] }));
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("mine");
    expect(rig.status("output/1.txt")).toBe("fresh");
  });

  test("is the newest of a path; an older one is named by its entry", async () => {
    const rig = await made();
    for (const text of ["one", "two"]) {
      rig.put("notes.md", text);
      rig.root.ports.trash.put("notes.md", "why");
      await rig.pass(1000);
    }
    const [, older] = (await listed(rig)).entries;
    expect((await restored(rig, "notes.md")).restored).toHaveLength(1);
    expect(rig.text("notes.md")).toBe("two");
    rig.remove("notes.md");
    expect((await restored(rig, older!.name)).restored).toMatchObject([
      { path: "notes.md", what: "no stage makes it: it lies there as it was" },
    ]);
    expect(rig.text("notes.md")).toBe("one");
  });

  test("is left where it is when the disk refuses", async () => {
    const rig = await made();
    rig.put("notes.md", "x");
    rig.root.ports.trash.put("notes.md", "why");
    rig.disk.onOperation = (operation) => {
      if (operation === "rename") throw Object.assign(new Error("EROFS: read-only"), { code: "EROFS" });
    };
    expect(await restored(rig, "notes.md")).toMatchObject({ restored: [], refused: [{ why: "EROFS: read-only" }] });
    rig.disk.onOperation = undefined;
    expect((await listed(rig)).total).toBe(1);
  });
});

describe("retention", () => {
  async function withOld(rig: EngineRig, ages: readonly number[]): Promise<void> {
    const now = rig.clock.wallMs();
    for (const [at, days] of ages.entries()) {
      rig.put(`old/${at}.txt`, String(days));
      rig.clock.jumpWall(now - days * DAY - rig.clock.wallMs());
      rig.root.ports.trash.put(`old/${at}.txt`, "why");
    }
    rig.clock.jumpWall(now - rig.clock.wallMs());
  }

  /** The clock is believed only after a day with something in the trash. */
  async function madeADayAgo(): Promise<EngineRig> {
    const rig = await made();
    await withOld(rig, [0]);
    await rig.pass(26 * HOUR);
    expect(rig.trashed()).toEqual(["0"]);
    return rig;
  }

  test("keeps seven days: older ones go at a start, younger ones stay", async () => {
    const rig = await madeADayAgo();
    await withOld(rig, [8, 6, 30]);
    expect(rig.trashed()).toEqual(["0", "30", "6", "8"]);
    await rig.restart();
    expect(rig.trashed()).toEqual(["0", "6"]);
  });

  test("goes on about every hour in a root at work", async () => {
    const rig = await madeADayAgo();
    await withOld(rig, [6.9, 6]);
    await rig.pass(3 * HOUR);
    expect(rig.trashed()).toEqual(["0", "6"]);
  });

  test.each([
    ["in a root at work", async (rig: EngineRig) => (rig.clock.jumpWall(8 * DAY), rig.pass(20 * HOUR))],
    ["between two lives", (rig: EngineRig) => rig.restart(8 * DAY)],
    ["ten years, between two lives", (rig: EngineRig) => rig.restart(3650 * DAY)],
    ["twice", async (rig: EngineRig) => (await rig.restart(8 * DAY), await rig.pass(20 * HOUR), rig.restart(8 * DAY))],
    [
      "and several runs follow within the day",
      async (rig: EngineRig) => {
        await rig.restart(8 * DAY);
        for (let hour = 0; hour < 20; hour++) await rig.restart(HOUR);
      },
    ],
  ])("loses nothing early when the clock is set forward by more than a week %s", async (_when, set) => {
    for (const make of [made, madeADayAgo]) {
      const rig = await make();
      await withOld(rig, [0]);
      const before = rig.trashed();
      const began = rig.clock.wallMs();
      await set(rig);
      await rig.pass(2 * HOUR);
      expect(rig.trashed()).toEqual(before);
      // Back on the right time it stays as long as it should.
      rig.clock.jumpWall(began + DAY - rig.clock.wallMs());
      await rig.pass(2 * DAY);
      expect(rig.trashed()).toEqual(before);
    }
  });

  test("believes a clock that went on for a day after it was set forward", async () => {
    const rig = await madeADayAgo();
    rig.clock.jumpWall(8 * DAY);
    await rig.pass(26 * HOUR);
    expect(rig.trashed()).toEqual([]);
  });

  test.each(["", "{}", "null", '{"version":1,"seenAt":"x","doubtedAt":null}'])(
    "takes a document of the clock that says %j for none",
    async (text) => {
      const rig = await madeADayAgo();
      await withOld(rig, [8]);
      rig.put(".millrace/clock.json", text);
      await rig.pass(2 * HOUR);
      expect(rig.trashed()).toEqual(["0", "8"]);
      await rig.pass(DAY);
      expect(rig.trashed()).toEqual(["0"]);
    },
  );

  test("removes nothing while the root is away", async () => {
    const rig = await made();
    await withOld(rig, [8]);
    rig.root.pauses.set("away", { code: "M512", severity: "error", message: "away", hint: "mount it" });
    await rig.pass(2 * 3_600_000);
    expect(rig.trashed()).toEqual(["8"]);
  });

  test("removes many a few at a time", async () => {
    const rig = await made();
    await withOld(
      rig,
      Array.from({ length: 201 }, () => 8),
    );
    expect(sweepTrash(rig.root.ports.trash, rig.clock.wallMs())).toBe(true);
    expect(rig.trashed()).toEqual(["8"]);
    expect(sweepTrash(rig.root.ports.trash, rig.clock.wallMs())).toBe(false);
    expect(rig.trashed()).toEqual([]);
  });

  test("empties what is old enough when asked to", async () => {
    const rig = await made();
    await withOld(rig, [3, 1]);
    const changed = async (days: number): Promise<readonly string[]> =>
      value(await control(rig).emptyTrash({ olderThanMs: days * DAY })).changed;
    expect(await changed(2)).toEqual(["old/0.txt"]);
    expect(await changed(0)).toEqual(["old/1.txt"]);
    expect((await listed(rig)).total).toBe(0);
  });
});
