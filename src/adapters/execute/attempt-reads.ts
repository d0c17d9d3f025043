import { NodeFailure } from "./node-type.ts";
import type { ContentHash, RelPath } from "../../core/model/words.ts";
import type { AttemptRequest, FileStat, InputItem, ReadRecord, ShortOf, StateHash, StateReader } from "../../ports.ts";

/** A file that an expression reads passes through several copies: more than this is for a module or a command. */
export const MAX_CONTENT_BYTES: number = 64 << 20;
/** What takes longer than about ten milliseconds goes to a thread of its own. */
export const MAX_SHARED_BYTES: number = 16 << 20;

/** Thrown when an input changed or vanished under the attempt. */
export class Overtaken extends Error {
  override readonly name = "Overtaken";
  readonly path: RelPath;
  constructor(path: RelPath) {
    super(`"${path}" changed`);
    this.path = path;
  }
}

/** Thrown when this piece belongs in a thread of its own. */
export class WantsToBeAlone extends Error {
  override readonly name = "WantsToBeAlone";
}

interface Known {
  readonly hash: ContentHash;
  readonly stat: FileStat;
  /** Kept for files that were read to be hashed. */
  readonly bytes: Uint8Array | undefined;
}

/** The states one attempt reads: each once, guarded, recorded. */
export class AttemptReads {
  readonly #reader: StateReader;
  readonly #isAlone: boolean;
  /** `null`: looked for and absent. In the order of reading, the declared inputs first. */
  readonly #known = new Map<RelPath, Known | null>();
  readonly #declared = new Set<RelPath>();

  constructor(reader: StateReader, isAlone: boolean) {
    this.#reader = reader;
    this.#isAlone = isAlone;
  }

  /** Reads every declared input. Throws `Overtaken` when one is absent or changing, `NodeFailure` when one cannot be read. */
  readDeclared(request: AttemptRequest): void {
    for (const { items } of request.inputs) {
      for (const { path } of items) {
        this.#declared.add(path);
        this.#know(path);
      }
    }
  }

  /** What is known of a state, read now if it was not yet; `undefined` when it is absent. */
  look({ path }: InputItem): Known | undefined {
    return this.#know(path) ?? undefined;
  }

  /** The bytes of a file state; `undefined` when it is absent. Throws `NodeFailure` for a folder and for a very large file. */
  bytes(item: InputItem): Uint8Array | undefined {
    const known = this.look(item);
    if (known === undefined || known.bytes !== undefined) return known?.bytes;
    if (item.path.endsWith("/")) {
      throw new NodeFailure(`"${item.path}" is a folder and has no content; read its .path or .hash`, "definition");
    }
    if (known.stat.size > MAX_CONTENT_BYTES) throw tooLarge(item.path, known.stat.size);
    if (!this.#isAlone) throw new WantsToBeAlone();
    const read = this.#reader.read(item.path);
    if (read.is !== "read" || read.hash !== known.hash) throw new Overtaken(item.path);
    this.#known.set(item.path, { hash: read.hash, stat: read.stat, bytes: read.bytes });
    return read.bytes;
  }

  /** Throws `Overtaken` when a state is not what it was when it was read. */
  check(path: RelPath): void {
    const known = this.#known.get(path);
    const now = this.#reader.hashNow(path);
    if (now.is !== "hashed" || now.hash !== known?.hash) throw new Overtaken(path);
  }

  records(): ReadRecord[] {
    const records: ReadRecord[] = [];
    for (const [path, known] of this.#known) {
      records.push({ path, hash: known?.hash ?? null, stat: known?.stat });
    }
    return records;
  }

  #know(path: RelPath): Known | null {
    const before = this.#known.get(path);
    if (before !== undefined) return before;
    const known = this.#read(path);
    if (known === null && this.#declared.has(path)) throw new Overtaken(path);
    this.#known.set(path, known);
    return known;
  }

  #read(path: RelPath): Known | null {
    const look = path.endsWith("/") ? undefined : this.#reader.look(path);
    if (look?.is === "absent") return null;
    if (look?.is === "refused") throw look.shortOf ? changing(path, look.shortOf) : unreadable(path, look.reason);
    if (look === undefined || look.stat.size > MAX_SHARED_BYTES) return this.#hash(path, look?.stat.size);
    const read = this.#reader.read(path);
    switch (read.is) {
      case "read":
        return { hash: read.hash, stat: read.stat, bytes: read.bytes };
      case "absent":
        return null;
      case "changing":
        throw changing(path, read.shortOf);
      case "refused":
        throw unreadable(path, read.reason);
    }
  }

  /** A folder, or a file too large to keep. */
  #hash(path: RelPath, size: number | undefined): Known | null {
    if (size !== undefined && !this.#isAlone) throw new WantsToBeAlone();
    return knownOf(path, this.#reader.hashNow(path));
  }
}

function knownOf(path: RelPath, hashed: StateHash): Known | null {
  switch (hashed.is) {
    case "hashed":
      return { hash: hashed.hash, stat: hashed.stat, bytes: undefined };
    case "absent":
      return null;
    case "changing":
      throw changing(path, hashed.shortOf);
    case "refused":
      throw unreadable(path, hashed.reason);
  }
}

/** It is another by now; or the system ran short, which is no fault of anything about the task. */
function changing(path: RelPath, shortOf: ShortOf | undefined): Error {
  if (shortOf === undefined) return new Overtaken(path);
  return new NodeFailure(`input "${path}" cannot be read now: ${shortOf}`, "resource");
}

function unreadable(path: RelPath, reason: string): NodeFailure {
  return new NodeFailure(`input "${path}" cannot be read: ${reason}`, "input");
}

function tooLarge(path: RelPath, size: number): NodeFailure {
  const megabytes = Math.ceil(size / (1 << 20));
  return new NodeFailure(
    `"${path}" is too large for an expression (${megabytes} MB, at most ${MAX_CONTENT_BYTES >> 20} MB); use a module or run_command node`,
    "definition",
  );
}
