import type { AbsPath } from "../../core/model/words.ts";
import type { Disk } from "../../ports.ts";
import { codeOf } from "./error-code.ts";

const REWRITES = 24;
/** These take some 40 ms. */
const MORE_REWRITES = 2_000;
/** Kernels without multigrain times stamp with the last clock tick: 1 to 10 ms. */
const TICK_MS = 20;
/** FAT keeps even seconds. */
const WHOLE_SECONDS_MS = 2_000;

/**
 * The racy window of the file system a folder is on, in milliseconds: how long after a write a second one may leave size
 * and times equal. 0 when every rewrite got a ctime of its own, as on kernels with multigrain timestamps.
 * Writes and removes one small file in the folder; where the disk does not let it (full, read-only), the coarsest is assumed.
 */
export function probeTimestamps(disk: Disk, folder: AbsPath): number {
  const path = `${folder}/.timestamps-${process.pid}`;
  const seen = new Set<number>();
  const rewrite = (times: number): void => {
    for (let time = 0; time < times; time++) {
      disk.write(path, String(time % 10));
      const stat = disk.lstat(path);
      if (stat !== undefined) seen.add(stat.ctimeMs);
    }
  };
  const isWholeSeconds = (): boolean => [...seen].every((ctimeMs) => ctimeMs % 1_000 === 0);
  try {
    rewrite(REWRITES);
    if (seen.size === REWRITES) return 0;
    // One tick in a few hundred falls on a whole second: look on until the next one.
    if (isWholeSeconds()) rewrite(MORE_REWRITES);
    return isWholeSeconds() ? WHOLE_SECONDS_MS : TICK_MS;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return WHOLE_SECONDS_MS;
  } finally {
    removeIfPossible(disk, path);
  }
}

function removeIfPossible(disk: Disk, path: AbsPath): void {
  try {
    disk.remove(path);
  } catch (error) {
    // What stays in the temp folder is removed at the next start.
    if (codeOf(error) === undefined) throw error;
  }
}
