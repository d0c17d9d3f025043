import { expect, test } from "vitest";
import { echo, EngineRig } from "../support/engine-rig.ts";

/** More than is hashed at once: it is read in slices, beside other work. */
const LARGE = 2_000_000;

async function made(): Promise<EngineRig> {
  const rig = await new EngineRig([echo()]).start();
  rig.write("input/1.txt", "a".repeat(LARGE));
  await rig.quiet();
  expect(rig.news()).toEqual(["upper@1", "output@1"]);
  return rig;
}

test("a large result that was only touched leaves everything fresh, what follows from it too", async () => {
  const rig = await made();
  rig.write("upper/1.txt", "A".repeat(LARGE));
  await rig.quiet();
  expect(rig.news()).toEqual([]);
  expect([rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual(["fresh", "fresh"]);
});

test("a large source that vanishes while it is hashed leaves no trace of its own", async () => {
  const rig = await made();
  rig.write("input/1.txt", "b".repeat(LARGE));
  await rig.until(() => rig.status("upper/1.txt") === "waiting");
  rig.remove("input/1.txt");
  await rig.quiet();
  expect([rig.status("upper/1.txt"), rig.status("output/1.txt"), rig.files()]).toEqual([undefined, undefined, {}]);
  expect([rig.root.table.find("input/1.txt"), rig.news()]).toEqual([undefined, []]);
});

test("a large source that changes while it is hashed is read when it is quiet", async () => {
  const rig = await made();
  rig.write("input/1.txt", "b".repeat(LARGE));
  await rig.until(() => rig.status("upper/1.txt") === "waiting");
  rig.write("input/1.txt", "c".repeat(LARGE));
  await rig.quiet();
  expect(rig.text("upper/1.txt")).toBe("C".repeat(LARGE));
  expect(rig.status("output/1.txt")).toBe("fresh");
});
