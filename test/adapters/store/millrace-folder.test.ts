import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openRootKey, prepareMillraceFolder, type RootKey } from "../../../src/adapters/store/millrace-folder.ts";
import { makeStoreRoot, type StoreRoot } from "../../support/store-fixtures.ts";

const keyIn = (at: StoreRoot): string => `${at.root}/.millrace/key`;

function openWith(at: StoreRoot, byte: number, trash: StoreRoot["trash"] | undefined = at.trash): RootKey {
  return openRootKey(at.root, { ...at, trash, randomBytes: (count) => new Uint8Array(count).fill(byte) });
}

test("the folders are made, and preparing again changes nothing", () => {
  using at = makeStoreRoot();
  writeFileSync(`${at.root}/.millrace/.gitignore`, "mine");
  writeFileSync(`${at.root}/.millrace/manifests/001.json`, "{}");
  prepareMillraceFolder(at.root, at.disk);
  expect(readdirSync(`${at.root}/.millrace`).sort()).toEqual([".gitignore", "cache", "manifests", "tmp", "trash"]);
  expect(readFileSync(`${at.root}/.millrace/.gitignore`, "utf8")).toBe("mine");
  expect(existsSync(`${at.root}/.millrace/manifests/001.json`)).toBe(true);
});

test("git sees the manifests and nothing else of it", () => {
  using at = makeStoreRoot();
  openWith(at, 1);
  for (const name of ["manifests/001.json", "index.db", "tmp/x", "trash/x", "cache/x", "controls.json"]) {
    writeFileSync(`${at.root}/.millrace/${name}`, "x");
  }
  mkdirSync(`${at.root}/input`);
  writeFileSync(`${at.root}/input/001.txt`, "x");
  const git = (...args: string[]): string => execFileSync("git", ["-C", at.root, ...args], { encoding: "utf8" });
  git("init", "-q");
  expect(git("ls-files", "--others", "--exclude-standard").trim().split("\n").sort()).toEqual([
    ".millrace/.gitignore",
    ".millrace/manifests/001.json",
    "input/001.txt",
  ]);
});

test("the key is made once, is private, and gives the same hashes ever after", () => {
  using at = makeStoreRoot();
  const first = openWith(at, 1);
  const second = openWith(at, 2);
  expect(readFileSync(keyIn(at), "utf8")).toBe(`${"01".repeat(32)}\n`);
  expect(statSync(keyIn(at)).mode & 0o777).toBe(0o600);
  expect(first.hmacOf("secret")).toMatch(/^[0-9a-f]{64}$/);
  expect(second.hmacOf("secret")).toBe(first.hmacOf("secret"));
  expect(first.hmacOf("other")).not.toBe(first.hmacOf("secret"));
});

test("another root's key gives other hashes", () => {
  using one = makeStoreRoot();
  using two = makeStoreRoot();
  expect(openWith(one, 1).hmacOf("secret")).not.toBe(openWith(two, 2).hmacOf("secret"));
});

test.each(["", "short\n", `${"0".repeat(63)}g\n`, "0".repeat(64)])(
  "a key %j is set aside with a warning and replaced",
  (text) => {
    using at = makeStoreRoot();
    writeFileSync(keyIn(at), text);
    openWith(at, 3);
    expect(readFileSync(keyIn(at), "utf8")).toBe(`${"03".repeat(32)}\n`);
    expect(at.problems).toMatchObject([{ code: "M408", severity: "warning" }]);
    expect(readdirSync(`${at.root}/.millrace/trash`)).toHaveLength(1);
  },
);

test("a process that does not own the root writes no key", () => {
  using at = makeStoreRoot();
  const key = openRootKey(at.root, { ...at, trash: undefined, randomBytes: (count) => new Uint8Array(count) });
  expect(key.hmacOf("x")).toMatch(/^[0-9a-f]{64}$/);
  expect(existsSync(keyIn(at))).toBe(false);
});
