import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NodeDisk } from "../../src/adapters/system/disk.ts";
import type { Disk } from "../../src/ports.ts";
import { MemoryDisk } from "../support/memory-disk.ts";

/** A disk with what the port itself cannot make. */
interface Bench {
  readonly disk: Disk;
  readonly root: string;
  symlink(target: string, path: string): void;
  makeFifo(path: string): void;
  chmod(path: string, mode: number): void;
  modeOf(path: string): number | undefined;
  end(): void;
}

function realBench(): Bench {
  const root = mkdtempSync(join(tmpdir(), "disk-"));
  return {
    disk: new NodeDisk(),
    root,
    symlink: (target, path) => symlinkSync(target, path),
    makeFifo: (path) => void execFileSync("mkfifo", [path]),
    chmod: (path, mode) => chmodSync(path, mode),
    modeOf: (path) => statSync(path).mode & 0o777,
    end: () => rmSync(root, { recursive: true, force: true }),
  };
}

function memoryBench(): Bench {
  const disk = new MemoryDisk();
  disk.makeFolders("/bench");
  return {
    disk,
    root: "/bench",
    symlink: (target, path) => disk.symlink(target, path),
    makeFifo: (path) => disk.makeFifo(path),
    chmod: (path, mode) => disk.chmod(path, mode),
    modeOf: (path) => disk.modeOf(path),
    end: () => undefined,
  };
}

const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);

describe.each([
  ["the machine's disk", realBench],
  ["the disk in memory", memoryBench],
])("%s", (_name, makeBench) => {
  let bench: Bench;
  let disk: Disk;
  let at: (path: string) => string;
  beforeEach(() => {
    bench = makeBench();
    disk = bench.disk;
    at = (path) => `${bench.root}/${path}`;
  });
  afterEach(() => bench.end());

  test("what is absent is undefined or false, below a file too", () => {
    disk.write(at("file"), "x");
    for (const path of [at("none"), at("none/deeper"), at("file/deeper")]) {
      expect([disk.lstat(path), disk.stat(path), disk.realpath(path), disk.readLink(path)]).toEqual(
        Array(4).fill(undefined),
      );
      expect([disk.list(path), disk.listBytes(path), disk.read(path), disk.open(path)]).toEqual(
        Array(4).fill(undefined),
      );
      expect(disk.remove(path)).toBe(false);
      disk.removeTree(path);
    }
    expect(disk.list(at("file"))).toBeUndefined();
  });

  test("a written file is read back, and its stat tells size and kind", () => {
    disk.write(at("a"), "grüße");
    expect(text(disk.read(at("a")))).toBe("grüße");
    expect(disk.lstat(at("a"))).toMatchObject({ kind: "file", size: 7 });
    disk.write(at("a"), new Uint8Array([1, 2, 3]), { sync: true });
    expect([...(disk.read(at("a")) ?? [])]).toEqual([1, 2, 3]);
  });

  test("a rewrite keeps the inode and moves size or ctime", () => {
    disk.write(at("a"), "one");
    const before = disk.lstat(at("a"));
    disk.write(at("a"), "longer");
    const after = disk.lstat(at("a"));
    expect(after?.ino).toBe(before?.ino);
    expect(after?.size).not.toBe(before?.size);
    expect(after?.ctimeMs).toBeGreaterThanOrEqual(before?.ctimeMs ?? Infinity);
  });

  test("a new file gets the mode it is given", () => {
    disk.write(at("run.sh"), "#!", { mode: 0o755 });
    expect(bench.modeOf(at("run.sh"))).toBe(0o755);
  });

  test("writing makes no folders and does not replace one", () => {
    disk.makeFolders(at("folder"));
    expect(() => disk.write(at("none/a"), "x")).toThrow(expect.objectContaining({ code: "ENOENT" }));
    expect(() => disk.write(at("folder"), "x")).toThrow(expect.objectContaining({ code: "EISDIR" }));
  });

  test("folders are made with their parents, twice without harm, and listed", () => {
    disk.makeFolders(at("a/b/c"));
    disk.makeFolders(at("a/b/c"));
    disk.write(at("a/x"), "");
    expect(disk.list(at("a"))?.sort()).toEqual(["b", "x"]);
    expect(disk.listBytes(at("a"))?.map(text).sort()).toEqual(["b", "x"]);
    expect(disk.lstat(at("a/b"))?.kind).toBe("folder");
  });

  test("a link is told from what it leads to", () => {
    disk.makeFolders(at("real"));
    disk.write(at("real/a"), "x");
    bench.symlink("real", at("link"));
    expect(disk.lstat(at("link"))?.kind).toBe("symlink");
    expect(disk.stat(at("link"))?.kind).toBe("folder");
    expect(disk.readLink(at("link"))).toBe("real");
    expect(disk.realpath(at("link/a"))).toBe(disk.realpath(at("real/a")));
    expect(text(disk.read(at("link/a")))).toBe("x");
  });

  test("a dangling link is there itself and leads nowhere", () => {
    bench.symlink("nowhere", at("link"));
    expect(disk.lstat(at("link"))?.kind).toBe("symlink");
    expect([disk.stat(at("link")), disk.realpath(at("link")), disk.read(at("link"))]).toEqual(Array(3).fill(undefined));
    expect(disk.remove(at("link"))).toBe(true);
  });

  test("a link that leads to itself throws ELOOP where it is followed", () => {
    bench.symlink("loop", at("loop"));
    expect(() => disk.stat(at("loop"))).toThrow(expect.objectContaining({ code: "ELOOP" }));
    expect(() => disk.realpath(at("loop"))).toThrow(expect.objectContaining({ code: "ELOOP" }));
  });

  test("an open file is read at any position and stays the same file when its name goes", () => {
    disk.write(at("a"), "0123456789");
    const file = disk.open(at("a"));
    disk.rename(at("a"), at("b"));
    disk.write(at("a"), "other");
    const into = new Uint8Array(4);
    expect(file?.read(into, 3)).toBe(4);
    expect(text(into)).toBe("3456");
    expect(file?.read(into, 8)).toBe(2);
    expect(file?.read(into, 10)).toBe(0);
    expect(file?.stat()).toMatchObject({ kind: "file", size: 10 });
    file?.close();
  });

  test("opening refuses a link, waits for no FIFO, and tells a folder by its stat", () => {
    disk.write(at("a"), "x");
    bench.symlink("a", at("link"));
    bench.makeFifo(at("fifo"));
    disk.makeFolders(at("folder"));
    expect(() => disk.open(at("link"))).toThrow(expect.objectContaining({ code: "ELOOP" }));
    for (const [name, kind] of [
      ["fifo", "other"],
      ["folder", "folder"],
    ] as const) {
      const opened = disk.open(at(name));
      expect(opened?.stat().kind).toBe(kind);
      opened?.close();
    }
  });

  test("renaming replaces a file, keeps the inode and moves a folder with its content", () => {
    disk.write(at("a"), "new");
    disk.write(at("b"), "old");
    const ino = disk.lstat(at("a"))?.ino;
    disk.rename(at("a"), at("b"));
    expect(text(disk.read(at("b")))).toBe("new");
    expect(disk.lstat(at("b"))?.ino).toBe(ino);
    expect(disk.lstat(at("a"))).toBeUndefined();
    disk.makeFolders(at("folder/inner"));
    disk.rename(at("folder"), at("moved"));
    expect(disk.list(at("moved"))).toEqual(["inner"]);
  });

  test.each([
    ["a file over a folder", "file", "folder", "EISDIR"],
    ["a folder over a file", "folder", "file", "ENOTDIR"],
    ["a folder over a full one", "folder", "full", "ENOTEMPTY"],
    ["what is absent", "none", "file", "ENOENT"],
    ["a folder into itself", "full", "full/inner", "EINVAL"],
    ["into a folder that is absent", "file", "none/file", "ENOENT"],
  ])("renaming %s throws", (_what, from, to, code) => {
    disk.write(at("file"), "x");
    disk.makeFolders(at("folder"));
    disk.makeFolders(at("full"));
    disk.write(at("full/a"), "x");
    expect(() => disk.rename(at(from), at(to))).toThrow(expect.objectContaining({ code }));
    expect(disk.list(bench.root)?.sort()).toEqual(["file", "folder", "full"]);
  });

  test("copying takes contents, modes and links as links, and leaves the original", () => {
    disk.makeFolders(at("from/deep/empty"));
    disk.write(at("from/run.sh"), "#!", { mode: 0o755 });
    disk.write(at("from/deep/a"), "text");
    bench.symlink("deep/a", at("from/link"));
    bench.chmod(at("from/deep"), 0o700);
    disk.copy(at("from"), at("to"));
    expect(disk.list(at("to"))?.sort()).toEqual(["deep", "link", "run.sh"]);
    expect(disk.list(at("to/deep"))?.sort()).toEqual(["a", "empty"]);
    expect(disk.readLink(at("to/link"))).toBe("deep/a");
    expect([bench.modeOf(at("to/run.sh")), bench.modeOf(at("to/deep"))]).toEqual([0o755, 0o700]);
    disk.write(at("to/deep/a"), "changed");
    expect(text(disk.read(at("from/deep/a")))).toBe("text");
    disk.copy(at("from/deep/a"), at("single"));
    expect(text(disk.read(at("single")))).toBe("text");
  });

  test("copying a FIFO throws instead of waiting for it", () => {
    bench.makeFifo(at("fifo"));
    expect(() => disk.copy(at("fifo"), at("copy"))).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });

  test("removing takes a file or an empty folder and nothing more", () => {
    disk.makeFolders(at("full/empty"));
    expect(() => disk.remove(at("full"))).toThrow(expect.objectContaining({ code: "ENOTEMPTY" }));
    expect(disk.remove(at("full/empty"))).toBe(true);
    disk.write(at("full/a"), "x");
    expect(disk.remove(at("full/a"))).toBe(true);
    expect(disk.remove(at("full"))).toBe(true);
    expect(disk.list(bench.root)).toEqual([]);
  });

  test("removing a tree does not go through links", () => {
    disk.makeFolders(at("kept"));
    disk.write(at("kept/a"), "x");
    disk.makeFolders(at("tree/deep"));
    bench.symlink("../kept", at("tree/link"));
    disk.removeTree(at("tree"));
    expect(disk.list(bench.root)).toEqual(["kept"]);
    expect(disk.list(at("kept"))).toEqual(["a"]);
  });

  test("files and folders can be forced to the medium, absent ones not", () => {
    disk.write(at("a"), "x");
    disk.sync(at("a"));
    disk.sync(bench.root);
    expect(() => disk.sync(at("none"))).toThrow(expect.objectContaining({ code: "ENOENT" }));
  });

  test.each([
    "with space",
    "'quotes\"",
    "new\nline",
    "-dash",
    "\u{1F600}",
    "e\u0301",
    "é",
    "x".repeat(255),
    "__proto__",
  ])("a file may be called %j", (name) => {
    disk.write(at(name), "x");
    expect(disk.list(bench.root)).toEqual([name]);
    expect(text(disk.read(at(name)))).toBe("x");
  });

  test("a name of 256 bytes is refused by the file system", () => {
    expect(() => disk.write(at("x".repeat(256)), "x")).toThrow(expect.objectContaining({ code: "ENAMETOOLONG" }));
  });
});
