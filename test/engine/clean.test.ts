import { describe, expect, test } from "vitest";
import type { Pipeline } from "../../src/core/model/pipeline.ts";
import type { Result } from "../../src/core/model/result.ts";
import { problem } from "../../src/core/model/problem.ts";
import { RootsControl } from "../../src/engine/control-roots.ts";
import type { CleanReport } from "../../src/engine/control.ts";
import { loaded } from "../support/definitions.ts";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

/** Without its last stage, and with others instead. */
function shorter(...more: object[]): object {
  const { stages, ...rest } = echo() as { stages: object[] };
  return { ...rest, stages: [...stages.slice(0, 2), ...more] };
}

async function made(files: Record<string, string> = { "input/1.txt": "a", "input/2.txt": "b" }): Promise<EngineRig> {
  const rig = new EngineRig([echo()]);
  for (const [path, text] of Object.entries(files)) rig.put(path, text);
  return rig.start();
}

const control = (rig: EngineRig, defined?: readonly Pipeline[]): RootsControl =>
  new RootsControl([rig.root], {
    owner: () => null,
    ignored: () => () => undefined,
    ...(defined === undefined ? {} : { defined: () => defined }),
  });
function value<T>(answer: Result<T>): T {
  if (!answer.ok) throw new Error(answer.problems.map(({ code, message }) => `${code} ${message}`).join());
  return answer.value;
}
async function clean(rig: EngineRig, remove = true, defined?: readonly Pipeline[]): Promise<CleanReport> {
  let report: CleanReport | undefined;
  const asked = control(rig, defined)
    .clean({ remove })
    .then((answer) => (report = value(answer)));
  await Promise.race([asked, rig.until(() => report !== undefined)]);
  return asked;
}
const paths = (list: readonly { readonly path: string }[]): string[] => list.map(({ path }) => path).toSorted();

describe("dead outputs", () => {
  test("are none while every stage is there", async () => {
    const rig = await made();
    expect(await clean(rig)).toEqual({ version: 1, removed: true, dead: [], records: 0, left: [] });
    expect(rig.text("output/1.txt")).toBe("out(A)");
  });

  test("are the products of a stage that is gone: listed first, and nothing moves", async () => {
    const rig = await made();
    await rig.redefine([shorter()]);
    await rig.quiet();
    const before = rig.files();
    const report = await clean(rig, false);
    expect(report).toMatchObject({ removed: false, records: 0, left: [] });
    expect(report.dead).toEqual([
      expect.objectContaining({ path: "output/1.txt", stage: "echo#output", entity: "1", bytes: 6, root: "state/" }),
      expect.objectContaining({ path: "output/2.txt", entity: "2" }),
    ]);
    expect(rig.files()).toEqual(before);
    expect(rig.trashed()).toEqual([]);
  });

  test("go to the trash with their records; the living stay, and nothing runs again", async () => {
    const rig = await made();
    await rig.redefine([shorter()]);
    await rig.quiet();
    rig.news();
    expect(paths((await clean(rig)).dead)).toEqual(["output/1.txt", "output/2.txt"]);
    expect(Object.keys(rig.files()).toSorted()).toEqual(["input/1.txt", "input/2.txt", "upper/1.txt", "upper/2.txt"]);
    expect(rig.trashed()).toEqual(["out(A)", "out(B)"]);
    expect(Object.keys(rig.manifest("1").states).toSorted()).toEqual(["input/{id}.txt", "upper/{id}.txt"]);
    await rig.quiet();
    expect(rig.news()).toEqual([]);
    expect(await clean(rig)).toMatchObject({ dead: [], records: 0, left: [] });
  });

  test("can be put back as results when their stage comes back", async () => {
    const rig = await made();
    await rig.redefine([shorter()]);
    await clean(rig);
    rig.root.setControls({ ...rig.root.controls, held: { "echo#output": "2026-01-01T00:00:00.000Z" } }, []);
    await rig.redefine([echo()]);
    await rig.quiet();
    rig.news();
    expect(value(await control(rig).restore({ targets: ["output/1.txt"] })).restored).toMatchObject([
      { what: "it is the result of output@1 again" },
    ]);
    await rig.quiet();
    expect([rig.text("output/1.txt"), rig.status("output/1.txt")]).toEqual(["out(A)", "fresh"]);
    expect(rig.news()).toEqual([]);
  });

  test("that were edited, accepted or replaced are left alone, with why", async () => {
    const rig = await made({ "input/1.txt": "a", "input/2.txt": "b", "input/3.txt": "c" });
    value(await control(rig).hold({ targets: ["echo#output"] }));
    rig.write("output/2.txt", "accepted");
    await rig.quiet();
    value(await control(rig).accept({ targets: ["output/2.txt"] }));
    await rig.redefine([shorter()]);
    rig.put("output/1.txt", "edited");
    rig.disk.removeTree("/project/state/output/3.txt");
    rig.disk.symlink("/etc/passwd", "/project/state/output/3.txt");
    const report = await clean(rig);
    expect(report.dead).toEqual([]);
    expect(report.left.map(({ path, why }) => [path, why.slice(0, 40)])).toEqual([
      ["output/1.txt", "it was changed since Millrace wrote it"],
      ["output/2.txt", "it was accepted as it was found: Millrac"],
      ["output/3.txt", expect.stringMatching(/^it cannot be looked at/)],
    ]);
    expect(rig.text("output/1.txt")).toBe("edited");
    expect(rig.text("output/2.txt")).toBe("accepted");
    expect(rig.trashed()).toEqual([]);
    expect(Object.keys(rig.manifest("1").states)).toContain("output/{id}.txt");
  });

  test("are not what a stage of today matches under another name", async () => {
    const rig = await made();
    await rig.redefine([shorter(source("mine", "output/{name}.txt"))]);
    await rig.quiet();
    const report = await clean(rig);
    expect(report.dead).toEqual([]);
    expect(report.left).toMatchObject([
      { path: "output/1.txt", why: "it matches the pattern of echo#mine now" },
      { path: "output/2.txt" },
    ]);
    expect(rig.text("output/1.txt")).toBe("out(A)");
  });

  test("are not what lies in a folder state of today", async () => {
    const rig = await made();
    await rig.redefine([shorter(source("all", "output/"))]);
    await rig.quiet();
    expect(paths((await clean(rig)).left)).toEqual(["output/1.txt", "output/2.txt"]);
    expect(rig.text("output/1.txt")).toBe("out(A)");
  });

  test("are not those of a pipeline that is switched off", async () => {
    const rig = await made();
    await rig.redefine([]);
    await rig.quiet();
    const off = loaded({ ...echo(), enabled: false }, "pipelines/0.json");
    expect(await clean(rig, true, [off])).toMatchObject({ dead: [], records: 0, left: [] });
    expect(paths((await clean(rig, true, [])).dead)).toEqual([
      "output/1.txt",
      "output/2.txt",
      "upper/1.txt",
      "upper/2.txt",
    ]);
  });
});

describe("records of stages that are gone", () => {
  test("go without their files: sources are never touched, and an empty manifest goes, too", async () => {
    const rig = await made();
    await rig.redefine([]);
    const report = await clean(rig);
    expect(report.records).toBe(2);
    expect(rig.files()).toEqual({ "input/1.txt": "a", "input/2.txt": "b" });
    expect(rig.own("manifests")).toEqual([]);
  });

  test("go when their product is gone already, and when it was chosen to make none, and their failures", async () => {
    const rig = new EngineRig([echo({ second: "skip:A" })]);
    for (const [id, text] of Object.entries({ 1: "a", 2: "b", 3: "c" })) rig.put(`input/${id}.txt`, text);
    rig.scripts.set("output@3", () => {
      throw new ScriptedFailure("no");
    });
    await rig.start();
    await rig.redefine([shorter()]);
    rig.remove("output/2.txt");
    await rig.quiet();
    expect(await clean(rig)).toMatchObject({ dead: [], records: 3, left: [] });
    for (const id of ["1", "2", "3"]) {
      expect(Object.keys(rig.manifest(id).states)).not.toContain("output/{id}.txt");
      expect(Object.keys(rig.manifest(id).failures)).toEqual([]);
    }
  });
});

describe("nothing is cleaned", () => {
  test("while a definition has an error: a stage that does not load might own them", async () => {
    const rig = await made();
    const fault = problem("M202", 'the key "patern" is not known', "write pattern");
    await rig.root.replaceDefinitions([loaded(shorter(), "pipelines/0.json")], [fault]).catch(() => {});
    const answer = await control(rig).clean({ remove: true });
    expect(answer).toMatchObject({ ok: false, problems: [{ code: "M202" }, { code: "M142" }] });
    expect(rig.text("output/1.txt")).toBe("out(A)");
  });

  test("while the root is away: what is not there now may come back", async () => {
    const rig = await made();
    await rig.redefine([shorter()]);
    rig.root.pauses.set("away", problem("M512", "the root is away", "mount it"));
    expect(await control(rig).clean({ remove: true })).toMatchObject({ ok: false, problems: [{ code: "M512" }] });
  });

  test("that the disk refuses to move: it is left, its record stays, and a second go works", async () => {
    const rig = await made({ "input/1.txt": "a" });
    await rig.redefine([shorter()]);
    rig.disk.onOperation = (operation) => {
      if (operation === "rename") throw Object.assign(new Error("EROFS: read-only"), { code: "EROFS" });
    };
    expect((await clean(rig)).left).toEqual([{ root: "state/", path: "output/1.txt", why: "EROFS: read-only" }]);
    rig.disk.onOperation = undefined;
    expect(paths((await clean(rig)).dead)).toEqual(["output/1.txt"]);
  });
});

test("a stage of the same pattern under another id owns what is there", async () => {
  const rig = await made();
  await rig.redefine([shorter(stage("final", "upper", "output/{id}.txt", "wrap:out"))]);
  await rig.quiet();
  expect(await clean(rig)).toMatchObject({ dead: [], records: 0, left: [] });
});
