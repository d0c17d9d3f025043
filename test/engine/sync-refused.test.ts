import { expect, test } from "vitest";
import { LosingDisk } from "../support/losing-disk.ts";
import { diskError } from "../support/memory-disk.ts";
import { EngineRig, source, stage } from "../support/engine-rig.ts";

const ROOT = "/project/state";
const synced = {
  name: "echo",
  stages: [
    source("input", "input/{id}.txt"),
    stage("upper", "input", "upper/{id}.txt", "upper", { durability: "sync" }),
  ],
};

/** An engine that has put a result in its place when the disk refused to force its folder to the medium. */
async function refused(refuses: { now: boolean }): Promise<EngineRig> {
  const rig = new EngineRig([synced], {
    diskOf: (disk) => new LosingDisk(disk),
    hooks: {
      before: ({ name, path }) => {
        if (refuses.now && name === "sync" && path === `${ROOT}/upper`) throw diskError("EIO", path);
      },
    },
  });
  // Nothing but the commit itself forces anything.
  rig.machine.canSync = false;
  rig.put("input/1.txt", "a");
  (rig.shared as LosingDisk).syncAll();
  await rig.start();
  return rig;
}

test("a result that is in place, but not on the medium, is known for ours and made again", async () => {
  const refuses = { now: true };
  const rig = await refused(refuses);
  expect([rig.text("upper/1.txt"), rig.status("upper/1.txt")]).toEqual(["A", "retrying"]);
  expect(rig.manifest("1").states["upper/{id}.txt"]).toMatchObject({ path: "upper/1.txt" });
  rig.put("input/1.txt", "b");
  rig.changes.changed("input/1.txt");
  refuses.now = false;
  await rig.pass(1_000_000);
  expect([rig.text("upper/1.txt"), rig.status("upper/1.txt"), rig.trashed()]).toEqual(["B", "fresh", []]);
});

test("it goes with its source", async () => {
  const refuses = { now: true };
  const rig = await refused(refuses);
  refuses.now = false;
  rig.remove("input/1.txt");
  await rig.pass(10_000);
  expect([rig.files(), rig.trashed()]).toEqual([{}, ["A"]]);
});

test("it is done only when it is on the medium", async () => {
  const refuses = { now: true };
  const rig = await refused(refuses);
  refuses.now = false;
  await rig.pass(1_000_000);
  expect(rig.status("upper/1.txt")).toBe("fresh");
  const never = { next: (): number => 0 };
  rig.kill();
  (rig.shared as LosingDisk).powerCut(never);
  expect(rig.text("upper/1.txt")).toBe("A");
});
