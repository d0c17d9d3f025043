import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/system/disk.ts";
import { createStateReader } from "../../src/adapters/system/state-reader.ts";
import { hashTreeAt } from "../../src/adapters/system/tree.ts";
import { hashBytes, loadHasher } from "../../src/core/hash/hash.ts";
import { createIgnore } from "../../src/core/pattern/ignore.ts";
import type { Disk, StateReader } from "../../src/ports.ts";
import { MemoryDisk } from "../support/memory-disk.ts";

interface Bench {
  readonly disk: Disk;
  readonly base: string;
  symlink(target: string, path: string): void;
  makeFifo(path: string): void;
  end(): void;
}

function realBench(): Bench {
  const base = mkdtempSync(join(tmpdir(), "reader-"));
  return {
    disk: new NodeDisk(),
    base,
    symlink: (target, path) => symlinkSync(target, path),
    makeFifo: (path) => void execFileSync("mkfifo", [path]),
    end: () => rmSync(base, { recursive: true, force: true }),
  };
}
function memoryBench(): Bench {
  const disk = new MemoryDisk();
  return {
    disk,
    base: "/bench",
    symlink: (target, path) => disk.symlink(target, path),
    makeFifo: (path) => disk.makeFifo(path),
    end: () => undefined,
  };
}

beforeAll(loadHasher);

describe.each([
  ["on the machine's disk", realBench],
  ["on a disk in memory", memoryBench],
])("a state reader %s", (_name, makeBench) => {
  let bench: Bench;
  let disk: Disk;
  let reader: StateReader;
  let at: (path: string) => string;
  beforeEach(() => {
    bench = makeBench();
    disk = bench.disk;
    at = (path) => `${bench.base}/state/${path}`;
    disk.makeFolders(at("input/folder"));
    disk.makeFolders(`${bench.base}/outside`);
    disk.write(`${bench.base}/outside/secret.txt`, "secret");
    disk.write(at("input/a.txt"), "hello");
    reader = createStateReader(disk, `${bench.base}/state`);
  });
  afterEach(() => bench.end());

  /** What all four questions about a path say, in words. */
  async function ask(path: string): Promise<string[]> {
    const answers = [reader.look(path), reader.read(path), reader.hashNow(path), await reader.hash(path)];
    return answers.map((answer) => (answer.is === "refused" ? answer.reason : answer.is));
  }

  test("a file is looked at, read and hashed, each with the stat it had", async () => {
    const stat = disk.lstat(at("input/a.txt"));
    const hash = hashBytes("hello");
    expect(reader.look("input/a.txt")).toEqual({ is: "file", stat });
    expect(reader.read("input/a.txt")).toEqual({ is: "read", bytes: Buffer.from("hello"), hash, stat });
    expect(reader.hashNow("input/a.txt")).toEqual({ is: "hashed", hash, stat });
    expect(await reader.hash("input/a.txt")).toEqual({ is: "hashed", hash, stat });
    expect(reader.countFiles("input/a.txt")).toBe(1);
  });

  test.each(["input/none.txt", "none/deeper.txt", "input/a.txt/below", `input/${"x".repeat(300)}`, "none/"])(
    "%s is absent",
    async (path) => {
      expect(new Set(await ask(path)).difference(new Set(["absent", "folder, not a file"]))).toEqual(new Set());
      expect(reader.look(path)).toEqual({ is: "absent" });
      expect(reader.countFiles(path)).toBe(0);
    },
  );

  test("an empty file and one of more than a chunk are states like any other", async () => {
    const large = Buffer.alloc(2_500_000, "0123456789");
    disk.write(at("input/empty"), "");
    disk.write(at("input/large"), large);
    expect(reader.read("input/empty")).toMatchObject({ is: "read", hash: hashBytes("") });
    expect(reader.hashNow("input/large")).toMatchObject({ is: "hashed", hash: hashBytes(large) });
    expect(await reader.hash("input/large")).toEqual(reader.hashNow("input/large"));
    expect(reader.read("input/large")).toMatchObject({ hash: hashBytes(large) });
  });

  test("hashing a large file lets others run in between", async () => {
    disk.write(at("input/large"), Buffer.alloc(4 << 20));
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await reader.hash("input/large");
    isDone = true;
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  test("links inside the root are followed, for the file, for a folder above it and for a folder state", async () => {
    disk.write(at("input/folder/b.txt"), "in the folder");
    bench.symlink("a.txt", at("input/link.txt"));
    bench.symlink("input/folder", at("linked"));
    bench.symlink(at("input"), at("absolute"));
    const target = disk.lstat(at("input/a.txt"));
    expect(reader.look("input/link.txt")).toEqual({ is: "file", stat: target });
    expect(reader.read("input/link.txt")).toMatchObject({ is: "read", hash: hashBytes("hello"), stat: target });
    expect(await ask("linked/b.txt")).toEqual(["file", "read", "hashed", "hashed"]);
    expect(await ask("absolute/folder/b.txt")).toEqual(["file", "read", "hashed", "hashed"]);
    expect(reader.hashNow("linked/")).toMatchObject({ is: "hashed" });
    expect(reader.hashNow("linked/")).toEqual(reader.hashNow("input/folder/"));
  });

  test.each([
    ["a file", "../../outside/secret.txt", "input/x", "input/x"],
    ["a folder above", "../outside", "x", "x/secret.txt"],
    ["a folder that begins with the root's name", "../state-2", "x", "x/secret.txt"],
  ])("a link outside is refused: %s", async (_what, target, link, path) => {
    disk.makeFolders(`${bench.base}/state-2`);
    disk.write(`${bench.base}/state-2/secret.txt`, "secret");
    bench.symlink(target, at(link));
    for (const answer of await ask(path)) expect(answer).toMatch(/^link that leads outside the state root, to "/);
  });

  test("a folder replaced by a link outside is refused by the next batch", async () => {
    expect(reader.look("input/a.txt").is).toBe("file");
    await Promise.resolve();
    disk.rename(at("input"), at("moved"));
    bench.symlink("../outside", at("input"));
    expect(reader.read("input/secret.txt")).toMatchObject({ is: "refused" });
  });

  test("a folder that is made between two questions of one batch is there for the second", () => {
    expect(reader.look("output/a.txt")).toEqual({ is: "absent" });
    disk.makeFolders(at("output"));
    disk.write(at("output/a.txt"), "x");
    expect(reader.look("output/a.txt").is).toBe("file");
    disk.removeTree(at("output"));
    expect(reader.look("output/a.txt")).toEqual({ is: "absent" });
  });

  test("dangling links and links to themselves are refused", async () => {
    bench.symlink("nowhere", at("input/dangling"));
    bench.symlink("loop", at("input/loop"));
    expect(await ask("input/dangling")).toEqual(Array(4).fill("dangling link"));
    expect(await ask("input/loop")).toEqual(Array(4).fill("link that leads to itself"));
  });

  test("a FIFO is refused without waiting for its writer, and a folder is no file", async () => {
    bench.makeFifo(at("input/fifo"));
    expect(await ask("input/fifo")).toEqual(Array(4).fill("FIFO, socket or device"));
    expect(await ask("input/folder")).toEqual(Array(4).fill("folder, not a file"));
    expect(reader.look("input/a.txt/")).toEqual({ is: "refused", reason: "file, not a folder" });
  });

  test("a folder state's hash follows names, contents, kinds and link texts, at any depth", async () => {
    const seen = new Set<string>();
    const look = async (): Promise<void> => {
      const hashed = reader.hashNow("input/folder/");
      expect(await reader.hash("input/folder/")).toEqual(hashed);
      expect(hashed.is).toBe("hashed");
      if (hashed.is === "hashed") seen.add(hashed.hash);
    };
    const steps = [
      () => undefined,
      () => disk.makeFolders(at("input/folder/deep")),
      () => disk.write(at("input/folder/deep/a"), "one"),
      () => disk.write(at("input/folder/deep/a"), "two"),
      () => disk.rename(at("input/folder/deep/a"), at("input/folder/deep/b")),
      () => bench.symlink("b", at("input/folder/deep/c")),
      () => disk.remove(at("input/folder/deep/c")) && bench.symlink("../../outside", at("input/folder/deep/c")),
    ];
    for (const step of steps) {
      step();
      await look();
    }
    expect(seen.size).toBe(steps.length);
  });

  test("a folder state leaves out ignored names and FIFOs", () => {
    disk.write(at("input/folder/a"), "one");
    const before = reader.hashNow("input/folder/");
    disk.write(at("input/folder/.DS_Store"), "x");
    disk.write(at("input/folder/a~"), "x");
    bench.makeFifo(at("input/folder/fifo"));
    const after = reader.hashNow("input/folder/");
    expect(before.is === "hashed" && after.is === "hashed" && after.hash === before.hash).toBe(true);
    expect(reader.countFiles("input/folder/")).toBe(1);
  });

  test("a folder state inside an ignored folder still has its content", () => {
    disk.makeFolders(at(".cfg/one"));
    disk.write(at(".cfg/one/a"), "x");
    expect(reader.countFiles(".cfg/one/")).toBe(1);
  });

  test("any change below a folder state changes its stat", () => {
    disk.makeFolders(at("input/folder/deep"));
    disk.write(at("input/folder/deep/a"), "one");
    const steps = [
      () => disk.write(at("input/folder/deep/a"), "two and more"),
      () => disk.write(at("input/folder/deep/b"), ""),
      () => disk.rename(at("input/folder/deep/b"), at("input/folder/deep/c")),
      () => disk.remove(at("input/folder/deep/c")),
    ];
    const stats = [reader.look("input/folder/"), ...steps.map((step) => (step(), reader.look("input/folder/")))];
    for (const look of stats) expect(look.is).toBe("folder");
    expect(new Set(stats.map((look) => JSON.stringify(look))).size).toBe(steps.length + 1);
    expect(stats[1]).toMatchObject({ stat: { kind: "folder", size: 12 } });
    expect(reader.look("input/folder/")).toEqual(reader.look("input/folder/"));
  });

  test("a staged folder has the hash that its state has once it is in place", () => {
    const ignore = createIgnore("/output/one/*.log\n");
    const own = createStateReader(disk, `${bench.base}/state`, ignore);
    disk.makeFolders(at(".millrace/tmp/1/one/deep"));
    disk.write(at(".millrace/tmp/1/one/deep/a"), "x");
    disk.write(at(".millrace/tmp/1/one/b.log"), "ignored once it is there");
    const staged = hashTreeAt(disk, at(".millrace/tmp/1/one"), { path: "output/one/", ignore });
    disk.makeFolders(at("output"));
    disk.rename(at(".millrace/tmp/1/one"), at("output/one"));
    expect(own.hashNow("output/one/")).toMatchObject({ is: "hashed", hash: staged });
    expect(hashTreeAt(disk, at("output/one"))).not.toBe(staged);
  });

  test("hashing a staged tree throws when there is no folder", () => {
    expect(() => hashTreeAt(disk, at("input/a.txt"))).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
  });
});
