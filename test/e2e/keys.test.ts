import { globSync, readFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { echo, moduleNode, newProject, type Project, shell, single, source, stage } from "../support/rig.ts";

const UPPER = "$.input.content.toUpperCase()";
const UP_LINE = `tr a-z A-Z < "$MILLRACE_INPUT"`;

/** Runs the project with files dropped into it; complains when the run does not end well. */
async function ran(project: Project, files: Record<string, string>): Promise<Project> {
  for (const [path, text] of Object.entries(files)) project.drop(path, text);
  const { code, stdout, stderr } = await project.run("run");
  expect(code, stdout + stderr).toBe(0);
  return project;
}

function set(...fields: [name: string, value: unknown][]): object {
  return { typeId: "set", data: { fields: fields.map(([name, value]) => ({ name, value })) } };
}

describe("pipeline keys", () => {
  test("`$schema`, `name`, `description`, `mode`, `version` and comments are taken; the name is what targets call it", async () => {
    const project = newProject();
    project.code(
      "anything.jsonc",
      `// a comment
       { "$schema": "../dist/pipeline.schema.json", "name": "loud", "description": "Makes it loud.", "mode": "workflow", "version": "2.1",
         "stages": [ /* inner */ { "id": "input", "type": "source", "pattern": "input/{id}.txt", "settle": 0, "name": "What comes", "description": "in" },
           { "id": "output", "type": "transform", "input": "input", "pattern": "output/{id}.txt", "name": "What goes", "description": "out",
             "node": { "typeId": "transform", "data": { "expression": "${UPPER}" } }, }, ], }`,
    );
    await ran(project, { "input/1.txt": "one" });
    expect(project.read("output/1.txt")).toBe("ONE");
    expect(await project.statuses("loud")).toEqual({ "output@1": "fresh" });
    expect(await project.statuses("loud#output")).toEqual({ "output@1": "fresh" });
  });

  test("without `name` it is called by the file's base name", async () => {
    const project = newProject();
    project.code("quiet.json", JSON.stringify({ ...single(UPPER), name: undefined }));
    await ran(project, { "input/1.txt": "one" });
    expect(await project.statuses("quiet#output")).toEqual({ "output@1": "fresh" });
  });

  test("`enabled: false` is checked and not run", async () => {
    const off = newProject({ ...single(UPPER), enabled: false });
    await ran(off, { "input/1.txt": "one" });
    expect(off.names("output")).toEqual([]);
    expect(off.names("input")).toEqual(["1.txt"]);
    off.define({ ...single(UPPER, { input: "no-such" }), enabled: false } as { name: string });
    const checked = await off.run("validate");
    expect(checked).toMatchObject({ code: 2, stderr: expect.stringContaining("no-such") });
  });

  test("`stateRoot` is another folder, and two pipelines in one project may have different ones", async () => {
    const project = newProject(single(UPPER), {
      ...single("$.input.content + '!'"),
      name: "elsewhere",
      stateRoot: "other/place",
    });
    project.drop("../other/place/input/1.txt", "there");
    await ran(project, { "input/1.txt": "here" });
    expect(project.files()).toMatchObject({ "output/1.txt": "HERE" });
    expect(project.read("../other/place/output/1.txt")).toBe("there!");
    expect(project.has("../other/place/.millrace")).toBe(true);
  });

  test("`start` takes all roots of a project or none", async () => {
    const project = newProject(single(UPPER), { ...single(UPPER), name: "elsewhere", stateRoot: "other" });
    const other = newProject({ ...single(UPPER), name: "alone", stateRoot: join(project.dir, "other") });
    const owner = await other.daemon();
    const refused = await project.launch().ended;
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain(String(owner.pid));
    // The first root is free again.
    await owner.stop();
    const daemon = await project.daemon();
    expect((await daemon.stop()).code).toBe(143);
  });

  test("a definition in TypeScript says the same", async () => {
    const project = newProject();
    project.code(
      "typed.ts",
      `import { definePipeline } from "millrace";
       import { shape } from "./lib/shape.ts";
       export default definePipeline({ stages: [
         { id: "input", type: "source", pattern: "input/{id}.txt", settle: 0 },
         { id: "output", type: "transform", input: "input", pattern: "output/{id}.txt", node: { typeId: "transform", data: { expression: shape } } } ] });`,
    );
    project.code("lib/shape.ts", `export const shape: string = ${JSON.stringify(UPPER)};`);
    await ran(project, { "input/1.txt": "one" });
    expect(project.read("output/1.txt")).toBe("ONE");
    expect(await project.statuses("typed#output")).toEqual({ "output@1": "fresh" });
  });
});

describe("keys of a source", () => {
  test.each<[string, object, Record<string, string>, string[]]>([
    ["minSize", { minSize: 3 }, { "input/a.txt": "ab", "input/b.txt": "abc" }, ["b.txt"]],
    [
      "minSize with a unit",
      { minSize: "1KB" },
      { "input/a.txt": "x".repeat(1023), "input/b.txt": "x".repeat(1024) },
      ["b.txt"],
    ],
    ["maxSize", { maxSize: 3 }, { "input/a.txt": "abcd", "input/b.txt": "abc" }, ["b.txt"]],
    ["both", { minSize: 1, maxSize: 1 }, { "input/a.txt": "", "input/b.txt": "b", "input/c.txt": "cc" }, ["b.txt"]],
    ["nothing", {}, { "input/a.txt": "" }, ["a.txt"]],
  ])("`filter` %s", async (_name, filter, files, outputs) => {
    const project = newProject({
      name: "filtered",
      stages: [source("input", "input/{id}.txt", { filter }), stage("output", "input", "output/{id}.txt")],
    });
    await ran(project, files);
    expect(project.names("output")).toEqual(outputs);
  });

  test("`filter` minFiles counts the files of a folder", async () => {
    const project = newProject({
      name: "folders",
      stages: [source("input", "input/{id}/", { filter: { minFiles: 2 } }), stage("output", "input", "output/{id}/")],
    });
    await ran(project, { "input/one/a": "1", "input/two/a": "1", "input/two/deep/b": "2" });
    expect(project.files("output")).toEqual({ "output/two/a": "1", "output/two/deep/b": "2" });
    await ran(project, { "input/one/b": "2" });
    expect(project.names("output")).toEqual(["one", "two"]);
  });

  test("`marker` waits for the done-file; the done-file is no input", async () => {
    const project = newProject({
      name: "marked",
      stages: [
        source("input", "input/{id}.txt", { marker: "input/{id}.done" }),
        stage("output", "input", "output/{id}.txt"),
      ],
    });
    project.drop("input/a.txt", "a");
    project.drop("input/b.txt", "b");
    project.drop("input/b.done", "");
    await project.run("run", "--settle-timeout", "1");
    expect(project.names("output")).toEqual(["b.txt"]);
    await ran(project, { "input/a.done": "" });
    expect(project.names("output")).toEqual(["a.txt", "b.txt"]);
  });
});

describe("nodes", () => {
  const one = (node: object | undefined, more: object = {}): Project => newProject(single(node, more));

  test("no node copies, and so does `copy`", async () => {
    expect((await ran(one(undefined), { "input/1.txt": "as it is" })).read("output/1.txt")).toBe("as it is");
    expect((await ran(one({ typeId: "copy" }), { "input/1.txt": "as it is" })).read("output/1.txt")).toBe("as it is");
  });

  test("`template` from the definition and from a file, whose edit is an edit of code", async () => {
    const inline = one({ typeId: "template", data: { template: "# {{$.entity.id}}\n{{$.input.content}}" } });
    expect((await ran(inline, { "input/1.txt": "x" })).read("output/1.txt")).toBe("# 1\nx");
    const file = one({ typeId: "template", data: { file: "texts/page.md" } });
    file.code("texts/page.md", "v1 {{$.input.size}}");
    expect((await ran(file, { "input/1.txt": "four" })).read("output/1.txt")).toBe("v1 4");
    file.code("texts/page.md", "v2 {{$.input.size}}");
    expect((await ran(file, {})).read("output/1.txt")).toBe("v2 4");
    expect((await file.attempts()).at(-1)).toMatchObject({ reasons: "code-changed" });
  });

  test("`if` with `then` and `else`; choosing nothing skips and takes an older output back", async () => {
    const chooses = newProject(
      single(
        { typeId: "if", data: { condition: "$.input.size > 3" } },
        {
          then: { typeId: "transform", data: { expression: UPPER } },
          else: { typeId: "template", data: { template: "short" } },
        },
      ),
    );
    await ran(chooses, { "input/long.txt": "a long one", "input/s.txt": "s" });
    expect(chooses.files("output")).toEqual({ "output/long.txt": "A LONG ONE", "output/s.txt": "short" });

    const skips = newProject(
      single({ typeId: "if", data: { condition: "$.input.size > 3" } }, { then: { typeId: "copy" } }),
    );
    await ran(skips, { "input/1.txt": "a long one" });
    expect(skips.names("output")).toEqual(["1.txt"]);
    await ran(skips, { "input/1.txt": "s" });
    expect(skips.names("output")).toEqual([]);
    expect(await skips.statuses()).toEqual({ "output@1": "skipped" });
    expect(skips.trashed()).toContain("a long one");
  });

  test("`run_command` by line and by argv", async () => {
    expect((await ran(one(shell(UP_LINE)), { "input/1.txt": "one" })).read("output/1.txt")).toBe("ONE");
    const argv = one({ typeId: "run_command", data: { argv: ["cp", "{input}", "{output}"] } });
    expect((await ran(argv, { "input/1.txt": "one" })).read("output/1.txt")).toBe("one");
    const stdin = one({ typeId: "run_command", data: { argv: ["sed", "s/one/two/"], stdin: "input" } });
    expect((await ran(stdin, { "input/1.txt": "one" })).read("output/1.txt")).toBe("two");
    const told = one({
      typeId: "run_command",
      data: {
        command: 'echo "$MILLRACE_ENTITY $MILLRACE_VAR_ID $MILLRACE_ATTEMPT $MORE $PWD"',
        env: { MORE: "more" },
        cwd: "pipelines",
      },
    });
    await ran(told, { "input/1.txt": "" });
    expect(told.read("output/1.txt")).toBe(`1 1 1 more ${told.dir}/pipelines\n`);
  });

  test("`http` asks and keeps the answer", async () => {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () =>
        response.end(JSON.stringify({ method: request.method, url: request.url, key: request.headers["x-key"], body })),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const asks = one({
      typeId: "http",
      data: {
        url: `http://127.0.0.1:${port}/e/{{$.entity.id}}`,
        query: { q: "{{$.input.content}}" },
        method: "PUT",
        headers: { "x-key": "{{$.input.size}}" },
        body: { text: "{{$.input.content}}" },
        as: "json",
      },
    });
    await ran(asks, { "input/1.txt": "a b" });
    expect(JSON.parse(asks.read("output/1.txt"))).toEqual({
      method: "PUT",
      url: "/e/1?q=a+b",
      key: "3",
      body: '{"text":"a b"}',
    });
  });

  test("`module` with `params` and `export`, whose change is told apart from code", async () => {
    const node = (mark: string): object => ({
      typeId: "module",
      data: { path: "nodes/shout.ts", params: { mark }, export: "shout" },
    });
    const project = one(node("!"));
    project.code(
      "nodes/shout.ts",
      "export const shout = ({ input, params }) => input.content.toUpperCase() + params.mark;",
    );
    expect((await ran(project, { "input/1.txt": "one" })).read("output/1.txt")).toBe("ONE!");
    project.define(single(node("?")));
    expect((await ran(project, {})).read("output/1.txt")).toBe("ONE?");
    expect((await project.attempts()).at(-1)).toMatchObject({ reasons: "params-changed" });
  });
});

describe("what a stage is made from", () => {
  const look = (alias: string): object => ({
    typeId: "transform",
    data: {
      expression: `({ alias: Object.keys($), content: [$.input.content, $[${JSON.stringify(alias)}].content] })`,
    },
  });

  test.each<[string, unknown, string]>([
    ["an id", "input", "input"],
    ["a list of one", ["input"], "input"],
    ["an alias", { text: "input" }, "text"],
    ["an alias with a stage", { text: { stage: "input" } }, "text"],
  ])("`input` as %s", async (_name, input, alias) => {
    const project = newProject({
      name: "inputs",
      stages: [
        source("input", "input/{id}.txt"),
        {
          id: "output",
          type: "transform",
          input,
          pattern: "output/{id}.json",
          node: look(alias),
        },
        { id: "module", type: "transform", input, pattern: "module/{id}.json", node: moduleNode("nodes/names.js") },
      ],
    });
    project.code(
      "nodes/names.js",
      "export default ({ input, inputs }) => ({ names: Object.keys(inputs), same: inputs[Object.keys(inputs)[0]].content === input.content });",
    );
    await ran(project, { "input/1.txt": "one" });
    expect(JSON.parse(project.read("output/1.json"))).toEqual({
      alias: [...new Set(["entity", alias, "input"])],
      content: ["one", "one"],
    });
    expect(JSON.parse(project.read("module/1.json"))).toEqual({ names: [alias], same: true });
  });

  test("expressions see the entity, every ancestor, facts of states, parsed JSON and the environment; an exact {{...}} keeps its type", async () => {
    const project = newProject({
      name: "sees",
      stages: [
        source("doc", "input/{region}/{day:date}.json"),
        stage("mid", "doc", "mid/{region}/{day:date}.json", "({ n: $.doc.content.n + 1 })"),
        {
          id: "end",
          type: "transform",
          input: { data: "mid" },
          pattern: "end/{day:date}-{region}.json",
          node: set(
            ["id", "{{$.entity.id}}"],
            ["vars", "{{$.entity.vars}}"],
            ["region", "{{$.entity.vars.region}}"],
            ["number", "{{$.data.content.n}}"],
            ["text", "n={{$.data.content.n}}"],
            ["far", "{{$.doc.content.n}}"],
            ["path", "{{$.input.path}}"],
            ["size", "{{$.input.size}}"],
            ["hash", "{{$.input.hash}}"],
            ["is", "{{$.input.content.n === $.data.content.n}}"],
            ["env", "{{$env.SEEN_BY_TEST}}"],
            ["none", "{{$env.NOT_SET_BY_TEST ?? null}}"],
            ["deep", { list: ["{{[1, 'a']}}", 2, true, null] }],
          ),
        },
      ],
    });
    project.drop("input/north/2026-02-28.json", '{ "n": 1 }');
    project.drop("input/north/2026-02-30.json", '{ "n": 1 }');
    const { code } = await project.start(["run"], { env: { SEEN_BY_TEST: "visible" } }).ended;
    expect(code).toBe(0);
    expect(project.names("end")).toEqual(["2026-02-28-north.json"]);
    expect(JSON.parse(project.read("end/2026-02-28-north.json"))).toEqual({
      id: "2026-02-28/north",
      vars: { day: "2026-02-28", region: "north" },
      region: "north",
      number: 2,
      text: "n=2",
      far: 1,
      path: "mid/north/2026-02-28.json",
      size: 13,
      hash: expect.stringMatching(/^[0-9a-f]{16}$/),
      is: true,
      env: "visible",
      none: null,
      deep: { list: [[1, "a"], 2, true, null] },
    });
  });

  test("variables with types take only what fits", async () => {
    const stages = (["int", "week", "slug", "uuid", "hex", "/[a-c]+x?/"] as const).flatMap((type, i) => [
      source(`in${i}`, `${i}/{v:${type}}.txt`),
      stage(`out${i}`, `in${i}`, `out${i}/{v:${type}}.txt`),
    ]);
    const project = newProject({ name: "types", stages });
    const good = ["42", "2026-W07", "a-slug-1", "123e4567-e89b-12d3-a456-426614174000", "c0ffee", "abcx"];
    const bad = ["4x", "2026-W60", "Not_A_Slug", "123e4567", "xyz", "abcd"];
    const files = (names: string[]) => Object.fromEntries(names.map((name, i) => [`${i}/${name}.txt`, name]));
    await ran(project, { ...files(good), ...files(bad) });
    expect(good.map((_, i) => project.names(`out${i}`))).toEqual(good.map((name) => [`${name}.txt`]));
  });

  test("`{name...}` matches across folders; folders come in and go out", async () => {
    const project = newProject({
      name: "deep",
      stages: [
        source("doc", "docs/{path...}.md"),
        stage("page", "doc", "site/{path...}.html", "'<p>' + $.doc.content + $.entity.vars.path"),
        source("album", "albums/{name}/"),
        stage("sheet", "album", "sheets/{name}/", moduleNode("nodes/sheet.js")),
        stage("size", "album", "sizes/{name}.txt", shell('ls "$MILLRACE_INPUT" | wc -l')),
        stage(
          "made",
          "album",
          "made/{name}/",
          shell('mkdir -p "$MILLRACE_OUTPUT/in" && cp "$MILLRACE_INPUT"/* "$MILLRACE_OUTPUT/in"'),
        ),
      ],
    });
    project.code(
      "nodes/sheet.js",
      `import { readdirSync, writeFileSync, mkdirSync } from "node:fs";
       export default ({ input, output }) => {
         mkdirSync(output.path, { recursive: true });
         for (const name of readdirSync(input.path)) writeFileSync(output.path + "/" + name + ".sheet", name.toUpperCase());
       };`,
    );
    await ran(project, { "docs/a.md": "A", "docs/deep/er/b.md": "B", "albums/one/x": "1", "albums/one/y": "2" });
    expect(project.files("site")).toEqual({ "site/a.html": "<p>Aa", "site/deep/er/b.html": "<p>Bdeep/er/b" });
    expect(project.files("sheets")).toEqual({ "sheets/one/x.sheet": "X", "sheets/one/y.sheet": "Y" });
    expect(project.files("made")).toEqual({ "made/one/in/x": "1", "made/one/in/y": "2" });
    expect(project.read("sizes/one.txt").trim()).toBe("2");
    await project.ran();
    await ran(project, { "albums/one/z": "3" });
    expect(project.names("sheets/one")).toEqual(["x.sheet", "y.sheet", "z.sheet"]);
  });
});

describe("checks of a result", () => {
  test.each<[string, object, string, string]>([
    ["minSize", { minSize: 3 }, "abc", "ab"],
    ["maxSize", { maxSize: "3B" }, "abc", "abcd"],
    ["json", { json: true }, '{"a":1}', "{a:1}"],
    ["matches", { matches: "^[a-c]+$" }, "abc", "abd"],
    ["matches, in the middle", { matches: "b" }, "abc", "ac"],
  ])(
    "`validation` %s: a wrong result is a failed attempt and the old output stays",
    async (_name, validation, good, bad) => {
      const project = newProject(single("$.input.content", { validation }));
      await ran(project, { "input/1.txt": good });
      project.drop("input/1.txt", bad);
      expect((await project.run("run")).code).toBe(1);
      expect(project.read("output/1.txt")).toBe(good);
      const { status, failure } = await project.task("output@1");
      expect(status).toBe("retrying");
      expect(failure!.error).toContain("the result");
    },
  );
});

describe("what counts as an input", () => {
  const SECRET = "s3cr3t-of-this-test";

  function everythingIn(folder: string): string {
    const files = globSync("**/*", { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1")).join("\n");
  }

  test.each<[string, object, object]>([
    ["declared", single(shell('test -n "$SECRET_OF_TEST" && echo ok'), { env: ["SECRET_OF_TEST"] }), {}],
    ["read by an expression", single("$env.SECRET_OF_TEST.length + ''"), {}],
  ])(
    "an environment variable that is %s makes stale by its value, and the value is stored nowhere",
    async (_name, definition) => {
      const project = newProject(definition);
      project.drop("input/1.txt", "one");
      const run = (value: string) => project.start(["run"], { env: { SECRET_OF_TEST: value } }).ended;
      expect((await run(SECRET)).code).toBe(0);
      expect((await run(SECRET)).stdout).toContain("nothing to do");
      expect((await run(`${SECRET}-2`)).code).toBe(0);
      expect((await project.attempts()).map(({ reasons }) => reasons)).toEqual(["output-missing", "env-changed"]);
      expect(everythingIn(project.at(".millrace"))).not.toContain(SECRET);
    },
  );

  test("a value that was read by `$env` is masked where an error or a log line would show it", async () => {
    const project = newProject(
      {
        ...single("(() => { throw new Error('refused for ' + $env.SECRET_OF_TEST) })()"),
        name: "throws",
      },
      {
        name: "declared",
        stages: [
          source("in", "input/{id}.txt"),
          stage("logs", "in", "logs/{id}.txt", moduleNode("nodes/logs.js"), { env: ["SECRET_OF_TEST"] }),
          stage("fails", "in", "fails/{id}.txt", shell('echo "no $SECRET_OF_TEST" >&2; exit 3'), {
            env: ["SECRET_OF_TEST"],
          }),
        ],
      },
    );
    project.code(
      "nodes/logs.js",
      "export default ({ log }) => { log('using ' + process.env.SECRET_OF_TEST); console.log(process.env.SECRET_OF_TEST); return 'done'; };",
    );
    project.drop("input/1.txt", "one");
    const how = { env: { SECRET_OF_TEST: SECRET } };
    const daemon = await project.daemon([], how);
    const seen = [await project.start(["run"], how).ended];
    for (const command of [
      ["status"],
      ["list"],
      ["history"],
      ["explain", "throws#output@1"],
      ["explain", "fails@1"],
      ["logs"],
      ["show", "1"],
    ])
      seen.push(await project.start(command, how).ended);
    const shown = seen.map(({ stdout, stderr }) => stdout + stderr).join("\n");
    expect(shown).toContain("refused for");
    expect(shown).not.toContain(SECRET);
    const { stdout, stderr } = await daemon.stop();
    expect(stdout + stderr).toContain("refused for");
    expect(stdout + stderr).not.toContain(SECRET);
    expect(everythingIn(project.at(".millrace"))).not.toContain(SECRET);
  });

  test("a changed version of a tool makes stale", async () => {
    const project = newProject(single(shell("echo made"), { tools: { teapot: "cat version.txt" } }));
    project.drop("../version.txt", "1.0");
    await ran(project, { "input/1.txt": "one" });
    expect((await project.run("run")).stdout).toContain("nothing to do");
    project.drop("../version.txt", "1.1");
    await ran(project, {});
    expect((await project.attempts()).map(({ reasons }) => reasons)).toEqual(["output-missing", "tool-changed"]);
  });

  test("`rerun`: a sink fires again for changed inputs, for changed code only with `always`", async () => {
    const sink = (id: string, line: string, more: object = {}): object => ({
      ...stage(id, "input", `${id}/{id}.txt`, shell(`echo ${line} >> '${project.dir}/${id}.effects'; echo done`), more),
      type: "sink",
    });
    const project = newProject();
    const define = (line: string): void =>
      project.define({
        name: "sinks",
        stages: [
          source("input", "input/{id}.txt"),
          sink("once", line),
          sink("changed", line, { rerun: "changed" }),
          sink("always", line, { rerun: "always" }),
        ],
      } as { name: string });
    const effects = (id: string): string => project.read(`../${id}.effects`).trim().replaceAll("\n", " ");
    define("first");
    await ran(project, { "input/1.txt": "one" });
    define("second");
    await ran(project, {});
    expect([effects("once"), effects("changed"), effects("always")]).toEqual(["first", "first", "first second"]);
    await ran(project, { "input/1.txt": "two" });
    expect([effects("once"), effects("changed"), effects("always")]).toEqual([
      "first second",
      "first second",
      "first second second",
    ]);
  });

  test("`onEdit` rebuild and keep", async () => {
    const project = newProject({
      name: "edits",
      stages: [
        source("input", "input/{id}.txt"),
        stage("rebuild", "input", "rebuild/{id}.txt", UPPER, { onEdit: "rebuild" }),
        stage("keep", "input", "keep/{id}.txt", UPPER, { onEdit: "keep" }),
      ],
    });
    await ran(project, { "input/1.txt": "one" });
    project.drop("rebuild/1.txt", "mine");
    project.drop("keep/1.txt", "mine");
    await ran(project, {});
    expect([project.read("rebuild/1.txt"), project.read("keep/1.txt")]).toEqual(["ONE", "mine"]);
    expect(project.trashed().filter((text) => text === "mine")).toEqual(["mine"]);
  });
});

test("symbolic links inside the root are followed, and what leads outside is refused with a reason", async () => {
  const project = newProject(echo());
  project.drop("input/real.txt", "real");
  project.drop("../outside.txt", "outside");
  symlinkSync("real.txt", project.at("input/alias.txt"));
  symlinkSync("../../outside.txt", project.at("input/out.txt"));
  await project.run("run");
  expect(project.names("transformed")).toEqual(["alias.txt", "real.txt"]);
  expect((await project.run("why-not", "state/input/out.txt")).stdout).toContain("outside");
});
