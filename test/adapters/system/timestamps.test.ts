import { expect, test } from "vitest";
import { probeTimestamps } from "../../../src/adapters/system/timestamps.ts";
import type { FileStat } from "../../../src/ports.ts";
import { MemoryDisk } from "../../support/memory-disk.ts";

/** A file system that keeps times in steps of so many milliseconds; a step of a rewrite takes a sixteenth of one. */
class CoarseDisk extends MemoryDisk {
  readonly #stepMs: number;
  constructor(stepMs: number) {
    let now = 1_700_000_000_000;
    super({ wallMs: () => (now += 0.0625) });
    this.#stepMs = stepMs;
  }
  override lstat(path: string): FileStat | undefined {
    const stat = super.lstat(path);
    if (stat === undefined || this.#stepMs === 0) return stat;
    return { ...stat, ctimeMs: Math.floor(stat.ctimeMs / this.#stepMs) * this.#stepMs };
  }
}

test.each([
  ["a time of its own for every write", 0, 0],
  ["the time of the last clock tick", 4, 20],
  ["whole seconds", 2_000, 2_000],
])("the racy window of a file system with %s", (_what, stepMs, windowMs) => {
  const disk = new CoarseDisk(stepMs);
  disk.makeFolders("/state");
  expect(probeTimestamps(disk, "/state")).toBe(windowMs);
  expect(disk.list("/state")).toEqual([]);
});
