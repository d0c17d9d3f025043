import { statfsSync } from "node:fs";
import type { AbsPath } from "../../core/model/words.ts";
import type { SpaceProbe } from "../../ports.ts";

/** The machine's free space. */
export class NodeSpaceProbe implements SpaceProbe {
  freeBytes(path: AbsPath): number | undefined {
    try {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize;
    } catch {
      // Some file systems do not tell; a full disk shows itself when it is written.
      return undefined;
    }
  }
}
