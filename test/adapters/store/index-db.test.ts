import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { beforeAll, expect, test } from "vitest";
import { SqliteIndexStore } from "../../../src/adapters/store/index-db.ts";
import { loadHasher } from "../../../src/core/hash/hash.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import { diskWith, makeStoreRoot, type StoreRoot } from "../../support/store-fixtures.ts";

beforeAll(loadHasher);

const META = { saved: "now" };
const BLOBS = new Map([
  ["files", new Uint8Array(100_000).map((_, index) => index % 251)],
  ["tasks", new Uint8Array([1, 2, 3])],
]);

const fileIn = (at: StoreRoot): string => `${at.root}/.millrace/index.db`;
const open = (at: StoreRoot, readOnly = false): SqliteIndexStore => new SqliteIndexStore(at.root, { ...at, readOnly });

function saved(at: StoreRoot): void {
  const store = open(at);
  store.save(META, BLOBS);
  store.close();
}

/** What a fresh store loads, with the store closed again. */
function loadFresh(at: StoreRoot, readOnly = false): ReturnType<SqliteIndexStore["load"]> {
  const store = open(at, readOnly);
  try {
    return store.load();
  } finally {
    store.close();
  }
}

test("it survives being closed, large blobs too", () => {
  using at = makeStoreRoot();
  saved(at);
  expect(loadFresh(at)).toEqual({ meta: META, blobs: BLOBS });
  expect(loadFresh(at, true)).toEqual({ meta: META, blobs: BLOBS });
});

test("others read the last save while the daemon writes", () => {
  using at = makeStoreRoot();
  const daemon = open(at);
  daemon.save(META, BLOBS);
  const reader = open(at, true);
  expect(reader.load()).toEqual({ meta: META, blobs: BLOBS });
  const writer = new DatabaseSync(fileIn(at));
  writer.exec("begin immediate; delete from blobs");
  expect(reader.load()).toEqual({ meta: META, blobs: BLOBS });
  writer.exec("rollback");
  writer.close();
  daemon.saveMeta({ saved: "later" });
  expect(reader.loadMeta()).toEqual({ saved: "later" });
  reader.close();
  daemon.close();
});

test("a save that fails halfway changes nothing", () => {
  using at = makeStoreRoot();
  const store = open(at);
  store.save(META, BLOBS);
  const bad = new Map([
    ["tasks", new Uint8Array([9])],
    ["files", "no bytes" as unknown as Uint8Array],
  ]);
  expect(() => store.save({ saved: "badly" }, bad)).toThrow();
  expect(store.load()).toEqual({ meta: META, blobs: BLOBS });
  store.close();
});

test("nothing is made or opened before it is needed, and a reader makes nothing at all", () => {
  using at = makeStoreRoot();
  open(at);
  expect(loadFresh(at, true)).toBeUndefined();
  expect(loadFresh(at)).toBeUndefined();
  expect(existsSync(fileIn(at))).toBe(false);
  expect(() => open(at, true).saveMeta({})).toThrow(InternalError);
});

test("a file of another format counts as none and is replaced by the next save", () => {
  using at = makeStoreRoot();
  const other = new DatabaseSync(fileIn(at));
  other.exec("pragma user_version = 7; create table blobs (x)");
  other.close();
  expect(loadFresh(at)).toBeUndefined();
  expect(at.problems).toEqual([]);
  saved(at);
  expect(loadFresh(at)).toEqual({ meta: META, blobs: BLOBS });
});

test("a folder in its place counts as none", () => {
  using at = makeStoreRoot();
  mkdirSync(fileIn(at));
  expect(loadFresh(at)).toBeUndefined();
});

test("cut at any length it is none, and the next save begins anew", () => {
  using at = makeStoreRoot();
  saved(at);
  const whole = readFileSync(fileIn(at));
  const lengths = [0, 1, 15, 16, 50, 99, 100, 101, 512, 4096, 32767];
  for (let length = 32768; length < whole.length; length += 16384) lengths.push(length, length + 1);
  for (const length of lengths) {
    writeFileSync(fileIn(at), whole);
    truncateSync(fileIn(at), length);
    expect(loadFresh(at)).toBeUndefined();
    saved(at);
    expect(loadFresh(at)).toEqual({ meta: META, blobs: BLOBS });
  }
});

test("with any byte changed it is none or what was saved, never something else", () => {
  using at = makeStoreRoot();
  saved(at);
  const whole = readFileSync(fileIn(at));
  let found = 0;
  for (let position = 0; position < whole.length; position += position < 120 ? 1 : 397) {
    const damaged = Buffer.from(whole);
    damaged[position]! ^= 0x5a;
    writeFileSync(fileIn(at), damaged);
    const loaded = loadFresh(at);
    if (loaded === undefined) found += 1;
    else expect(loaded).toEqual({ meta: META, blobs: BLOBS });
    rmSync(fileIn(at), { force: true });
  }
  expect(found).toBeGreaterThan(100);
  expect(new Set(at.problems.map(({ code, severity }) => `${code} ${severity}`))).toEqual(new Set(["M410 warning"]));
});

test("a reader that finds damage leaves the file alone", () => {
  using at = makeStoreRoot();
  writeFileSync(fileIn(at), "no database, but long enough to look like one".repeat(100));
  expect(loadFresh(at, true)).toBeUndefined();
  expect(at.problems).toMatchObject([{ code: "M410" }]);
  expect(existsSync(fileIn(at))).toBe(true);
  expect(loadFresh(at)).toBeUndefined();
  expect(readdirSync(`${at.root}/.millrace`)).not.toContain("index.db");
});

test("when it is damaged or removed under the daemon, it is none until every blob was saved again", () => {
  using at = makeStoreRoot();
  const daemon = open(at);
  daemon.save(META, BLOBS);
  for (const harm of [() => writeFileSync(fileIn(at), "x".repeat(5000)), () => rmSync(fileIn(at))]) {
    daemon.close();
    harm();
    daemon.save({ saved: "again" }, new Map([["tasks", new Uint8Array([4])]]));
    expect(loadFresh(at, true)).toBeUndefined();
    const reader = open(at, true);
    expect(reader.loadMeta()).toEqual({ saved: "again" });
    reader.close();
    daemon.save(META, BLOBS);
    expect(loadFresh(at, true)).toEqual({ meta: META, blobs: BLOBS });
  }
  daemon.close();
});

test("a file removed while it is open is not written to any more", () => {
  using at = makeStoreRoot();
  const daemon = open(at);
  daemon.save(META, BLOBS);
  rmSync(fileIn(at));
  daemon.save(META, BLOBS);
  expect(loadFresh(at, true)).toEqual({ meta: META, blobs: BLOBS });
  daemon.close();
});

test("what the disk refuses is thrown", () => {
  using at = makeStoreRoot();
  const disk = diskWith(at.disk, {
    lstat: () => {
      throw Object.assign(new Error("EIO"), { code: "EIO" });
    },
  });
  const store = new SqliteIndexStore(at.root, { ...at, disk, readOnly: false });
  expect(() => store.load()).toThrow("EIO");
  expect(() => store.saveMeta({})).toThrow("EIO");
});
