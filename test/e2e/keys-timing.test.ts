import { linkSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { moduleNode, newProject, shell, single, source, stage, until } from "../support/rig.ts";

const IDS = ["a", "b", "c", "d", "e", "f"];

/** A shell line that tells when it begins and ends. */
function telling(folder: string): object {
  return shell(`echo + >> '${folder}/told'; sleep 0.05; echo - >> '${folder}/told'; cat "$MILLRACE_INPUT"`);
}

/** How many ran at one time at most, and how many ran in all, by what they told. */
function told(folder: string): { most: number; all: number } {
  let now = 0;
  let most = 0;
  const lines = readFileSync(join(folder, "told"), "utf8").trim().split("\n");
  for (const line of lines) most = Math.max(most, (now += line === "+" ? 1 : -1));
  return { most, all: lines.length / 2 };
}

describe("commands run at one time", () => {
  test.each<[string, object, object, number]>([
    ["one with `maxConcurrentEntities: 1`", { maxConcurrentEntities: 1 }, {}, 1],
    ["at most two with `maxConcurrentEntities: 2`", { maxConcurrentEntities: 2 }, {}, 2],
    ["one with `concurrency: 1`", {}, { concurrency: 1 }, 1],
  ])("%s", async (_name, pipeline, own, limit) => {
    const project = newProject();
    project.define(single(telling(project.dir), own, pipeline));
    for (const id of IDS) project.drop(`input/${id}.txt`, id);
    expect(await project.run("run")).toMatchObject({ code: 0, stderr: "" });
    expect(told(project.dir).all).toBe(IDS.length);
    expect(told(project.dir).most).toBeLessThanOrEqual(limit);
    expect(project.names("output")).toHaveLength(IDS.length);
  });

  test("two pipelines do not share a limit, and chains keep to it", async () => {
    const project = newProject();
    project.define({
      name: "chain",
      maxConcurrentEntities: 1,
      stages: [
        source("input", "input/{id}.txt"),
        stage("mid", "input", "mid/{id}.txt", telling(project.dir)),
        stage("end", "mid", "end/{id}.txt", telling(project.dir)),
      ],
    } as { name: string });
    for (const id of IDS) project.drop(`input/${id}.txt`, id);
    expect(await project.run("run")).toMatchObject({ code: 0, stderr: "" });
    expect(told(project.dir)).toEqual({ most: 1, all: 2 * IDS.length });
  });
});

describe("`timeout`", () => {
  const forever = moduleNode("nodes/forever.js");

  test.each<[string, object, string]>([
    ["a command", single(shell("sleep 1000"), { timeout: "300ms" }), "0.3 s"],
    ["a command's whole tree", single(shell("sh -c 'sleep 1000 & sleep 1000' & wait"), { timeout: 0.3 }), "0.3 s"],
    ["a module that waits", single(forever, { timeout: "300ms" }), "0.3 s"],
    ["a module that spins", single(moduleNode("nodes/spins.js"), { timeout: "300ms" }), "0.3 s"],
    ["an expression that spins", single("(() => { for (;;) {} })()", { timeout: "300ms" }), "0.3 s"],
    [
      "a condition that spins",
      single(
        { typeId: "if", data: { condition: "(() => { for (;;) {} })()" } },
        { timeout: "300ms", then: { typeId: "copy" } },
      ),
      "0.3 s",
    ],
  ])("ends %s; it is a failed attempt like any other", async (_name, definition, said) => {
    const project = newProject({ ...definition, retryPolicy: { maxAttempts: 2, backoffSeconds: [3600] } });
    project.code("nodes/forever.js", "export default () => new Promise(() => setInterval(() => {}, 1000));");
    project.code("nodes/spins.js", "export default () => { for (;;) {} };");
    project.drop("input/1.txt", "one");
    expect((await project.run("run")).code).toBe(1);
    const { status, failure } = await project.task("output@1");
    expect([status, failure!.attempts]).toEqual(["retrying", 1]);
    expect(failure!.error).toContain(said);
    expect(await project.ran()).toEqual(["output@1 failed"]);
    await until(() => project.survivors().length === 0);
    expect(project.names(".millrace/tmp")).toEqual([]);
  });
});

test("`retryPolicy` in the running daemon: the delay passes, the next attempt comes, the last failure quarantines", async () => {
  const project = newProject(
    single(shell("exit 7"), {}, { retryPolicy: { maxAttempts: 3, backoffSeconds: ["100ms", "300ms"] } }),
  );
  await project.daemon();
  project.drop("input/1.txt", "one");
  await until(async () => (await project.statuses())["output@1"] === "quarantined");
  const attempts = (await project.attempts()) as unknown as { startedAt: string; attempt: number; result: string }[];
  expect(attempts.map(({ attempt, result }) => `${attempt} ${result}`)).toEqual(["1 failed", "2 failed", "3 failed"]);
  const times = attempts.map(({ startedAt }) => Date.parse(startedAt));
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(100);
  expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(300);
});

test("`settle` in the running daemon: a file that grows is read when it has grown, and once", async () => {
  const project = newProject({
    name: "slow",
    stages: [source("input", "input/{id}.txt", { settle: 3 }), stage("output", "input", "output/{id}.txt")],
  });
  await project.daemon();
  let text = "";
  for (let line = 0; line < 4; line++) {
    text += `${line}\n`;
    project.drop("input/1.txt", text);
    await until(async () => (await project.statuses())["output@1"] === "settling");
  }
  await until(() => project.has("output/1.txt"));
  await project.run("run");
  expect(project.read("output/1.txt")).toBe(text);
  expect(await project.ran()).toEqual(["output@1 ran"]);
});

test("`scanInterval` in the running daemon: what was written by a way that is not watched is found by a scan", async () => {
  const project = newProject(single("$.input.content", {}, { scanInterval: 1 }));
  project.drop("../elsewhere.txt", "one");
  linkSync(join(project.dir, "elsewhere.txt"), project.at("input/1.txt"));
  await project.daemon();
  await until(() => project.holds("output/1.txt", "one"));
  project.rewrite("../elsewhere.txt", "two");
  await until(() => project.holds("output/1.txt", "two"));
  const { roots } = await project.json<{ roots: { scanIntervalSeconds: number }[] }>("status");
  expect(roots.map(({ scanIntervalSeconds }) => scanIntervalSeconds)).toEqual([1]);
});

test("endless expressions take a slot each, of their own pipeline, and the rest goes on beside them", async () => {
  const spins = `$.input.content === "endless" ? (() => { for (;;) {} })() : $.input.content.toUpperCase()`;
  const project = newProject();
  for (const name of ["one", "two"])
    project.define({
      name,
      maxConcurrentEntities: 4,
      stages: [
        source("input", `${name}/{id}.txt`, { settle: "1ms" }),
        stage("output", "input", `${name}-out/{id}.txt`, spins),
      ],
    } as { name: string });
  const quick = Array.from({ length: 40 }, (_, i) => `quick-${i}`);
  for (const name of ["one", "two"]) {
    for (const id of ["endless-1", "endless-2"]) project.drop(`${name}/${id}.txt`, "endless");
    for (const id of quick) project.drop(`${name}/${id}.txt`, id);
  }
  await project.daemon();
  await until(() => project.names("one-out").length + project.names("two-out").length === 2 * quick.length);
  const statuses = await project.statuses();
  expect([statuses["output@endless-1"], statuses["output@endless-2"]]).toEqual(["running", "running"]);
});
