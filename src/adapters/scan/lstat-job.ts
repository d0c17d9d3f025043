import { constants, lstatSync, type Stats } from "node:fs";

/** Numbers a row in the stats column: size, mtimeMs, ctimeMs, ino, dev. */
export const STAT_FIELDS = 5;

/** What the kinds column says; the last two only while a job is under way. */
export const KIND = { file: 0, folder: 1, symlink: 2, other: 3, gone: 4, failed: 5 } as const;

/** So many rows are claimed at one time: half a millisecond of work. */
const CHUNK_ROWS = 256;

/** Memory that two threads share. Row `i` belongs to the `i`-th name. */
export interface LstatMemory {
  readonly kinds: Uint8Array<SharedArrayBuffer>;
  readonly stats: Float64Array<SharedArrayBuffer>;
  /** The first chunk that nobody has claimed. */
  readonly nextChunk: Int32Array<SharedArrayBuffer>;
  /** 1 for a chunk whose rows are filled in. */
  readonly isDone: Uint8Array<SharedArrayBuffer>;
}

/** What goes to the other thread. Names are one text, which is copied some ten times faster than a list of them. */
export interface LstatOrder {
  readonly id: number;
  readonly prefix: string;
  readonly joinedNames: string;
  readonly memory: LstatMemory;
}

/** An lstat of many paths, `prefix` + name, that any number of threads work on by claiming chunks. */
export class LstatJob {
  readonly prefix: string;
  readonly names: readonly string[];
  readonly memory: LstatMemory;
  readonly #chunks: number;

  constructor(prefix: string, names: readonly string[], memory: LstatMemory = newMemory(names.length)) {
    this.prefix = prefix;
    this.names = names;
    this.memory = memory;
    this.#chunks = chunksOf(names.length);
  }

  /** The other thread's view of an order. */
  static of(order: LstatOrder): LstatJob {
    return new LstatJob(order.prefix, order.joinedNames.split("\0"), order.memory);
  }

  /** Fills in one chunk that nobody has claimed; `false` when there is none left. */
  doChunk(): boolean {
    const chunk = Atomics.add(this.memory.nextChunk, 0, 1);
    if (chunk >= this.#chunks) return false;
    this.#fill(chunk);
    return true;
  }

  /** Whether every row is filled in. */
  get isDone(): boolean {
    for (let chunk = 0; chunk < this.#chunks; chunk++) if (Atomics.load(this.memory.isDone, chunk) === 0) return false;
    return true;
  }

  /** Fills in what a thread that died had claimed. */
  finishAlone(): void {
    for (let chunk = 0; chunk < this.#chunks; chunk++) {
      if (Atomics.load(this.memory.isDone, chunk) === 0) this.#fill(chunk);
    }
  }

  #fill(chunk: number): void {
    const { kinds, stats, isDone } = this.memory;
    const end = Math.min(this.names.length, (chunk + 1) * CHUNK_ROWS);
    for (let row = chunk * CHUNK_ROWS; row < end; row++) {
      const stat = lstat(`${this.prefix}${this.names[row]}`);
      if (typeof stat === "number") kinds[row] = stat;
      else putStat(kinds, stats, row, stat);
    }
    Atomics.store(isDone, chunk, 1);
  }
}

function lstat(path: string): Stats | typeof KIND.gone | typeof KIND.failed {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) ?? KIND.gone;
  } catch {
    // The reason is asked for again by the thread that reports it.
    return KIND.failed;
  }
}

/** Writes one row. */
export function putStat(kinds: Uint8Array, stats: Float64Array, row: number, stat: Stats): void {
  kinds[row] = kindOf(stat.mode);
  const at = row * STAT_FIELDS;
  stats[at] = stat.size;
  stats[at + 1] = stat.mtimeMs;
  stats[at + 2] = stat.ctimeMs;
  stats[at + 3] = stat.ino;
  stats[at + 4] = stat.dev;
}

function kindOf(mode: number): number {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return KIND.file;
    case constants.S_IFDIR:
      return KIND.folder;
    case constants.S_IFLNK:
      return KIND.symlink;
    default:
      return KIND.other;
  }
}

function chunksOf(rows: number): number {
  return Math.ceil(rows / CHUNK_ROWS);
}

function newMemory(rows: number): LstatMemory {
  return {
    kinds: new Uint8Array(new SharedArrayBuffer(rows)),
    stats: new Float64Array(new SharedArrayBuffer(rows * STAT_FIELDS * Float64Array.BYTES_PER_ELEMENT)),
    nextChunk: new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)),
    isDone: new Uint8Array(new SharedArrayBuffer(chunksOf(rows))),
  };
}
