import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { notProven } from "../support/not-proven.ts";
import { type Daemon, newProject, type Project, source, stage, until } from "../support/rig.ts";

/** How often a root goes and comes here; in memory, where nothing waits, it is twenty times for each way. */
const ROUNDS = 2;
const QUEUE = "/proc/sys/fs/inotify/max_queued_events";

interface Health {
  readonly mode: string;
  readonly reason: string;
  readonly canary: { readonly at: string | null; readonly ok: boolean } | null;
  readonly rescans: Readonly<Record<string, number>>;
}
interface Report {
  readonly watcher: Health;
  readonly paused: { readonly code: string; readonly message: string; readonly hint: string } | null;
}

function upper(pattern = "input/{id}.txt", more: object = {}): Project {
  const output = pattern.replace("input/", "output/");
  const stages = [
    source("input", pattern, { settle: "20ms" }),
    stage("upper", "input", output, "$.input.content.toUpperCase()"),
  ];
  return newProject({ name: "upper", ...more, stages });
}

async function report(project: Project): Promise<Report> {
  const { roots } = await project.json<{ roots: Report[] }>("status");
  return roots[0]!;
}
const health = async (project: Project): Promise<Health> => (await report(project)).watcher;

/** A shell that lowers a limit in a user namespace of its own and runs the daemon there. */
const limited = (setting: string, value: number): string[] => [
  "unshare",
  "-Ur",
  "bash",
  "-c",
  `echo ${value} > /proc/sys/user/${setting} && exec "$0" "$@"`,
];

/** Whether this machine can do something that a test needs; when not, the promise counts as not proven. */
function canDo(promise: string, what: string, ...command: readonly string[]): boolean {
  try {
    execFileSync(command[0]!, command.slice(1), { stdio: "pipe" });
    return true;
  } catch (error) {
    notProven(promise, `${what}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
    return false;
  }
}

test("a running daemon's watcher is proved by a canary, of which nothing is to be seen", async () => {
  const project = upper();
  await project.daemon();
  const { mode, reason, canary } = await health(project);
  expect({ mode, reason, ok: canary?.ok }).toEqual({ mode: "live", reason: "", ok: true });
  expect(project.names(".millrace/canary")).toEqual([]);
  expect((await project.run("status")).stdout).toContain("watcher live");
  expect((await project.run("status")).stdout).toContain("canary ");
});

describe("where inotify has no room", () => {
  const FOLDERS = 60;
  const drop = (project: Project, round: string): void => {
    for (let i = 0; i < FOLDERS; i++) project.drop(`input/${i}/${round}.txt`, `${round} ${i}`);
  };
  const areDone = (project: Project, round: string): boolean =>
    Array.from({ length: FOLDERS }, (_, i) =>
      project.holds(`output/${i}/${round}.txt`, `${round} ${i}`.toUpperCase()),
    ).every(Boolean);

  test("for watches, bases are polled, status names the limit, and they are watched again once it is raised", async () => {
    const under = limited("max_inotify_watches", 20);
    if (!canDo("P8", "no user namespace with limits of its own", ...under, "true")) return;
    const project = upper("input/{folder}/{id}.txt");
    drop(project, "before");
    const daemon = await project.daemon([], { under });
    const { mode, reason } = await health(project);
    expect(mode).toBe("degraded");
    expect(reason).toContain("no inotify watches are left (user.max_inotify_watches is 20)");
    expect(reason).toContain('"sudo sysctl user.max_inotify_watches=1024"');
    drop(project, "while");
    await until(() => areDone(project, "before") && areDone(project, "while"), "all files are done");
    const raise = `echo 10000 > /proc/sys/user/max_inotify_watches`;
    const enter = ["nsenter", "-t", String(daemon.pid), "-U", "--preserve-credentials", "sh", "-c", raise];
    if (!canDo("P8", "the limit of another namespace cannot be raised", ...enter)) return;
    await until(async () => (await health(project)).mode === "live", "it watches again", 60_000);
    expect((await health(project)).rescans["watched-again"]).toBeGreaterThanOrEqual(1);
    drop(project, "after");
    await until(() => areDone(project, "after"), "files are done after it");
  }, 120_000);

  test("for an instance, everything is polled and nothing is missed", async () => {
    const under = limited("max_inotify_instances", 0);
    if (!canDo("P8", "no user namespace with limits of its own", ...under, "true")) return;
    const project = upper("input/{folder}/{id}.txt");
    await project.daemon([], { under });
    drop(project, "while");
    await until(() => areDone(project, "while"), "all files are done");
    const { mode, reason } = await health(project);
    expect(mode).toBe("degraded");
    expect(reason).toContain("no inotify instances are left (user.max_inotify_instances is 0)");
  }, 60_000);
});

test("2,000 files in 200 folders are all done though the kernel's queue held 16 events and lost the rest", async () => {
  const before = readFileSync(QUEUE, "utf8");
  const project = upper("input/{folder}/{id}.txt", { scanInterval: "2s" });
  for (let folder = 0; folder < 200; folder++) mkdirSync(project.at(`input/${folder}`), { recursive: true });
  let daemon: Daemon;
  try {
    // Read by the kernel when a process makes its instance; other processes keep what they have.
    writeFileSync(QUEUE, "16");
    daemon = await project.daemon();
  } catch (error) {
    return notProven("P8", `the kernel's queue cannot be made small: ${String(error)}`);
  } finally {
    if (existsSync(QUEUE) && readFileSync(QUEUE, "utf8") !== before) writeFileSync(QUEUE, before);
  }
  // It sleeps while they come, so the queue must overflow.
  process.kill(daemon.pid, "SIGSTOP");
  for (let i = 0; i < 2_000; i++) project.drop(`input/${i % 200}/${i}.txt`, `file ${i}`);
  process.kill(daemon.pid, "SIGCONT");
  const isDone = (i: number): boolean => project.holds(`output/${i % 200}/${i}.txt`, `FILE ${i}`);
  let done = 0;
  await until(
    () => {
      while (done < 2_000 && isDone(done)) done++;
      return done === 2_000;
    },
    "2,000 files are done",
    60_000,
  );
  const { rescans } = await health(project);
  expect(Object.values(rescans).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(0);
}, 120_000);

test("a daemon that is stopped and goes on has missed nothing, and says that it looked at everything", async () => {
  const project = upper();
  const daemon = await project.daemon();
  process.kill(daemon.pid, "SIGSTOP");
  for (let i = 0; i < 200; i++) project.drop(`input/${i}.txt`, `file ${i}`);
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  process.kill(daemon.pid, "SIGCONT");
  await until(() => project.names("output").length === 200, "all files are done");
  await until(async () => ((await health(project)).rescans["resume"] ?? 0) >= 1, "the rescan is counted");
  expect((await health(project)).mode).toBe("live");
  expect((await project.ran()).every((ran) => ran.endsWith(" ran"))).toBe(true);
}, 60_000);

/** Ways in which a real root goes and comes. */
const WAYS: Record<string, { go(project: Project): void; comeBack(project: Project): void; says: RegExp }> = {
  "the folder is moved away": {
    go: ({ dir }) => renameSync(join(dir, "state"), join(dir, "away")),
    comeBack: ({ dir }) => renameSync(join(dir, "away"), join(dir, "state")),
    says: /is not there/,
  },
  "only an empty folder is left": {
    go({ dir }) {
      renameSync(join(dir, "state"), join(dir, "away"));
      mkdirSync(join(dir, "state"));
    },
    comeBack({ dir }) {
      rmSync(join(dir, "state"), { recursive: true });
      renameSync(join(dir, "away"), join(dir, "state"));
    },
    says: /has no ".millrace"/,
  },
  "its .millrace is moved away": {
    go: (project) => renameSync(project.at(".millrace"), join(project.dir, "away")),
    comeBack: (project) => renameSync(join(project.dir, "away"), project.at(".millrace")),
    says: /has no ".millrace"/,
  },
};

describe.each(Object.entries(WAYS))("a root that is pulled away from a daemon: %s", (_what, { go, comeBack, says }) => {
  test(`pauses, is left alone, and goes on when it is back, ${ROUNDS} times`, async () => {
    const project = upper();
    for (let i = 0; i < 50; i++) project.drop(`input/${i}.txt`, `file ${i}`);
    await project.daemon();
    await until(() => project.names("output").length === 50, "all files are done");
    await project.ran();
    const before = project.files();
    for (let round = 0; round < ROUNDS; round++) {
      go(project);
      // Between two steps of going it may look otherwise for a moment.
      await until(async () => says.test((await report(project)).paused?.message ?? ""), "it is noticed");
      const { paused, watcher } = await report(project);
      expect(paused?.code).toBe("M512");
      expect(watcher.mode).toBe("blind");
      expect(existsSync(project.at(".millrace"))).toBe(false);
      const second = await project.run("start");
      expect([second.code, second.stderr]).toEqual([4, expect.stringContaining("M110")]);
      expect(existsSync(project.at(".millrace"))).toBe(false);
      comeBack(project);
      await until(async () => (await report(project)).paused === null, "it goes on");
      await until(async () => (await health(project)).rescans["root-back"] === round + 1, "all is looked at");
      expect(await project.ran()).toEqual([]);
      expect(project.files()).toEqual(before);
      expect(project.trashed()).toEqual([]);
    }
    project.drop("input/new.txt", "new");
    await until(() => project.holds("output/new.txt", "NEW"), "it works as before");
  }, 120_000);
});

test("a root that is unmounted lazily and mounted again goes on by itself", async () => {
  const project = upper();
  const image = join(project.dir, "image");
  const mount = (): void => void execFileSync("mount", ["-o", "loop", image, project.at("")], { stdio: "pipe" });
  const unmount = (): void => void execFileSync("umount", ["-l", project.at("")], { stdio: "pipe" });
  try {
    execFileSync("truncate", ["-s", "16M", image]);
    execFileSync("mkfs.ext4", ["-q", image], { stdio: "pipe" });
    mount();
  } catch (error) {
    return notProven("P11", `no file system can be mounted here: ${String(error).split("\n")[0]}`);
  }
  try {
    for (let i = 0; i < 20; i++) project.drop(`input/${i}.txt`, `file ${i}`);
    const daemon = await project.daemon();
    await until(() => project.names("output").length === 20, "all files are done");
    await project.ran();
    const before = project.files();
    unmount();
    await until(async () => (await report(project)).paused?.code === "M512", "it is noticed");
    expect(project.names("")).toEqual(["input"]);
    mount();
    await until(async () => (await report(project)).paused === null, "it goes on");
    expect(await project.ran()).toEqual([]);
    expect(project.files()).toEqual(before);
    project.drop("input/new.txt", "new");
    await until(() => project.holds("output/new.txt", "NEW"), "it works as before");
    await daemon.stop();
  } finally {
    unmount();
  }
}, 60_000);
