import { execFileSync, spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import type { CleanReport, QuarantineReport, StatusReport, TrashReport } from "../../src/engine/control.ts";
import { newProject, type Project, shell, source, stage, until } from "../support/rig.ts";

const FILES = 300;

/** A stage whose command fails until the project folder has the file `mended`; a name that the line spells out would be code. */
function flaky(): { name: string; stages: object[] } {
  const command =
    'echo "reading $MILLRACE_ENTITY" >&2; test -e "$MILLRACE_ROOT/../men""ded" || { echo "no such key in $MILLRACE_INPUT" >&2; exit 3; }; cat "$MILLRACE_INPUT"';
  const policy = { retryPolicy: { maxAttempts: 1, backoffSeconds: [0] } };
  const stages = [source("input", "input/{id}.txt"), stage("out", "input", "out/{id}.txt", shell(command))];
  return { name: "echo", ...policy, stages };
}

const status = async (project: Project): Promise<StatusReport["roots"][number]> =>
  (await project.json<StatusReport>("status")).roots[0]!;

test("300 files that fail for one cause are one entry of status, and one command retries them all", async () => {
  const project = newProject(flaky());
  for (let at = 0; at < FILES; at++) project.drop(`input/f${at}.txt`, `text ${at}`);
  expect((await project.run("run")).code).toBe(1);

  const root = await status(project);
  expect(root.troubleTotal).toBe(FILES);
  expect(root.incidents).toMatchObject([{ stage: "echo#out", tasks: FILES, quarantined: FILES, nextRetryAt: null }]);
  const { stdout } = await project.run("status");
  const command = `incident:${root.incidents[0]!.id}`;
  const lines = stdout.split("\n");
  expect(lines.filter((line) => line.includes("alike"))).toEqual([
    `  ${FILES} alike  echo#out  no retry by itself, ${FILES} quarantined`,
  ]);
  expect(lines).toContain(`    do: millrace retry ${command}`);
  // The counts, the entry and its examples: not a line per file.
  expect(lines.length).toBeLessThan(20);

  execFileSync("touch", [`${project.dir}/mended`]);
  const retried = await project.json<{ changed: string[] }>("retry", command);
  expect(retried.changed).toHaveLength(FILES);
  await project.ran();
  expect((await project.run("run")).code).toBe(0);
  expect((await project.ran()).filter((line) => line.endsWith(" ran"))).toHaveLength(FILES);
  expect(project.read("out/f7.txt")).toBe("text 7");
  expect((await status(project)).incidents).toEqual([]);
});

test("the same under a daemon: what is retried runs at once", async () => {
  const project = newProject(flaky());
  for (const id of ["1", "2", "3"]) project.drop(`input/${id}.txt`, id);
  await project.daemon();
  const incidents = async (): Promise<StatusReport["roots"][number]["incidents"]> => (await status(project)).incidents;
  await until(async () => (await incidents())[0]?.quarantined === 3);
  execFileSync("touch", [`${project.dir}/mended`]);
  expect((await project.run("quarantine", "retry", `incident:${(await incidents())[0]!.id}`)).code).toBe(0);
  await until(() => project.names("out").length === 3);
  await until(async () => (await incidents()).length === 0);
});

test("a quarantined task says what it printed, what it read, and a line that runs its command, however it is named", async () => {
  const project = newProject(flaky());
  const name = "it's $(touch pwned) -rf\n;";
  project.drop(`input/${name}.txt`, "x");
  await project.run("run");
  const { quarantined } = await project.json<QuarantineReport>("quarantine");
  expect(quarantined).toMatchObject([
    { entity: name, category: "node", attempts: 1, error: expect.stringContaining("exited with code 3") },
  ]);
  const [task] = quarantined;
  expect(task!.log).toBe(`reading ${name}\nno such key in ${project.at(`input/${name}.txt`)}\n`);
  expect(task!.inputs).toEqual([{ path: `input/${name}.txt`, then: task!.inputs[0]!.now, now: task!.inputs[0]!.then }]);
  expect(task!.byHand).not.toContain("\n");
  const tried = spawnSync("bash", ["-c", task!.byHand], { cwd: project.dir, encoding: "utf8" });
  expect(tried).toMatchObject({ status: 3, stderr: task!.log });
  execFileSync("touch", [`${project.dir}/mended`]);
  expect(execFileSync("bash", ["-c", task!.byHand], { cwd: "/", encoding: "utf8" })).toBe("x");
  expect(project.names("").filter((found) => found === "pwned")).toEqual([]);
  // What the screens show is the same line, whole.
  expect((await project.run("quarantine", "show", "out")).stdout).toContain(task!.byHand);
  expect((await project.run("explain", "out@*")).stdout).toContain(task!.byHand);
});

const COPY = {
  name: "echo",
  stages: [
    source("input", "input/{id}.txt"),
    stage("upper", "input", "upper/{id}.txt", "$.input.content.toUpperCase()"),
    stage("output", "upper", "output/{id}.txt", "$.upper.content + '!'"),
  ],
};

const SHORTER: { readonly name: string } = Object.assign({ ...COPY }, { stages: COPY.stages.slice(0, 2) });

test("an output that was edited by hand is in the trash, and can be put back and kept", async () => {
  const project = newProject(COPY);
  project.drop("input/1.txt", "one");
  await project.run("run");
  project.rewrite("output/1.txt", "mine");
  await project.run("run");
  expect(project.read("output/1.txt")).toBe("ONE!");
  const { entries } = await project.json<TrashReport>("trash");
  expect(entries).toMatchObject([{ path: "output/1.txt", why: "edited by hand, made again", bytes: 4, task: null }]);
  expect((await project.run("trash")).stdout).toContain("output/1.txt");

  const refused = await project.run("trash", "restore", "state/output/1.txt");
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("something is there now");
  expect(project.read("output/1.txt")).toBe("ONE!");

  await project.run("hold", "output@1");
  project.remove("output/1.txt");
  expect((await project.run("trash", "restore", "output/1.txt")).code).toBe(0);
  expect((await project.run("accept", "output/1.txt")).code).toBe(0);
  await project.run("release", "output@1");
  expect((await project.run("run")).code).toBe(0);
  expect(project.read("output/1.txt")).toBe("mine");
  expect(await project.json<TrashReport>("trash")).toMatchObject({ total: 0 });
});

test("clean moves what a removed stage has made to the trash, and refuses while a definition has an error", async () => {
  const project = newProject(COPY);
  for (const id of ["1", "2"]) project.drop(`input/${id}.txt`, id);
  await project.run("run");
  project.define(SHORTER);
  project.rewrite("output/2.txt", "edited");

  project.code("other.json", "{");
  const refused = await project.run("clean", "--yes");
  expect([refused.code, refused.stderr.includes("M142")]).toEqual([2, true]);
  expect(project.names("output")).toEqual(["1.txt", "2.txt"]);
  project.removeCode("other.json");

  const listed = await project.json<CleanReport>("clean");
  expect(listed).toMatchObject({ removed: false, dead: [{ path: "output/1.txt", stage: "echo#output" }] });
  expect(project.names("output")).toEqual(["1.txt", "2.txt"]);

  const { code, stdout } = await project.run("clean", "--yes");
  expect(code).toBe(0);
  expect(stdout).toContain("1 product of stages that are gone: moved to the trash");
  expect(stdout).toContain("output/2.txt  it was changed since Millrace wrote it");
  expect(project.names("output")).toEqual(["2.txt"]);
  expect(project.trashed()).toContain("1!");
  await project.ran();
  expect((await project.run("run")).code).toBe(0);
  expect(await project.ran()).toEqual([]);
});

test("a daemon cleans, too, with the definitions it has in force", async () => {
  const project = newProject(COPY);
  project.drop("input/1.txt", "1");
  await project.daemon();
  await until(() => project.has("output/1.txt"));
  expect(await project.json<CleanReport>("clean", "--yes")).toMatchObject({ dead: [], left: [], records: 0 });
  project.define(SHORTER);
  await until(async () => (await project.json<CleanReport>("clean")).dead.length === 1);
  await project.run("clean", "--yes");
  expect(project.names("output")).toEqual([]);
  expect(project.read("upper/1.txt")).toBe("1");
});
