import { DatabaseSync } from "node:sqlite";
import { hashBytes } from "../../core/hash/hash.ts";
import { isObject } from "../../core/model/manifest-json.ts";
import { problem, type Problem } from "../../core/model/problem.ts";
import { InternalError } from "../../core/model/problems.ts";
import type { AbsPath, ContentHash } from "../../core/model/words.ts";
import type { Disk, IndexStore } from "../../ports.ts";
import { openReader } from "./open-reader.ts";
import { sqliteFault } from "./sqlite-error.ts";

/** What the index of a root needs from outside. */
export interface IndexPorts {
  readonly disk: Disk;
  /** For a process that does not own the root: it writes and removes nothing. */
  readonly readOnly: boolean;
  readonly onProblem: (problem: Problem) => void;
}

/** What the file holds, checked. */
interface Document {
  readonly meta: Readonly<Record<string, unknown>>;
  readonly sums: Map<string, ContentHash>;
}

/** `PRAGMA user_version`; a file with another one counts as none. */
const FORMAT = 1;

/**
 * Format 1. `blobs` holds the packed tables; `document` has one row: the JSON of the meta document, the JSON of the pairs
 * [blob name, XXH64] of all blobs that belong together, and the XXH64 of both texts. SQLite has no checksums of its own in the file.
 *
 * The large page keeps a 1 MB blob in 33 pieces instead of 257. WAL lets others read while the daemon writes. Nothing is synced:
 * after a power cut the sums tell whether the file still is what was saved, and it can always be made again.
 */
const CREATE = `
  pragma page_size = 32768;
  pragma journal_mode = wal;
  create table blobs (name text primary key, bytes blob not null) strict;
  create table document (id integer primary key check (id = 1), meta text not null, sums text not null, hash text not null) strict;
  pragma user_version = ${FORMAT};`;

/** `.millrace/index.db` of one root. It is opened when it is first used. Await `loadHasher` first. */
export class SqliteIndexStore implements IndexStore {
  readonly #path: AbsPath;
  readonly #ports: IndexPorts;
  #database: DatabaseSync | undefined;
  /** Of the opened file: a file that somebody removed or replaced under us is opened anew. */
  #inode: number | undefined;
  /** Every blob that should be there, by what was loaded and saved. A file that was made anew lacks some until they are saved again. */
  #sums: Map<string, ContentHash> | undefined;

  constructor(root: AbsPath, ports: IndexPorts) {
    this.#path = `${root}/.millrace/index.db`;
    this.#ports = ports;
  }

  load(): ReturnType<IndexStore["load"]> {
    return this.#reading((database) => {
      const document = this.#document(database);
      if (document === undefined) return undefined;
      const blobs = new Map<string, Uint8Array>();
      for (const row of database.prepare("select name, bytes from blobs").iterate()) {
        const { name, bytes } = row as { name: string; bytes: Uint8Array };
        if (document.sums.get(name) !== hashBytes(bytes)) throw new Damage(`its part "${name}" is not what was saved`);
        blobs.set(name, bytes);
      }
      this.#sums = document.sums;
      return blobs.size === document.sums.size ? { meta: document.meta, blobs } : undefined;
    });
  }

  loadMeta(): Readonly<Record<string, unknown>> | undefined {
    return this.#reading((database) => this.#document(database)?.meta);
  }

  save(meta: Readonly<Record<string, unknown>>, blobs: ReadonlyMap<string, Uint8Array | null>): void {
    this.#writing((database) => {
      const sums = this.#savedSums(database);
      const put = database.prepare(
        "insert into blobs (name, bytes) values (?, ?) on conflict (name) do update set bytes = excluded.bytes",
      );
      const remove = database.prepare("delete from blobs where name = ?");
      for (const [name, bytes] of blobs) {
        if (bytes === null) {
          remove.run(name);
          sums.delete(name);
        } else {
          put.run(name, bytes);
          sums.set(name, hashBytes(bytes));
        }
      }
      this.#putDocument(database, meta, sums);
      return sums;
    });
  }

  saveMeta(meta: Readonly<Record<string, unknown>>): void {
    this.save(meta, new Map());
  }

  discard(): void {
    if (this.#ports.readOnly) throw new InternalError("a process that does not own the root removed the index");
    try {
      this.close();
    } catch (error) {
      if (sqliteFault(error) !== "damaged") throw error;
    }
    this.#removeFiles();
  }

  close(): void {
    const database = this.#database;
    this.#database = undefined;
    database?.close();
  }

  // ---------------------------------------------------------------- reading

  /** What `read` finds in one snapshot; `undefined` when there is no file or none that can be used. */
  #reading<T>(read: (database: DatabaseSync) => T | undefined): T | undefined {
    try {
      const database = this.#openExisting();
      if (database === undefined) return undefined;
      database.exec("begin");
      try {
        return read(database);
      } finally {
        database.exec("rollback");
      }
    } catch (error) {
      this.#discardDamaged(error);
      return undefined;
    }
  }

  /** `undefined` when nothing was saved yet; damage is thrown. */
  #document(database: DatabaseSync): Document | undefined {
    const row = database.prepare("select meta, sums, hash from document").get();
    if (row === undefined) return undefined;
    const { meta, sums, hash } = row as { meta: string; sums: string; hash: string };
    if (hash !== documentHash(meta, sums)) throw new Damage("its document is not what was saved");
    const parsed: unknown = JSON.parse(meta);
    if (!isObject(parsed)) throw new Damage("its document has another form");
    // The hash proves that we wrote it.
    return { meta: parsed, sums: new Map(JSON.parse(sums) as [string, ContentHash][]) };
  }

  // ---------------------------------------------------------------- writing

  #writing(write: (database: DatabaseSync) => Map<string, ContentHash>): void {
    if (this.#ports.readOnly) throw new InternalError("a process that does not own the root wrote to the index");
    try {
      this.#transaction(write);
    } catch (error) {
      this.#discardDamaged(error);
      // Into a new file. It lacks the blobs that are not saved now, and `load` sees that by the sums.
      this.#transaction(write);
    }
  }

  #transaction(write: (database: DatabaseSync) => Map<string, ContentHash>): void {
    const database = this.#openExisting() ?? this.#create();
    database.exec("begin immediate");
    try {
      const sums = write(database);
      database.exec("commit");
      this.#sums = sums;
    } catch (error) {
      // Some errors have rolled back already.
      if (database.isTransaction) database.exec("rollback");
      throw error;
    }
  }

  #savedSums(database: DatabaseSync): Map<string, ContentHash> {
    return new Map(this.#sums ?? this.#document(database)?.sums);
  }

  #putDocument(database: DatabaseSync, meta: Readonly<Record<string, unknown>>, sums: Map<string, ContentHash>): void {
    const metaText = JSON.stringify(meta);
    const sumsText = JSON.stringify([...sums]);
    database
      .prepare("insert or replace into document (id, meta, sums, hash) values (1, ?, ?, ?)")
      .run(metaText, sumsText, documentHash(metaText, sumsText));
  }

  // ---------------------------------------------------------------- the file

  /** The database of the file that is there; `undefined` when there is none, or one of another format. */
  #openExisting(): DatabaseSync | undefined {
    const stat = this.#ports.disk.lstat(this.#path);
    if (this.#database !== undefined && this.#inode === stat?.ino) return this.#database;
    this.close();
    if (stat?.kind !== "file") return undefined;
    const database = this.#connect();
    try {
      const { user_version: format } = database.prepare("pragma user_version").get() as { user_version: number };
      if (format !== FORMAT) {
        database.close();
        return undefined;
      }
    } catch (error) {
      database.close();
      throw error;
    }
    return this.#use(database);
  }

  /** A new database in place of a missing one or one of another format. */
  #create(): DatabaseSync {
    this.#removeFiles();
    const database = this.#connect();
    try {
      database.exec(CREATE);
    } catch (error) {
      database.close();
      throw error;
    }
    return this.#use(database);
  }

  #connect(): DatabaseSync {
    return this.#ports.readOnly ? openReader(this.#path) : new DatabaseSync(this.#path, { timeout: 5000 });
  }

  #use(database: DatabaseSync): DatabaseSync {
    // A log of a few pages: on a small disk it would take the room of the results.
    if (!this.#ports.readOnly)
      database.exec("pragma synchronous = off; pragma wal_autocheckpoint = 8; pragma journal_size_limit = 131072");
    this.#database = database;
    this.#inode = this.#ports.disk.lstat(this.#path)?.ino;
    return database;
  }

  /** Removes a file that an error has shown to be damaged, with a warning; throws every other error on. */
  #discardDamaged(error: unknown): void {
    if (!(error instanceof Damage) && sqliteFault(error) !== "damaged") throw error;
    try {
      this.close();
    } catch {
      this.#database = undefined; // A damaged file may refuse to be closed well; it is not used any more.
    }
    if (!this.#ports.readOnly) this.#removeFiles();
    const { message } = error as Error;
    this.#ports.onProblem({
      ...problem("M410", `the index ".millrace/index.db" is damaged`, "nothing: it is made again from the files", {
        notes: [message],
      }),
      severity: "warning",
    });
  }

  #removeFiles(): void {
    // An old log must never meet a new file.
    for (const suffix of ["-wal", "-shm", ""]) this.#ports.disk.remove(this.#path + suffix);
  }
}

/** The file is no longer what was saved. */
class Damage extends Error {}

function documentHash(meta: string, sums: string): ContentHash {
  return hashBytes(`${meta.length} ${meta}${sums}`);
}
