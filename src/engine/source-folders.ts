import type { Topology } from "../core/plan/topology.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Disk, Log } from "../ports.ts";
import type { NamedTimers } from "./named-timers.ts";

/** When what the disk refused is tried again, in milliseconds. */
const RETRY_MS = 2000;

export interface SourceFolderPorts {
  readonly root: AbsPath;
  /** How the root is called. */
  readonly name: string;
  readonly disk: Disk;
  readonly log: Log;
  readonly timers: NamedTimers;
  readonly topology: () => Topology;
  /** Tries a write that may be tried again later; `false` when the disk refuses. */
  readonly tryTo: (write: () => void) => boolean;
}

/** Makes the folders that people are to drop files into; one that the disk refuses is made when it does not any more. */
export function makeSourceFolders(from: SourceFolderPorts): void {
  const { disk, root, name, log, timers, topology, tryTo } = from;
  for (const { type, pattern } of topology().stages) {
    const folder = `${root}/${pattern.base}`;
    if (type !== "source") continue;
    let isMade = false;
    const make = (): void => {
      if (disk.stat(folder) !== undefined) return;
      disk.makeFolders(folder);
      isMade = true;
    };
    if (!tryTo(make)) timers.once("source folders", RETRY_MS, () => makeSourceFolders(from));
    if (isMade) log.info({ folder: `${name}${pattern.base}` }, "made a folder for sources");
  }
}
