import { expect, test } from "vitest";
import {
  type ListedTask,
  moduleNode,
  newProject,
  type Project,
  shell,
  single,
  source,
  stage,
  until,
} from "../support/rig.ts";

const ONCE = { retryPolicy: { maxAttempts: 1, backoffSeconds: [0] } };

/** A pipeline with one stage per node, all of the same source. */
function manyNodes(nodes: Readonly<Record<string, string | object>>, more: object = {}): object {
  const stages = Object.entries(nodes).map(([id, node]) => stage(id, "input", `${id}/{id}.txt`, node, more));
  return { name: "many", ...ONCE, stages: [source("input", "input/{id}.txt"), ...stages] };
}

async function failures(project: Project): Promise<Record<string, string>> {
  const tasks: readonly ListedTask[] = await project.tasks();
  return Object.fromEntries(tasks.map(({ task, failure, status }) => [task, failure?.error ?? status]));
}

test("expressions that throw, loop for ever, return undefined or fill the memory cost one attempt each, and the others run", async () => {
  const project = newProject(
    manyNodes(
      {
        throws: "(() => { throw new Error('no such luck'); })()",
        loops: "(() => { for (;;) {} })()",
        nothing: "undefined",
        missing: "$.input.content.no.such.thing",
        memory: "(() => { const all = []; for (;;) all.push('x'.repeat(1e6)); })()",
        good: "$.input.content + '!'",
      },
      { timeout: "500ms" },
    ),
  );
  project.drop("input/1.txt", "one");
  expect((await project.run("run")).code).toBe(1);
  expect((await project.ran()).toSorted()).toEqual([
    "good@1 ran",
    "loops@1 failed",
    "memory@1 failed",
    "missing@1 failed",
    "nothing@1 failed",
    "throws@1 failed",
  ]);
  const errors = await failures(project);
  expect(errors["throws@1"]).toContain("no such luck");
  expect(errors["loops@1"]).toMatch(/500 ms|0\.5 s|time/);
  expect(errors["nothing@1"]).toContain("undefined");
  expect(errors["good@1"]).toBe("fresh");
  expect(project.read("good/1.txt")).toBe("one!");
  expect(project.names(".millrace/tmp")).toEqual([]);
});

test("a node file that is missing, does not compile or lacks its export is told with its place; the others run", async () => {
  const project = newProject(
    manyNodes({
      gone: moduleNode("nodes/gone.ts"),
      broken: moduleNode("nodes/broken.ts"),
      empty: moduleNode("nodes/empty.ts"),
      good: moduleNode("nodes/good.ts"),
    }),
  );
  project.code("nodes/broken.ts", "export default ({ input }) => {\n  return input.content +;\n};\n");
  project.code("nodes/empty.ts", "export const other = 1;\n");
  project.code("nodes/good.ts", "export default ({ input }) => input.content;\n");
  project.drop("input/1.txt", "one");
  const run = await project.run("run");
  expect(run.code).toBe(1);
  const { problems } = await project.json<{ problems: { code: string; place?: { file: string; line: number } }[] }>(
    "validate",
  );
  expect(problems).toMatchObject([
    { code: "M310", place: { file: "pipelines/many.json" } },
    { code: "M311", place: { file: "pipelines/nodes/broken.ts", line: 2 } },
    { code: "M312", place: { file: "pipelines/many.json" } },
  ]);
  for (const code of ["M310", "M311", "M312"]) expect(run.stderr).toContain(`error ${code}`);
  expect(await project.ran()).toEqual(["good@1 ran"]);
  expect(await project.statuses()).toMatchObject({ "gone@1": "failed", "broken@1": "failed", "empty@1": "failed" });
});

test("modules that throw, hang, exit, run out of memory or give nothing cost one attempt each and never the daemon", async () => {
  const bodies: Record<string, string> = {
    throws: 'throw new Error("not today")',
    hangs: "for (;;) {}",
    waits: "return new Promise(() => {})",
    exits: "process.exit(3)",
    nothing: "return undefined",
    late: 'setTimeout(() => { throw new Error("later"); }, 1); return new Promise(() => {})',
    good: "return input.content",
  };
  const nodes = Object.fromEntries(Object.keys(bodies).map((id) => [id, moduleNode(`nodes/${id}.ts`)]));
  const project = newProject();
  const many = manyNodes(nodes) as { name: string; stages: { id: string }[] };
  const limited = many.stages.map((one) => (["hangs", "waits"].includes(one.id) ? { ...one, timeout: "1s" } : one));
  project.define({ ...many, stages: limited } as { name: string });
  for (const [id, body] of Object.entries(bodies))
    project.code(`nodes/${id}.ts`, `export default ({ input }) => {\n  ${body};\n};\n`);
  const daemon = await project.daemon();
  project.drop("input/1.txt", "one");
  await until(async () => (await project.attempts()).length === Object.keys(bodies).length);
  const errors = await failures(project);
  expect(errors["throws@1"]).toMatch(/not today[^]*nodes\/throws\.ts:2/);
  for (const id of ["hangs", "waits"]) expect(errors[`${id}@1`]).toMatch(/1 s|1000 ms|time/);
  expect(errors["exits@1"]).toContain("3");
  expect(errors["late@1"]).toContain("later");
  expect(errors["nothing@1"]).not.toBe("fresh");
  expect(errors["good@1"]).toBe("fresh");
  project.drop("input/2.txt", "two");
  await until(() => project.has("good/2.txt"));
  expect(daemon.hasEnded).toBe(false);
});

test("a command that is not found, is killed, fails or floods stderr is told with the end of what it said", async () => {
  const project = newProject(
    manyNodes({
      absent: { typeId: "run_command", data: { argv: ["no-such-program-here", "{input}"] } },
      killed: shell("kill -9 $$"),
      fails: shell("echo 'what is this?' >&2; exit 7"),
      floods: shell("head -c 5000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo 'the very end' >&2; exit 1"),
      silent: shell("exit 0"),
      good: shell('tr a-z A-Z < "$MILLRACE_INPUT"'),
    }),
  );
  project.drop("input/1.txt", "one");
  expect((await project.run("run")).code).toBe(1);
  const errors = await failures(project);
  expect(errors["absent@1"]).toContain("no-such-program-here");
  expect(errors["killed@1"]).toContain("SIGKILL");
  expect(errors["fails@1"]).toMatch(/7[^]*what is this\?/);
  expect(errors["floods@1"]).toContain("the very end");
  expect(errors["floods@1"]!.length).toBeLessThan(100_000);
  expect(project.read("good/1.txt")).toBe("ONE");
  const { entries } = await project.json<{ entries: { log: string }[] }>("logs", "floods@1");
  expect(entries[0]!.log).toMatch(/the very end\n?$/);
  expect(entries[0]!.log.length).toBeLessThanOrEqual(64 * 1024);
  expect((await project.ran()).filter((line) => line.endsWith(" failed")).toSorted()).toEqual(
    ["absent", "fails", "floods", "killed"].map((id) => `${id}@1 failed`),
  );
  // Printing nothing is a result, too: an empty file.
  expect(project.read("silent/1.txt")).toBe("");
});

test("a command that outlasts its timeout dies with all its children, and is retried by its policy", async () => {
  const project = newProject(
    single(
      shell(`(sleep 600; echo ${"x".repeat(3)}) & sleep 600`),
      { timeout: "300ms" },
      { retryPolicy: { maxAttempts: 2, backoffSeconds: [0] } },
    ),
  );
  project.drop("input/1.txt", "one");
  expect((await project.run("run", "--wait")).code).toBe(1);
  expect(await project.ran()).toEqual(["output@1 failed", "output@1 failed"]);
  expect(await project.task("output@1")).toMatchObject({ status: "quarantined", failure: { category: "timeout" } });
  await until(() => project.survivors().length === 0);
});

test("an input that changes while its task runs drops the result, and the task is done again with the new one", async () => {
  const project = newProject();
  project.define(single(shell(project.gateLine())));
  await project.daemon();
  project.drop("input/1.txt", "old");
  await project.begun("1");
  project.drop("input/1.txt", "new");
  project.open("1");
  await until(() => project.holds("output/1.txt", "new"));
  await project.run("run");
  const ran = await project.ran();
  expect(ran.at(-1)).toBe("output@1 ran");
  expect(ran.filter((line) => line === "output@1 ran")).toHaveLength(1);
  expect(ran.length).toBeGreaterThan(1);
  expect(ran.filter((line) => line.endsWith("failed"))).toEqual([]);
  expect(project.names(".millrace/tmp")).toEqual([]);
});

test("an input that is deleted while its task runs drops the result for good", async () => {
  const project = newProject();
  project.define(single(shell(project.gateLine())));
  const daemon = await project.daemon();
  project.drop("input/1.txt", "old");
  await project.begun("1");
  project.remove("input/1.txt");
  project.open("1");
  await until(async () => (await project.attempts()).length === 1);
  await project.run("run");
  expect((await project.ran()).filter((line) => line.endsWith(" ran") || line.endsWith(" failed"))).toEqual([]);
  expect(project.has("output/1.txt")).toBe(false);
  expect(project.names(".millrace/tmp")).toEqual([]);
  expect(daemon.hasEnded).toBe(false);
  expect(await project.statuses()).toEqual({});
});

test("what a failing stage feeds is blocked and keeps its last good output", async () => {
  const project = newProject({
    name: "line",
    ...ONCE,
    stages: [
      source("input", "input/{id}.txt"),
      stage("number", "input", "number/{id}.txt", "String(JSON.parse($.input.content).n)"),
      stage("output", "number", "output/{id}.txt", "'n = ' + $.number.content"),
    ],
  });
  project.drop("input/1.txt", '{"n": 1}');
  await project.run("run");
  project.drop("input/1.txt", "no JSON");
  expect((await project.run("run")).code).toBe(1);
  expect(await project.statuses()).toMatchObject({ "number@1": "quarantined", "output@1": "blocked" });
  expect(project.read("output/1.txt")).toBe("n = 1");
  expect(await project.ran()).toEqual(["number@1 ran", "output@1 ran", "number@1 failed"]);
  project.drop("input/1.txt", '{"n": 2}');
  expect((await project.run("run")).code).toBe(0);
  expect(project.read("output/1.txt")).toBe("n = 2");
  expect(await project.ran()).toEqual(["number@1 ran", "output@1 ran"]);
});

test("a file name reaches a command as argument and environment, and never as part of a shell line", async () => {
  const name = "$(touch pwned); `touch pwned` 'a\" & b";
  const project = newProject(
    manyNodes({
      line: shell('printf "%s" "$MILLRACE_VAR_ID"'),
      list: { typeId: "run_command", data: { argv: ["printf", "%s", "{entity}"] } },
    }),
  );
  project.drop(`input/${name}.txt`, "x");
  expect((await project.run("run")).code).toBe(0);
  expect(project.read(`line/${name}.txt`)).toBe(name);
  expect(project.read(`list/${name}.txt`)).toBe(name);
  expect(project.has("../pwned") || project.has("pwned")).toBe(false);
});
