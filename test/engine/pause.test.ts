import { describe, expect, test } from "vitest";
import { type Problem, problem } from "../../src/core/model/problem.ts";
import { Pauses } from "../../src/engine/health/pause.ts";
import { statusOfRoot } from "../../src/engine/calls/status.ts";
import { echo, EngineRig } from "../support/engine-rig.ts";

const full: Problem = problem("M510", "the disk is full", "make room");
const away: Problem = problem("M512", "the root is away", "bring it back");

describe("the reasons why work stands still", () => {
  const told = (): { pauses: Pauses; heard: (string | undefined)[] } => {
    const heard: (string | undefined)[] = [];
    return { pauses: new Pauses((why) => void heard.push(why?.code)), heard };
  };

  test("stand side by side, and what must be mended first is told first", () => {
    const { pauses, heard } = told();
    pauses.set("space", full);
    pauses.set("away", away);
    expect([pauses.current, pauses.has("away"), pauses.has("read-only")]).toEqual([away, true, false]);
    pauses.clear("away");
    expect(pauses.current).toEqual(full);
    pauses.clear("space");
    expect(pauses.current).toBeNull();
    expect(heard).toEqual(["M510", "M512", "M510", undefined]);
  });

  test("are no news when only their numbers change, when one behind another goes, or when none stood", () => {
    const { pauses, heard } = told();
    pauses.clear("space");
    pauses.set("away", away);
    pauses.set("space", full);
    pauses.set("space", { ...full, message: "still full" });
    pauses.clear("space");
    pauses.set("away", { ...away, message: "still away" });
    expect(heard).toEqual(["M512"]);
    expect(pauses.current?.message).toBe("still away");
  });
});

describe("a root whose work is paused", () => {
  test("starts nothing, is quiet, says why, and goes on by itself", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.root.pauses.set("away", away);
    rig.write("input/1.txt", "a");
    await rig.pass(60_000);
    await rig.quiet();
    expect([rig.ran, rig.status("upper/1.txt"), rig.root.mayRetract]).toEqual([[], "queued", false]);
    expect(statusOfRoot(rig.root).paused).toEqual(away);
    expect(rig.logged.filter((line) => line === away.message)).toHaveLength(1);
    rig.root.pauses.clear("away");
    await rig.quiet();
    expect([rig.ran, rig.root.mayRetract]).toEqual([["upper@1", "output@1"], true]);
    expect(statusOfRoot(rig.root).paused).toBeNull();
  });

  test("lets running attempts end, and what they made is recorded", async () => {
    const rig = new EngineRig([echo()]);
    let finish: (text: string) => void = () => {};
    rig.scripts.set("upper@1", () => new Promise((resolve) => (finish = resolve)));
    rig.put("input/1.txt", "a");
    await rig.begin();
    await rig.until(() => rig.runner.hanging === 1);
    rig.root.pauses.set("space", full);
    finish("A");
    await rig.quiet();
    expect([rig.ran, rig.files()["upper/1.txt"], rig.status("output/1.txt")]).toEqual([["upper@1"], "A", "queued"]);
    rig.root.pauses.clear("space");
    await rig.quiet();
    expect(rig.ran).toEqual(["upper@1", "output@1"]);
  });

  test("can be stopped with work waiting, and a cleared reason wakes nothing after that", async () => {
    const rig = await new EngineRig([echo()]).start();
    rig.root.pauses.set("space", full);
    rig.write("input/1.txt", "a");
    await rig.pass(1000);
    await rig.stop();
    rig.root.pauses.clear("space");
    await rig.pass(1000);
    expect(rig.ran).toEqual([]);
    await rig.restart();
    expect(rig.ran).toEqual(["upper@1", "output@1"]);
  });
});
