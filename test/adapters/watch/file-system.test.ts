import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileSystemOf, fileSystemOfType } from "../../../src/adapters/watch/file-system.ts";

test.each([
  ["nfs", 0x6969, true],
  ["cifs", 0xff534d42, true],
  ["cifs", 0xff534d42 | 0, true],
  ["smb2", 0xfe534d42, true],
  ["fuse", 0x65735546, true],
  ["9p", 0x01021997, true],
  ["vboxsf", 0x786f4256, true],
  ["ext4", 0xef53, false],
  ["tmpfs", 0x01021994, false],
  ["overlay", 0x794c7630, false],
  ["0x1234", 0x1234, false],
])("%s is type %d", (name, type, network) => {
  expect(fileSystemOfType(type, "linux")).toEqual({ name, network });
});

test("the numbers of other systems mean other things", () => {
  expect(fileSystemOfType(0x6969, "darwin")).toEqual({ name: "0x6969", network: false });
});

test("a path that does not exist yet is on the file system of its nearest parent", () => {
  expect(fileSystemOf(join(tmpdir(), "none/at/all"))).toEqual(fileSystemOf(tmpdir()));
});
