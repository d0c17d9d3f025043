import type { AbsPath } from "../../core/model/words.ts";
import type { Disk } from "../../ports.ts";

const REWRITES = 24;
/** Kernels without multigrain times stamp with the last clock tick: 1 to 10 ms. */
const TICK_MS = 20;
/** FAT keeps even seconds. */
const WHOLE_SECONDS_MS = 2_000;

/**
 * The racy window of the file system a folder is on, in milliseconds: how long after a write a second one may leave size
 * and times equal. 0 when every rewrite got a ctime of its own, as on kernels with multigrain timestamps.
 * Writes and removes one small file in the folder.
 */
export function probeTimestamps(disk: Disk, folder: AbsPath): number {
  const path = `${folder}/.timestamps-${process.pid}`;
  const seen = new Set<number>();
  try {
    for (let rewrite = 0; rewrite < REWRITES; rewrite++) {
      disk.write(path, String(rewrite % 10));
      const stat = disk.lstat(path);
      if (stat !== undefined) seen.add(stat.ctimeMs);
    }
  } finally {
    disk.remove(path);
  }
  if (seen.size === REWRITES) return 0;
  return [...seen].every((ctimeMs) => ctimeMs % 1_000 === 0) ? WHOLE_SECONDS_MS : TICK_MS;
}
