import { expect, test } from "vitest";
import { moduleNode, newProject, single, source, stage, until } from "../support/rig.ts";

test("a broken definition is reported once with its place while the last good one runs, and is applied when it is right", async () => {
  const project = newProject(single("$.input.content + '1'"));
  const daemon = await project.daemon();
  project.drop("input/a.txt", "a");
  await until(() => project.holds("output/a.txt", "a1"));

  project.code("single.json", '{\n  "name": "single",\n  "stages": [ { "id": "input" "type": "source" } ]\n}\n');
  await until(() => daemon.said("M201").length > 0);
  expect(daemon.said("M201")).toMatchObject([
    { level: "error", place: { file: "pipelines/single.json", line: 3, column: expect.any(Number) } },
  ]);
  project.drop("input/b.txt", "b");
  await until(() => project.holds("output/b.txt", "b1"));
  const { roots } = await project.json<{ roots: { problems: { code: string }[] }[] }>("status");
  expect(roots[0]!.problems.map(({ code }) => code)).toContain("M201");

  project.define(single("$.input.content + '2'"));
  await until(() => project.holds("output/a.txt", "a2") && project.holds("output/b.txt", "b2"));
  await project.run("run");
  expect(daemon.said("M201")).toHaveLength(1);
  expect((await project.ran()).toSorted()).toEqual(["output@a ran", "output@a ran", "output@b ran", "output@b ran"]);
  const after = await project.json<{ roots: { problems: object[] }[] }>("status");
  expect(after.roots[0]!.problems).toEqual([]);
});

test("a node file that stops compiling is reported with its place, keeps its last outputs, and runs when it is right again", async () => {
  const project = newProject(single(moduleNode("nodes/work.ts")));
  project.code("nodes/work.ts", "export default ({ input }) => input.content + '1';\n");
  project.drop("input/a.txt", "a");
  const daemon = await project.daemon();
  await until(() => project.holds("output/a.txt", "a1"));
  project.code("nodes/work.ts", "export default ({ input }) =>\n  input.content + ;\n");
  await until(() => daemon.said("M311").length > 0);
  expect(daemon.said("M311")).toMatchObject([{ place: { file: "pipelines/nodes/work.ts", line: 2 } }]);
  await project.run("run");
  expect(project.read("output/a.txt")).toBe("a1");
  project.code("nodes/work.ts", "export default ({ input }) => input.content + '2';\n");
  await until(() => project.holds("output/a.txt", "a2"));
  expect(await project.ran()).toEqual(["output@a ran", "output@a ran"]);
});

test("a new stage runs for files that were there before, and nothing else does", async () => {
  const project = newProject(single("$.input.content"));
  for (const id of ["a", "b"]) project.drop(`input/${id}.txt`, id);
  await project.daemon();
  await until(() => project.has("output/a.txt") && project.has("output/b.txt"));
  await project.ran();
  const { stages, ...rest } = single("$.input.content");
  project.define({
    ...rest,
    stages: [...stages, stage("more", "output", "more/{id}.txt", "$.output.content + '+'")],
  } as {
    name: string;
  });
  await until(() => project.holds("more/a.txt", "a+") && project.holds("more/b.txt", "b+"));
  await project.run("run");
  expect((await project.ran()).toSorted()).toEqual(["more@a ran", "more@b ran"]);
});

test("a pipeline that is removed stops, one that is added starts, and the files of the first stay", async () => {
  const second = { name: "second", stages: [source("in", "other/{id}.txt"), stage("out", "in", "made/{id}.txt")] };
  const project = newProject(single("$.input.content"));
  project.drop("other/1.txt", "other");
  await project.daemon();
  project.drop("input/1.txt", "one");
  await until(() => project.has("output/1.txt"));
  project.removeCode("single.json");
  project.define(second);
  await until(() => project.has("made/1.txt"));
  project.drop("input/2.txt", "two");
  project.drop("other/2.txt", "other");
  await until(() => project.has("made/2.txt"));
  await project.run("run");
  expect(await project.ran()).toEqual(["output@1 ran", "out@1 ran", "out@2 ran"]);
  expect(project.files("output")).toEqual({ "output/1.txt": "one" });
});

test("a source whose pattern is renamed takes the files of its new folder, and what it made of the old ones goes", async () => {
  const project = newProject(single("$.input.content"));
  project.drop("input/1.txt", "one");
  project.drop("inbox/2.txt", "two");
  await project.daemon();
  await until(() => project.has("output/1.txt"));
  project.define({
    name: "single",
    stages: [source("input", "inbox/{id}.txt"), stage("output", "input", "output/{id}.txt", "$.input.content")],
  } as { name: string });
  await until(() => project.has("output/2.txt"));
  project.drop("inbox/3.txt", "three");
  await until(() => project.has("output/3.txt"));
  await project.run("run");
  expect(await project.ran()).toEqual(["output@1 ran", "output@2 ran", "output@3 ran"]);
  expect(project.has("output/1.txt")).toBe(false);
  expect(await project.statuses("output")).toEqual({
    "output@2": "fresh",
    "output@3": "fresh",
  });
});

test("an attempt of code that is edited while it runs is thrown away, and the new code's result is kept", async () => {
  const project = newProject(single(moduleNode("nodes/work.ts")));
  const wait = `while (!existsSync(${JSON.stringify(`${project.dir}/open`)})) await new Promise((go) => setTimeout(go, 5));`;
  const begin = `appendFileSync(${JSON.stringify(`${project.dir}/begun`)}, "x");`;
  project.code(
    "nodes/work.ts",
    `import { appendFileSync, existsSync } from "node:fs";\nexport default async () => { ${begin} ${wait} return "old"; };\n`,
  );
  project.drop("input/1.txt", "one");
  await project.daemon();
  await until(() => project.has("../begun"));
  project.code("nodes/work.ts", 'export default () => "new";\n');
  await until(() => project.holds("output/1.txt", "new"));
  project.code("../open", "");
  await project.run("run");
  expect(project.read("output/1.txt")).toBe("new");
  expect((await project.ran()).filter((line) => line.endsWith(" ran"))).toEqual(["output@1 ran"]);
});
