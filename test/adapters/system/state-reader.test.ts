import { once } from "node:events";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { NodeDisk } from "../../../src/adapters/system/disk.ts";
import { createStateReader } from "../../../src/adapters/system/state-reader.ts";
import { hashTreeAt } from "../../../src/adapters/system/tree.ts";
import { loadHasher } from "../../../src/core/hash/hash.ts";
import type { OpenFile, StateReader } from "../../../src/ports.ts";
import { diskError, MemoryDisk } from "../../support/memory-disk.ts";

beforeAll(loadHasher);

describe("a file that is being written while it is read", () => {
  /** A disk on which something happens to the file right after its first bytes were read. */
  class BusyDisk extends MemoryDisk {
    meanwhile: (() => void) | undefined;
    override open(path: string): OpenFile | undefined {
      const file = super.open(path);
      if (file === undefined) return undefined;
      const read = (into: Uint8Array, position: number): number => {
        const count = file.read(into, position);
        this.meanwhile?.();
        this.meanwhile = undefined;
        return count;
      };
      return { stat: () => file.stat(), read, close: () => file.close() };
    }
  }

  test.each<[string, (disk: BusyDisk) => void]>([
    ["rewritten with as many bytes", (disk) => disk.write("/state/a", "y".repeat(3_000_000))],
    ["truncated", (disk) => disk.write("/state/a", "")],
    ["appended to", (disk) => disk.write("/state/a", "x".repeat(3_000_001))],
  ])("counts as changing: %s", async (_what, meanwhile) => {
    const disk = new BusyDisk();
    const reader = createStateReader(disk, "/state");
    disk.makeFolders("/state");
    for (const ask of [() => reader.read("a"), () => reader.hashNow("a"), () => reader.hash("a")]) {
      disk.write("/state/a", "x".repeat(3_000_000));
      disk.meanwhile = () => meanwhile(disk);
      expect(await ask()).toEqual({ is: "changing" });
      expect((await ask()).is).not.toBe("changing");
    }
  });

  test("counts as changing for the folder state it is in, too", async () => {
    const disk = new BusyDisk();
    const reader = createStateReader(disk, "/state");
    disk.makeFolders("/state/folder");
    disk.write("/state/folder/a", "x");
    disk.meanwhile = () => disk.write("/state/folder/b", "new");
    expect(reader.hashNow("folder/")).toEqual({ is: "changing" });
    disk.meanwhile = () => disk.remove("/state/folder/b");
    expect(await reader.hash("folder/")).toEqual({ is: "changing" });
  });

  test("replaced by another file is read as the one that was opened", () => {
    const disk = new BusyDisk();
    const reader = createStateReader(disk, "/state");
    disk.makeFolders("/state");
    disk.write("/state/a", "old");
    disk.write("/state/new", "new");
    disk.meanwhile = () => disk.rename("/state/new", "/state/a");
    expect(reader.read("a")).toMatchObject({ is: "read", bytes: Buffer.from("old") });
  });
});

describe("what cannot be read", () => {
  test.each([
    ["EACCES", { is: "refused", reason: "no permission to read it (EACCES)" }],
    ["EIO", { is: "refused", reason: "cannot be read (EIO)" }],
    ["ENXIO", { is: "refused", reason: "FIFO, socket or device" }],
    ["EMFILE", { is: "changing", shortOf: "EMFILE" }],
    ["ENOMEM", { is: "changing", shortOf: "ENOMEM" }],
    ["ELOOP", { is: "changing" }],
  ])("answers %s with a value", async (code, answer) => {
    const disk = new MemoryDisk();
    const reader = createStateReader(disk, "/state");
    disk.makeFolders("/state");
    disk.write("/state/a", "x");
    disk.onOperation = (operation, path) => {
      if (operation === "open") throw diskError(code, path);
    };
    expect(reader.read("a")).toEqual(answer);
    expect(reader.hashNow("a")).toEqual(answer);
    expect(await reader.hash("a")).toEqual(answer);
  });

  test("a folder state names the file that cannot be read", () => {
    const disk = new MemoryDisk();
    disk.makeFolders("/state/folder");
    disk.write("/state/folder/a", "x");
    disk.chmod("/state/folder/a", 0);
    expect(createStateReader(disk, "/state").hashNow("folder/")).toMatchObject({ is: "refused" });
    expect(() => hashTreeAt(disk, "/state/folder")).toThrow(/EACCES/);
  });

  test("a folder that may not be listed is refused as a state", () => {
    const disk = new MemoryDisk();
    disk.makeFolders("/state/folder");
    disk.chmod("/state/folder", 0);
    const reader = createStateReader(disk, "/state");
    expect(reader.look("folder/")).toEqual({ is: "refused", reason: "no permission to read it (EACCES)" });
    expect(reader.countFiles("folder/")).toBe(0);
  });

  test("a defect is not taken for a failure of the disk", () => {
    const disk = new MemoryDisk();
    disk.onOperation = () => {
      throw new TypeError("a defect");
    };
    expect(() => createStateReader(disk, "/state").look("a")).toThrow("a defect");
  });
});

describe("on the machine's disk", () => {
  let root: string;
  let reader: StateReader;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "state-"));
    reader = createStateReader(new NodeDisk(), root);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  test("a socket is refused", async () => {
    const server = createServer().listen(join(root, "socket"));
    await once(server, "listening");
    expect(reader.look("socket")).toEqual({ is: "refused", reason: "FIFO, socket or device", isSpecial: true });
    expect(reader.read("socket")).toEqual({ is: "refused", reason: "FIFO, socket or device" });
    server.close();
  });

  test("a file of more than 2 GiB is hashed", async () => {
    writeFileSync(join(root, "large"), "");
    truncateSync(join(root, "large"), 2 ** 31 + 10);
    expect(await reader.hash("large")).toMatchObject({ is: "hashed", stat: { size: 2 ** 31 + 10 } });
  }, 60_000);

  test("a name that is not UTF-8 in a folder state is refused, not left out", () => {
    new NodeDisk().makeFolders(join(root, "folder"));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/folder/a`), Buffer.from([0xff])]), "x");
    expect(reader.hashNow("folder/")).toEqual({ is: "refused", reason: 'name that is not UTF-8: "a\uFFFD"' });
  });
});
