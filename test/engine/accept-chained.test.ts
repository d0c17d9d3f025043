import { expect, test } from "vitest";
import { acceptTasks } from "../../src/engine/calls/accept.ts";
import { EngineRig, source, stage } from "../support/engine-rig.ts";

/** Another pipeline takes what the first one makes as its source. */
const chained = [
  { name: "near", stages: [source("in", "in/{id}.txt"), stage("mid", "in", "mid/{id}.txt", "upper")] },
  { name: "far", stages: [source("taken", "mid/{id}.txt"), stage("last", "taken", "last/{id}.txt", "wrap:x")] },
];

test("accepting a result does not take for right what another pipeline's stage made it from", async () => {
  const rig = await new EngineRig(chained).start();
  rig.write("in/1.txt", "a");
  await rig.quiet();
  const before = rig.manifest("1").states["mid/{id}.txt"];
  rig.root.setControls({ ...rig.root.controls, held: { "near#mid": "2026-01-01T00:00:00.000Z" } }, []);
  rig.write("mid/1.txt", "by hand");
  await rig.quiet();
  const task = rig.root.stages.topology.producerTask("last/1.txt")!;
  const accepted = acceptTasks(rig.root, [task]);
  await rig.quiet();
  expect(await accepted).toEqual([{ task, why: undefined }]);
  const { states } = rig.manifest("1");
  expect([states["last/{id}.txt"]?.runId, states["mid/{id}.txt"]]).toEqual(["accepted", before]);
});
