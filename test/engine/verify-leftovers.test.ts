import { describe, expect, test } from "vitest";
import type { VerifiedRoot } from "../../src/engine/control.ts";
import { EngineRig, source, stage } from "../support/engine-rig.ts";
import { verifyRig } from "../support/verify-rig.ts";

function pipeline(more: object = {}, expression = "upper"): object {
  return { name: "one", stages: [source("in", "in/{id}.txt"), stage("out", "in", "out/{id}.txt", expression, more)] };
}

async function made(
  definition: object,
  files: Readonly<Record<string, string>> = { "in/1.txt": "a" },
): Promise<EngineRig> {
  const rig = await new EngineRig([definition]).start();
  for (const [path, text] of Object.entries(files)) rig.write(path, text);
  await rig.quiet();
  // Long enough ago that nobody takes the sources for still being written.
  await rig.pass(1000);
  await rig.stop();
  return rig;
}

const told = (found: VerifiedRoot["findings"]): string[] => found.map(({ rule, path }) => `${rule} ${path}`).toSorted();

describe("a product whose source is gone", () => {
  test("is off until it is retracted", async () => {
    const definition = pipeline();
    const rig = await made(definition);
    rig.disk.removeTree("/project/state/in/1.txt");
    const before = await verifyRig(rig, [definition]);
    expect(told(before.findings)).toEqual(["leftover-product out/1.txt"]);
    await rig.revive();
    await rig.stop();
    const after = await verifyRig(rig, [definition]);
    expect(told(after.findings)).toEqual([]);
    expect(rig.files()).toEqual({});
  });

  test("may stay where the stage keeps it", async () => {
    const definition = pipeline({ onOrphan: "keep" });
    const rig = await made(definition);
    rig.disk.removeTree("/project/state/in/1.txt");
    await rig.revive();
    await rig.stop();
    const report = await verifyRig(rig, [definition]);
    expect(told(report.findings)).toEqual([]);
    expect(told(report.notes)).toContain("leftover-product out/1.txt");
    expect(report.notes[0]!.message).toContain('"onOrphan" keeps it');
  });

  test("may stay when a person edited it", async () => {
    const definition = pipeline();
    const rig = await made(definition);
    rig.disk.removeTree("/project/state/in/1.txt");
    rig.put("out/1.txt", "edited by hand");
    await rig.revive();
    await rig.stop();
    const report = await verifyRig(rig, [definition]);
    expect(told(report.findings)).toEqual([]);
    expect(told(report.notes)).toContain("leftover-product out/1.txt");
    expect(rig.text("out/1.txt")).toBe("edited by hand");
  });

  test("may stay while too many would go at once", async () => {
    const definition = pipeline();
    const names = Array.from({ length: 30 }, (_, i) => `in/${i}.txt`);
    const rig = await made(definition, Object.fromEntries(names.map((path) => [path, path])));
    for (const path of names) rig.disk.removeTree(`/project/state/${path}`);
    await rig.revive();
    await rig.stop();
    const report = await verifyRig(rig, [definition]);
    expect(told(report.findings)).toEqual([]);
    expect(report.notes.filter(({ message }) => message.includes("its retraction is frozen"))).toHaveLength(30);
  });
});

describe("what may lie under an output pattern", () => {
  test("an edit that the stage keeps is a note", async () => {
    const definition = pipeline({ onEdit: "keep" });
    const rig = await made(definition);
    rig.put("out/1.txt", "edited by hand");
    await rig.revive();
    await rig.stop();
    const report = await verifyRig(rig, [definition]);
    expect(told(report.findings)).toEqual([]);
    expect(told(report.notes)).toEqual(["output-differs out/1.txt"]);
    expect(report.states).toEqual({ done: 1 });
  });

  test("what a stage that is gone made is a note, with whether it is still what it was", async () => {
    const rig = await made(pipeline());
    rig.put("out/1.txt", "edited by hand");
    const report = await verifyRig(rig, [{ name: "one", stages: [source("in", "in/{id}.txt")] }]);
    expect(told(report.findings)).toEqual([]);
    expect(told(report.notes)).toEqual(["leftover-stage out/1.txt"]);
    expect(report.notes[0]).toMatchObject({
      message: expect.stringContaining("it was changed"),
      hint: 'see "millrace clean"',
    });
    expect(report.states).toEqual({ unused: 1 });
    expect(report.checked.notOurs).toBe(1);
  });

  test("a file that another pipeline's source claims is a note: its task has failed for it", async () => {
    const claims = { name: "two", stages: [source("made", "out/{id}.txt")] };
    const definitions = [pipeline(), claims];
    const rig = await new EngineRig(definitions).start();
    rig.write("out/1.txt", "theirs");
    rig.write("in/1.txt", "a");
    await rig.quiet();
    await rig.pass(1000);
    await rig.stop();
    const report = await verifyRig(rig, definitions);
    expect(told(report.findings)).toEqual([]);
    expect(told(report.notes)).toEqual(["unexplained-file out/1.txt"]);
    expect(report.states).toMatchObject({ failed: 1 });
  });
});
