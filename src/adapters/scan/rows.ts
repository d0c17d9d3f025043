import { lstatSync, type Stats } from "node:fs";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Scan, ScanProblem, WatchBase } from "../../ports.ts";
import { doOverlap } from "./bases.ts";
import { putStat, STAT_FIELDS, type LstatMemory } from "./lstat-job.ts";

/** The columns of a scan while they grow. */
export class ScanRows {
  readonly problems: ScanProblem[] = [];
  readonly missing: RelPath[] = [];
  readonly #paths: RelPath[] = [];
  #rows = 0;
  #kinds = new Uint8Array(64);
  #stats = new Float64Array(64 * STAT_FIELDS);
  /** Kept only where two bases may find one path. */
  readonly #seen: Set<RelPath> | undefined;

  constructor(bases: readonly WatchBase[]) {
    this.#seen = doOverlap(bases) ? new Set() : undefined;
  }

  /** Adds `prefix` + name for every name whose row is wanted; the numbers are copied in runs of rows, not one by one. */
  addAll(
    prefix: string,
    names: readonly string[],
    memory: LstatMemory,
    isWanted: (row: number, path: RelPath) => boolean,
  ): void {
    this.#reserve(names.length);
    let runStart = 0;
    for (let row = 0; row < names.length; row++) {
      const path = `${prefix}${names[row]}`;
      if (isWanted(row, path) && !this.#seen?.has(path)) {
        this.#paths.push(path);
        this.#seen?.add(path);
      } else {
        this.#copyRun(memory, runStart, row);
        runStart = row + 1;
      }
    }
    this.#copyRun(memory, runStart, names.length);
  }

  addOne(path: RelPath, stat: Stats): void {
    if (this.#seen?.has(path)) return;
    this.#seen?.add(path);
    this.#reserve(1);
    putStat(this.#kinds, this.#stats, this.#rows++, stat);
    this.#paths.push(path);
  }

  /** Asks again for something whose lstat failed: it may have been a moment's trouble; else its reason is reported. */
  addUnreadable(path: RelPath, place: AbsPath): void {
    try {
      const stat = lstatSync(place, { throwIfNoEntry: false });
      if (stat !== undefined) this.addOne(path, stat);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      this.problems.push({ kind: "unreadable", path, reason: `it cannot be looked at: ${code ?? String(error)}` });
    }
  }

  toScan(): Scan {
    const rows = this.#rows;
    return {
      paths: this.#paths,
      kinds: this.#kinds.subarray(0, rows),
      stats: this.#stats.subarray(0, rows * STAT_FIELDS),
      problems: this.problems,
      missing: this.missing,
    };
  }

  #copyRun(memory: LstatMemory, from: number, to: number): void {
    if (from === to) return;
    this.#kinds.set(memory.kinds.subarray(from, to), this.#rows);
    this.#stats.set(memory.stats.subarray(from * STAT_FIELDS, to * STAT_FIELDS), this.#rows * STAT_FIELDS);
    this.#rows += to - from;
  }

  #reserve(more: number): void {
    const needed = this.#rows + more;
    if (needed <= this.#kinds.length) return;
    const capacity = Math.max(needed, this.#kinds.length * 2);
    const kinds = new Uint8Array(capacity);
    const stats = new Float64Array(capacity * STAT_FIELDS);
    kinds.set(this.#kinds.subarray(0, this.#rows));
    stats.set(this.#stats.subarray(0, this.#rows * STAT_FIELDS));
    this.#kinds = kinds;
    this.#stats = stats;
  }
}
