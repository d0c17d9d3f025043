import { describe, expect, test } from "vitest";
import { EngineRig, source, stage } from "../support/engine-rig.ts";

const keeping = {
  name: "echo",
  stages: [source("input", "input/{id}.txt"), stage("upper", "input", "upper/{id}.txt", "upper", { onOrphan: "keep" })],
};

/** An engine whose only source is gone; its result is kept. */
async function kept(): Promise<EngineRig> {
  const rig = new EngineRig([keeping]);
  rig.put("input/1.txt", "a");
  await rig.start();
  rig.remove("input/1.txt");
  await rig.pass(10_000);
  expect(Object.keys(rig.manifest("1").states)).toEqual(["upper/{id}.txt"]);
  rig.news();
  return rig;
}

describe("a source that is there again with what its result was made from has its record again, and nothing runs", () => {
  test("in the same life", async () => {
    const rig = await kept();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    expect([rig.news(), Object.keys(rig.manifest("1").states)]).toEqual([[], ["input/{id}.txt", "upper/{id}.txt"]]);
  });

  test("after it had gone in an earlier life", async () => {
    const rig = await kept();
    await rig.restart();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    expect([rig.news(), Object.keys(rig.manifest("1").states)]).toEqual([[], ["input/{id}.txt", "upper/{id}.txt"]]);
  });

  test("while nobody watched", async () => {
    const rig = await kept();
    await rig.stop();
    rig.put("input/1.txt", "a");
    await rig.revive();
    await rig.stop();
    expect([rig.news(), Object.keys(rig.manifest("1").states)]).toEqual([[], ["input/{id}.txt", "upper/{id}.txt"]]);
  });
});

test("of a source that has changed meanwhile, what is made of it now is recorded", async () => {
  const rig = await kept();
  rig.write("input/1.txt", "b");
  await rig.quiet();
  const { states } = rig.manifest("1");
  expect(rig.news()).toEqual(["upper@1"]);
  expect(states["input/{id}.txt"]!.contentHash).toBe(states["upper/{id}.txt"]!.inputHashes["input/1.txt"]);
});
