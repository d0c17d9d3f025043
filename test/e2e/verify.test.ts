import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { VerifiedRoot, VerifyReport } from "../../src/engine/control.ts";
import { echo, newProject, type Project, source, stage, until } from "../support/rig.ts";

async function verify(project: Project, ...args: string[]): Promise<VerifiedRoot> {
  return (await project.json<VerifyReport>("verify", ...args)).roots[0]!;
}

function off({ findings }: VerifiedRoot): string[] {
  return findings
    .filter(({ repaired }) => !repaired)
    .map(({ rule, path }) => `${rule} ${path}`)
    .toSorted();
}

/** Everything below a folder that is no plain folder, counted by bytes and by nothing of the product. */
function countEntries(folder: Buffer): number {
  return readdirSync(folder, { encoding: "buffer" })
    .map((name) => Buffer.concat([folder, Buffer.from("/"), name]))
    .reduce(
      (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.isDirectory() ? countEntries(path) : 1),
      0,
    );
}

test("a root in order is one line and exit 0; what is off is named with its cause and its way out, and exit 1", async () => {
  const project = newProject(echo());
  for (const id of ["001", "002"]) project.drop(`input/${id}.txt`, id);
  expect((await project.run("run")).code).toBe(0);
  const clean = await project.run("verify");
  expect(clean).toEqual({
    code: 0,
    stdout: "state/  nothing is off; looked at 4 outputs, 2 manifests, 2 sources (2 done)\n",
    stderr: "",
  });
  project.remove("output/001.json");
  const { code, stdout } = await project.run("verify");
  expect(code).toBe(1);
  expect(stdout).toContain('off  M601 output-gone  the output "output/001.json" is recorded and not there');
  expect(stdout).toContain('do: "millrace run" makes it again');
});

test("every entry under a source folder is in exactly one state, with a reason; the states add up to the entries counted by bytes", async () => {
  const project = newProject({
    name: "many",
    stages: [
      source("in", "in/{id}.txt", { settle: "1ms", filter: { maxSize: 20 } }),
      stage("out", "in", "out/{id}.txt", { typeId: "copy", data: {} }),
    ],
  });
  project.drop("in/good.txt", "good");
  project.drop("in/large.txt", "x".repeat(50));
  project.drop("in/notes.md", "no pattern");
  project.drop("in/.hidden.txt", "ignored");
  project.drop("in/copy.txt.part", "ignored");
  project.drop("in/deep/er.txt", "deeper than the pattern");
  project.drop("in/new\nline '$(touch x)' {id}.txt", "awkward");
  project.drop("in/__proto__.txt", "awkward");
  mkdirSync(project.at("in/folder.txt"));
  writeFileSync(Buffer.concat([Buffer.from(project.at("in/")), Buffer.from([0xff, 0xfe]), Buffer.from(".txt")]), "x");
  symlinkSync("/etc/passwd", project.at("in/outside.txt"));
  symlinkSync("good.txt", project.at("in/link.txt"));
  symlinkSync("nowhere", project.at("in/dangling.txt"));
  execFileSync("mkfifo", [project.at("in/fifo.txt")]);
  const socket = createServer().listen(project.at("in/socket.txt"));
  onTestFinished(() => void socket.close());
  await until(() => project.has("in/socket.txt"));
  await project.run("run");

  const report = await verify(project);
  expect(off(report)).toEqual([]);
  expect(report.states).toEqual({ done: 4, filtered: 1, unmatched: 1, ignored: 2, refused: 5 });
  const sum = Object.values(report.states).reduce((a, b) => a + b, 0);
  expect(sum).toBe(report.checked.sources);
  // The pattern is one level deep: what lies deeper is nobody's.
  expect(sum + report.checked.notOurs).toBe(countEntries(Buffer.from(project.at("in"))));
  const reasons = new Map(report.explained.map(({ path, state, reason }) => [path, `${state}: ${reason}`]));
  expect(reasons.get("in/large.txt")).toContain("wants at most 20");
  expect(reasons.get("in/\\xFF\\xFE.txt")).toBe("refused: its name is not valid UTF-8");
  expect(reasons.get("in/outside.txt")).toContain("outside the root");
  expect(reasons.get("in/fifo.txt")).toContain("FIFO");
  expect([...reasons.values()].every((reason) => /: \S/.test(reason))).toBe(true);
});

test("what fails, waits for its next attempt or is held is told with its error and its time", async () => {
  const broken = {
    typeId: "transform",
    data: { expression: "$.input.content === 'bad' ? missing() : $.input.content" },
  };
  const define = (name: string, maxAttempts: number): object => ({
    name,
    retryPolicy: { maxAttempts, backoffSeconds: [3600] },
    stages: [source("in", `${name}/{id}.txt`, { settle: "1ms" }), stage("out", "in", `out-${name}/{id}.txt`, broken)],
  });
  const project = newProject(define("again", 5), define("once", 1), define("held", 1));
  expect((await project.run("hold", "held#out")).code).toBe(0);
  for (const name of ["again", "once"]) project.drop(`${name}/1.txt`, "bad");
  project.drop("again/2.txt", "good");
  project.drop("held/1.txt", "good");
  await project.run("run");
  const report = await verify(project);
  expect(off(report)).toEqual([]);
  expect(report.states).toEqual({ done: 1, retrying: 1, quarantined: 1, held: 1 });
  const reasons = new Map(report.explained.map(({ path, reason }) => [path, reason]));
  expect(reasons.get("again/1.txt")).toMatch(/attempt 1 of 5 failed.*the next is due \d{4}-/);
  expect(reasons.get("once/1.txt")).toContain("its only attempt failed");
  expect(reasons.get("held/1.txt")).toContain("held");
});

test("a daemon at work gives no false alarm, however often it is asked", async () => {
  const project = newProject(echo());
  const daemon = await project.daemon();
  let dropped = 0;
  let isDone = false;
  const dropping = (async () => {
    while (!isDone) {
      for (let i = 0; i < 10; i++) project.drop(`input/${dropped % 60}.txt`, `version ${dropped++}`);
      if (dropped % 7 === 0) project.remove(`output/${dropped % 60}.json`);
      await project.run("version");
    }
  })().catch(() => {});
  for (let i = 0; i < 4; i++) expect(off(await verify(project))).toEqual([]);
  isDone = true;
  await dropping;
  expect(dropped).toBeGreaterThan(10);
  await daemon.stop();
});

test("under a daemon the repair is done by the daemon, which makes again what is off", async () => {
  const project = newProject(echo());
  for (const id of ["001", "002", "003"]) project.drop(`input/${id}.txt`, id);
  const daemon = await project.daemon();
  await until(() => project.names("output").length === 3 && project.names(".millrace/manifests").length === 3);
  const manifest = ".millrace/manifests/001.json";
  const right = project.read(manifest);
  // The daemon does not watch its own folder: nothing but a look at it tells.
  project.rewrite(manifest, right.slice(0, 100));
  project.rewrite(".millrace/controls.json", "{");
  project.rewrite(
    ".millrace/manifests/002.json",
    JSON.stringify(JSON.parse(project.read(".millrace/manifests/002.json"))),
  );
  const found = off(await verify(project));
  expect(found).toContain(`manifest-damaged ${manifest}`);
  expect(found).toContain("manifest-not-canonical .millrace/manifests/002.json");
  const repaired = await verify(project, "--repair");
  expect(off(repaired)).toEqual([]);
  expect(repaired.findings.length).toBe(found.length);
  await until(async () => off(await verify(project)).length === 0);
  const today = JSON.parse(project.read(manifest)) as { states: object };
  expect(Object.keys(today.states)).toEqual(Object.keys((JSON.parse(right) as { states: object }).states));
  await daemon.stop();
  expect((await project.run("verify")).code).toBe(0);
});
