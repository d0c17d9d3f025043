import { expect, test } from "vitest";
import { echo, moduleNode, newProject, single, source, stage, until } from "../support/rig.ts";

test("a dropped file passes every stage in the daemon, and status, explain, show and run tell the story", async () => {
  const project = newProject(echo());
  const daemon = await project.daemon();
  project.drop("input/001.txt", "hello world\n");
  await until(() => project.has("output/001.json"));
  expect(JSON.parse(project.read("output/001.json"))).toEqual({ id: "001", text: "HELLO WORLD\n" });

  const again = await project.run("run");
  expect(again).toMatchObject({ code: 0, stderr: "" });
  expect(again.stdout).toContain("nothing to do");
  expect(await project.ran()).toEqual(["transformed@001 ran", "output@001 ran"]);

  const status = await project.run("status");
  expect(status.code).toBe(0);
  expect(status.stdout).toContain(`daemon pid ${daemon.pid}`);
  expect(status.stdout).toMatch(/echo#output\s+1/);
  const explained = await project.run("explain", "output@001");
  expect(explained.stdout).toContain("output@001 is fresh");
  expect(explained.stdout).toContain("transformed/001.txt");
  const shown = await project.json<{ manifest: { states: Record<string, { producedBy: string }> } }>("show", "001");
  expect(shown.manifest.states).toMatchObject({
    "input/{id}.txt": { producedBy: "echo#input" },
    "transformed/{id}.txt": { producedBy: "echo#transformed" },
    "output/{id}.json": { producedBy: "echo#output" },
  });
  expect(project.names(".millrace/tmp")).toEqual([]);
});

test("a run without a daemon does the work of many files once, and the next run does nothing", async () => {
  const project = newProject(echo());
  for (const id of ["1", "2", "3"]) project.drop(`input/${id}.txt`, `file ${id}`);
  expect(await project.run("run")).toMatchObject({ code: 0, stdout: expect.stringContaining("6 ran, 0 failed") });
  const first = await project.ran();
  expect(first.toSorted()).toEqual(
    ["1", "2", "3"].flatMap((id) => [`output@${id} ran`, `transformed@${id} ran`]).toSorted(),
  );
  expect(await project.run("run")).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing to do") });
  expect(await project.ran()).toEqual([]);
});

test("in the running daemon a comment rebuilds nothing, and a helper three imports deep rebuilds what uses it", async () => {
  const project = newProject({
    name: "deep",
    stages: [
      source("input", "input/{id}.txt"),
      stage("loud", "input", "loud/{id}.txt", moduleNode("nodes/loud.ts")),
      stage("quiet", "input", "quiet/{id}.txt", moduleNode("nodes/quiet.ts")),
    ],
  });
  project.code("nodes/loud.ts", 'import { a } from "./a.ts";\nexport default ({ input }) => a(input.content);\n');
  project.code("nodes/a.ts", 'import { b } from "./b.ts";\nexport const a = (text: string): string => b(text);\n');
  project.code(
    "nodes/b.ts",
    'import { mark } from "../lib/mark.ts";\nexport const b = (text: string): string => text + mark;\n',
  );
  project.code("lib/mark.ts", 'export const mark: string = "!";\n');
  project.code("nodes/quiet.ts", "export default ({ input }) => input.content.toLowerCase();\n");
  project.drop("input/1.txt", "Hey");
  const daemon = await project.daemon();
  await until(() => project.has("loud/1.txt") && project.has("quiet/1.txt"));
  expect((await project.ran()).toSorted()).toEqual(["loud@1 ran", "quiet@1 ran"]);

  const edits = daemon.said("definitions or code changed").length;
  project.code("lib/mark.ts", '// how loud\nexport const mark: string =\n  "!"; // very\n');
  project.code("nodes/quiet.ts", "/* hush */\nexport default ({ input }) => input.content.toLowerCase();\n");
  // The edit is taken in order with the next one, which is seen to have an effect.
  await project.run("run");
  project.code("lib/mark.ts", 'export const mark: string = "?"; // how loud\n');
  await until(() => project.holds("loud/1.txt", "Hey?"));
  await project.run("run");
  expect(await project.ran()).toEqual(["loud@1 ran"]);
  expect(daemon.said("definitions or code changed").length).toBeGreaterThan(edits);
  expect((await project.attempts()).at(-1)!.reasons).toBe("code-changed");
});

const FAILING = "export default ({ input }) => { throw new Error(`cannot read ${input.content}`); };\n";

test("a failing node shows attempts, error and next retry; a restart keeps the schedule; a fix frees it at once", async () => {
  const project = newProject(
    single(moduleNode("nodes/work.ts"), {}, { retryPolicy: { maxAttempts: 5, backoffSeconds: [0, 3600] } }),
  );
  project.code("nodes/work.ts", FAILING);
  project.drop("input/1.txt", "it");
  let daemon = await project.daemon();
  const failure = async () => (await project.task("output@1")).failure;
  await until(async () => (await failure())?.attempts === 2);
  const before = (await failure())!;
  expect(before.error).toContain("cannot read it");
  expect(Date.parse(before.nextRetryAt!)).toBeGreaterThan(Date.now() + 3_000_000);
  const status = await project.run("status");
  expect(status.stdout).toMatch(/retrying\s+output@1\s+attempt 2 of 5, next in 60 min/);
  expect(status.stdout).toContain("cannot read it");
  expect((await project.run("explain", "output@1")).stdout).toContain("cannot read it");
  expect(daemon.said("attempt failed").map((line) => line["task"])).toEqual(["output@1", "output@1"]);

  expect((await daemon.stop()).code).toBe(143);
  daemon = await project.daemon();
  expect((await project.run("run")).code).toBe(1);
  expect(await failure()).toEqual(before);
  expect(await project.ran()).toEqual(["output@1 failed", "output@1 failed"]);

  project.code("nodes/work.ts", "export default ({ input }) => `read ${input.content}`;\n");
  await until(() => project.holds("output/1.txt", "read it"));
  expect((await project.run("run")).code).toBe(0);
  expect(await project.ran()).toEqual(["output@1 ran"]);
  expect(await failure()).toBeNull();
});

test("a change in a helper is found by the next run as well, and only what uses it runs", async () => {
  const project = newProject(single(moduleNode("nodes/work.ts")), {
    name: "other",
    stages: [source("in", "other/{id}.txt"), stage("out", "in", "else/{id}.txt", "$.input.content")],
  });
  project.code(
    "nodes/work.ts",
    'import { tail } from "./tail.ts";\nexport default ({ input }) => input.content + tail();\n',
  );
  project.code("nodes/tail.ts", 'export const tail = () => "1";\n');
  project.drop("input/a.txt", "a");
  project.drop("other/b.txt", "b");
  await project.run("run");
  expect((await project.ran()).toSorted()).toEqual(["out@b ran", "output@a ran"]);
  project.code("nodes/tail.ts", 'export const tail = () => "2";\n');
  expect((await project.json<{ tasks: { task: string; reasons: string[] }[] }>("plan")).tasks).toMatchObject([
    { task: "output@a", reasons: ["code-changed"] },
  ]);
  await project.run("run");
  expect(await project.ran()).toEqual(["output@a ran"]);
  expect(project.read("output/a.txt")).toBe("a2");
});
