import { cpSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { importDefinition } from "../../../src/adapters/execute/code/definition.ts";
import { inspectCode } from "../../../src/adapters/execute/code/inspect.ts";
import { createNodeTypes } from "../../../src/adapters/execute/nodes/registry.ts";
import { renderProblem } from "../../../src/core/model/problem.ts";
import type { InspectRequest, NodeCode } from "../../../src/ports.ts";
import { attempt, PLACE, TestProject } from "../../support/single-attempt.ts";

const types = createNodeTypes(new URL("../../../src/adapters/execute/module/host.ts", import.meta.url));
let project: TestProject;
beforeEach(() => {
  project = new TestProject();
});
afterEach(() => project[Symbol.dispose]());
afterAll(async () => {
  for (const type of types.values()) await type.close?.();
});

async function inspect(request: InspectRequest): Promise<NodeCode> {
  const result = await inspectCode(request, types);
  if (!result.ok) throw new Error(result.problems.map(renderProblem).join("\n"));
  return result.value;
}
async function problemsOf(request: InspectRequest): Promise<string[]> {
  const result = await inspectCode(request, types);
  return result.ok ? [] : result.problems.map(renderProblem);
}
const MODULE = { path: "nodes/a.ts" };
function writeChain(deep = "x + 1"): void {
  project.write(
    "pipelines/nodes/a.ts",
    `import { b } from "./lib/b.ts";\nexport default () => b(1);\nexport const other = () => 2;\n`,
  );
  project.write(
    "pipelines/nodes/lib/b.ts",
    `import { c } from "./c.js";\nexport const b = (x: number): number => c(x);\n`,
  );
  project.write(
    "pipelines/nodes/lib/c.js",
    `import { d } from "../../../shared/d.ts";\nexport const c = (x) => d(x);\n`,
  );
  project.write("shared/d.ts", `export function d(x: number): number {\n  return ${deep};\n}\n`);
}

describe("the code hash of a module", () => {
  test.each([
    ["a comment", "// hello\n", ""],
    ["formatting", "\n\n   ", "\n"],
    ["a type", "type Unused = string;\n", ""],
  ])("does not change with %s", async (_what, before, after) => {
    writeChain();
    const first = await inspect(project.inspect("module", MODULE));
    project.write("shared/d.ts", `${before}export function d( x: number ): number {${after} return x + 1 }`);
    expect((await inspect(project.inspect("module", MODULE))).codeHash).toBe(first.codeHash);
  });

  test("changes with code three imports deep, and every file of the chain is named", async () => {
    writeChain();
    const first = await inspect(project.inspect("module", MODULE));
    expect(first.files).toEqual(
      ["pipelines/nodes/a.ts", "pipelines/nodes/lib/b.ts", "pipelines/nodes/lib/c.js", "shared/d.ts"].map((file) =>
        join(project.folder, file),
      ),
    );
    writeChain("x + 2");
    expect((await inspect(project.inspect("module", MODULE))).codeHash).not.toBe(first.codeHash);
  });

  test("changes with the export and not with params, which have their own hash", async () => {
    writeChain();
    const first = await inspect(project.inspect("module", { ...MODULE, params: { a: 1, b: 2 } }));
    const params = await inspect(project.inspect("module", { ...MODULE, params: { a: 1, b: 3 } }));
    const order = await inspect(project.inspect("module", { ...MODULE, params: { b: 2, a: 1 } }));
    const other = await inspect(project.inspect("module", { ...MODULE, export: "other", params: { a: 1, b: 2 } }));
    expect(params.codeHash).toBe(first.codeHash);
    expect(params.paramsHash).not.toBe(first.paramsHash);
    expect(order.paramsHash).toBe(first.paramsHash);
    expect(other.codeHash).not.toBe(first.codeHash);
    expect(other.paramsHash).toBe(first.paramsHash);
  });

  test("stays when the project moves, and the moved one runs its own files", async () => {
    project.write(
      "pipelines/nodes/a.ts",
      `export default () => import.meta.url + " " + import.meta.dirname + " import.meta.url";`,
    );
    const first = await inspect(project.inspect("module", MODULE));
    using moved = new TestProject();
    cpSync(project.folder, moved.folder, { recursive: true });
    const second = await inspect(moved.inspect("module", MODULE));
    expect(second.codeHash).toBe(first.codeHash);
    const node = types.get("module");
    if (node?.lane !== "single") throw new Error("no module type");
    const { output } = await attempt(node, moved, { data: MODULE, module: second.modules["node"] ?? "" });
    expect(output).toBe(`file://${moved.pipelines}/nodes/a.ts ${moved.pipelines}/nodes import.meta.url`);
  });

  test("stays valid without compiling anew while the files have the recorded bytes", async () => {
    writeChain();
    const first = await inspect(project.inspect("module", MODULE));
    const record = readdirSync(project.cache).find((name) => name.endsWith(".module.json")) ?? "";
    using copy = new TestProject();
    cpSync(project.folder, copy.folder, { recursive: true });
    const text = readFileSync(join(copy.cache, record), "utf8");
    // What an older bundler might have recorded for the same bytes.
    const hash = JSON.parse(text).codeHash as string;
    copy.write(join("state/.millrace/cache", record), text.replace(hash, "0123456789abcdef"));
    const kept = await inspect(copy.inspect("module", MODULE));
    expect(kept.codeHash).not.toBe(first.codeHash);
    copy.write("shared/d.ts", "// a comment\nexport function d(x: number): number { return x + 1; }");
    expect((await inspect(copy.inspect("module", MODULE))).codeHash).toBe(first.codeHash);
  });

  test("is found again when the cache was deleted or its record is damaged", async () => {
    writeChain();
    const first = await inspect(project.inspect("module", MODULE));
    rmSync(project.cache, { recursive: true });
    expect(await inspect(project.inspect("module", MODULE))).toEqual(first);
    for (const name of readdirSync(project.cache)) project.write(join("state/.millrace/cache", name), "{");
    using copy = new TestProject();
    cpSync(project.folder, copy.folder, { recursive: true });
    expect((await inspect(copy.inspect("module", MODULE))).codeHash).toBe(first.codeHash);
  });

  test("a deleted cache does not stop attempts that were inspected before", async () => {
    project.write("pipelines/nodes/a.ts", `export default () => "made";`);
    const { modules } = await inspect(project.inspect("module", MODULE));
    rmSync(project.cache, { recursive: true });
    const node = types.get("module");
    if (node?.lane !== "single") throw new Error("no module type");
    const { output } = await attempt(node, project, { data: MODULE, module: modules["node"] ?? "" });
    expect(output).toBe("made");
  });

  test("is worked out once for stages that ask at one time", async () => {
    writeChain();
    const codes = await Promise.all([1, 2, 3].map(() => inspect(project.inspect("module", MODULE))));
    expect(new Set(codes.map((code) => code.modules["node"])).size).toBe(1);
    expect(readdirSync(project.cache)).toHaveLength(2);
  });
});

describe("imported packages", () => {
  function install(version: string): void {
    project.write(
      "node_modules/left/package.json",
      JSON.stringify({ name: "left", version, exports: { import: "./index.mjs" } }),
    );
    project.write("node_modules/left/index.mjs", `export default (x) => "${version}:" + x;`);
    project.write(
      "pipelines/nodes/a.ts",
      `import left from "left";\nimport { defineNode } from "millrace";\nimport fs from "fs";\nexport default defineNode(({ input }) => left(input.content) + typeof fs.readFileSync);`,
    );
  }

  test("count as tools by their version, stay outside the bundle and run", async () => {
    install("1.0.0");
    const first = await inspect(project.inspect("module", MODULE));
    expect(Object.keys(first.toolHashes)).toEqual(["npm:left"]);
    const node = types.get("module");
    if (node?.lane !== "single") throw new Error("no module type");
    const { output } = await attempt(node, project, { data: MODULE, module: first.modules["node"] ?? "" });
    expect(output).toBe("1.0.0:hellofunction");
    install("1.0.1");
    const second = await inspect(project.inspect("module", MODULE));
    expect(second.codeHash).toBe(first.codeHash);
    expect(second.toolHashes).not.toEqual(first.toolHashes);
  });
});

describe("problems of a module", () => {
  test.each([
    [
      "a file that is missing",
      undefined,
      {},
      ["M310", 'node file "nodes/a.ts" does not exist', "pipelines/p.json:1:1"],
    ],
    [
      "code that does not compile",
      "const é = 1; let = ;",
      {},
      ["M311", "pipelines/nodes/a.ts:1:", "const é = 1; let = ;"],
    ],
    [
      "a local import that is missing",
      `\nimport "./gone.ts";`,
      {},
      ["M311", 'Could not resolve "./gone.ts"', "pipelines/nodes/a.ts:2:8"],
    ],
    [
      "a package that is missing",
      `import x from "no-such-package"; x();`,
      {},
      ["M313", '"no-such-package" cannot be resolved', "a.ts:1:15", "npm install"],
    ],
    ["no default export", "export const a = 1;", {}, ["M312", "no default export", "it exports: a"]],
    ["no such export", "export default 1;", { export: "b" }, ["M312", 'no export "b"', "it exports: default"]],
  ])("%s", async (_what, code, data, expected) => {
    if (code !== undefined) project.write("pipelines/nodes/a.ts", code);
    const [text = ""] = await problemsOf(project.inspect("module", { ...MODULE, ...data }));
    for (const part of expected) expect(text).toContain(part);
  });

  test("of all nodes of a stage come at once", async () => {
    const spec = (path: string): InspectRequest["node"] => ({ typeId: "module", data: { path }, place: PLACE });
    const request = project.inspect(
      "module",
      { path: "x.ts" },
      { then: spec("y.ts"), tools: { none: "no-such-tool --version" } },
    );
    expect((await problemsOf(request)).map((text) => text.slice(6, 10))).toEqual(["M310", "M310", "M314"]);
  });

  test("go away with the fault", async () => {
    project.write("pipelines/nodes/a.ts", "export default (");
    expect(await problemsOf(project.inspect("module", MODULE))).toHaveLength(1);
    project.write("pipelines/nodes/a.ts", "export default () => 1");
    expect(await problemsOf(project.inspect("module", MODULE))).toEqual([]);
  });
});

describe("other nodes", () => {
  test("their data is code, whatever the order of its keys", async () => {
    const one = await inspect(project.inspect("run_command", { command: "true", stdin: "none" }));
    const same = await inspect(project.inspect("run_command", { stdin: "none", command: "true" }));
    const other = await inspect(project.inspect("run_command", { command: "false", stdin: "none" }));
    expect(same).toEqual(one);
    expect(other.codeHash).not.toBe(one.codeHash);
    expect(other.paramsHash).toBe(one.paramsHash);
  });

  test.each([
    ["argv", { argv: ["python3", "pipelines/bin/x.py", "{input}"] }],
    ["a path from the pipelines folder", { argv: ["python3", "bin/x.py"] }],
    ["a shell line", { command: 'cat "$MILLRACE_INPUT" | python3 "pipelines/bin/x.py" --fast >/dev/null' }],
  ])("a script that a command names in %s counts by its content", async (_what, data) => {
    const script = project.write("pipelines/bin/x.py", "print(1)");
    const first = await inspect(project.inspect("run_command", data));
    expect(first.files).toEqual([script]);
    project.write("pipelines/bin/x.py", "print(2)");
    expect((await inspect(project.inspect("run_command", data))).codeHash).not.toBe(first.codeHash);
  });

  test("files of the state root that a command names do not count", async () => {
    project.write("state/input/list.txt", "a");
    expect((await inspect(project.inspect("run_command", { argv: ["cat", "state/input/list.txt"] }))).files).toEqual(
      [],
    );
  });

  test("words that cannot be file names are only words", async () => {
    const data = { argv: ["awk", "x".repeat(5000), "a\0b", "/", ""] };
    expect((await inspect(project.inspect("run_command", data))).files).toEqual([]);
  });

  test("then and else count", async () => {
    const spec = (command: string): InspectRequest["node"] => ({
      typeId: "run_command",
      data: { command },
      place: PLACE,
    });
    const request = (then: string, other: string): InspectRequest =>
      project.inspect("run_command", { command: "a" }, { then: spec(then), else: spec(other) });
    const hashes = new Set<string>();
    for (const [then, other] of [
      ["b", "c"],
      ["b", "d"],
      ["c", "b"],
    ] as const)
      hashes.add((await inspect(request(then, other))).codeHash);
    expect(hashes.size).toBe(3);
  });

  test("tools count by what their version command prints", async () => {
    project.write("version.txt", "1");
    const first = await inspect(project.inspect("run_command", { command: "a" }, { tools: { t: "cat version.txt" } }));
    const other = await inspect(project.inspect("run_command", { command: "a" }, { tools: { t: "echo 2" } }));
    expect(Object.keys(first.toolHashes)).toEqual(["t"]);
    expect(other.toolHashes).not.toEqual(first.toolHashes);
    const [text] = await problemsOf(
      project.inspect("run_command", { command: "a" }, { tools: { t: "echo broken >&2; exit 2" } }),
    );
    expect(text).toMatch(/M314 {2}version command "echo broken >&2; exit 2" of tool "t" exited with code 2[^]*broken/);
  });
});

describe("importDefinition", () => {
  test("gives the default export, fresh after each edit, local imports included", async () => {
    const path = project.write(
      "pipelines/p.ts",
      `import { definePipeline } from "millrace";\nimport { name } from "./lib/name.ts";\nexport default definePipeline({ name, stages: [] });`,
    );
    project.write("pipelines/lib/name.ts", `export const name: string = "one";`);
    expect(await importDefinition(path, project.cache)).toEqual({ ok: true, value: { name: "one", stages: [] } });
    project.write("pipelines/lib/name.ts", `export const name: string = "two";`);
    expect(await importDefinition(path, project.cache)).toEqual({ ok: true, value: { name: "two", stages: [] } });
  });

  test.each([
    ["export const a = 1;", "M312"],
    ["throw new Error('top');", "M317"],
    ["export default (", "M311"],
  ])("%j is problem %s", async (code, expected) => {
    const result = await importDefinition(project.write("pipelines/p.ts", code), project.cache);
    expect(result.ok ? [] : result.problems.map((one) => one.code)).toEqual([expected]);
  });
});
