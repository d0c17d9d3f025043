import { describe, expect, test } from "vitest";
import { createNodeTypes } from "../../src/adapters/execute/nodes/registry.ts";
import { INIT_FILES, nodeFiles, PIPELINE_TEMPLATES, pipelineFiles, type NewFile } from "../../src/cli/templates.ts";
import { loadDefinition } from "../../src/core/pipeline/load.ts";
import { checkTogether } from "../../src/core/pipeline/together.ts";
import type { Pipeline } from "../../src/core/model/pipeline.ts";
import { millrace } from "../support/cli-world.ts";

const NODE_TYPES = createNodeTypes(new URL("file:///not-started"));

function load({ path, text }: NewFile): Pipeline {
  const loaded = loadDefinition(text, { file: path, nodeTypes: NODE_TYPES });
  expect(loaded.problems).toEqual([]);
  return loaded.pipeline!;
}

describe("what is scaffolded loads as it is", () => {
  test.each(PIPELINE_TEMPLATES)("a pipeline from the template %s", (template) => {
    const [definition] = pipelineFiles("notes", template);
    expect(load(definition!).stages.map((stage) => stage.pattern.text.slice(0, 9))).toEqual(["notes/in/", "notes/out"]);
  });

  test("the first pipeline of a project, beside one of every template", () => {
    const pipelines = [
      load(INIT_FILES.find(({ path }) => path === "pipelines/echo.json")!),
      ...PIPELINE_TEMPLATES.map((template) => load(pipelineFiles(template, template)[0]!)),
    ];
    expect(pipelines[0]?.stages.map((stage) => stage.id)).toEqual(["input", "transformed", "output"]);
    expect(checkTogether(pipelines)).toEqual([]);
  });

  test("a module, which runs", async () => {
    const [module] = nodeFiles("shout");
    const { default: run } = (await import(`data:text/javascript,${encodeURIComponent(stripTypes(module!.text))}`)) as {
      default: (given: object) => string;
    };
    expect(run({ input: { content: "hi" }, params: { mark: "!" } })).toBe("HI!\n");
    expect(run({ input: { content: "hi\n" } })).toBe("HI\n");
  });
});

function stripTypes(text: string): string {
  return process.getBuiltinModule("node:module").stripTypeScriptTypes(text);
}

describe("init", () => {
  test("writes a first project and says what to do next", async () => {
    const { code, out, files } = await millrace("init demo");
    expect(code).toBe(0);
    expect([...files.keys()]).toEqual([
      "/project/demo/pipelines/echo.json",
      "/project/demo/README.md",
      "/project/demo/state/input/",
      "/project/demo/.gitignore",
    ]);
    expect(files.get("/project/demo/.gitignore")).toBe("# what Millrace keeps for itself\n.millrace/\n");
    expect(out).toBe(`created  pipelines/echo.json
created  README.md
created  state/input/
created  .gitignore

next:
  cd demo
  millrace start
  echo "hello world" > state/input/001.txt    # in another terminal
`);
  });

  test("leaves what is there, says so, and adds its lines to .gitignore once", async () => {
    const mine = { "/project/pipelines/echo.json": "mine", "/project/.gitignore": "node_modules" };
    const first = await millrace("init", { files: mine });
    expect(first.files.get("/project/pipelines/echo.json")).toBe("mine");
    expect(first.files.get("/project/.gitignore")).toBe("node_modules\n# what Millrace keeps for itself\n.millrace/\n");
    expect(first.out).toContain("left     pipelines/echo.json  it is there already\n");
    const second = await millrace("init --json", { files: Object.fromEntries(first.files) });
    expect(second.files).toEqual(first.files);
    expect(JSON.parse(second.out)).toEqual({
      version: 1,
      created: [],
      left: [
        { path: "pipelines/echo.json", why: "it is there already" },
        { path: "README.md", why: "it is there already" },
        { path: "state/input/", why: "it is there already" },
        { path: ".gitignore", why: "it has the lines already" },
      ],
    });
  });

  test("a disk that refuses is told with its reason", async () => {
    const fault = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
    const { code, err } = await millrace("init", { fileFault: fault });
    expect(code).toBe(2);
    expect(err).toContain("error M102  the disk refused a file: EACCES: permission denied");
  });
});

describe("new", () => {
  test("writes a pipeline, and its module where it has one", async () => {
    const { out, files } = await millrace("new pipeline notes --template module");
    expect([...files.keys()]).toEqual([
      "/project/pipelines/notes.json",
      "/project/pipelines/nodes/notes.ts",
      "/project/state/notes/in/",
    ]);
    expect(out).toBe(
      'created  pipelines/notes.json\ncreated  pipelines/nodes/notes.ts\ncreated  state/notes/in/\n\nnext:\n  echo "hello world" > state/notes/in/001.txt\n  millrace run\n',
    );
  });

  test("writes a module alone", async () => {
    expect([...(await millrace("new node shout")).files.keys()]).toEqual(["/project/pipelines/nodes/shout.ts"]);
  });

  test("writes nothing at all where one of its files is there", async () => {
    const files = { "/project/pipelines/nodes/notes.ts": "mine" };
    const ran = await millrace("new pipeline notes --template module", { files });
    expect([ran.code, ran.err, [...ran.files]]).toEqual([
      2,
      'error M101  "pipelines/nodes/notes.ts" is there already; nothing was written\n  do: choose another name\n',
      Object.entries(files),
    ]);
  });
});
