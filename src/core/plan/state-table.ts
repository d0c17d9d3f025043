import type { ContentHash, RelPath, Status } from "../model/words.ts";
import { STATUSES } from "../model/words.ts";

/** The row number of a state; valid until the row is removed. */
export type Row = number;

/** What of a file's stat is compared; `dev` and `kind` are settled when the state is looked at. */
export interface StatColumns {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
}

const PRESENT = 1;
const HASHED = 2;
const RACY = 4;
const REFUSED = 8;
/** Bits that survive a restart. */
const STORED_FLAGS = PRESENT | HASHED | RACY;

const NO_STATUS = 255;
const CHUNK = 16_384;
/** Rows that there is room for at first; then twice as many each time. Most roots are small. */
const FIRST_ROWS = 256;
const STATUS_NUMBER = new Map<Status, number>(STATUSES.map((status, number) => [status, number]));

/**
 * Every state of a root that is known, in columns: about 80 bytes a state beside its path.
 *
 * A row stands for a path. `role` is a number that the topology gives to the set of stages the path belongs to; the
 * table keeps, per role, how many rows have which status, so that status screens cost nothing. All of it is derived:
 * a table that is lost or old costs looks at the disk, never a wrong answer.
 */
export class StateTable {
  #paths: (RelPath | undefined)[] = [];
  /** None from unpacking until the first path is looked up: comparing with a scan in which nothing changed needs none. */
  #rows: Map<RelPath, Row> | undefined = new Map();
  #free: Row[] = [];
  #flags = new Uint8Array(FIRST_ROWS);
  #status = new Uint8Array(FIRST_ROWS);
  #role = new Uint16Array(FIRST_ROWS);
  #hash = new Uint32Array(FIRST_ROWS * 2);
  /** size, mtimeMs, ctimeMs, ino of each row. */
  #stat = new Float64Array(FIRST_ROWS * 4);
  #counts: Uint32Array[] = [];
  #dirty = new Set<number>();
  /** Told of each status as it is set, also when it was so before. */
  onStatus: ((row: Row, status: Status | undefined) => void) | undefined;

  /** How many rows there are. */
  get size(): number {
    return this.#paths.length - this.#free.length;
  }

  /** One more than the largest row number; rows below it may be free (`pathOf` is `undefined`). */
  get end(): Row {
    return this.#paths.length;
  }

  find(path: RelPath): Row | undefined {
    return this.#rowsByPath().get(path);
  }

  pathOf(row: Row): RelPath | undefined {
    return this.#paths[row];
  }

  /** The row of a path, made if there was none: absent, without status. */
  ensure(path: RelPath, roleOf: (path: RelPath) => number): Row {
    const rows = this.#rowsByPath();
    const known = rows.get(path);
    if (known !== undefined) return known;
    const row = this.#free.pop() ?? this.#paths.length;
    this.#grow(row + 1);
    this.#paths[row] = path;
    rows.set(path, row);
    this.#flags[row] = 0;
    this.#status[row] = NO_STATUS;
    this.#role[row] = roleOf(path);
    this.#touch(row);
    return row;
  }

  remove(row: Row): void {
    const path = this.#paths[row];
    if (path === undefined) return;
    this.setStatus(row, undefined);
    this.#rows?.delete(path);
    this.#paths[row] = undefined;
    this.#flags[row] = 0;
    this.#free.push(row);
    this.#touch(row);
  }

  #rowsByPath(): Map<RelPath, Row> {
    return (this.#rows ??= this.#indexRows());
  }

  #indexRows(): Map<RelPath, Row> {
    const rows = new Map<RelPath, Row>();
    for (const [row, path] of this.#paths.entries()) if (path !== undefined) rows.set(path, row);
    return rows;
  }

  // ------------------------------------------------------------ what is on disk

  isPresent(row: Row): boolean {
    return (this.#flags[row]! & PRESENT) !== 0;
  }

  /** There is something at the path that cannot be a state. */
  isRefused(row: Row): boolean {
    return (this.#flags[row]! & REFUSED) !== 0;
  }

  setAbsent(row: Row): void {
    this.#flags[row] = 0;
    this.#touch(row);
  }

  setRefused(row: Row): void {
    this.#flags[row] = REFUSED;
    this.#touch(row);
  }

  /** Records a look at the disk. Without a hash the content is unknown until somebody needs it. */
  setPresent(row: Row, stat: StatColumns, hash: ContentHash | undefined, racy: boolean): void {
    this.#flags[row] = PRESENT | (hash === undefined ? 0 : HASHED) | (racy ? RACY : 0);
    const at = row * 4;
    this.#stat[at] = stat.size;
    this.#stat[at + 1] = stat.mtimeMs;
    this.#stat[at + 2] = stat.ctimeMs;
    this.#stat[at + 3] = stat.ino;
    if (hash !== undefined) {
      this.#hash[row * 2] = Number.parseInt(hash.slice(0, 8), 16);
      this.#hash[row * 2 + 1] = Number.parseInt(hash.slice(8), 16);
    }
    this.#touch(row);
  }

  /** Is this what was seen at the last look? Says nothing about the content of a racy row. */
  hasStat(row: Row, size: number, mtimeMs: number, ctimeMs: number, ino: number): boolean {
    const at = row * 4;
    return (
      (this.#flags[row]! & PRESENT) !== 0 &&
      this.#stat[at] === size &&
      this.#stat[at + 1] === mtimeMs &&
      this.#stat[at + 2] === ctimeMs &&
      this.#stat[at + 3] === ino
    );
  }

  /** Is the content certain to be that of the last look, by the numbers of a scan (size, mtimeMs, ctimeMs, ino) from `at` on? */
  isUntouched(row: Row, stats: Float64Array, at: number): boolean {
    return (
      (this.#flags[row]! & RACY) === 0 && this.hasStat(row, stats[at]!, stats[at + 1]!, stats[at + 2]!, stats[at + 3]!)
    );
  }

  /** Its content has to be looked at again, though its stat may be that of the last look: see `isRacy`. */
  doubt(row: Row): void {
    if (!this.isPresent(row)) return;
    this.#flags[row]! |= RACY;
    this.#touch(row);
  }

  statOf(row: Row): StatColumns {
    const at = row * 4;
    return {
      size: this.#stat[at]!,
      mtimeMs: this.#stat[at + 1]!,
      ctimeMs: this.#stat[at + 2]!,
      ino: this.#stat[at + 3]!,
    };
  }

  sizeOf(row: Row): number {
    return this.#stat[row * 4]!;
  }

  /** The content hash at the last look; `undefined` when it is not known, or not certain (racy). */
  hashOf(row: Row): ContentHash | undefined {
    return (this.#flags[row]! & (PRESENT | HASHED | RACY)) === (PRESENT | HASHED) ? this.#hexOf(row) : undefined;
  }

  /** The hash at the last look even when a rewrite within the clock's granularity could have escaped it. */
  lastHashOf(row: Row): ContentHash | undefined {
    return (this.#flags[row]! & (PRESENT | HASHED)) === (PRESENT | HASHED) ? this.#hexOf(row) : undefined;
  }

  isRacy(row: Row): boolean {
    return (this.#flags[row]! & RACY) !== 0;
  }

  #hexOf(row: Row): ContentHash {
    return hex8(this.#hash[row * 2]!) + hex8(this.#hash[row * 2 + 1]!);
  }

  // ------------------------------------------------------------ what became of it

  statusOf(row: Row): Status | undefined {
    return STATUSES[this.#status[row]!];
  }

  setStatus(row: Row, status: Status | undefined): void {
    const now = status === undefined ? NO_STATUS : STATUS_NUMBER.get(status)!;
    const before = this.#status[row]!;
    if (now === before) return this.onStatus?.(row, status);
    const counts = this.#countsOf(this.#role[row]!);
    if (before !== NO_STATUS) counts[before]!--;
    if (now !== NO_STATUS) counts[now]!++;
    this.#status[row] = now;
    this.#touch(row);
    this.onStatus?.(row, status);
  }

  roleOf(row: Row): number {
    return this.#role[row]!;
  }

  /** After other definitions: every row gets its role anew. */
  assignRoles(roleOf: (path: RelPath) => number): void {
    this.#counts = [];
    for (let row = 0; row < this.#paths.length; row++) {
      const path = this.#paths[row];
      if (path === undefined) continue;
      this.#role[row] = roleOf(path);
      const status = this.#status[row]!;
      if (status !== NO_STATUS) this.#countsOf(this.#role[row]!)[status]!++;
      this.#touch(row);
    }
  }

  /** How many rows of a role have a status. */
  count(role: number, status: Status): number {
    return this.#counts[role]?.[STATUS_NUMBER.get(status)!] ?? 0;
  }

  #countsOf(role: number): Uint32Array {
    return (this.#counts[role] ??= new Uint32Array(STATUSES.length));
  }

  // ------------------------------------------------------------ packing

  /**
   * The chunks that changed since the last call (all of them when `all`), by name; `null` for a chunk that is empty now.
   *
   * A chunk holds up to 16,384 rows: a little-endian header of six u32 (format 2, rows, bytes a path character takes (1 latin1,
   * 2 utf16le), bytes of all paths, 0, 0), then stat f64 x4, hash u32 x2, path length u32 (in characters; `0xffffffff`: free row),
   * role u16, flags u8, status u8, then the paths' characters. Written by and for this machine only: it is derived.
   */
  pack(all = false): Map<string, Uint8Array | null> {
    const chunks = new Map<string, Uint8Array | null>();
    const wanted = all ? Array.from({ length: Math.ceil(this.#paths.length / CHUNK) }, (_, i) => i) : [...this.#dirty];
    for (const chunk of wanted) chunks.set(chunkName(chunk), this.#packChunk(chunk));
    this.#dirty.clear();
    return chunks;
  }

  #packChunk(chunk: number): Uint8Array | null {
    const from = chunk * CHUNK;
    const paths = this.#paths.slice(from, from + CHUNK);
    if (paths.length === 0) return null;
    const lengths = new Uint32Array(paths.length);
    paths.forEach((path, i) => (lengths[i] = path === undefined ? 0xffffffff : path.length));
    const text = paths.join("");
    // oxlint-disable-next-line no-control-regex -- "is every character latin1?" needs the whole range
    const wide = /[^\0-\xff]/.test(text);
    const characters = Buffer.from(text, wide ? "utf16le" : "latin1");
    const rows = paths.length;
    const parts = [
      new Uint32Array([2, rows, wide ? 2 : 1, characters.length, 0, 0]),
      this.#stat.slice(from * 4, (from + rows) * 4),
      this.#hash.slice(from * 2, (from + rows) * 2),
      lengths,
      this.#role.slice(from, from + rows),
      this.#flags.slice(from, from + rows).map((flags) => flags & STORED_FLAGS),
      this.#status.slice(from, from + rows),
      characters,
    ];
    return Buffer.concat(parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)));
  }

  /** Fills an empty table from packed chunks; `false` (and an empty table) when one of them is not usable. */
  unpack(chunks: ReadonlyMap<string, Uint8Array>): boolean {
    this.#rows = undefined;
    const names = [...chunks.keys()].toSorted();
    for (const [i, name] of names.entries()) {
      if (name !== chunkName(i) || !this.#unpackChunk(i, chunks.get(name)!)) {
        this.clear();
        return false;
      }
    }
    this.#dirty.clear();
    return true;
  }

  #unpackChunk(chunk: number, packed: Uint8Array): boolean {
    // A copy at offset 0: typed arrays need aligned bytes. (A Buffer's `slice` would be a view.)
    const bytes = new Uint8Array(packed).buffer;
    if (bytes.byteLength < 24) return false;
    const [format, rows, width, textBytes] = new Uint32Array(bytes, 0, 4);
    if (format !== 2 || bytes.byteLength !== 24 + rows! * 48 + textBytes!) return false;
    const from = chunk * CHUNK;
    this.#grow(from + rows!);
    let at = 24;
    const take = (size: number): number => (at += size) - size;
    this.#stat.set(new Float64Array(bytes, take(rows! * 32), rows! * 4), from * 4);
    this.#hash.set(new Uint32Array(bytes, take(rows! * 8), rows! * 2), from * 2);
    const lengths = new Uint32Array(bytes, take(rows! * 4), rows);
    this.#role.set(new Uint16Array(bytes, take(rows! * 2), rows), from);
    this.#flags.set(new Uint8Array(bytes, take(rows!), rows), from);
    this.#status.set(new Uint8Array(bytes, take(rows!), rows), from);
    const text = Buffer.from(bytes, at, textBytes).toString(width === 2 ? "utf16le" : "latin1");
    let start = 0;
    for (let i = 0; i < rows!; i++) {
      const length = lengths[i]!;
      const row = from + i;
      if (length === 0xffffffff) {
        this.#paths[row] = undefined;
        this.#status[row] = NO_STATUS;
        this.#free.push(row);
        continue;
      }
      const path = text.slice(start, (start += length));
      this.#paths[row] = path;
      const status = this.#status[row]!;
      if (status !== NO_STATUS) this.#countsOf(this.#role[row]!)[status]!++;
    }
    return true;
  }

  clear(): void {
    this.#paths = [];
    this.#rows = new Map();
    this.#free = [];
    this.#counts = [];
    this.#dirty.clear();
  }

  #touch(row: Row): void {
    this.#dirty.add(Math.floor(row / CHUNK));
  }

  #grow(rows: number): void {
    if (rows <= this.#flags.length) return;
    const capacity = Math.max(rows, this.#flags.length * 2);
    this.#flags = grown(this.#flags, new Uint8Array(capacity));
    this.#status = grown(this.#status, new Uint8Array(capacity));
    this.#role = grown(this.#role, new Uint16Array(capacity));
    this.#hash = grown(this.#hash, new Uint32Array(capacity * 2));
    this.#stat = grown(this.#stat, new Float64Array(capacity * 4));
  }
}

function grown<T extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function chunkName(chunk: number): string {
  return `rows/${String(chunk).padStart(6, "0")}`;
}

function hex8(number: number): string {
  return number.toString(16).padStart(8, "0");
}
