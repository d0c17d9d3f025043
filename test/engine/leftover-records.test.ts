import { expect, test } from "vitest";
import { echo, EngineRig } from "../support/engine-rig.ts";

test("records whose file and source are both gone are forgotten by a start whose index is older than they are", async () => {
  const rig = new EngineRig([echo()]);
  rig.put("input/b.txt", "stays");
  await rig.start();
  await rig.stop();
  const { meta, blobs } = rig.index.load()!;
  await rig.revive();
  rig.write("input/a.txt", "text");
  await rig.quiet();
  rig.kill();
  // As after a kill between a retraction and its manifest, in a life that was never quiet.
  for (const path of ["input/a.txt", "upper/a.txt", "output/a.txt"]) rig.disk.remove(`/project/state/${path}`);
  rig.index.save(meta, blobs);
  await rig.revive();
  await rig.pass(60_000);
  await rig.quiet();
  expect(rig.own("manifests")).toEqual(["b.json"]);
});
