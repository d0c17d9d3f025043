import { describe, expect, test } from "vitest";
import { RootsControl } from "../../src/engine/control-roots.ts";
import type { IncidentReport } from "../../src/engine/control.ts";
import { statusOfRoot } from "../../src/engine/calls/status.ts";
import { echo, EngineRig } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

const ONCE = { retryPolicy: { maxAttempts: 1, backoffSeconds: [5] } };
const TWICE = { retryPolicy: { maxAttempts: 2, backoffSeconds: [5] } };

async function started(files: number, more: object = ONCE): Promise<EngineRig> {
  const rig = new EngineRig([echo({}, more)]);
  for (let at = 0; at < files; at++) rig.put(`input/f${at}.txt`, `text ${at}`);
  rig.scripts.set("upper", ({ task }) => {
    throw new ScriptedFailure(`cannot parse ${task.slice(task.indexOf("@") + 1)} at line ${task.length}`);
  });
  return rig.start();
}

const incidents = (rig: EngineRig): readonly IncidentReport[] => statusOfRoot(rig.root).incidents;
const control = (rig: EngineRig): RootsControl =>
  new RootsControl([rig.root], { owner: () => null, ignored: () => () => undefined });

async function changed(rig: EngineRig, target: string): Promise<readonly string[]> {
  const answer = await control(rig).retry({ targets: [target] });
  if (!answer.ok) throw new Error(answer.problems[0]!.message);
  return answer.value.changed;
}

describe("failures that say the same", () => {
  test("are one incident with their number, examples, and how many are set aside", async () => {
    const rig = await started(30);
    expect(incidents(rig)).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{8}$/),
        stage: "echo#upper",
        category: "node",
        error: expect.stringMatching(/^cannot parse f\d+ at line \d+$/),
        tasks: 30,
        examples: [
          expect.stringMatching(/^upper@f/),
          expect.stringMatching(/^upper@f/),
          expect.stringMatching(/^upper@f/),
        ],
        firstFailedAt: expect.any(String),
        lastFailedAt: expect.any(String),
        nextRetryAt: null,
        quarantined: 30,
      },
    ]);
    const { trouble, troubleTotal } = statusOfRoot(rig.root);
    expect(trouble.length).toBe(20);
    expect(new Set(trouble.map(({ incident }) => incident))).toEqual(new Set([incidents(rig)[0]!.id]));
    // Every blocked follower counts, and none is an incident.
    expect(troubleTotal).toBe(60);
  });

  test("are retried by one command, each once, and what is done leaves the incident", async () => {
    const rig = await started(30);
    rig.scripts.clear();
    rig.news();
    const { id } = incidents(rig)[0]!;
    expect(await changed(rig, `incident:${id}`)).toHaveLength(30);
    await rig.quiet();
    expect(rig.news().filter((task) => task.startsWith("upper@"))).toHaveLength(30);
    expect(incidents(rig)).toEqual([]);
    expect(statusOfRoot(rig.root).troubleTotal).toBe(0);
    expect((await control(rig).retry({ targets: [`incident:${id}`] })).ok).toBe(false);
  });

  test("wait for their next try together: the report says when the first comes", async () => {
    const rig = await started(3, TWICE);
    const [incident] = incidents(rig);
    expect(incident).toMatchObject({ tasks: 3, quarantined: 0 });
    expect(Date.parse(incident!.nextRetryAt!)).toBe(Date.parse(incident!.lastFailedAt) + 5000);
    expect(statusOfRoot(rig.root).nextRetryAt).toBe(incident!.nextRetryAt);
    await rig.pass(6000);
    await rig.quiet();
    expect(incidents(rig)).toMatchObject([{ tasks: 3, quarantined: 3, nextRetryAt: null, id: incident!.id }]);
    expect(incidents(rig)[0]!.firstFailedAt).toBe(incident!.firstFailedAt);
  });

  test("are named by their incident in other commands, too", async () => {
    const rig = await started(3);
    rig.scripts.set("upper@other", () => {
      throw new ScriptedFailure("something else");
    });
    rig.write("input/other.txt", "x");
    await rig.quiet();
    const { id } = incidents(rig)[0]!;
    const listed = await control(rig).list({ targets: [`incident:${id}`] });
    expect(listed.ok && listed.value.tasks.map(({ task }) => task)).toEqual(["upper@f0", "upper@f1", "upper@f2"]);
    const past = await control(rig).history({ target: `incident:${id}` });
    expect(past.ok && past.value.attempts.map(({ entity }) => entity).toSorted()).toEqual(["f0", "f1", "f2"]);
    const held = await control(rig).hold({ targets: [`incident:${id}`] });
    expect(held.ok && held.value.changed).toHaveLength(3);
  });

  test("of another cause are an incident of their own, and the larger one hides none of them", async () => {
    const rig = await started(40);
    rig.scripts.set("upper@zz", () => {
      throw new ScriptedFailure("out of tea");
    });
    rig.write("input/zz.txt", "x");
    await rig.quiet();
    expect(incidents(rig).map(({ tasks, error }) => [tasks, error.slice(0, 10)])).toEqual([
      [40, "cannot par"],
      [1, "out of tea"],
    ]);
    expect(statusOfRoot(rig.root).trouble.map(({ task }) => task)).toContain("upper@zz");
  });

  test("are known after a restart, though nothing ran", async () => {
    const rig = await started(5);
    const before = incidents(rig);
    rig.news();
    await rig.restart();
    expect(rig.news()).toEqual([]);
    expect(incidents(rig)).toMatchObject([{ id: before[0]!.id, tasks: 5, quarantined: 5 }]);
    expect(incidents(rig)[0]!.firstFailedAt).toBe(before[0]!.firstFailedAt);
  });

  test("are gone with their files and with their stage", async () => {
    const rig = await started(3);
    rig.remove("input/f0.txt");
    await rig.quiet();
    expect(incidents(rig)).toMatchObject([{ tasks: 2 }]);
    const definition = echo({}, ONCE) as { stages: { id: string }[] };
    await rig.redefine([{ ...definition, stages: definition.stages.filter(({ id }) => id === "input") }]);
    await rig.quiet();
    expect(incidents(rig)).toEqual([]);
  });
});

test("a node that cannot run fails every file as one incident, without an attempt", async () => {
  const rig = new EngineRig([echo()]);
  for (const id of ["1", "2"]) rig.put(`input/${id}.txt`, "x");
  rig.runner.broken.add("upper");
  await rig.start();
  expect(rig.news()).toEqual([]);
  expect(incidents(rig)).toMatchObject([{ category: "definition", tasks: 2, quarantined: 0, nextRetryAt: null }]);
});

test("a report reads no manifest while nothing changes", async () => {
  const rig = await started(30);
  incidents(rig);
  const reads: string[] = [];
  rig.disk.onOperation = (operation, path) => void reads.push(`${operation} ${path}`);
  rig.root.incidents.reports();
  rig.root.incidents.troubled(20);
  expect(reads).toEqual([]);
});
