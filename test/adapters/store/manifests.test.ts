import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { FileManifestStore } from "../../../src/adapters/store/manifests.ts";
import { hashBytes, loadHasher } from "../../../src/core/hash/hash.ts";
import { manifestFileName } from "../../../src/core/model/entity-file-name.ts";
import { formatManifest } from "../../../src/core/model/manifest-json.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import type { Disk, Trash } from "../../../src/ports.ts";
import { diskWith, makeStoreRoot, manifest, stateRecord, type StoreRoot } from "../../support/store-fixtures.ts";

beforeAll(loadHasher);

const PLACE = ".millrace/manifests/001.json";
const fileIn = (at: StoreRoot): string => `${at.root}/${PLACE}`;

/** A disk that notes the operations, with paths relative to the root. */
function noting(at: StoreRoot, into: string[]): Disk {
  const note = (name: keyof Disk) => ({
    [name]: (...args: [string]) => {
      into.push(`${name} ${args[0].slice(at.root.length + 1).replace(/write-\w+/, "TEMP")}`);
      return (at.disk[name] as (...args: unknown[]) => unknown)(...args);
    },
  });
  return diskWith(at.disk, {
    ...note("read"),
    ...note("write"),
    ...note("rename"),
    ...note("sync"),
    ...note("remove"),
  });
}

describe("writing a manifest", () => {
  test("replaces the file by a rename, and leaves nothing in the temp folder", () => {
    using at = makeStoreRoot();
    const done: string[] = [];
    new FileManifestStore(at.root, { ...at, disk: noting(at, done) }).write(manifest("001"));
    expect(done).toEqual(["write .millrace/tmp/TEMP", "rename .millrace/tmp/TEMP"]);
    expect(readFileSync(fileIn(at), "utf8")).toBe(formatManifest(manifest("001")));
    expect(readdirSync(`${at.root}/.millrace/tmp`)).toEqual([]);
  });

  test("with sync forces the folder after the rename", () => {
    using at = makeStoreRoot();
    const done: string[] = [];
    const synced: unknown[] = [];
    const disk = diskWith(noting(at, done), {
      write: (path, bytes, options) => {
        synced.push(options?.sync);
        at.disk.write(path, bytes, options);
      },
    });
    new FileManifestStore(at.root, { ...at, disk }).write(manifest("001"), { sync: true });
    expect([synced, done]).toEqual([[true], ["rename .millrace/tmp/TEMP", "sync .millrace/manifests"]]);
  });

  test("writes nothing when the bytes are equal, whether it knows them or not", () => {
    using at = makeStoreRoot();
    const store = new FileManifestStore(at.root, at);
    store.write(manifest("001"));
    const before = statSync(fileIn(at)).ino;
    store.write(manifest("001"));
    new FileManifestStore(at.root, at).write(manifest("001"));
    expect(statSync(fileIn(at)).ino).toBe(before);
  });

  test("with sync writes equal bytes anew: they may not have been forced before, and a second fsync hides that a first one failed", () => {
    using at = makeStoreRoot();
    new FileManifestStore(at.root, at).write(manifest("001"));
    const done: string[] = [];
    new FileManifestStore(at.root, { ...at, disk: noting(at, done) }).write(manifest("001"), { sync: true });
    expect(done).toEqual([
      `read ${PLACE}`,
      "write .millrace/tmp/TEMP",
      "rename .millrace/tmp/TEMP",
      "sync .millrace/manifests",
    ]);
  });

  test("makes the folders again when somebody removed them", () => {
    using at = makeStoreRoot();
    const store = new FileManifestStore(at.root, at);
    rmSync(`${at.root}/.millrace`, { recursive: true });
    store.write(manifest("001"));
    expect(store.ids()).toEqual(["001"]);
  });

  test.each(["write", "rename"] as const)(
    "that fails at %s leaves the old one, and reading tells the old one",
    (operation) => {
      using at = makeStoreRoot();
      let isFull = false;
      const disk = diskWith(at.disk, {
        [operation]: (...args: [string, string]) => {
          if (!isFull) return at.disk[operation](...args);
          if (operation === "write") at.disk.write(args[0], "half");
          throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
        },
      });
      const store = new FileManifestStore(at.root, { ...at, disk });
      store.write(manifest("001"));
      isFull = true;
      expect(() => store.write(manifest("001", { states: { x: stateRecord() } }))).toThrow("ENOSPC");
      expect(store.read("001")).toEqual({ ok: true, value: manifest("001") });
      expect(readdirSync(`${at.root}/.millrace/tmp`)).toEqual([]);
    },
  );

  test("that could not be read again is a fault of ours", () => {
    using at = makeStoreRoot();
    const store = new FileManifestStore(at.root, at);
    expect(() => store.write(manifest("001", { states: { x: stateRecord({ durationMs: NaN }) } }))).toThrow(
      InternalError,
    );
    expect(existsSync(fileIn(at))).toBe(false);
  });
});

describe("reading a manifest", () => {
  test("looks at the file again only when it changed", () => {
    using at = makeStoreRoot();
    new FileManifestStore(at.root, at).write(manifest("001"));
    const done: string[] = [];
    const store = new FileManifestStore(at.root, { ...at, disk: noting(at, done) });
    store.read("001");
    store.read("001");
    expect(done).toEqual([`read ${PLACE}`]);
    const edited = manifest("001", { states: { "other/{id}": stateRecord() } });
    writeFileSync(fileIn(at), formatManifest(edited));
    expect(store.read("001")).toEqual({ ok: true, value: edited });
    rmSync(fileIn(at));
    expect(store.read("001")).toEqual({ ok: true, value: undefined });
  });

  test("keeps nothing of what it has written, and reads it once when it is asked for", () => {
    using at = makeStoreRoot();
    const done: string[] = [];
    const store = new FileManifestStore(at.root, { ...at, disk: noting(at, done) });
    store.write(manifest("001"));
    store.read("001");
    store.read("001");
    store.write(manifest("001", { states: { x: stateRecord() } }));
    expect(done.filter((operation) => operation.startsWith("read"))).toEqual(["read .millrace/manifests/001.json"]);
  });

  test("keeps the entities that were used last", () => {
    using at = makeStoreRoot();
    const done: string[] = [];
    const store = new FileManifestStore(at.root, { ...at, disk: noting(at, done) });
    store.write(manifest("001"));
    store.write(manifest("002"));
    for (let other = 0; other < 4095; other++) {
      store.read(`other${other}`);
      if (other === 2000) store.read("001");
    }
    done.length = 0;
    store.read("001");
    store.read("002");
    expect(done).toEqual(["read .millrace/manifests/002.json"]);
  });

  test.each<[string, string | Uint8Array, string]>([
    ["cut", '{"version": 1,', "is not JSON"],
    ["empty", "", "is not JSON"],
    ["not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "is not UTF-8"],
    ["of another entity", formatManifest(manifest("002")), 'is that of "002"'],
    ["poisoned", '{"__proto__": {"x": 1}, "version": 1, "entityId": "001", "states": {}}', "has a key"],
  ])("sets a file aside that is %s, with one warning, and has none", (_, content, reason) => {
    using at = makeStoreRoot();
    writeFileSync(fileIn(at), content);
    const store = new FileManifestStore(at.root, at);
    expect(store.read("001")).toEqual({ ok: true, value: undefined });
    expect(store.read("001")).toEqual({ ok: true, value: undefined });
    expect(at.problems).toMatchObject([{ code: "M401", severity: "warning" }]);
    expect(at.problems[0]!.message).toContain(reason);
    expect(existsSync(fileIn(at))).toBe(false);
    const [entry] = readdirSync(`${at.root}/.millrace/trash`);
    expect(readFileSync(`${at.root}/.millrace/trash/${entry}/${PLACE}`)).toEqual(Buffer.from(content));
  });

  test("sets aside what is no file without opening it", () => {
    using at = makeStoreRoot();
    execFileSync("mkfifo", [fileIn(at)]);
    mkdirSync(`${at.root}/.millrace/manifests/002.json`);
    const store = new FileManifestStore(at.root, at);
    expect([store.read("001"), store.read("002")]).toEqual([
      { ok: true, value: undefined },
      { ok: true, value: undefined },
    ]);
    expect(at.problems.map(({ message }) => message)).toEqual([
      `the manifest "${PLACE}" is no regular file`,
      'the manifest ".millrace/manifests/002.json" is no regular file',
    ]);
  });

  test("of a process that does not own the root leaves a damaged file where it is and says so once", () => {
    using at = makeStoreRoot();
    writeFileSync(fileIn(at), "{");
    const store = new FileManifestStore(at.root, { ...at, trash: undefined });
    store.read("001");
    expect(store.read("001")).toEqual({ ok: true, value: undefined });
    expect(at.problems).toHaveLength(1);
    expect(readFileSync(fileIn(at), "utf8")).toBe("{");
  });

  test("does not forget a damaged file that could not be moved", () => {
    using at = makeStoreRoot();
    writeFileSync(fileIn(at), "{");
    const trash = Object.assign(Object.create(at.trash) as Trash, {
      put: () => {
        throw new Error("ENOSPC");
      },
    });
    const store = new FileManifestStore(at.root, { ...at, trash });
    expect(() => store.read("001")).toThrow("ENOSPC");
    expect(() => store.write(manifest("001"))).toThrow("ENOSPC");
    expect(readFileSync(fileIn(at), "utf8")).toBe("{");
  });

  test("sets aside a damaged file before it is written over", () => {
    using at = makeStoreRoot();
    writeFileSync(fileIn(at), "{");
    const store = new FileManifestStore(at.root, at);
    store.write(manifest("001"));
    expect(store.read("001")).toEqual({ ok: true, value: manifest("001") });
    expect(at.problems).toHaveLength(1);
  });

  test("refuses one of a later release, which nothing touches", () => {
    using at = makeStoreRoot();
    const text = '{"version": 2, "entityId": "001"}';
    writeFileSync(fileIn(at), text);
    const store = new FileManifestStore(at.root, at);
    expect(store.read("001")).toMatchObject({ ok: false, problems: [{ code: "M402", severity: "error" }] });
    expect(() => store.write(manifest("001"))).toThrow(InternalError);
    expect(() => store.write(manifest("001", { states: {} }))).toThrow(InternalError);
    expect(readFileSync(fileIn(at), "utf8")).toBe(text);
    expect(at.problems).toEqual([]);
  });

  test("refuses a long id whose file belongs to another long id", () => {
    using at = makeStoreRoot();
    const [mine, other] = ["x".repeat(300), `${"x".repeat(300)}y`];
    const path = `${at.root}/.millrace/manifests/${manifestFileName(mine, hashBytes)}`;
    writeFileSync(path, formatManifest(manifest(other)));
    const store = new FileManifestStore(at.root, at);
    expect(store.read(mine)).toMatchObject({ ok: false, problems: [{ code: "M403" }] });
    expect(existsSync(path)).toBe(true);
    expect(store.ids()).toEqual([]);
  });
});

test("names that we do not make are no entities", () => {
  using at = makeStoreRoot();
  const store = new FileManifestStore(at.root, at);
  store.write(manifest("001"));
  for (const name of ["README.md", "Foo.json", "%61.json", `x~${"0".repeat(16)}.json`, ".json"]) {
    writeFileSync(`${at.root}/.millrace/manifests/${name}`, "{}");
  }
  expect(store.ids()).toEqual(["001"]);
});
