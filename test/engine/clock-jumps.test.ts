import { describe, expect, test } from "vitest";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;
const JUMPS: readonly (readonly [string, number])[] = [
  ["an hour back", -HOUR],
  ["an hour forward", HOUR],
  ["a year back", -YEAR],
  ["ten years forward", 10 * YEAR],
];

const settling = (): object => ({
  name: "p",
  stages: [source("input", "input/{id}.txt", { settle: "200ms" }), stage("upper", "input", "upper/{id}.txt", "upper")],
});

describe.each(JUMPS)("when the clock is set %s", (_how, jump) => {
  test("between the last write and the first look, a file still waits its whole settle time", async () => {
    const rig = await new EngineRig([settling()]).start();
    await rig.pass(1_000);
    rig.put("input/1.txt", "half");
    rig.clock.jumpWall(jump);
    rig.changes.changed("input/1.txt");
    await rig.pass(150);
    expect(rig.news()).toEqual([]);
    rig.write("input/1.txt", "whole");
    await rig.pass(190);
    expect(rig.news()).toEqual([]);
    await rig.pass(20);
    expect(rig.news()).toEqual(["upper@1"]);
    expect(rig.text("upper/1.txt")).toBe("WHOLE");
  });

  test("while a file settles, again and again, it settles in its time, and nothing spins", async () => {
    const rig = await new EngineRig([settling()]).start();
    rig.write("input/1.txt", "text");
    for (let ms = 0; ms < 190; ms += 10) {
      await rig.pass(10);
      rig.clock.jumpWall(ms % 20 === 0 ? jump : -jump);
      rig.changes.changed("input/1.txt");
    }
    expect(rig.news()).toEqual([]);
    await rig.pass(30);
    expect(rig.news()).toEqual(["upper@1"]);
  });

  test("while a failed task backs off, it waits what was left and no more", async () => {
    const policy = { maxAttempts: 100, backoffSeconds: [100] };
    const rig = new EngineRig([echo({}, { retryPolicy: policy })]);
    rig.scripts.set("upper@1", () => {
      throw new ScriptedFailure("boom");
    });
    rig.put("input/1.txt", "text");
    await rig.start();
    expect(rig.news()).toEqual(["upper@1"]);
    await rig.pass(40_000);
    rig.clock.jumpWall(jump);
    // Everything is judged again: the wait that has begun goes on all the same.
    rig.changes.changed("input/1.txt", "input/");
    await rig.pass(59_000);
    expect(rig.news()).toEqual([]);
    await rig.pass(2_000);
    expect(rig.news()).toEqual(["upper@1"]);
  });

  test("while no process runs, a restart waits at least nothing and at most the whole delay", async () => {
    const policy = { maxAttempts: 100, backoffSeconds: [100] };
    const rig = new EngineRig([echo({}, { retryPolicy: policy })]);
    rig.scripts.set("upper@1", () => {
      throw new ScriptedFailure("boom");
    });
    rig.put("input/1.txt", "text");
    await rig.start();
    rig.news();
    await rig.restart(jump);
    // Within the whole delay it has had its try, whatever the record says about when.
    await rig.pass(100_500);
    const first = rig.news().length;
    expect(first === 1 || first === 2).toBe(true);
    // And then one every 100 s, no more and no less.
    await rig.pass(500_000);
    expect(rig.news()).toEqual(Array.from({ length: 5 }, () => "upper@1"));
  });

  test("between two scans, the next comes in its time, finds what was missed, and runs nothing else", async () => {
    const rig = await new EngineRig([echo({}, { scanInterval: 60 })]).start();
    rig.put("input/1.txt", "text");
    await rig.pass(61_000);
    expect(rig.news()).toEqual(["upper@1", "output@1"]);
    rig.clock.jumpWall(jump);
    rig.put("input/2.txt", "text");
    await rig.pass(50_000);
    expect(rig.news()).toEqual([]);
    await rig.pass(12_000);
    expect(rig.news()).toEqual(["upper@2", "output@2"]);
    // A time that lies in the future or far back costs no work in a circle.
    const timers = rig.clock.timers;
    await rig.pass(600_000);
    expect(rig.news()).toEqual([]);
    expect(rig.clock.timers).toBeLessThanOrEqual(timers + 1);
  });
});
