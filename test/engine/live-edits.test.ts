import { describe, expect, test } from "vitest";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";

const after = {
  name: "after",
  stages: [source("made", "output/{id}.txt"), stage("final", "made", "final/{id}.txt", "wrap:final")],
};

async function made(definitions: readonly object[] = [echo()]): Promise<EngineRig> {
  const rig = new EngineRig(definitions);
  rig.put("input/1.txt", "a");
  rig.put("input/2.txt", "b");
  await rig.start();
  rig.news();
  return rig;
}

async function redefine(rig: EngineRig, ...definitions: object[]): Promise<string[]> {
  await rig.redefine(definitions);
  await rig.quiet();
  return rig.news().toSorted();
}

describe("a changed definition", () => {
  test("that says the same runs nothing", async () => {
    expect(await redefine(await made(), echo())).toEqual([]);
  });

  test("runs what it makes stale, and no more", async () => {
    const rig = await made();
    expect(await redefine(rig, echo({ second: "wrap:new" }))).toEqual(["output@1", "output@2"]);
    expect(await redefine(rig, echo({ first: "wrap:x", second: "wrap:new" }))).toHaveLength(4);
    expect(rig.text("output/1.txt")).toBe("new(x(a))");
  });

  test("takes effect at once where it was made while no process ran", async () => {
    const rig = await made();
    rig.redefineUnseen([echo({ second: "wrap:new" })]);
    await rig.restart();
    expect(rig.news().toSorted()).toEqual(["output@1", "output@2"]);
  });

  test("with a new pipeline works on what is there", async () => {
    const rig = await made();
    expect(await redefine(rig, echo(), after)).toEqual(["final@1", "final@2"]);
    expect(rig.changes.bases.map((base) => base.path)).toContain("final");
  });

  test("without a pipeline forgets its states and touches no file", async () => {
    const rig = await made([echo(), after]);
    const files = rig.files();
    expect(await redefine(rig, after)).toEqual([]);
    expect(rig.files()).toEqual(files);
    expect(rig.root.table.find("input/1.txt")).toBeUndefined();
    expect([rig.status("output/1.txt"), rig.status("final/1.txt")]).toEqual(["fresh", "fresh"]);
  });

  test("that renames a stage makes nothing again", async () => {
    const rig = await made();
    const renamed = {
      name: "echo",
      stages: [
        source("input", "input/{id}.txt"),
        stage("loud", "input", "upper/{id}.txt", "upper"),
        stage("output", "loud", "output/{id}.txt", "wrap:out"),
      ],
    };
    expect(await redefine(rig, renamed)).toEqual([]);
    expect(rig.status("upper/1.txt")).toBe("fresh");
  });

  test("whose code does not compile keeps the last good one at work", async () => {
    const rig = await made();
    rig.runner.broken.add("wrap:bad");
    expect(await redefine(rig, echo({ second: "wrap:bad" }))).toEqual([]);
    expect(rig.root.problems).toHaveLength(1);
    rig.write("input/1.txt", "new");
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("out(NEW)");
    expect(await redefine(rig, echo({ second: "wrap:good" }))).toEqual(["output@1", "output@1", "output@2", "upper@1"]);
    expect(rig.root.problems).toEqual([]);
  });
});

describe("a definition that changes while an attempt runs", () => {
  async function running(): Promise<{ rig: EngineRig; finish: () => void }> {
    const rig = await new EngineRig([echo()]).start();
    let finish = (): void => {};
    rig.scripts.set("upper", () => new Promise((resolve) => (finish = () => resolve(undefined))));
    rig.write("input/1.txt", "a");
    await rig.until(() => rig.runner.hanging === 1);
    rig.news();
    rig.runner.ignoresCancel = true;
    return {
      rig,
      finish: () => {
        rig.scripts.clear();
        finish();
      },
    };
  }

  test("elsewhere lets it end", async () => {
    const { rig, finish } = await running();
    await rig.redefine([echo({ second: "wrap:new" })]);
    finish();
    await rig.quiet();
    expect(rig.news()).toEqual(["output@1"]);
    expect(rig.text("output/1.txt")).toBe("new(A)");
  });

  test("in its code drops its result", async () => {
    const { rig, finish } = await running();
    await rig.redefine([echo({ first: "wrap:x" })]);
    finish();
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@1", "output@1"]);
    expect(rig.text("output/1.txt")).toBe("out(x(a))");
  });

  test.each<[string, object[], Record<string, string>]>([
    [
      "in its output's pattern",
      [
        {
          name: "echo",
          stages: [
            source("input", "input/{id}.txt"),
            stage("upper", "input", "big/{id}.txt", "upper"),
            stage("output", "upper", "output/{id}.txt", "wrap:out"),
          ],
        },
      ],
      { "big/1.txt": "A", "output/1.txt": "out(A)" },
    ],
    [
      "in its name",
      [
        {
          name: "echo",
          stages: [
            source("input", "input/{id}.txt"),
            stage("loud", "input", "upper/{id}.txt", "upper"),
            stage("output", "loud", "output/{id}.txt", "wrap:out"),
          ],
        },
      ],
      { "upper/1.txt": "A", "output/1.txt": "out(A)" },
    ],
    ["that has it no more", [after], {}],
  ])("%s leaves no stray result and no status of the old one", async (_name, definitions, results) => {
    const { rig, finish } = await running();
    await rig.redefine(definitions);
    finish();
    await rig.quiet();
    expect(rig.files()).toEqual({ "input/1.txt": "a", ...results });
    for (const path of Object.keys(results)) expect(rig.status(path)).toBe("fresh");
    expect(rig.root.table.size).toBe(Object.keys(results).length === 0 ? 0 : 3);
    expect([rig.root.journey.running(), rig.own("tmp")]).toEqual([[], []]);
    await rig.restart();
    rig.news();
    await rig.restart();
    expect(rig.news()).toEqual([]);
  });
});

describe("what is left of a removed stage", () => {
  test("is a source like any other to whom it feeds", async () => {
    const rig = await made([echo(), after]);
    rig.remove("input/1.txt");
    await rig.pass(300);
    expect([rig.status("output/1.txt"), rig.status("final/1.txt")]).toEqual(["orphaned", "orphaned"]);
    expect(await redefine(rig, after)).toEqual([]);
    expect([rig.status("output/1.txt"), rig.status("final/1.txt")]).toEqual(["fresh", "fresh"]);
  });

  test("does not keep the root from being quiet while its file settles", async () => {
    const rig = await new EngineRig([echo(), after]).start();
    rig.write("input/1.txt", "a");
    await rig.pass(10);
    expect(rig.status("input/1.txt")).toBe("settling");
    await rig.redefine([after]);
    await rig.quiet();
    expect(rig.root.settling.size).toBe(0);
  });
});
