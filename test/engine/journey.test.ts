import { expect, test } from "vitest";
import { echo, EngineRig } from "../support/engine-rig.ts";

test("a dropped file passes every stage once, and then there is nothing to do", async () => {
  const rig = await new EngineRig([echo()]).start();
  rig.write("input/1.txt", "hello");
  await rig.quiet();
  expect(rig.news()).toEqual(["upper@1", "output@1"]);
  expect(rig.text("output/1.txt")).toBe("out(HELLO)");
  await rig.restart();
  expect(rig.news()).toEqual([]);
  expect(rig.own("tmp")).toEqual([]);
});
