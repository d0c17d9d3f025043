import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SystemClock } from "../../src/adapters/system/clock.ts";
import { NodeDisk } from "../../src/adapters/system/disk.ts";
import { type ChangeSourceOptions, createChangeSource } from "../../src/adapters/watch/change-source.ts";
import { createIgnore } from "../../src/core/pattern/ignore.ts";
import type { ChangeSource, WatchBase } from "../../src/ports.ts";
import { FakeChangeSource } from "../support/fake-change-source.ts";
import { HintFollower, until } from "../support/hint-follower.ts";

// The disk of a busy machine may take seconds for a few thousand files.
vi.setConfig({ testTimeout: 60_000 });

const ignore = createIgnore();
const isIgnored = (path: string, isFolder = false): boolean => ignore.test(path, isFolder) !== undefined;

const engines: [string, Partial<ChangeSourceOptions>][] = [
  ["chokidar", { maxEntries: 50_000 }],
  ["one watch per folder", { maxEntries: -1 }],
  ["polling", { fileSystemOf: () => ({ name: "nfs", network: true }), pollIntervalMs: 20 }],
];

describe.each(engines)("changes noticed by %s", (engine, options) => {
  let home: string;
  let root: string;
  let source: ChangeSource;
  let follower: HintFollower;

  beforeEach(() => {
    home = realpathSync(mkdtempSync(join(tmpdir(), "watch-")));
    root = join(home, "state");
    source = createChangeSource({ root, disk: new NodeDisk(), clock: new SystemClock(), isIgnored, ...options });
    follower = new HintFollower(root, isIgnored);
  });
  afterEach(async () => {
    await source.close();
    rmSync(home, { recursive: true, force: true });
  });

  const at = (path: string): string => join(root, path);
  const write = (path: string, text = "text"): void => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const start = (...bases: WatchBase[]): Promise<void> => source.start(bases, follower.onHint);
  const INPUT: WatchBase = { path: "input", depth: 1 };
  const DEEP: WatchBase = { path: "input", depth: Infinity };

  test("a file that is created, changed, renamed and deleted", async () => {
    mkdirSync(at("input"), { recursive: true });
    await start(INPUT);
    write("input/a.txt");
    await follower.becomesRightAbout("input");
    appendFileSync(at("input/a.txt"), "more");
    await follower.becomesRightAbout("input");
    renameSync(at("input/a.txt"), at("input/b.txt"));
    await follower.becomesRightAbout("input");
    rmSync(at("input/b.txt"));
    await follower.becomesRightAbout("input");
    for (const path of ["input/a.txt", "input/b.txt"]) expect(follower.hasPath(path)).toBe(true);
  });

  test("what was there before is not hinted at, what is renamed over it is", async () => {
    write("input/a.txt");
    await start(INPUT);
    write("elsewhere/new.txt", "new text");
    renameSync(at("elsewhere/new.txt"), at("input/a.txt"));
    await until(() => follower.hasPath("input/a.txt"));
    expect(follower.hints.filter((hint) => hint.path !== "input/a.txt")).toEqual([]);
  });

  test("folders made with files in them at once", async () => {
    mkdirSync(at("input"), { recursive: true });
    await start(DEEP);
    write("input/a/b/c/deep.txt");
    write("input/a/b/middle.txt");
    await follower.becomesRightAbout("input");
    write("input/a/b/c/later.txt");
    await follower.becomesRightAbout("input");
  });

  test("a folder moved in whole, moved on and moved out", async () => {
    mkdirSync(at("input"), { recursive: true });
    for (const name of ["1", "2", "deep/3"]) write(`elsewhere/folder/${name}.txt`);
    await start(DEEP);
    renameSync(at("elsewhere/folder"), at("input/folder"));
    await follower.becomesRightAbout("input");
    renameSync(at("input/folder"), at("input/other"));
    await follower.becomesRightAbout("input");
    write("input/other/deep/4.txt");
    await follower.becomesRightAbout("input");
    renameSync(at("input/other"), at("elsewhere/folder"));
    await follower.becomesRightAbout("input");
  });

  test("a folder deleted with its content and made again", async () => {
    write("input/folder/a.txt");
    await start(DEEP);
    follower.lookThrough("");
    rmSync(at("input/folder"), { recursive: true });
    write("input/folder/b.txt");
    await follower.becomesRightAbout("input");
    write("input/folder/c.txt");
    await follower.becomesRightAbout("input");
    rmSync(at("input/folder"), { recursive: true });
    await follower.becomesRightAbout("input");
  });

  test("2,000 files in 200 new folders", async () => {
    mkdirSync(at("input"), { recursive: true });
    await start(DEEP);
    for (let folder = 0; folder < 200; folder++) {
      for (let file = 0; file < 10; file++) write(`input/${folder}/${file}.txt`);
    }
    await follower.becomesRightAbout("input");
    expect(follower.files.size).toBe(2_000);
  });

  test("3,000 files dropped into one folder at once", async () => {
    mkdirSync(at("input"), { recursive: true });
    await start(INPUT);
    for (let file = 0; file < 3_000; file++) write(`input/${file}.txt`);
    await follower.becomesRightAbout("input");
  });

  test("a base that does not exist yet, nor the folders above it", async () => {
    await start({ path: "a/b/input", depth: 1 });
    write("a/b/input/1.txt");
    await follower.becomesRightAbout("a/b/input");
    write("a/b/input/2.txt");
    await follower.becomesRightAbout("a/b/input");
  });

  test("a base that goes and comes again", async () => {
    write("input/1.txt");
    await start(INPUT);
    follower.lookThrough("");
    rmSync(at("input"), { recursive: true });
    await follower.becomesRightAbout("input");
    write("input/2.txt");
    await follower.becomesRightAbout("input");
    write("input/3.txt");
    await follower.becomesRightAbout("input");
  });

  test("a root that is deleted and made again in one go", async () => {
    write("input/1.txt");
    await start(INPUT);
    follower.lookThrough("");
    rmSync(root, { recursive: true });
    write("input/2.txt");
    await follower.becomesRightAbout("input");
    write("input/3.txt");
    await follower.becomesRightAbout("input");
  });

  test("a root that is moved away and replaced by another", async () => {
    write("input/1.txt");
    await start({ path: "", depth: Infinity });
    follower.lookThrough("");
    renameSync(root, join(home, "old"));
    write("input/2.txt");
    await follower.becomesRightAbout("");
    write("input/deep/3.txt");
    await follower.becomesRightAbout("");
  });

  test("nothing of .millrace, of ignored names, and of levels that do not matter", async () => {
    for (const path of ["input/seen.txt", ".millrace/tmp/a", "input/deep/a.txt"]) write(path);
    await start({ path: "", depth: 2 });
    write(".millrace/tmp/b");
    write("input/a.txt.part");
    write("input/.hidden");
    write("input/deep/b.txt");
    write("input/seen.txt", "changed");
    await until(() => follower.hasPath("input/seen.txt"));
    write("input/last.txt");
    await until(() => follower.hasPath("input/last.txt"));
    expect(follower.hints.map(({ path }) => path).filter((path) => !/^input\/(seen|last)\.txt$/.test(path))).toEqual(
      [],
    );
  });

  test("one file in the root, by its path alone", async () => {
    mkdirSync(root, { recursive: true });
    await start({ path: "rates.json", depth: 0 });
    write("rates.json", "1");
    await until(() => follower.hasPath("rates.json"));
    write("other.json");
    follower.hints.length = 0;
    write("rates.json", "22");
    await until(() => follower.hasPath("rates.json"));
    expect(follower.hasPath("other.json")).toBe(false);
  });

  test("the bases of an update, the old ones no more, and those that stay without a gap", async () => {
    for (const folder of ["a", "b", "c"]) mkdirSync(at(folder), { recursive: true });
    await start({ path: "a", depth: 1 }, { path: "b", depth: 1 });
    await source.update([
      { path: "b", depth: 1 },
      { path: "c", depth: 1 },
    ]);
    for (const folder of ["a", "b", "c"]) write(`${folder}/1.txt`);
    await until(() => follower.hasPath("b/1.txt") && follower.hasPath("c/1.txt"));
    expect(follower.hasPath("a/1.txt")).toBe(false);
  });

  test("nothing after closing", async () => {
    mkdirSync(at("input"), { recursive: true });
    await start(INPUT);
    await source.close();
    expect(source.health()).toMatchObject({ mode: "blind", watchedFolders: 0 });
    const other = createChangeSource({ root, disk: new NodeDisk(), clock: new SystemClock(), isIgnored, ...options });
    const witness = new HintFollower(root);
    await other.start([INPUT], witness.onHint);
    write("input/a.txt");
    await until(() => witness.hasPath("input/a.txt"));
    await other.close();
    expect(follower.hints).toEqual([]);
  });

  test("its health says how it watches", async () => {
    mkdirSync(at("input"), { recursive: true });
    expect(source.health().mode).toBe("blind");
    await start(INPUT);
    const { mode, reason, watchedFolders } = source.health();
    if (engine === "polling") {
      expect({ mode, reason }).toEqual({ mode: "polling", reason: '"input" is on a network file system (nfs)' });
    } else {
      expect({ mode, reason }).toEqual({ mode: "live", reason: "" });
      expect(watchedFolders).toBeGreaterThanOrEqual(1);
    }
  });

  test("links: one inside the root to a folder is looked behind, and one that leads back ends somewhere", async () => {
    write("input/real/a.txt");
    symlinkSync(at("input"), at("input/real/back"));
    symlinkSync("/", at("input/outside"));
    symlinkSync("nowhere", at("input/dangling"));
    write("shared/b.txt");
    symlinkSync("../shared", at("input/linked"));
    await start(DEEP);
    write("input/real/c.txt");
    await until(() => follower.hasPath("input/real/c.txt"));
    // Polling does not look behind links: there the reconcile scan finds it.
    if (engine !== "polling") {
      write("shared/d.txt");
      await until(() => follower.hasPath("input/linked/d.txt"));
    }
  });
});

describe("changes told by a test", () => {
  test("reach who has started, between start and close, and bases are remembered", async () => {
    const source = new FakeChangeSource();
    const follower = new HintFollower("/nowhere");
    source.changed("too/early");
    await source.start([{ path: "input", depth: 1 }], follower.onHint);
    source.changed("input/a.txt", "input/");
    await source.update([{ path: "output", depth: 1 }]);
    expect(source.bases).toEqual([{ path: "output", depth: 1 }]);
    expect(source.health().mode).toBe("live");
    await source.close();
    source.changed("too/late");
    expect(source.health().mode).toBe("blind");
    expect(follower.hints).toEqual([
      { kind: "path", path: "input/a.txt" },
      { kind: "folder", path: "input", cause: "folder-event" },
    ]);
  });
});
