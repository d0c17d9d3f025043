import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { compileModule } from "../../../src/adapters/execute/code/compiled.ts";
import { createModuleNode } from "../../../src/adapters/execute/nodes/module.ts";
import { listProcesses } from "../../../src/adapters/execute/process/listing.ts";
import { ProcessTrees } from "../../../src/adapters/execute/process/trees.ts";
import { attempt, TestProject, type Attempted, type AttemptOptions } from "../../support/single-attempt.ts";

const hostUrl = new URL("../../../src/adapters/execute/module/host.ts", import.meta.url);
const trees = new ProcessTrees();
const node = createModuleNode({ trees, hostUrl });
let project: TestProject;
beforeEach(() => {
  project = new TestProject();
});
afterEach(() => project[Symbol.dispose]());
afterAll(async () => {
  await node.close?.();
  await trees.close();
});

async function runCode(code: string, options: Partial<AttemptOptions> = {}): Promise<Attempted> {
  const entry = project.write("pipelines/nodes/n.ts", code);
  const compiled = await compileModule({ entry, pipelinesFolder: project.pipelines, cacheFolder: project.cache });
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  const data = { path: "nodes/n.ts", ...options.data };
  return attempt(node, project, { ...options, data, module: compiled.value.path });
}

describe("what a module returns", () => {
  test.each([
    ["a string", `() => "text"`, "text"],
    ["bytes", `() => new Uint8Array([104, 105])`, "hi"],
    ["a buffer", `() => new TextEncoder().encode("hi").buffer`, "hi"],
    ["an object", `() => ({ a: [1] })`, '{\n  "a": [\n    1\n  ]\n}\n'],
    ["an array", `() => [1]`, "[\n  1\n]\n"],
    ["null", `() => null`, "null\n"],
    ["a promise", `async () => "later"`, "later"],
    ["an async generator", `async function* () { yield "a"; yield new Uint8Array([98]); }`, "ab"],
    ["a generator", `function* () { yield "a"; yield "b"; }`, "ab"],
    ["a web stream", `() => new Blob(["web"]).stream()`, "web"],
    ["a response", `() => new Response("body")`, "body"],
    ["the empty string", `() => ""`, ""],
    [
      "a filled path",
      `async ({ output }) => { await (await import("node:fs/promises")).writeFile(output.path, "f"); }`,
      "f",
    ],
  ])("%s becomes the output", async (_what, code, expected) => {
    const { result, output } = await runCode(`export default ${code};`);
    expect(result).toEqual({ kind: "produced" });
    expect(output).toBe(expected);
  });

  test.each([
    ["nothing", `() => {}`, "returned nothing and did not write output.path"],
    ["a function", `() => () => 1`, "a function, which cannot be written"],
    ["a circle", `() => { const a = {}; a.a = a; return a; }`, "cannot be written as JSON"],
    ["a stream of numbers", `function* () { yield 1; }`, "a number in it"],
    [
      "a value beside a filled path",
      `async ({ output }) => { (await import("node:fs")).writeFileSync(output.path, "f"); return "v"; }`,
      "returned a value too",
    ],
  ])("%s is a failure that says so", async (_what, code, message) => {
    const { result } = await runCode(`export default ${code};`);
    expect(result).toMatchObject({ kind: "failed", category: "node", error: expect.stringContaining(message) });
  });

  test("a folder pattern gets an existing folder to fill", async () => {
    const code = `import { writeFileSync } from "node:fs"; export default ({ output }) => writeFileSync(output.path + "/a", "1");`;
    const { result } = await runCode(code, { outputPath: "pages/001/" });
    expect(result).toEqual({ kind: "produced" });
  });

  test("a folder that stays empty, and a value for a folder, are failures", async () => {
    const empty = await runCode(`export default () => {};`, { outputPath: "pages/001/" });
    expect(empty.result).toMatchObject({ error: expect.stringContaining("wrote nothing into the folder") });
    const value = await runCode(`export default () => "x";`, { outputPath: "pages/001/" });
    expect(value.result).toMatchObject({ error: expect.stringContaining("the output is a folder") });
  });
});

describe("what a module gets", () => {
  test("one object with the entity, its inputs, params and the rest", async () => {
    const code = `export default (c: any) => ({ ...c, output: typeof c.output.path, signal: c.signal.aborted, same: c.input === c.inputs.input,
      text: c.input.text(), bytes: c.input.bytes().length, json: c.input.json(), input: { ...c.input, path: c.input.path.startsWith("/") }, inputs: Object.keys(c.inputs) });`;
    const { output } = await runCode(code, {
      input: '{"a":1}',
      inputPath: "in/001.json",
      data: { params: { mark: "!" } },
    });
    expect(JSON.parse(output ?? "")).toEqual({
      entity: { id: "001", vars: { id: "001" } },
      input: {
        id: "001",
        vars: { id: "001" },
        path: true,
        relPath: "in/001.json",
        hash: expect.any(String),
        size: 7,
        content: { a: 1 },
      },
      inputs: ["input"],
      same: true,
      text: '{"a":1}',
      json: { a: 1 },
      bytes: 7,
      params: { mark: "!" },
      signal: false,
      attempt: 1,
      idempotencyKey: "key-1",
      output: "string",
    });
  });

  test("what it prints and logs is in the log, in order", async () => {
    const code = `export default ({ log }) => { console.log("one"); log("two", { a: 1 }); console.error("three"); process.stdout.write("four\\n"); return ""; };`;
    expect((await runCode(code)).log).toBe("one\ntwo { a: 1 }\nthree\nfour\n");
  });

  test("another export can be named", async () => {
    const { output } = await runCode(`export const loud = ({ input }) => input.content.toUpperCase();`, {
      data: { path: "nodes/n.ts", export: "loud" },
    });
    expect(output).toBe("HELLO");
  });
});

describe("what a module may do wrong", () => {
  test("an error names the user's file and line, not the compiled one", async () => {
    const { result, log } = await runCode(
      `interface A { b: string }\n\nexport default ({ input }): A => {\n  throw new TypeError("bad " + input.id);\n};`,
    );
    expect(result).toEqual({
      kind: "failed",
      category: "node",
      error: "TypeError: bad 001 (pipelines/nodes/n.ts:4:9)",
    });
    expect(log).toContain("pipelines/nodes/n.ts:4:9");
  });

  test.each([
    ["a rejected promise", `export default async () => { throw new Error("no"); };`, /^no \(pipelines/],
    ["a thrown text", `export default () => { throw "text"; };`, /^thrown: 'text'$/],
    ["an error at the top level", `throw new Error("top");\nexport default 1;`, /^top \(pipelines/],
    [
      "an error outside the call",
      `export default () => { setTimeout(() => { throw new Error("late"); }); return new Promise(() => {}); };`,
      /^late \(/,
    ],
    ["process.exit", `export default () => process.exit(3);`, /ended its process \(exit code 3\)/],
    [
      "a signal to itself",
      `export default () => { process.kill(process.pid, "SIGSEGV"); return new Promise(() => {}); };`,
      /SIGSEGV/,
    ],
  ])("%s costs the attempt", async (_what, code, error) => {
    expect((await runCode(code)).result).toMatchObject({
      kind: "failed",
      category: "node",
      error: expect.stringMatching(error),
    });
  });

  test("an export that is no function waits for an edit", async () => {
    expect((await runCode(`export default 5;`)).result).toEqual({
      kind: "failed",
      category: "definition",
      error: 'export "default" is no function, but a value of type number',
    });
  });

  test.each([
    ["arrays", "const a = []; for (;;) a.push(new Array(1e6).fill(1));"],
    ["a map, which aborts a whole process", "const m = new Map(); for (let i = 0; ; i++) m.set(i, {});"],
  ])(
    "memory filled with %s costs the attempt",
    async (_what, code) => {
      const { result } = await runCode(`export default () => { ${code} };`);
      expect(result).toMatchObject({
        kind: "failed",
        error: expect.stringContaining("ran out of memory: it may use 512 MB"),
      });
    },
    60_000,
  );

  test("an endless loop ends when the attempt is stopped, and nothing of it is left", async () => {
    const stop = new AbortController();
    const started = Promise.withResolvers<string>();
    const code = `export default () => { console.log(process.pid); for (;;); };`;
    const running = runCode(code, { signal: stop.signal, onLog: started.resolve });
    const pid = Number(await started.promise);
    stop.abort("timeout");
    expect((await running).result.kind).toBe("failed");
    expect(listProcesses().map((row) => row.pid)).not.toContain(pid);
  });

  test("a function is told before it is stopped", async () => {
    const stop = new AbortController();
    const code = `export default ({ signal }) => new Promise((done) => { signal.addEventListener("abort", () => { console.log("told"); done(""); }); console.log("ready"); });`;
    const running = runCode(code, { signal: stop.signal, onLog: () => stop.abort("cancelled") });
    expect((await running).log).toBe("ready\ntold\n");
  });
});

test("attempts one after the other share a process, attempts at one time do not", async () => {
  const code = `export default async ({ input }) => { await new Promise((r) => setTimeout(r, input.content === "slow" ? 50 : 0)); return String(process.pid); };`;
  const first = await runCode(code);
  const second = await runCode(code);
  expect(second.output).toBe(first.output);
  const [a, b] = await Promise.all([runCode(code, { input: "slow" }), runCode(code, { input: "slow" })]);
  expect(a.output).not.toBe(b.output);
});

test("close leaves no process", async () => {
  const mine = new ProcessTrees();
  const own = createModuleNode({ trees: mine, hostUrl });
  const entry = project.write("pipelines/nodes/n.ts", `export default () => String(process.pid);`);
  const compiled = await compileModule({ entry, pipelinesFolder: project.pipelines, cacheFolder: project.cache });
  const module = compiled.ok ? compiled.value.path : "";
  const { output } = await attempt(own, project, { data: { path: "nodes/n.ts" }, module });
  expect(listProcesses().map((row) => row.pid)).toContain(Number(output));
  await own.close?.();
  await mine.close();
  expect(listProcesses().map((row) => row.pid)).not.toContain(Number(output));
});
