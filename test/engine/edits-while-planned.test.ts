import { expect, test } from "vitest";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";

test("a task that waits for its verdict while its stage is taken out of the definitions is judged no more", async () => {
  const rig = await new EngineRig([echo()]).start();
  rig.write("input/1.txt", "a");
  await rig.quiet();
  const { journey, stages } = rig.root;
  const task = stages.topology.producerTask("output/1.txt")!;
  const shorter = {
    name: "echo",
    stages: [source("input", "input/{id}.txt"), stage("upper", "input", "upper/{id}.txt", "upper")],
  };
  const edited = rig.redefine([shorter]);
  journey.replan([task]);
  await edited;
  await rig.quiet();
  expect([rig.faults, rig.status("upper/1.txt"), rig.status("output/1.txt")]).toEqual([[], "fresh", undefined]);
});

test("a task that waits for its verdict while its stage is edited is judged by the new definition", async () => {
  const rig = await new EngineRig([echo()]).start();
  rig.write("input/1.txt", "a");
  await rig.quiet();
  rig.news();
  const { journey, stages } = rig.root;
  const task = stages.topology.producerTask("upper/1.txt")!;
  const edited = rig.redefine([
    {
      name: "echo",
      stages: [source("input", "input/{id}.txt"), stage("upper", "input", "upper/{id}.md", "first")],
    },
  ]);
  journey.replan([task]);
  await edited;
  await rig.quiet();
  expect([rig.faults, rig.news(), rig.text("upper/1.md")]).toEqual([[], ["upper@1"], "a"]);
});
