import { EventEmitter } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SystemClock } from "../../../src/adapters/system/clock.ts";
import { NodeDisk } from "../../../src/adapters/system/disk.ts";
import { type ChangeSourceOptions, createChangeSource } from "../../../src/adapters/watch/change-source.ts";
import type { ChangeSource } from "../../../src/ports.ts";
import { HintFollower, until } from "../../support/hint-follower.ts";

/** What the kernel and chokidar do in place of the real things; reset after each test. */
const faults = vi.hoisted(() => ({
  /** Error codes of `fs.watch` on paths that end so; taken one by one. */
  watch: new Map<string, string[]>(),
  chokidar: undefined as (() => EventEmitter) | undefined,
}));

vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs")>();
  const watch = (path: string, ...rest: unknown[]): unknown => {
    for (const [ending, codes] of faults.watch) {
      const code = path.endsWith(ending) ? codes.shift() : undefined;
      if (code !== undefined) throw Object.assign(new Error(`${code}: watch '${ending}'`), { code });
    }
    return Reflect.apply(fs.watch, fs, [path, ...rest]);
  };
  return { ...fs, watch };
});
vi.mock("chokidar", async (importOriginal) => {
  const chokidar = await importOriginal<typeof import("chokidar")>();
  return {
    ...chokidar,
    watch: (...args: Parameters<typeof chokidar.watch>) => faults.chokidar?.() ?? chokidar.watch(...args),
  };
});

// The disk of a busy machine may take seconds for a few thousand files.
vi.setConfig({ testTimeout: 60_000 });

let home: string;
let root: string;
let source: ChangeSource;
let follower: HintFollower;

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "source-")));
  root = join(home, "state");
  mkdirSync(join(root, "input"), { recursive: true });
  follower = new HintFollower(root);
});
afterEach(async () => {
  faults.watch.clear();
  faults.chokidar = undefined;
  await source.close();
  rmSync(home, { recursive: true, force: true });
});

function start(options: Partial<ChangeSourceOptions>, depth: number = Infinity): Promise<void> {
  const clock = new SystemClock();
  source = createChangeSource({ root, disk: new NodeDisk(), clock, isIgnored: () => false, ...options });
  return source.start([{ path: "input", depth }], follower.onHint);
}
const write = (path: string): void => writeFileSync(join(root, path), "text");

describe("when the kernel has no watches left", () => {
  test.each([
    ["ENOSPC", "watches", "max_user_watches"],
    ["EMFILE", "instances", "max_user_instances"],
  ])("a base is polled and its health says why and what to do: %s", async (code, what, setting) => {
    faults.watch.set("/input", [code]);
    await start({ maxEntries: -1, pollIntervalMs: 20 });
    await until(() => follower.causesOf("input").includes("watch-error"));
    write("input/a.txt");
    await follower.becomesRightAbout("input");
    const { mode, reason, rescans } = source.health();
    expect(mode).toBe("degraded");
    expect(reason).toContain(`"input": polled, because watching failed: no inotify ${what} are left`);
    expect(reason).toMatch(new RegExp(`${setting} is \\d+.*sudo sysctl [a-z.]*${setting}=\\d+`));
    expect(rescans["watch-error"]).toBe(1);
  });

  test("the same when it happens for a new folder", async () => {
    faults.watch.set("/deep", ["ENOSPC"]);
    await start({ maxEntries: -1, pollIntervalMs: 20 });
    expect(source.health().mode).toBe("live");
    mkdirSync(join(root, "input/deep"));
    await until(() => source.health().mode === "degraded");
    write("input/deep/a.txt");
    await follower.becomesRightAbout("input");
  });

  test("the same when chokidar says it", async () => {
    faults.chokidar = () => {
      const watcher = Object.assign(new EventEmitter(), { close: async () => undefined, getWatched: () => ({}) });
      setImmediate(() => {
        watcher.emit("error", Object.assign(new Error("ENOSPC: no watches"), { code: "ENOSPC" }));
        watcher.emit("ready");
      });
      return watcher;
    };
    await start({ pollIntervalMs: 20 });
    await until(() => source.health().mode === "degraded");
    write("input/a.txt");
    await follower.becomesRightAbout("input");
  });
});

test("after another error the base is looked through and watched again", async () => {
  faults.watch.set("/input", ["EIO"]);
  await start({ maxEntries: -1 });
  await until(() => follower.causesOf("input").includes("watch-error"));
  expect(source.health()).toMatchObject({ mode: "degraded", reason: "\"input\": EIO: watch '/input'" });
  await until(() => source.health().mode === "live");
  write("input/a.txt");
  await until(() => follower.hasPath("input/a.txt"));
});

test("a base that fails again and again is polled", async () => {
  faults.watch.set("/input", ["EIO", "EIO", "EIO"]);
  await start({ maxEntries: -1, pollIntervalMs: 20 });
  await until(() => source.health().reason.includes("polled"));
  write("input/a.txt");
  await follower.becomesRightAbout("input");
});

test("a folder that may not be watched is named, and the rest is watched", async () => {
  mkdirSync(join(root, "input/closed"));
  faults.watch.set("/closed", ["EACCES"]);
  await start({ maxEntries: -1 });
  expect(source.health()).toMatchObject({
    mode: "degraded",
    reason: `cannot watch "input/closed": EACCES: watch '/closed'`,
  });
  write("input/a.txt");
  await until(() => follower.hasPath("input/a.txt"));
});

test("when the folders above cannot be watched, health says so", async () => {
  faults.watch.set("/state", ["ENOSPC"]);
  await start({});
  expect(source.health()).toMatchObject({ mode: "degraded" });
  expect(source.health().reason).toContain("cannot watch the folders above");
});

test("a base that grows too large for chokidar goes on under one watch per folder", async () => {
  await start({ maxEntries: 20 });
  for (let file = 0; file < 30; file++) write(`input/${file}.txt`);
  await follower.becomesRightAbout("input");
  await until(() => follower.causesOf("input").includes("new-folder"));
  mkdirSync(join(root, "input/deep"));
  write("input/deep/a.txt");
  await follower.becomesRightAbout("input");
});

test("a link to a folder that comes later is looked behind", async () => {
  mkdirSync(join(root, "shared"));
  await start({});
  symlinkSync("../shared", join(root, "input/linked"));
  await until(() => follower.causesOf("input").includes("new-folder"));
  await until(() => {
    write("shared/a.txt");
    return follower.hasPath("input/linked/a.txt");
  });
});

test("where the kernel queues little, a small burst already counts as a storm", async () => {
  await start({ maxQueuedEvents: 16 }, 1);
  for (let file = 0; file < 20; file++) write(`input/${file}.txt`);
  await follower.becomesRightAbout("input");
  await until(() => follower.causesOf("input").filter((cause) => cause === "storm").length === 2);
  expect(follower.hints.filter((hint) => hint.kind === "path").length).toBeLessThan(20);
});

test("3,000 files in one folder give few single hints and lose none", async () => {
  await start({ maxEntries: -1 }, 1);
  for (let file = 0; file < 3_000; file++) write(`input/${file}.txt`);
  await follower.becomesRightAbout("input");
  await until(() => follower.causesOf("input").filter((cause) => cause === "storm").length >= 2);
  expect(follower.hints.filter((hint) => hint.kind === "path").length).toBeLessThanOrEqual(1_000);
});
