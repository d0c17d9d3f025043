import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NodeDisk } from "../../../src/adapters/system/disk.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bytes-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("names that are not UTF-8 are told apart by their bytes and copied with their tree", () => {
  const disk = new NodeDisk();
  const names = [Buffer.from([0x61, 0xfe]), Buffer.from([0x61, 0xff])];
  disk.makeFolders(join(root, "from"));
  for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${root}/from/`), name]), name);
  expect(disk.list(join(root, "from"))).toEqual(["a\uFFFD", "a\uFFFD"]);
  expect(
    disk
      .listBytes(join(root, "from"))
      ?.map((name) => Buffer.from(name))
      .sort(Buffer.compare),
  ).toEqual(names);
  disk.copy(join(root, "from"), join(root, "to"));
  const copied = readdirSync(join(root, "to"), { encoding: "buffer" }).sort(Buffer.compare);
  expect(copied).toEqual(names);
  for (const name of names) {
    expect(readFileSync(Buffer.concat([Buffer.from(`${root}/to/`), name]))).toEqual(name);
  }
});
