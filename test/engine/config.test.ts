import { describe, expect, test } from "vitest";
import { problem } from "../../src/core/model/problem.ts";
import type { Result } from "../../src/core/model/result.ts";
import { loadProject, reloadProject, type Project, type ProjectSources } from "../../src/engine/config.ts";
import type { FileStat } from "../../src/ports.ts";
import { NODE_TYPES } from "../support/definitions.ts";

/** A project of texts (and of values, for what code exports) by name in `pipelines/`. */
class FakeProject implements ProjectSources {
  readonly projectFolder = "/project";
  readonly nodeTypes = NODE_TYPES;
  readonly #files = new Map<string, string | Uint8Array>();
  readonly #exports = new Map<string, Result<unknown>>();
  /** Links of folders: from here to there. */
  readonly links = new Map<string, string>();
  readonly folders = new Set<string>();
  hasFolder = true;

  put(name: string, definition: unknown): this {
    this.#files.set(
      name,
      typeof definition === "string" || definition instanceof Uint8Array
        ? definition
        : JSON.stringify(definition, undefined, 2),
    );
    return this;
  }
  putCode(name: string, exported: Result<unknown>, text = ""): this {
    this.#exports.set(`/project/pipelines/${name}`, exported);
    return this.put(name, text);
  }
  remove(name: string): void {
    this.#files.delete(name);
  }

  readonly disk: ProjectSources["disk"] = {
    list: (path) =>
      this.hasFolder && path === "/project/pipelines"
        ? [...this.#files.keys(), ...this.folders].toReversed()
        : undefined,
    stat: (path) => ({ ...STAT, kind: this.folders.has(path.slice("/project/pipelines/".length)) ? "folder" : "file" }),
    read: (path) => {
      const content = this.#files.get(path.slice("/project/pipelines/".length));
      if (content === "EACCES") throw new Error("EACCES: permission denied");
      return typeof content === "string" ? new TextEncoder().encode(content) : content;
    },
  };
  importDefinition(file: string): Promise<Result<unknown>> {
    return Promise.resolve(this.#exports.get(file) ?? { ok: false, problems: [] });
  }
  realpath(path: string): string | undefined {
    return this.links.get(path) ?? (["/", "/project", "/disk"].includes(path) ? path : undefined);
  }
}
const STAT: FileStat = { kind: "file", size: 0, mtimeMs: 0, ctimeMs: 0, ino: 0, dev: 0 };

/** A pipeline that copies from one folder to another. */
const copies = (from: string, to: string, more: object = {}) => ({
  ...more,
  stages: [
    { id: "in", type: "source", pattern: `${from}/{id}` },
    { id: "out", type: "transform", input: "in", pattern: `${to}/{id}` },
  ],
});
const names = (project: Project) => project.pipelines.map(({ name }) => name);
const codes = (project: Project) => project.problems.map((p) => p.code);
const newCodes = (project: Project) => project.newProblems.map((p) => p.code);
/** Where the pipelines that run write. */
const outputs = (project: Project) => project.pipelines.map(({ stages }) => stages.at(-1)?.pattern.text);

describe("loading a project", () => {
  test("definitions are the files directly in pipelines/, in a stable order", async () => {
    const sources = new FakeProject()
      .put("b.json", copies("b", "b2"))
      .put("a.jsonc", "// a comment\n" + JSON.stringify(copies("a", "a2")))
      .put(".hidden.json", "no")
      .put("types.d.ts", "no")
      .put("README.md", "no")
      .putCode("c.ts", { ok: true, value: copies("c", "c2") })
      .putCode("d.mjs", { ok: true, value: copies("d", "d2") })
      .putCode("e.js", { ok: true, value: copies("e", "e2") });
    sources.folders.add("nodes").add("folder.json");
    const project = await loadProject(sources);
    expect(project.problems).toEqual([]);
    expect(names(project)).toEqual(["a", "b", "c", "d", "e"]);
    expect(project.files.map(({ file, path }) => [file, path])[0]).toEqual([
      "pipelines/a.jsonc",
      "/project/pipelines/a.jsonc",
    ]);
  });

  test("a bad file leaves its problems and does not hide the others", async () => {
    const failure = problem("M216", "it does not compile", "correct it");
    const sources = new FakeProject()
      .put("a.json", "{ oops")
      .put("b.json", copies("b", "b2"))
      .putCode("c.ts", { ok: false, problems: [failure] })
      .put("d.json", "EACCES")
      .put("e.json", new Uint8Array([123, 0xff, 125]));
    const project = await loadProject(sources);
    expect(names(project)).toEqual(["b"]);
    expect(new Set(project.problems.map((p) => p.place?.file ?? p.message))).toEqual(
      new Set([
        "pipelines/a.json",
        "it does not compile",
        '"pipelines/d.json" cannot be read: EACCES: permission denied',
        '"pipelines/e.json" is not UTF-8 text',
      ]),
    );
    expect(project.newProblems).toEqual(project.problems);
  });

  test("without a pipelines folder there is one problem", async () => {
    const sources = new FakeProject();
    sources.hasFolder = false;
    const project = await loadProject(sources);
    expect(project.problems).toMatchObject([{ code: "M215", message: 'there is no folder "pipelines" in "/project"' }]);
    expect(project.pipelines).toEqual([]);
  });

  test("an empty pipelines folder is one problem, too", async () => {
    const project = await loadProject(new FakeProject());
    expect(project.problems).toMatchObject([
      { code: "M215", message: 'there is no definition in the folder "pipelines"' },
    ]);
    expect(project.newProblems).toEqual(project.problems);
  });

  test("a disabled pipeline is checked and marked", async () => {
    const sources = new FakeProject()
      .put("a.json", copies("a", "b", { enabled: false }))
      .put("b.json", { enabled: false, stages: [] });
    const project = await loadProject(sources);
    expect(project.pipelines.map(({ name, enabled }) => [name, enabled])).toEqual([["a", false]]);
    expect(codes(project)).toEqual(["M203"]);
  });

  test("of definitions that contradict each other the first counts, and the contradiction is told", async () => {
    const project = await loadProject(
      new FakeProject().put("a.json", copies("a", "out")).put("b.json", copies("b", "out")),
    );
    expect(codes(project)).toEqual(["M211"]);
    expect(project.pipelines.map(({ name }) => name)).toEqual(["a"]);
  });

  test("a pipeline that feeds itself never runs", async () => {
    const stages = [
      { id: "in", type: "source", pattern: "in/{id}.txt" },
      { id: "out", type: "transform", input: "in", pattern: "in/{id}.txt.txt" },
    ];
    const project = await loadProject(new FakeProject().put("a.json", { stages }));
    expect([codes(project), project.pipelines]).toEqual([["M210"], []]);
  });

  test("pipelines are grouped by the real path of their root", async () => {
    const sources = new FakeProject()
      .put("a.json", copies("a", "a2", { stateRoot: "state/" }))
      .put("b.json", copies("b", "b2", { stateRoot: "./link" }))
      .put("c.json", copies("c", "c2", { stateRoot: "/disk/other" }));
    sources.links.set("/project/link", "/project/state");
    const project = await loadProject(sources);
    expect(project.problems).toEqual([]);
    expect(project.roots.map(({ root, pipelines }) => [root, pipelines.map(({ name }) => name)])).toEqual([
      ["/project/state", ["a", "b"]],
      ["/disk/other", ["c"]],
    ]);
  });

  test("roots inside one another are found through links", async () => {
    const sources = new FakeProject()
      .put("a.json", copies("a", "a2"))
      .put("b.json", copies("b", "b2", { stateRoot: "link/inner" }));
    sources.links.set("/project/link", "/project/state");
    expect(codes(await loadProject(sources))).toEqual(["M214"]);
  });

  test("node types may come from a function, called for the first definition only", async () => {
    let calls = 0;
    const nodeTypes = () => (calls++, Promise.resolve(NODE_TYPES));
    const sources = Object.assign(new FakeProject(), { nodeTypes });
    await loadProject(sources);
    expect(calls).toBe(0);
    expect(names(await loadProject(sources.put("a.json", copies("a", "b"))))).toEqual(["a"]);
    expect(calls).toBeGreaterThan(0);
  });
});

describe("reloading a project", () => {
  test("takes over what changed, what is new and what is gone", async () => {
    const sources = new FakeProject().put("a.json", copies("a", "x")).put("b.json", copies("b", "y"));
    const before = await loadProject(sources);
    sources.put("a.json", copies("a", "x2")).put("c.json", copies("c", "z")).remove("b.json");
    const after = await reloadProject(before, sources);
    expect(outputs(after)).toEqual(["x2/{id}", "z/{id}"]);
    expect(after.problems).toEqual([]);
  });

  test("keeps the very object of what did not change", async () => {
    const sources = new FakeProject()
      .put("a.json", copies("a", "x"))
      .putCode("b.ts", { ok: true, value: copies("b", "y") });
    const before = await loadProject(sources);
    const after = await reloadProject(before, sources);
    expect(after.pipelines[0]).toBe(before.pipelines[0]);
    expect(after.pipelines[1]).toBe(before.pipelines[1]);
  });

  test("notices code whose imports changed", async () => {
    const sources = new FakeProject().putCode("b.ts", { ok: true, value: copies("b", "y") });
    const before = await loadProject(sources);
    sources.putCode("b.ts", { ok: true, value: copies("b", "y2") });
    expect(outputs(await reloadProject(before, sources))).toEqual(["y2/{id}"]);
  });

  test.each<[string, (sources: FakeProject) => void]>([
    ["that does not parse", (sources) => sources.put("a.json", "{ oops")],
    ["that is wrong", (sources) => sources.put("a.json", { stages: [] })],
    ["that cannot be read", (sources) => sources.put("a.json", "EACCES")],
  ])("an edit %s keeps the last good version and is told once", async (_, edit) => {
    const sources = new FakeProject().put("a.json", copies("a", "x")).put("b.json", copies("b", "y"));
    const good = await loadProject(sources);
    edit(sources);
    const bad = await reloadProject(good, sources);
    expect(outputs(bad)).toEqual(["x/{id}", "y/{id}"]);
    expect(bad.newProblems.length).toBeGreaterThan(0);
    const again = await reloadProject(bad, sources.put("b.json", copies("b", "y2")));
    expect(outputs(again)).toEqual(["x/{id}", "y2/{id}"]);
    expect(again.problems).toEqual(bad.problems);
    expect(again.newProblems).toEqual([]);
    const repaired = await reloadProject(again, sources.put("a.json", copies("a", "x3")));
    expect(outputs(repaired)).toEqual(["x3/{id}", "y2/{id}"]);
    expect(repaired.problems).toEqual([]);
  });

  test("a broken version of code is told once too", async () => {
    const sources = new FakeProject().putCode("a.ts", { ok: true, value: copies("a", "x") });
    const good = await loadProject(sources);
    sources.putCode("a.ts", { ok: false, problems: [problem("M216", "it does not compile", "correct it")] });
    const bad = await reloadProject(good, sources);
    expect([outputs(bad), newCodes(bad)]).toEqual([["x/{id}"], ["M216"]]);
    expect(newCodes(await reloadProject(bad, sources))).toEqual([]);
  });

  test("an edit that contradicts another definition keeps the last good version, until the other makes room", async () => {
    const sources = new FakeProject().put("a.json", copies("a", "x")).put("b.json", copies("b", "y"));
    const good = await loadProject(sources);
    const bad = await reloadProject(good, sources.put("b.json", copies("b", "x")));
    expect([outputs(bad), newCodes(bad)]).toEqual([["x/{id}", "y/{id}"], ["M211"]]);
    const again = await reloadProject(bad, sources);
    expect([outputs(again), codes(again), newCodes(again)]).toEqual([["x/{id}", "y/{id}"], ["M211"], []]);
    const room = await reloadProject(again, sources.put("a.json", copies("a", "z")));
    expect([outputs(room), codes(room)]).toEqual([["z/{id}", "x/{id}"], []]);
  });

  test("only the edit that contradicts is held back", async () => {
    const sources = new FakeProject()
      .put("a.json", copies("a", "x"))
      .put("b.json", copies("b", "y"))
      .put("c.json", copies("c", "z"));
    const good = await loadProject(sources);
    const bad = await reloadProject(
      good,
      sources.put("b.json", copies("b", "x")).put("c.json", copies("c", "z2")).put("d.json", copies("d", "x")),
    );
    expect(outputs(bad)).toEqual(["x/{id}", "y/{id}", "z2/{id}"]);
  });

  test("two edits that change places are taken over together", async () => {
    const sources = new FakeProject().put("a.json", copies("a", "x")).put("b.json", copies("b", "y"));
    const good = await loadProject(sources);
    const swapped = await reloadProject(good, sources.put("a.json", copies("a", "y")).put("b.json", copies("b", "x")));
    expect([outputs(swapped), codes(swapped)]).toEqual([["y/{id}", "x/{id}"], []]);
  });

  test("a pipelines folder that is gone stops nothing and is told once", async () => {
    const sources = new FakeProject().put("a.json", copies("a", "x"));
    const good = await loadProject(sources);
    sources.hasFolder = false;
    const gone = await reloadProject(good, sources);
    expect([outputs(gone), newCodes(gone)]).toEqual([["x/{id}"], ["M215"]]);
    const still = await reloadProject(gone, sources);
    expect([outputs(still), codes(still), newCodes(still)]).toEqual([["x/{id}"], ["M215"], []]);
    sources.hasFolder = true;
    expect(codes(await reloadProject(still, sources))).toEqual([]);
  });
});
