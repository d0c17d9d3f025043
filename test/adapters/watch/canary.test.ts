import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NodeDisk } from "../../../src/adapters/system/disk.ts";
import { type ChangeSourceOptions, createChangeSource } from "../../../src/adapters/watch/change-source.ts";
import type { ChangeSource, WatchHealth } from "../../../src/ports.ts";
import { HintFollower, until } from "../../support/hint-follower.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** What the kernel does in place of the real thing; reset after each test. */
const kernel = vi.hoisted(() => ({
  /** Events are made and reach nobody, as after an overflow of its queue, without end. */
  isSilent: false,
  /** An error code for each path's ending: no watch there can be made. */
  refuses: new Map<string, string>(),
  /** How many watches were asked for on paths that end so. */
  asked: new Map<string, number>(),
}));

vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs")>();
  const watch = (path: string, listener: (...event: unknown[]) => void): unknown => {
    for (const [ending, code] of kernel.refuses) {
      if (!path.endsWith(ending)) continue;
      kernel.asked.set(ending, (kernel.asked.get(ending) ?? 0) + 1);
      throw Object.assign(new Error(`${code}: watch '${ending}'`), { code });
    }
    return fs.watch(path, (...event) => void (kernel.isSilent || listener(...event)));
  };
  return { ...fs, watch };
});

let home: string;
let root: string;
let clock: ManualClock;
let source: ChangeSource;
let follower: HintFollower;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "canary-")));
  root = join(home, "state");
  mkdirSync(join(root, "input"), { recursive: true });
  mkdirSync(join(root, ".millrace"));
  clock = new ManualClock();
  follower = new HintFollower(root);
});
afterEach(async () => {
  kernel.isSilent = false;
  kernel.refuses.clear();
  kernel.asked.clear();
  await source.close();
  rmSync(home, { recursive: true, force: true });
});

const write = (path: string, text = "text"): void => writeFileSync(join(root, path), text);
const health = (): WatchHealth => source.health();

async function start(options: Partial<ChangeSourceOptions> = {}): Promise<void> {
  const disk = new NodeDisk();
  source = createChangeSource({ root, disk, clock, isIgnored: () => false, maxEntries: -1, ...options });
  const started = source.start([{ path: "input", depth: 1 }], follower.onHint);
  let isStarted = false;
  void started.then(() => (isStarted = true));
  await pass(() => isStarted);
}

/** Time passes, as far as needed, while real events find their way. */
async function pass(holds: () => boolean, stepMs = 0): Promise<void> {
  await until(() => {
    if (holds()) return true;
    clock.advance(stepMs);
    return false;
  });
}

/** Resolves when everything that happened so far in a folder has been delivered. */
async function heardOf(folder: string): Promise<void> {
  const { watch } = await vi.importActual<typeof import("node:fs")>("node:fs");
  await new Promise<void>((resolve) => {
    const watcher = watch(folder, (_type, name) => {
      if (name !== "mark") return;
      watcher.close();
      resolve();
    });
    writeFileSync(join(folder, "mark"), "");
  });
  rmSync(join(folder, "mark"));
}

describe("a canary file", () => {
  test("is back when the start is over, proves that the watcher lives, and leaves nothing behind", async () => {
    writeFileSync(join(home, "x"), "");
    mkdirSync(join(root, ".millrace/canary"));
    writeFileSync(join(root, ".millrace/canary/event-7"), "of a process that died");
    await start();
    expect(health()).toMatchObject({ mode: "live", reason: "", rescans: {} });
    expect(health().canary).toEqual({ at: new Date(clock.wallMs()).toISOString(), ok: true });
    expect(readdirSync(join(root, ".millrace/canary"))).toEqual([]);
    expect(readdirSync(join(root, "input"))).toEqual([]);
    expect(follower.hints).toEqual([]);
    await source.close();
    expect(readdirSync(join(root, ".millrace"))).toEqual([]);
  });

  test("is sent every 30 s", async () => {
    await start();
    const first = health().canary?.at;
    await pass(() => health().canary?.at !== first, 1_000);
    expect(Date.parse(health().canary!.at!) - Date.parse(first!)).toBeGreaterThanOrEqual(30_000);
    expect(health().canary?.ok).toBe(true);
  });

  test("that is lost once makes everything be looked at, and the next one follows at once", async () => {
    await start();
    kernel.isSilent = true;
    write("input/unheard.txt");
    const isUnderWay = (): boolean => readdirSync(join(root, ".millrace/canary")).length > 0;
    await pass(isUnderWay, 1_000);
    // A watch of the test's own has heard of it: so has the silent one, told of all in the same turn.
    await heardOf(join(root, ".millrace/canary"));
    kernel.isSilent = false;
    await pass(() => health().rescans.canary === 1, 100);
    await follower.becomesRightAbout("input");
    await until(() => health().canary?.ok === true);
    expect(health()).toMatchObject({ mode: "live", rescans: { canary: 1 } });
  });

  test("that is lost again makes every base polled, until one comes back; no change is missed", async () => {
    await start();
    kernel.isSilent = true;
    await pass(() => health().mode === "degraded" && health().reason.includes("polled"), 100);
    expect(health().reason).toBe('"input": polled, because canary files do not come back as events');
    expect(health().canary?.ok).toBe(false);
    expect(health().rescans.canary).toBeGreaterThanOrEqual(2);
    write("input/a.txt");
    await pass(() => follower.isRightAbout("input"), 100);
    kernel.isSilent = false;
    await pass(() => health().mode === "live", 1_000);
    expect(health().canary?.ok).toBe(true);
    expect(health().rescans["watched-again"]).toBe(1);
    follower.hints.length = 0;
    write("input/b.txt");
    // Not a moment passes on the clock: only an event can tell of it.
    await until(() => follower.hasPath("input/b.txt"));
  });

  test("is never written where `.millrace` is missing: that it is not proved is said, and nothing is made", async () => {
    await start();
    renameSync(join(root, ".millrace"), join(home, "elsewhere"));
    await pass(() => health().canary?.ok === false, 1_000);
    expect(health().mode).toBe("degraded");
    expect(health().reason).toContain("not proved by a canary file: it cannot be sent: ENOENT");
    expect(existsSync(join(root, ".millrace"))).toBe(false);
    renameSync(join(home, "elsewhere"), join(root, ".millrace"));
    await pass(() => health().mode === "live", 1_000);
  });

  test("is not asked for in a folder that is no root", async () => {
    rmSync(join(root, ".millrace"), { recursive: true });
    await start();
    expect(health()).toMatchObject({ mode: "live", canary: null });
    expect(existsSync(join(root, ".millrace"))).toBe(false);
  });

  test("is polled for on a share; when not even polling finds it, the root is blind", async () => {
    await start({ fileSystemOf: () => ({ name: "nfs", network: true }) });
    await pass(() => health().canary?.ok === true, 100);
    expect(health()).toMatchObject({ mode: "polling", reason: '"input" is on a network file system (nfs)' });
    const takeAway = (): void => {
      for (const name of existsSync(join(root, ".millrace/canary")) ? readdirSync(join(root, ".millrace/canary")) : [])
        rmSync(join(root, ".millrace/canary", name));
    };
    await pass(() => (takeAway(), health().mode === "blind"), 100);
    expect(health().reason).toContain("only scans find changes");
    await pass(() => health().mode === "polling", 100);
  });
});

test.each([
  ["the process was stopped for a while", (): void => clock.block(60_000)],
  ["the clock was set", (): void => clock.jumpWall(-3_600_000)],
])("everything is looked at when %s", async (_name, happens) => {
  await start();
  expect(health().rescans).toEqual({});
  happens();
  await pass(() => health().rescans.resume === 1, 100);
  expect(follower.causesOf("input")).toContain("resume");
});

describe("a base that cannot be watched", () => {
  test("is polled, tried again after ever longer whiles, and watched again when that goes", async () => {
    kernel.refuses.set("/input", "ENOSPC");
    await start();
    await until(() => health().mode === "degraded");
    expect(health().canary?.ok).toBe(true);
    const triedAt: number[] = [];
    let tried = kernel.asked.get("/input");
    await pass(() => {
      const now = kernel.asked.get("/input");
      if (now !== tried) triedAt.push(clock.monoMs());
      tried = now;
      return triedAt.length === 4;
    }, 1_000);
    const waits = triedAt.map((at, i) => Math.round((at - (triedAt[i - 1] ?? 0)) / 10_000));
    expect(waits).toEqual([1, 2, 4, 8]);
    write("input/a.txt");
    await pass(() => follower.isRightAbout("input"), 100);
    kernel.refuses.clear();
    await pass(() => health().mode === "live", 1_000);
    expect(health().rescans["watched-again"]).toBe(1);
    follower.hints.length = 0;
    write("input/b.txt");
    await until(() => follower.hasPath("input/b.txt"));
  });

  test("does not keep the others from being watched", async () => {
    mkdirSync(join(root, "other"));
    kernel.refuses.set("/other", "ENOSPC");
    source = createChangeSource({ root, disk: new NodeDisk(), clock, isIgnored: () => false, maxEntries: -1 });
    const bases = ["input", "other"].map((path) => ({ path, depth: 1 }));
    await source.start(bases, follower.onHint);
    await until(() => health().mode === "degraded");
    expect(health().reason).toContain('"other": polled');
    write("input/a.txt");
    await until(() => follower.hasPath("input/a.txt"));
  });

  test("nor the folders above it: then it is asked every second what they hold, and they are watched again in time", async () => {
    kernel.refuses.set("/state", "EMFILE");
    await start();
    expect(health()).toMatchObject({ mode: "degraded" });
    expect(health().reason).toContain("cannot watch the folders above: no inotify instances are left");
    renameSync(join(root, "input"), join(home, "old"));
    mkdirSync(join(root, "input"));
    write("input/a.txt");
    await pass(() => follower.isRightAbout("input"), 100);
    kernel.refuses.clear();
    await pass(() => health().mode === "live", 1_000);
  });
});

test("a folder that takes a base's place without an event is noticed within a second", async () => {
  await start();
  kernel.isSilent = true;
  renameSync(join(root, "input"), join(home, "old"));
  mkdirSync(join(root, "input"));
  write("input/a.txt");
  await new Promise((resolve) => setTimeout(resolve, 20));
  kernel.isSilent = false;
  clock.advance(1_000);
  await pass(() => follower.isRightAbout("input"), 0);
  write("input/b.txt");
  await until(() => follower.hasPath("input/b.txt"));
});
