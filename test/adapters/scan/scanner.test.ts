import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createScanner, type ScannerOptions } from "../../../src/adapters/scan/scanner.ts";
import type { Scan, Scanner, WatchBase } from "../../../src/ports.ts";

const WORKER = new URL("../../../src/adapters/scan/lstat-worker.ts", import.meta.url);
const KINDS = ["file", "folder", "symlink", "other"];
const everything: WatchBase = { path: "", depth: Number.POSITIVE_INFINITY };

let root: string;
let outside: string;
let scanners: Scanner[];
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-scan-"));
  root = join(folder, "state");
  outside = join(folder, "outside");
  mkdirSync(root);
  mkdirSync(outside);
  scanners = [];
});
afterEach(async () => {
  await Promise.all(scanners.map((scanner) => scanner.close()));
  rmSync(dirname(root), { recursive: true, force: true });
});

function scanner(options: Partial<ScannerOptions> = {}): Scanner {
  const made = createScanner({ root, isIgnored: () => false, ...options });
  scanners.push(made);
  return made;
}
function write(path: string, text: string | Uint8Array = "x"): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
const found = (scan: Scan): string[] => scan.paths.map((path, row) => `${KINDS[scan.kinds[row] ?? -1]} ${path}`).sort();

/** What a plain recursive look says, the truth to compare with. */
function truth(folder = root, prefix = ""): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = `${prefix}${entry.name}`;
    if (entry.isDirectory()) return [`folder ${path}`, ...truth(join(folder, entry.name), `${path}/`)];
    return [`${entry.isSymbolicLink() ? "symlink" : entry.isFile() ? "file" : "other"} ${path}`];
  });
}

describe("what is found", () => {
  test("is everything below a base down to its depth, and the base itself", async () => {
    for (const path of ["top.txt", "input/1.txt", "input/a/2.txt", "input/a/b/3.txt", "other/4.txt"]) write(path);
    const at = async (path: string, depth: number): Promise<string[]> => found(await scanner().scan([{ path, depth }]));
    expect(await at("input", 1)).toEqual(["file input/1.txt", "folder input", "folder input/a"]);
    expect(await at("input", 2)).toEqual([
      "file input/1.txt",
      "file input/a/2.txt",
      "folder input",
      "folder input/a",
      "folder input/a/b",
    ]);
    expect(await at("input/a", 0)).toEqual(["folder input/a"]);
    expect(await at("top.txt", 3)).toEqual(["file top.txt"]);
    expect(await at("", 1)).toEqual(["file top.txt", "folder input", "folder other"]);
    expect(await at("", Number.POSITIVE_INFINITY)).toEqual(truth().sort());
  });

  test("has size, times, inode and device of the thing itself in its columns", async () => {
    write("input/a.txt", "hello");
    symlinkSync("a.txt", join(root, "input/link"));
    for (const depth of [1, 9]) {
      const { paths, stats } = await scanner().scan([{ path: "input", depth }]);
      expect(paths.toSorted()).toEqual(["input", "input/a.txt", "input/link"]);
      for (const [row, path] of paths.entries()) {
        const { size, mtimeMs, ctimeMs, ino, dev } = lstatSync(join(root, path));
        expect(Array.from(stats.subarray(row * 5, row * 5 + 5))).toEqual([size, mtimeMs, ctimeMs, ino, dev]);
      }
      expect(stats).toHaveLength(15);
    }
  });

  test("is the same as a plain look, whatever names are made of", async () => {
    const part = fc
      .string({
        unit: fc.constantFrom(
          "a",
          "B",
          ".",
          " ",
          "\n",
          "\r",
          "\u2028",
          "\\",
          "*",
          "[",
          "{",
          "!",
          "-",
          "'",
          "é",
          "\uE000",
          "\uFFFD",
          "😀",
          "0",
        ),
        minLength: 1,
        maxLength: 4,
      })
      .filter((name) => name !== "." && name !== "..");
    const paths = fc.uniqueArray(
      fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
      { maxLength: 8 },
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(paths, async (names) => {
        const folder = join(root, String(run++));
        mkdirSync(folder);
        for (const name of names) {
          try {
            mkdirSync(dirname(join(folder, name)), { recursive: true });
            writeFileSync(join(folder, name), "x", { flag: "wx" });
          } catch {
            // One name is the folder of another: whichever came first stays.
          }
        }
        const look = (depth: number): Promise<Scan> => scanner({ root: folder }).scan([{ path: "", depth }]);
        const all = truth(folder).sort();
        expect(found(await look(Number.POSITIVE_INFINITY))).toEqual(all);
        expect(found(await look(1))).toEqual(all.filter((line) => !line.includes("/")));
      }),
      { numRuns: 60 },
    );
  });

  test("is each path once, however bases overlap", async () => {
    for (const path of ["input/1.txt", "input/a/2.txt", "input/a/b/3.txt"]) write(path);
    const bases: WatchBase[] = [
      { path: "input", depth: 2 },
      { path: "input/a", depth: 2 },
      { path: "", depth: 1 },
      { path: "input", depth: 1 },
      { path: "input", depth: 2 },
    ];
    expect(found(await scanner().scan(bases))).toEqual(truth().sort());
  });

  test("leaves out what is ignored with all that is below it, and Millrace's own folder always", async () => {
    for (const path of [".millrace/manifests/a.json", "input/.millrace/x", "input/keep.txt", "input/drop.tmp"])
      write(path);
    write("input/skip/below.txt");
    const asked: string[] = [];
    const isIgnored = (path: string, isFolder: boolean): boolean => {
      asked.push(path);
      return path.endsWith(".tmp") || (isFolder && path === "input/skip");
    };
    for (const base of [everything, { path: "input", depth: 1 }, { path: "input", depth: 5 }]) {
      const lines = found(await scanner({ isIgnored }).scan([base])).filter((line) => line !== "folder input");
      expect(lines).toEqual(["file input/keep.txt"]);
    }
    expect(asked.filter((path) => path.startsWith("input/skip/") || path.startsWith(".millrace/"))).toEqual([]);
    expect(found(await scanner({ isIgnored }).scan([{ path: "input/skip", depth: 3 }]))).toEqual([]);
  });

  test("says which bases are missing, the root as well", async () => {
    write("file.txt");
    const bases: WatchBase[] = [
      { path: "nowhere", depth: 1 },
      { path: "no/where", depth: 3 },
      { path: "file.txt/below", depth: 1 },
    ];
    expect((await scanner().scan(bases)).missing.toSorted()).toEqual(["file.txt/below", "no/where", "nowhere"]);
    const gone = await scanner({ root: join(root, "gone") }).scan([everything]);
    expect([gone.missing, gone.paths]).toEqual([[""], []]);
  });

  test("calls a pipe neither file nor folder, and does not open it", async () => {
    mkdirSync(join(root, "input"));
    execFileSync("mkfifo", [join(root, "input/pipe")]);
    for (const depth of [1, 2]) {
      expect(found(await scanner().scan([{ path: "input", depth }]))).toContain("other input/pipe");
    }
  });
});

describe("links", () => {
  test("to folders inside the root are entered, down to the same depth", async () => {
    write("store/a/deep/file.txt");
    mkdirSync(join(root, "input"));
    symlinkSync("../store/a", join(root, "input/link"));
    const at = async (depth: number): Promise<string[]> =>
      found(await scanner().scan([{ path: "input", depth }])).filter((line) => line.includes("link"));
    expect(await at(1)).toEqual(["symlink input/link"]);
    expect(await at(2)).toEqual(["folder input/link/deep", "symlink input/link"]);
    expect(await at(3)).toEqual(["file input/link/deep/file.txt", "folder input/link/deep", "symlink input/link"]);
  });

  test("in circles end", async () => {
    write("a/file.txt");
    mkdirSync(join(root, "b"));
    symlinkSync(".", join(root, "a/self"));
    symlinkSync("..", join(root, "a/up"));
    symlinkSync("../b", join(root, "a/b"));
    symlinkSync("../a", join(root, "b/a"));
    symlinkSync("itself", join(root, "b/itself"));
    expect(found(await scanner().scan([everything]))).toEqual(
      truth()
        .concat("symlink a/b/a", "symlink a/b/itself")
        .concat("file b/a/file.txt", "symlink b/a/self", "symlink b/a/up", "symlink b/a/b")
        .sort(),
    );
  });

  test("to folders outside the root are named and not entered, as bases too", async () => {
    writeFileSync(join(outside, "secret.txt"), "x");
    symlinkSync(outside, join(root, "link"));
    for (const base of [everything, { path: "link", depth: 1 }, { path: "", depth: 1 }]) {
      const scan = await scanner().scan([base]);
      expect(found(scan).filter((line) => line.includes("secret"))).toEqual([]);
      expect(scan.problems).toEqual([{ kind: "link-outside", path: "link", reason: expect.stringContaining(outside) }]);
    }
  });

  test("to files and to nothing are just links; one to Millrace's own folder is not entered", async () => {
    write("a.txt");
    write(".millrace/owner");
    symlinkSync("a.txt", join(root, "file"));
    symlinkSync("nothing", join(root, "dangling"));
    symlinkSync(".millrace", join(root, "own"));
    const scan = await scanner().scan([everything]);
    expect(found(scan)).toEqual(["file a.txt", "symlink dangling", "symlink file", "symlink own"]);
    expect(scan.problems).toEqual([]);
  });

  test("on the way to the root do not matter", async () => {
    write("input/a.txt");
    symlinkSync(root, join(outside, "root"));
    const scan = await scanner({ root: join(outside, "root") }).scan([everything]);
    expect([found(scan), scan.problems]).toEqual([["file input/a.txt", "folder input"], []]);
  });
});

describe("problems", () => {
  test.each([1, 5])("names that are not UTF-8 are named with their bytes, at depth %i", async (depth) => {
    write("input/right.txt");
    write("input/right\uFFFD.txt");
    const bad = Buffer.concat([Buffer.from(join(root, "input/b")), Buffer.from([0xff, 0x0a]), Buffer.from(".txt")]);
    writeFileSync(bad, "x");
    const scan = await scanner().scan([{ path: "input", depth }]);
    expect(found(scan)).toEqual(["file input/right.txt", "file input/right\uFFFD.txt", "folder input"]);
    expect(scan.problems).toEqual([
      { kind: "bad-name", path: "input/b\\xFF\\x0A.txt", reason: "the name is not valid UTF-8" },
    ]);
  });

  test("what cannot be listed or looked at is named, and the rest is found", async () => {
    // A path that is too long to be opened fails for every user, unlike one without permissions.
    const part = "x".repeat(200);
    const long = Array.from({ length: 15 }, () => part).join("/");
    write("input/a.txt");
    mkdirSync(join(root, "input", long), { recursive: true });
    mkdirSync(join(root, "rest", long), { recursive: true });
    const joint = join(root, "input", long, "joint");
    renameSync(join(root, "rest"), joint);
    try {
      for (const depth of [40, Number.POSITIVE_INFINITY]) {
        const scan = await scanner().scan([{ path: "input", depth }]);
        const reasons = scan.problems.map(({ kind, reason }) => `${kind}: ${reason}`);
        expect(reasons).toEqual([
          "unreadable: the folder cannot be listed: ENAMETOOLONG",
          "unreadable: it cannot be looked at: ENAMETOOLONG",
        ]);
        const path = scan.problems[0]?.path ?? "";
        expect(join(root, path).length).toBeGreaterThan(4095);
        expect(found(scan)).toContain("file input/a.txt");
        expect(scan.paths).toContain(dirname(path));
        const flat = await scanner().scan([{ path: dirname(path), depth: 1 }]);
        expect(flat.problems).toEqual([{ kind: "unreadable", path, reason: expect.stringContaining("ENAMETOOLONG") }]);
      }
    } finally {
      renameSync(joint, join(root, "rest"));
    }
  });
});

describe("many entries", () => {
  const COUNT = 6_000;
  const base: WatchBase = { path: "input", depth: 1 };
  let crowd: string;
  beforeAll(() => {
    crowd = mkdtempSync(join(tmpdir(), "millrace-scan-"));
    mkdirSync(join(crowd, "input"));
    for (let i = 0; i < COUNT; i++) writeFileSync(join(crowd, `input/${i}.txt`), "x".repeat(i % 7));
  });
  afterAll(() => rmSync(crowd, { recursive: true }));

  test.each([
    ["one thread", undefined],
    ["two threads", WORKER],
    ["a second thread that cannot start", new URL("nowhere-worker.ts", WORKER)],
  ])("with %s are found with the same stats", async (_, worker) => {
    const many = scanner({ root: crowd, worker });
    const expected = ["input", ...Array.from({ length: COUNT }, (__, i) => `input/${i}.txt ${i % 7}`)].toSorted();
    for (const depth of [1, 2]) {
      const { paths, stats } = await many.scan([{ path: "input", depth }]);
      const lines = paths.map((path, row) => (path === "input" ? path : `${path} ${stats[row * 5]}`));
      expect(lines.toSorted()).toEqual(expected);
    }
  });

  test("let others run in between", async () => {
    let hasRun = false;
    setImmediate(() => {
      hasRun = true;
    });
    await scanner({ root: crowd }).scan([base]);
    expect(hasRun).toBe(true);
  });

  test("can be looked at while the second thread starts, and again after close", async () => {
    const many = scanner({ root: crowd, worker: WORKER });
    many.warmUp();
    expect((await many.scan([base])).paths).toHaveLength(COUNT + 1);
    await many.close();
    expect((await many.scan([base])).paths).toHaveLength(COUNT + 1);
  });
});

test("a second thread does not keep the process alive", () => {
  write("a.txt");
  const code = `
    import { createScanner } from ${JSON.stringify(new URL("../../../src/adapters/scan/scanner.ts", import.meta.url).href)};
    const scanner = createScanner({ root: ${JSON.stringify(root)}, isIgnored: () => false, worker: new URL(${JSON.stringify(WORKER.href)}) });
    scanner.warmUp();
    await new Promise((resolve) => setTimeout(resolve, 150));
    process.stdout.write(String((await scanner.scan([{ path: "", depth: 1 }])).paths));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
    timeout: 20_000,
    encoding: "utf8",
  });
  expect(output).toBe("a.txt");
});
