import { createIgnore } from "../../src/core/pattern/ignore.ts";
import type { AbsPath, RelPath } from "../../src/core/model/words.ts";
import type { Disk, FileStat, Scan, Scanner, ScanProblem, WatchBase } from "../../src/ports.ts";

const KINDS = ["file", "folder", "symlink", "other"] as const;

/** Scans a disk in memory; does not descend into links. */
export class MemoryScanner implements Scanner {
  readonly #disk: Disk;
  readonly #root: AbsPath;
  readonly #ignore = createIgnore();
  /** How many scans there were. */
  scans = 0;

  constructor(disk: Disk, root: AbsPath) {
    this.#disk = disk;
    this.#root = root;
  }

  warmUp(): void {}

  async close(): Promise<void> {}

  async scan(bases: readonly WatchBase[]): Promise<Scan> {
    this.scans++;
    const rows = new Map<RelPath, FileStat>();
    const problems: ScanProblem[] = [];
    const missing: RelPath[] = [];
    for (const { path, depth } of bases) {
      const stat = this.#disk.lstat(`${this.#root}/${path}`);
      if (stat === undefined) missing.push(path);
      else this.#walk(path, stat, depth, rows, problems);
    }
    return {
      paths: [...rows.keys()],
      kinds: Uint8Array.from(rows.values(), (stat) => KINDS.indexOf(stat.kind)),
      stats: Float64Array.from(
        [...rows.values()].flatMap((stat) => [stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino, stat.dev]),
      ),
      problems,
      missing,
    };
  }

  #walk(path: RelPath, stat: FileStat, depth: number, rows: Map<RelPath, FileStat>, problems: ScanProblem[]): void {
    if (path !== "" && this.#ignore.test(path, stat.kind === "folder") !== undefined) return;
    if (path !== "") rows.set(path, stat);
    if (stat.kind !== "folder" || depth === 0) return;
    try {
      for (const name of this.#disk.list(`${this.#root}/${path}`) ?? []) {
        const below = path === "" ? name : `${path}/${name}`;
        const inner = this.#disk.lstat(`${this.#root}/${below}`);
        if (inner !== undefined) this.#walk(below, inner, depth - 1, rows, problems);
      }
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error)) throw error;
      problems.push({ kind: "unreadable", path, reason: String(error.code) });
    }
  }
}
