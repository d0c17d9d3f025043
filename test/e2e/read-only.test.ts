import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { notProven } from "../support/not-proven.ts";
import { type Ended, newProject, type Project, single, until } from "../support/rig.ts";

/** A project whose root is a file system of its own; `undefined` when this machine mounts nothing. */
function onOwnDisk(): Project | undefined {
  const project = newProject(single("$.input.content"));
  const root = rootOf(project);
  mkdirSync(root, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=20m", "millrace-test", root], { stdio: "ignore" });
  } catch {
    notProven("P7", "no mounts here: a read-only root was not tried");
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", ["-l", root]));
  return project;
}

const rootOf = (project: Project): string => project.at("").replace(/\/$/, "");

/**
 * The same file system again, read-only, on top of itself: what is opened from now on cannot be written. A plain remount is
 * refused while a daemon has its databases open; a disk that gives up after an error asks nobody.
 */
function makeReadOnly(project: Project): () => void {
  const root = rootOf(project);
  execFileSync("mount", ["--bind", root, root]);
  execFileSync("mount", ["-o", "remount,bind,ro", root]);
  let isOver = false;
  const end = (): void => {
    if (!isOver) execFileSync("umount", ["-l", root]);
    isOver = true;
  };
  onTestFinished(end);
  return end;
}

interface PausedStatus {
  readonly roots: readonly { readonly paused: { readonly code: string } | null }[];
}

const pausedBy = async (project: Project): Promise<string | undefined> =>
  (await project.json<PausedStatus>("status")).roots[0]!.paused?.code;

/** What was said is for people: no trace of the program's insides. */
function expectNoStack({ stdout, stderr }: Ended): void {
  expect(`${stdout}\n${stderr}`).not.toMatch(/^\s+at |InternalError|SqliteError|ERR_/m);
}

test("a root that becomes read-only pauses work with M511, and it goes on by itself", async () => {
  const project = onOwnDisk();
  if (!project) return;
  project.drop("input/1.txt", "one");
  const daemon = await project.daemon();
  await until(() => project.has("output/1.txt"));
  // A file that arrives just before.
  project.drop("input/2.txt", "two");
  const makeWritable = makeReadOnly(project);
  await project.run("invalidate", "output@1");
  await until(async () => (await pausedBy(project)) === "M511", "status says that the root is read-only");
  expect((await project.run("status")).stdout).toContain("paused M511");
  expect(project.read("output/1.txt")).toBe("one");
  makeWritable();
  project.drop("input/3.txt", "three");
  await until(() => project.has("output/2.txt") && project.has("output/3.txt"), "the work goes on by itself");
  await until(async () => (await pausedBy(project)) === undefined);
  await project.run("run");
  expect((await project.attempts()).filter(({ result }) => result === "failed")).toEqual([]);
  await daemon.stop();
});

test("on a read-only root every command that needs to write says so once, and those that only read answer", async () => {
  const project = onOwnDisk();
  if (!project) return;
  project.drop("input/1.txt", "one");
  await project.run("run");
  project.drop("input/2.txt", "two");
  const makeWritable = makeReadOnly(project);
  for (const command of ["start", "run"]) {
    const ended = await project.start([command]).ended;
    expectNoStack(ended);
    expect(ended.code, command).not.toBe(0);
    expect(ended.stderr.match(/^error M\d+/gm), `${command}: ${ended.stderr}`).toHaveLength(1);
    expect(ended.stderr).toMatch(/error M511 .*\/state" is read-only: .*\n *do: mount it writable/);
  }
  for (const command of ["status", "verify", "list", "plan"]) {
    const ended = await project.start([command]).ended;
    expectNoStack(ended);
    expect([0, 1], `${command}: ${ended.stderr}`).toContain(ended.code);
    expect(ended.stdout, command).not.toBe("");
  }
  makeWritable();
  await project.run("run");
  expect(project.read("output/2.txt")).toBe("two");
});

test("a root that was never worked on and is read-only is refused the same way", async () => {
  const project = onOwnDisk();
  if (!project) return;
  project.drop("input/1.txt", "one");
  const makeWritable = makeReadOnly(project);
  for (const command of ["start", "run", "status", "verify"]) {
    const ended = await project.start([command]).ended;
    expectNoStack(ended);
    const told = ended.stderr.match(/^error M\d+.*$/gm) ?? [];
    expect(told.length, `${command}: ${ended.stderr}`).toBeLessThanOrEqual(1);
    if (command === "start" || command === "run") expect(ended.stderr).toMatch(/error M511 /);
  }
  makeWritable();
});
