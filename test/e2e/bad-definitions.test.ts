import { describe, expect, test } from "vitest";
import { newProject, source, stage } from "../support/rig.ts";

const INPUT = source("in", "input/{id}.txt");
const OUTPUT = stage("out", "in", "output/{id}.txt");
const pipeline = (stages: readonly object[], more: object = {}): object => ({ name: "bad", stages, ...more });

/** What is wrong, the definition (an object, or the text itself), and the code and place of the report. */
const BAD: readonly (readonly [string, object | string, string, string])[] = [
  ["JSON that ends too early", '{ "name": "bad",\n  "stages": [', "M201", "bad.json:2:14"],
  ["JSON with a missing comma", '{\n  "name": "bad"\n  "stages": []\n}', "M201", "bad.json:3:3"],
  ["an empty file", "", "M201", "bad.json:1:1"],
  ["an unknown key", pipeline([INPUT, OUTPUT], { stateRot: "state/" }), "M202", "bad.json"],
  ["an unknown key of a stage", pipeline([INPUT, { ...OUTPUT, inptu: "in" }]), "M202", "bad.json"],
  [
    "an unknown node type",
    pipeline([INPUT, stage("out", "in", "output/{id}.txt", { typeId: "transfrom", data: {} })]),
    "M205",
    "bad.json",
  ],
  ["a wrong type", pipeline([INPUT, { ...OUTPUT, concurrency: "two" }]), "M203", "bad.json"],
  ["a number out of range", pipeline([INPUT, OUTPUT], { maxConcurrentEntities: 0 }), "M203", "bad.json"],
  [
    "attempts out of range",
    pipeline([INPUT, OUTPUT], { retryPolicy: { maxAttempts: 0, backoffSeconds: [1] } }),
    "M203",
    "bad.json",
  ],
  ["a time without a meaning", pipeline([{ ...INPUT, settle: "soon" }, OUTPUT]), "M203", "bad.json"],
  ["a missing key", pipeline([{ id: "in", type: "source" }, OUTPUT]), "M217", "bad.json"],
  [
    "a key of another type of stage",
    pipeline([{ ...INPUT, node: { typeId: "copy", data: {} } }, OUTPUT]),
    "M218",
    "bad.json",
  ],
  ["an input that is no stage", pipeline([INPUT, stage("out", "inn", "output/{id}.txt")]), "M206", "bad.json"],
  [
    "stages that form a circle",
    pipeline([INPUT, stage("a", "b", "a/{id}.txt"), stage("b", "a", "b/{id}.txt")]),
    "M209",
    "bad.json",
  ],
  [
    "a stage that feeds itself",
    pipeline([source("in", "x/{id}.txt"), stage("out", "in", "x/{id}.out.txt")]),
    "M210",
    "bad.json",
  ],
  [
    "two stages that can write one path",
    pipeline([INPUT, stage("a", "in", "out/{id}.txt"), stage("b", "in", "out/{id}.{id}.txt")]),
    "M211",
    "bad.json",
  ],
  ["a variable that no input binds", pipeline([INPUT, stage("out", "in", "output/{slug}.txt")]), "M204", "bad.json"],
  ["a pattern that leaves the root", pipeline([source("in", "../{id}.txt"), OUTPUT]), "M207", "bad.json"],
  ["an absolute pattern", pipeline([source("in", "/tmp/{id}.txt"), OUTPUT]), "M207", "bad.json"],
  [
    "a pattern in Millrace's own folder",
    pipeline([INPUT, stage("out", "in", ".millrace/{id}.txt")]),
    "M207",
    "bad.json",
  ],
  [
    "two variables that touch",
    pipeline([source("in", "{a}{b}.txt"), stage("out", "in", "o/{a}/{b}")]),
    "M207",
    "bad.json",
  ],
  ["a stage id that is taken", pipeline([INPUT, OUTPUT, OUTPUT]), "M208", "bad.json"],
  [
    "an expression that does not parse",
    pipeline([INPUT, stage("out", "in", "output/{id}.txt", "$.input.")]),
    "M219",
    "bad.json",
  ],
  [
    "a command without a command",
    pipeline([INPUT, stage("out", "in", "output/{id}.txt", { typeId: "run_command", data: {} })]),
    "M219",
    "bad.json",
  ],
];

describe("a definition that is wrong is refused with its code and its place, and nothing runs", () => {
  test("each by itself", { timeout: 60_000 }, async () => {
    const project = newProject();
    for (const [i, [, definition]] of BAD.entries())
      project.code(
        `bad${i}.json`,
        typeof definition === "string" ? definition : JSON.stringify({ ...definition, name: `bad${i}` }, null, 2),
      );
    const reports = await Promise.all(
      BAD.map(async ([what, , code], i) => {
        const { problems } = await project.json<{
          problems: {
            code: string;
            hint: string;
            message: string;
            place?: { file: string; line: number; column: number; excerpt: string };
          }[];
        }>("validate", `pipelines/bad${i}.json`);
        const found = problems.find((p) => p.code === code && p.place?.file.endsWith(`bad${i}.json`) === true);
        return [
          what,
          found ? `${found.code} ${found.hint === "" ? "no hint" : "hint"}` : JSON.stringify(problems),
        ] as const;
      }),
    );
    expect(reports).toEqual(BAD.map(([what, , code]) => [what, `${code} hint`]));
  });

  test("on stderr, with file, line, column and what to do", async () => {
    const project = newProject();
    project.drop("input/1.txt", "one");
    for (const [, text, code, place] of BAD.filter(([, definition]) => typeof definition === "string")) {
      project.code("bad.json", text as string);
      for (const command of ["validate", "run", "start"]) {
        const { code: exit, stderr, stdout } = await project.run(command);
        expect([command, exit, stdout.includes("ran")]).toEqual([command, 2, false]);
        expect(stderr).toContain(`error ${code}`);
        expect(stderr).toContain(`pipelines/${place}`);
        expect(stderr).toContain("do: ");
      }
    }
    expect(project.names("output")).toEqual([]);
    expect(project.has(".millrace")).toBe(false);
  });

  test("and all faults of a file are told at once", async () => {
    const project = newProject();
    project.code(
      "bad.json",
      JSON.stringify({
        name: "bad",
        surprise: true,
        maxConcurrentEntities: -1,
        stages: [INPUT, stage("out", "in", "output/{slug}.txt", { typeId: "nothing", data: {} })],
      }),
    );
    const { stderr, code } = await project.run("validate");
    expect(code).toBe(2);
    for (const expected of ["M202", "M203", "M204", "M205"]) expect(stderr).toContain(`error ${expected}`);
  });
});

test("pipelines that contradict each other are refused: one name twice, one output twice, a circle of both, nested roots", async () => {
  const one = { name: "one", stages: [source("in", "a/{id}.txt"), stage("out", "in", "b/{id}.txt")] };
  const cases: [object, string][] = [
    [{ name: "one", stages: [source("in", "c/{id}.txt"), stage("out", "in", "d/{id}.txt")] }, "M213"],
    [{ name: "two", stages: [source("in", "c/{id}.txt"), stage("out", "in", "b/{id}.txt")] }, "M211"],
    [{ name: "two", stages: [source("in", "b/{id}.txt"), stage("out", "in", "a/{id}.txt")] }, "M210"],
    [
      { name: "two", stateRoot: "state/inner", stages: [source("in", "c/{id}.txt"), stage("out", "in", "d/{id}.txt")] },
      "M214",
    ],
  ];
  const project = newProject(one);
  for (const [other, code] of cases) {
    project.code("two.json", JSON.stringify(other));
    expect(await project.run("run")).toMatchObject({ code: 2, stderr: expect.stringContaining(`error ${code}`) });
  }
  expect(await project.attempts().catch(() => [])).toEqual([]);
});

test("a project without definitions, and a state root that cannot be made, are told with what to do", async () => {
  const project = newProject();
  expect(await project.run("run")).toMatchObject({ code: 2, stderr: expect.stringMatching(/error M215[^]*do: /) });
  project.define({
    name: "far",
    stateRoot: "no/such/folder",
    stages: [source("in", "i/{id}"), stage("out", "in", "o/{id}")],
  } as { name: string });
  for (const command of ["run", "start"])
    expect(await project.run(command)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/error M113[^]*no\/such\/folder[^]*do: /),
    });
  project.code("../file", "");
  project.define({ name: "far", stateRoot: "file", stages: [source("in", "i/{id}"), stage("out", "in", "o/{id}")] } as {
    name: string;
  });
  expect(await project.run("run")).toMatchObject({ code: 2, stderr: expect.stringContaining("error M113") });
});

test("a state root that does not exist yet is made when its parent is there", async () => {
  const project = newProject({
    name: "new",
    stateRoot: "fresh",
    stages: [source("in", "i/{id}"), stage("out", "in", "o/{id}")],
  });
  expect(await project.run("run")).toMatchObject({ code: 0 });
  project.drop("../fresh/i/1", "one");
  expect(await project.run("run")).toMatchObject({ code: 0, stdout: expect.stringContaining("1 ran") });
  expect(project.read("../fresh/o/1")).toBe("one");
});

test("an unknown target, command or flag is a usage error that names the nearest right spelling", async () => {
  const project = newProject({ name: "good", stages: [INPUT, OUTPUT] });
  for (const args of [["explain", "outt@1"], ["statsu"], ["run", "--waitt"], ["list", "--status", "frsh"]]) {
    const { code, stderr } = await project.run(...args);
    expect([args.join(" "), code]).toEqual([args.join(" "), 2]);
    expect(stderr).toContain("do: ");
  }
});
