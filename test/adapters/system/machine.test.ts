import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { NodeMachine } from "../../../src/adapters/system/machine.ts";

const machine = new NodeMachine();

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "machine-"));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

test("the boot has an id that stays the same", () => {
  expect(machine.bootId()).toMatch(/^[0-9a-f-]{36}$/i);
  expect(new NodeMachine().bootId()).toBe(machine.bootId());
});

test("everything below a folder can be forced to the medium, and nothing below one that is not there", async () => {
  expect(await machine.syncAll(folder())).toBe(process.platform === "linux");
  expect(await machine.syncAll(join(folder(), "absent"))).toBe(false);
});

test("the room of a file system is told, and none of a place that is not there", () => {
  const room = machine.room(folder())!;
  expect(room.totalBytes).toBeGreaterThan(0);
  expect(room.freeBytes).toBeGreaterThanOrEqual(0);
  expect(room.freeBytes).toBeLessThanOrEqual(room.totalBytes);
  expect(machine.room(join(folder(), "absent"))).toBeUndefined();
});
