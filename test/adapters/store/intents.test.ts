import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FileIntents } from "../../../src/adapters/store/intents.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import type { Intent } from "../../../src/ports.ts";
import { diskWith, makeStoreRoot, stateRecord, type StoreRoot } from "../../support/store-fixtures.ts";

const intent = (batchId: string): Intent => ({
  version: 1,
  batchId,
  records: [
    {
      taskKey: "echo#output@001",
      entityId: "001",
      pattern: "output/{id}.json",
      path: "output/001.json",
      staged: "0/001.json",
      record: stateRecord(),
    },
    { taskKey: "echo#output@\n", entityId: "\n", pattern: "pages/{id}/", path: "pages/\n/", staged: "", record: null },
  ],
});

/** What another process has. */
const later = (at: StoreRoot): FileIntents => new FileIntents(at.root, at.disk);

const tmp = (at: StoreRoot): string[] => readdirSync(`${at.root}/.millrace/tmp`).sort();

test("intents are read back, by batch id, until their batch is removed", () => {
  using at = makeStoreRoot();
  const intents = new FileIntents(at.root, at.disk);
  for (const id of ["b2", "b1"]) {
    const folder = intents.makeBatch(id);
    expect(folder).toBe(intents.batchFolder(id));
    writeFileSync(`${folder}/staged`, "bytes");
    intents.write(intent(id));
  }
  expect(later(at).readAll()).toEqual({ intents: [intent("b1"), intent("b2")], unreadable: [] });
  intents.remove("b1");
  intents.remove("b1");
  expect(later(at).readAll().intents).toEqual([intent("b2")]);
  expect(tmp(at)).toEqual(["b2"]);
});

test("a root without a temp folder has none", () => {
  using at = makeStoreRoot();
  expect(new FileIntents(`${at.root}/none`, at.disk).readAll()).toEqual({ intents: [], unreadable: [] });
});

test("a batch that did not begin to commit has no intent", () => {
  using at = makeStoreRoot();
  const intents = new FileIntents(at.root, at.disk);
  intents.makeBatch("b1");
  expect(later(at).readAll()).toEqual({ intents: [], unreadable: [] });
});

test("an intent is there whole or not at all when the disk fails", () => {
  using at = makeStoreRoot();
  const disk = diskWith(at.disk, {
    write: (path, bytes) => {
      at.disk.write(path, String(bytes).slice(0, 10));
      throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    },
  });
  const intents = new FileIntents(at.root, disk);
  intents.makeBatch("b1");
  expect(() => intents.write(intent("b1"))).toThrow("ENOSPC");
  expect(later(at).readAll()).toEqual({ intents: [], unreadable: [] });
});

test("with sync the file and both folders are forced", () => {
  using at = makeStoreRoot();
  const synced: unknown[] = [];
  const disk = diskWith(at.disk, {
    write: (path, bytes, options) => {
      synced.push(options?.sync);
      at.disk.write(path, bytes, options);
    },
    sync: (path) => synced.push(path.slice(at.root.length)),
  });
  const intents = new FileIntents(at.root, disk);
  intents.makeBatch("b1");
  intents.write(intent("b1"), { sync: true });
  expect(synced).toEqual([true, "/.millrace/tmp/b1", "/.millrace/tmp"]);
});

test("an intent cut at any length is a warning with its folder", () => {
  using at = makeStoreRoot();
  const intents = new FileIntents(at.root, at.disk);
  const folder = intents.makeBatch("b1");
  const text = JSON.stringify(intent("b1"));
  for (let length = 0; length < text.length; length++) {
    writeFileSync(`${folder}/intent.json`, text.slice(0, length));
    const { intents: read, unreadable } = later(at).readAll();
    expect(read).toEqual([]);
    expect(unreadable).toMatchObject([{ folder, problem: { code: "M406", severity: "warning" } }]);
  }
});

test.each<[string, (json: ReturnType<typeof plain>) => void]>([
  ["of another version", (json) => Object.assign(json, { version: 2 })],
  ["of another batch", (json) => Object.assign(json, { batchId: "b2" })],
  ["with an unknown key", (json) => Object.assign(json, { more: 1 })],
  ["with a path out of the root", (json) => Object.assign(json.records[0]!, { path: "../x" })],
  ["with a staged path out of its folder", (json) => Object.assign(json.records[0]!, { staged: "/etc/passwd" })],
  ["with a record that is none", (json) => Object.assign(json.records[0]!, { record: {} })],
  ["with records that are no list", (json) => Object.assign(json, { records: {} })],
])("an intent %s is not trusted", (_, change) => {
  using at = makeStoreRoot();
  const intents = new FileIntents(at.root, at.disk);
  const json = plain();
  change(json);
  writeFileSync(`${intents.makeBatch("b1")}/intent.json`, JSON.stringify(json));
  expect(later(at).readAll()).toMatchObject({ intents: [], unreadable: [{}] });
});

function plain(): { records: object[] } {
  return JSON.parse(JSON.stringify(intent("b1"))) as { records: object[] };
}

test("clearing removes leftovers and unreadable batches, and keeps batches with an intent", () => {
  using at = makeStoreRoot();
  const intents = new FileIntents(at.root, at.disk);
  intents.makeBatch("keep");
  intents.write(intent("keep"));
  writeFileSync(`${intents.makeBatch("torn")}/intent.json`, "{");
  mkdirSync(`${at.root}/.millrace/tmp/attempt/deep`, { recursive: true });
  writeFileSync(`${at.root}/.millrace/tmp/write-x`, "half");
  expect(later(at).clear()).toEqual(["attempt", "torn", "write-x"]);
  expect(tmp(at)).toEqual(["keep"]);
});

test("the batches of the process itself are nothing that was left behind", () => {
  using at = makeStoreRoot();
  const intents = new FileIntents(at.root, at.disk);
  intents.makeBatch("begun");
  intents.makeBatch("announced");
  intents.write(intent("announced"));
  mkdirSync(`${at.root}/.millrace/tmp/dead`);
  expect(intents.readAll()).toEqual({ intents: [], unreadable: [] });
  expect(intents.leftovers()).toEqual(["dead"]);
  expect(intents.clear()).toEqual(["dead"]);
  expect(tmp(at)).toEqual(["announced", "begun"]);
});

test.each(["", "..", "a/b", "a b"])("%j is no batch id", (id) => {
  using at = makeStoreRoot();
  expect(() => new FileIntents(at.root, at.disk).remove(id)).toThrow(InternalError);
  expect(existsSync(`${at.root}/.millrace`)).toBe(true);
});

test.each(["list", "lstat", "read"] as const)("a %s that fails once loses no intent", (name) => {
  using at = makeStoreRoot();
  new FileIntents(at.root, at.disk).makeBatch("b1");
  new FileIntents(at.root, at.disk).write(intent("b1"));
  let isBroken = true;
  const once = (path: string): never | void => {
    if (!isBroken) return;
    isBroken = false;
    throw Object.assign(new Error(`EIO: ${path}`), { code: "EIO" });
  };
  const disk = diskWith(at.disk, {
    [name]: (path: string) => {
      once(path);
      return at.disk[name](path);
    },
  });
  expect(new FileIntents(at.root, disk).readAll()).toEqual({ intents: [intent("b1")], unreadable: [] });
});
