import { describe, expect, test } from "vitest";
import type { Result } from "../../src/core/model/result.ts";
import { RootsControl } from "../../src/engine/control-roots.ts";
import { echo, EngineRig } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

const control = (rig: EngineRig): RootsControl =>
  new RootsControl([rig.root], { owner: () => null, ignored: () => () => undefined });
function value<T>(answer: Result<T>): T {
  if (!answer.ok) throw new Error(answer.problems.map(({ code, message }) => `${code} ${message}`).join());
  return answer.value;
}

/** `1` is set aside, `it's` is, too; `2` waits for its second try; `3` is done. */
async function failing(): Promise<EngineRig> {
  const rig = new EngineRig([echo({}, { retryPolicy: { maxAttempts: 2, backoffSeconds: [5] } })]);
  for (const id of ["1", "it's"]) {
    rig.put(`input/${id}.txt`, "x");
    rig.scripts.set(`upper@${id}`, () => {
      throw new ScriptedFailure("out of tea");
    });
  }
  rig.put("input/3.txt", "x");
  await rig.start();
  await rig.pass(6000);
  rig.scripts.set("upper@2", () => {
    throw new ScriptedFailure("out of milk");
  });
  rig.write("input/2.txt", "x");
  await rig.quiet();
  rig.news();
  return rig;
}

describe("the quarantine", () => {
  test("is not for a changed input that fails as well: its attempts are counted anew", async () => {
    const rig = await failing();
    rig.write("input/1.txt", "another");
    await rig.quiet();
    const failure = rig.manifest("1").failures["upper/{id}.txt"]!;
    expect([failure.attempts, rig.status("upper/1.txt")]).toEqual([1, "retrying"]);
  });

  test("holds what failed for the last time, with its error, its inputs and the command to try it", async () => {
    const rig = await failing();
    const { total, quarantined } = value(await control(rig).quarantine({}));
    expect(total).toBe(2);
    const input = { path: "input/1.txt", then: expect.stringMatching(/^[0-9a-f]{16}$/) };
    expect(quarantined[0]).toEqual({
      root: "state/",
      pipeline: "echo",
      stage: "upper",
      entity: "1",
      task: "upper@1",
      path: "upper/1.txt",
      incident: expect.stringMatching(/^[0-9a-f]{8}$/),
      error: "out of tea",
      category: "node",
      attempts: 2,
      firstFailedAt: expect.stringMatching(/Z$/),
      lastFailedAt: expect.stringMatching(/Z$/),
      log: "",
      inputs: [{ ...input, now: quarantined[0]!.inputs[0]!.then }],
      byHand: "millrace retry upper@1",
    });
    expect(quarantined[1]).toMatchObject({ task: "upper@it's", byHand: "millrace retry 'upper@it'\\''s'" });
    expect(quarantined[1]!.incident).toBe(quarantined[0]!.incident);
  });

  test("shows one, and says of another task that it is not in it", async () => {
    const rig = await failing();
    expect(value(await control(rig).quarantine({ targets: ["upper@1"] })).quarantined).toHaveLength(1);
    expect(value(await control(rig).quarantine({ limit: 1 }))).toMatchObject({ total: 2, quarantined: [{}] });
    for (const target of ["upper@2", "upper@3"])
      expect(await control(rig).quarantine({ targets: [target] })).toMatchObject({ problems: [{ code: "M143" }] });
    expect(await control(rig).quarantine({ targets: ["nothing"] })).toMatchObject({ problems: [{ code: "M131" }] });
  });

  test("is retried without what waits for its next try by itself", async () => {
    const rig = await failing();
    const retried = value(await control(rig).retry({ targets: ["upper"], only: "quarantined" }));
    expect(retried.changed.toSorted()).toEqual(["upper@1", "upper@it's"]);
    await rig.quiet();
    expect(rig.news().toSorted()).toEqual(["upper@1", "upper@it's"]);
    expect(await control(rig).retry({ targets: ["upper@2"], only: "quarantined" })).toMatchObject({
      problems: [{ code: "M143" }],
    });
  });

  test("lets a task go when its input changes, and keeps it over a restart", async () => {
    const rig = await failing();
    await rig.restart();
    expect(value(await control(rig).quarantine({})).total).toBe(2);
    rig.scripts.clear();
    rig.write("input/1.txt", "y");
    await rig.quiet();
    expect(rig.text("upper/1.txt")).toBe("Y");
    expect(value(await control(rig).quarantine({})).quarantined.map(({ task }) => task)).toEqual(["upper@it's"]);
  });
});

test("explain says of a failing task how to try it by hand, and of no other", async () => {
  const rig = await failing();
  const byHand = async (target: string): Promise<string | null> => value(await control(rig).explain({ target })).byHand;
  expect(await byHand("upper@1")).toBe("millrace retry upper@1");
  expect(await byHand("upper@2")).toBe("millrace retry upper@2");
  expect(await byHand("upper@3")).toBeNull();
  expect(await byHand("output@1")).toBeNull();
});
