import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { notProven } from "../support/not-proven.ts";
import { type Daemon, newProject, type Project, single, until } from "../support/rig.ts";

const CYCLES = 20;
const RESULT_BYTES = 9000;

/** Puts a small file system where the project's root is; `false` when this machine mounts nothing. */
function mountRoot(project: Project, options: string): boolean {
  const root = project.at("").replace(/\/$/, "");
  mkdirSync(root, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "millrace-test", root], { stdio: "ignore" });
  } catch {
    return false;
  }
  onTestFinished(() => void execFileSync("umount", ["-l", root]));
  return true;
}

/** Takes all the room that is left; the returned function gives it back. */
function fillSpace(project: Project): () => void {
  const filler = project.at("filler");
  const fd = openSync(filler, "w");
  try {
    for (const size of [65_536, 4096, 512]) writeUntilFull(fd, Buffer.alloc(size));
  } finally {
    closeSync(fd);
  }
  return () => rmSync(filler);
}

function writeUntilFull(fd: number, block: Buffer): void {
  try {
    for (;;) writeSync(fd, block);
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
  }
}

/** Takes all the inodes that are left. */
function fillInodes(project: Project): () => void {
  const folder = project.at("fillers");
  mkdirSync(folder);
  try {
    for (let i = 0; ; i++) writeFileSync(`${folder}/${i}`, "");
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
  }
  return () => rmSync(folder, { recursive: true });
}

/** The project and its daemon on a small file system, with files that wait to be moved into the input folder. */
async function onSmallDisk(options: string): Promise<{ project: Project; daemon: Daemon } | undefined> {
  const project = newProject(single("$.input.content"));
  if (!mountRoot(project, options)) return undefined;
  mkdirSync(project.at("parked"));
  const daemon = await project.daemon();
  return { project, daemon };
}

const text = (cycle: number): string => `${cycle} `.repeat(RESULT_BYTES).slice(0, RESULT_BYTES);
const paused = (daemon: Daemon): number => daemon.said("M510").length;

async function cycleOnce(
  { project, daemon }: { project: Project; daemon: Daemon },
  cycle: number,
  fill: (project: Project) => () => void,
): Promise<void> {
  const before = paused(daemon);
  writeFileSync(project.at(`parked/${cycle}.txt`), text(cycle));
  const free = fill(project);
  renameSync(project.at(`parked/${cycle}.txt`), project.at(`input/${cycle}.txt`));
  await until(() => paused(daemon) > before, `cycle ${cycle}: the daemon says that the disk is full`);
  expect(project.has(`output/${cycle}.txt`)).toBe(false);
  if (cycle === 0) {
    const { roots } = await project.json<{ roots: { paused: { code: string; message: string } | null }[] }>("status");
    expect(roots[0]!.paused).toMatchObject({ code: "M510" });
    expect((await project.run("status")).stdout).toContain("paused M510");
  }
  free();
  await until(() => project.has(`output/${cycle}.txt`), `cycle ${cycle}: the work goes on by itself`);
}

async function checkAll({ project, daemon }: { project: Project; daemon: Daemon }, cycles: number): Promise<void> {
  await project.run("run");
  for (let cycle = 0; cycle < cycles; cycle++) {
    expect(project.read(`input/${cycle}.txt`)).toBe(text(cycle));
    expect(project.read(`output/${cycle}.txt`)).toBe(text(cycle));
    expect(JSON.parse(project.read(`.millrace/manifests/${cycle}.json`))).not.toHaveProperty("failures");
  }
  const results = (await project.attempts()).map(({ result }) => result);
  expect(results.filter((result) => result === "ran")).toHaveLength(cycles);
  expect(results).not.toContain("failed");
  const { roots } = await project.json<{ roots: { paused: unknown }[] }>("status");
  expect(roots[0]!.paused).toBeNull();
  expect((await daemon.stop()).code).toBe(143);
  expect(project.names(".millrace/tmp")).toEqual([]);
  const ledger = new DatabaseSync(project.at(".millrace/ledger.db"));
  expect(ledger.prepare("pragma integrity_check").get()).toEqual({ integrity_check: "ok" });
  ledger.close();
  // A second look finds nothing to do.
  await project.run("run");
  expect((await project.attempts()).length).toBe(results.length);
}

test(
  "a disk of 2 MB that is full twenty times pauses work each time, and it goes on by itself with nothing lost",
  { timeout: 180_000 },
  async () => {
    const on = await onSmallDisk("size=2m");
    if (!on) return notProven("P7", "no mounts here: a really full disk was not tried");
    for (let cycle = 0; cycle < CYCLES; cycle++) await cycleOnce(on, cycle, fillSpace);
    await checkAll(on, CYCLES);
  },
);

test("a disk without inodes pauses work, and it goes on by itself with nothing lost", { timeout: 60_000 }, async () => {
  const on = await onSmallDisk("size=4m,nr_inodes=120");
  if (!on) return notProven("P7", "no mounts here: a disk without inodes was not tried");
  expect(statfsSync(on.project.at("")).files).toBe(120);
  for (let cycle = 0; cycle < 3; cycle++) await cycleOnce(on, cycle, fillInodes);
  await checkAll(on, 3);
});

test("a daemon that was killed is told why it cannot start on a full disk, and loses nothing", async () => {
  const on = await onSmallDisk("size=2m");
  if (!on) return notProven("P7", "no mounts here: a start on a full disk was not tried");
  const { project } = on;
  project.drop("input/first.txt", "first");
  await until(() => project.has("output/first.txt"));
  writeFileSync(project.at("parked/0.txt"), text(0));
  await on.daemon.kill();
  const free = fillSpace(project);
  renameSync(project.at("parked/0.txt"), project.at("input/0.txt"));
  const refused = await project.launch().ended;
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/^error M510 .*\/state" is full: .*\n *do: make room there/m);
  const run = await project.start(["run"]).ended;
  expect([run.code, run.stderr]).toEqual([
    expect.any(Number),
    expect.stringMatching(/^error M510 .*is full.*\n *do: make room/m),
  ]);
  free();
  const daemon = await project.daemon();
  await until(() => project.holds("output/0.txt", text(0)));
  expect(project.read("output/first.txt")).toBe("first");
  await daemon.stop();
});
