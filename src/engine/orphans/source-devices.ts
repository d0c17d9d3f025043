import type { AbsPath, StageKey } from "../../core/model/words.ts";
import type { Topology } from "../../core/plan/topology.ts";
import type { Disk } from "../../ports.ts";

/** On which device each folder of sources was at the last good look: another one means that a mount went away, or came. */
export class SourceDevices {
  readonly #disk: Disk;
  readonly #root: AbsPath;
  /** Folder relative to the root to device number. */
  #known: Readonly<Record<string, number>> = {};

  constructor(disk: Disk, root: AbsPath) {
    this.#disk = disk;
    this.#root = root;
  }

  /** What an earlier process knew. */
  adopt(known: Readonly<Record<string, number>>): void {
    this.#known = known;
  }

  /** Source stages whose folder is on another device than it was. */
  changed(topology: Topology, stages: Iterable<StageKey>): Set<StageKey> {
    const changed = new Set<StageKey>();
    for (const key of stages) {
      const base = topology.stage(key)?.pattern.base;
      if (base === undefined || !Object.hasOwn(this.#known, base)) continue;
      const now = this.#deviceOf(base);
      if (now !== undefined && now !== this.#known[base]) changed.add(key);
    }
    return changed;
  }

  /**
   * Takes today's devices for the known ones, to be kept with the index.
   *
   * @param isGood whether a folder whose device is another one now may be believed: its sources are there
   */
  learn(topology: Topology, isGood: (stage: StageKey) => boolean): Readonly<Record<string, number>> {
    const known: Record<string, number> = { ...this.#known };
    for (const { key, type, pattern } of topology.stages) {
      if (type !== "source") continue;
      const now = this.#deviceOf(pattern.base);
      if (now === undefined || now === known[pattern.base]) continue;
      if (!Object.hasOwn(known, pattern.base) || isGood(key)) known[pattern.base] = now;
    }
    return (this.#known = known);
  }

  #deviceOf(base: string): number | undefined {
    return this.#disk.stat(base === "" ? this.#root : `${this.#root}/${base}`)?.dev;
  }
}
