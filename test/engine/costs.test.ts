import { expect, test } from "vitest";
import type { RelPath } from "../../src/core/model/words.ts";
import { echo, EngineRig, stage } from "../support/engine-rig.ts";

async function rootOf(entities: number): Promise<EngineRig> {
  const rig = new EngineRig([echo()]);
  for (let i = 0; i < entities; i++) rig.put(`input/${i}.txt`, `text ${i}`);
  await rig.start();
  // Statuses, index and history of the start are written.
  await rig.pass(10_000);
  rig.news();
  return rig;
}

/** The operations on the disk that one piece of work takes, by kind. */
async function operationsOf(rig: EngineRig, work: () => Promise<void>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  rig.disk.onOperation = (operation) => void (counts[operation] = (counts[operation] ?? 0) + 1);
  await work();
  rig.disk.onOperation = undefined;
  return counts;
}

async function change(rig: EngineRig, path: RelPath, text: string): Promise<void> {
  rig.write(path, text);
  await rig.quiet();
}

test("one changed file costs as much among 1000 entities as among 10", async () => {
  const [few, many] = [await rootOf(10), await rootOf(1000)];
  for (const path of ["input/7.txt", "upper/7.txt"]) {
    const a = await operationsOf(few, () => change(few, path, "new"));
    const b = await operationsOf(many, () => change(many, path, "new"));
    expect(a, path).toEqual(b);
    expect(few.news()).toEqual(many.news());
  }
});

test("a touched file costs one look and one read", async () => {
  const rig = await rootOf(50);
  const counts = await operationsOf(rig, () => change(rig, "upper/7.txt", "TEXT 7"));
  expect(rig.news()).toEqual([]);
  expect(counts["open"] ?? 0).toBe(1);
  expect(counts["rename"]).toBeUndefined();
});

test("a scan that finds nothing new reads no file", async () => {
  const rig = await rootOf(50);
  let isDone = false;
  const counts = await operationsOf(rig, async () => {
    void rig.root.scan().then(() => (isDone = true));
    await rig.until(() => isDone);
  });
  expect([counts["open"], counts["read"], rig.news()]).toEqual([undefined, undefined, []]);
});

test("a manifest is written once for all the stages that an entity passes in a row", async () => {
  const rig = await new EngineRig([
    echo(),
    {
      name: "after",
      stages: [
        { id: "made", type: "source", pattern: "output/{id}.txt" },
        stage("final", "made", "final/{id}.txt", "wrap:f"),
      ],
    },
  ]).start();
  const written: string[] = [];
  rig.disk.onOperation = (operation, path) => {
    if (operation === "write" && path.includes("/tmp/write-")) written.push(path);
  };
  for (const id of ["1", "2", "3"]) rig.put(`input/${id}.txt`, id);
  rig.changes.changed("input/1.txt", "input/2.txt", "input/3.txt");
  await rig.quiet();
  expect(rig.news()).toHaveLength(9);
  expect(written).toHaveLength(3);
});

test("a root whose files are all gone remembers none of them", async () => {
  const rig = await rootOf(20);
  for (let i = 0; i < 20; i++) for (const folder of ["input", "upper", "output"]) rig.remove(`${folder}/${i}.txt`);
  await rig.quiet();
  expect([rig.root.table.size, rig.root.settling.size, rig.root.book.waiting]).toEqual([0, 0, 0]);
  expect(rig.own("tmp")).toEqual([]);
});

test("one vanished file costs as much among 1000 entities as among 10", async () => {
  const [few, many] = [await rootOf(10), await rootOf(1000)];
  const vanish = (rig: EngineRig) => async (): Promise<void> => {
    rig.remove("input/7.txt");
    await rig.quiet();
  };
  const a = await operationsOf(few, vanish(few));
  const b = await operationsOf(many, vanish(many));
  expect([few.text("output/7.txt"), many.text("output/7.txt")]).toEqual([undefined, undefined]);
  expect(a).toEqual(b);
});
