import { DatabaseSync } from "node:sqlite";
import { problem, type Problem } from "../../core/model/problem.ts";
import { InternalError } from "../../core/model/problems.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import type { AbsPath } from "../../core/model/words.ts";
import type { Disk, Owner, OwnerLock } from "../../ports.ts";
import { sqliteFault } from "./sqlite-error.ts";

// Long enough for another process to get through its own start, short enough for a quick "no".
const PATIENCE_MS = 250;
// Long enough for somebody else who only asks, as we do.
const GLANCE_MS = 5;

/** One row: who holds the root, or held it last. */
const SCHEMA = `create table if not exists owner
  (id integer primary key check (id = 1), pid integer not null, host text not null, since text not null, door text not null) strict`;

/**
 * `.millrace/owner`: a SQLite file in rollback-journal mode. Its row says who; an open `begin immediate` says that he lives.
 *
 * The lock is the operating system's (POSIX record locks), so it is gone at once when its process is, however it died. While it
 * is held others can read the row and cannot write. Nothing but SQLite may open this file in the owning process: closing any
 * other descriptor of it would drop the lock. Not for network file systems that do not lock.
 */
export class FileOwnerLock implements OwnerLock {
  readonly #path: AbsPath;
  readonly #disk: Disk;
  #held: { readonly database: DatabaseSync; readonly owner: Owner } | undefined;

  /** `.millrace` must be there before `acquire`. */
  constructor(root: AbsPath, disk: Disk) {
    this.#path = `${root}/.millrace/owner`;
    this.#disk = disk;
  }

  /** Fails with M110 when another process holds the root, with M111 when the file is no lock; throws other errors of SQLite. */
  acquire(owner: Owner): Result<void> {
    if (this.#held !== undefined) throw new InternalError("this process holds the root already");
    const database = new DatabaseSync(this.#path, { timeout: PATIENCE_MS });
    try {
      claim(database, owner);
      this.#held = { database, owner };
      return ok(undefined);
    } catch (error) {
      const fault = sqliteFault(error);
      const holder = fault === "busy" ? readOwner(database) : undefined;
      database.close();
      if (fault === "busy") return fail(heldBy(holder));
      if (fault === "damaged") return fail(damagedLock());
      throw error;
    }
  }

  /** Who holds it; nobody, as far as can be told, when the file is no lock (`acquire` says so). */
  current(): Owner | undefined {
    if (this.#held !== undefined) return this.#held.owner;
    if (this.#disk.lstat(this.#path) === undefined) return undefined;
    const database = new DatabaseSync(this.#path, { timeout: GLANCE_MS });
    try {
      return isHeld(database) ? readOwner(database) : undefined;
    } finally {
      database.close();
    }
  }

  /** Why the file is no lock, as the end of a sentence; `undefined` when it is one, or is not there. */
  fault(): string | undefined {
    if (this.#held !== undefined || this.#disk.lstat(this.#path) === undefined) return undefined;
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(this.#path, { timeout: PATIENCE_MS, readOnly: true });
      const there = database.prepare("select count(*) as tables from sqlite_schema where name = 'owner'").get();
      // Nobody has held it yet: it is made with its first owner.
      if (there !== undefined && there["tables"] !== 0) selectOwner(database);
      return undefined;
    } catch (error) {
      return sqliteFault(error) === "damaged" ? "is not the lock that Millrace makes" : undefined;
    } finally {
      database?.close();
    }
  }

  /** Does nothing when it is not held. */
  release(): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    // The row stays: without the lock it means nothing.
    held.database.close();
  }
}

/** Returns holding the lock with our row committed, or throws: busy when another process holds it. */
function claim(database: DatabaseSync, owner: Owner): void {
  database.exec("begin immediate");
  try {
    for (;;) {
      database.exec(SCHEMA);
      database
        .prepare("insert or replace into owner (id, pid, host, since, door) values (1, ?, ?, ?, ?)")
        .run(owner.pid, owner.host, owner.since, owner.door);
      // Others read only what is committed, and committing gives the lock away for a moment ...
      database.exec("commit; begin immediate");
      // ... in which another process may have written its own name: then the root is not its (we hold the lock), and we write ours again.
      if (isSameOwner(owner, selectOwner(database))) return;
    }
  } catch (error) {
    if (database.isTransaction) database.exec("rollback");
    throw error;
  }
}

function isHeld(database: DatabaseSync): boolean {
  try {
    database.exec("begin immediate; rollback");
    return false;
  } catch (error) {
    const fault = sqliteFault(error);
    // Who may only read the file cannot try the lock: the row is the best there is to say.
    if (fault === "busy" || fault === "read-only") return true;
    if (fault === "damaged") return false;
    throw error;
  }
}

/** The row; `undefined` when there is none yet, or when its process is writing it just now. */
function readOwner(database: DatabaseSync): Owner | undefined {
  database.exec(`pragma busy_timeout = ${PATIENCE_MS}`);
  try {
    return selectOwner(database);
  } catch (error) {
    const fault = sqliteFault(error);
    if (fault === "busy" || fault === "damaged") return undefined;
    throw error;
  }
}

function selectOwner(database: DatabaseSync): Owner | undefined {
  const row = database.prepare("select pid, host, since, door from owner").get();
  return row === undefined ? undefined : ({ ...row } as unknown as Owner);
}

function isSameOwner(a: Owner, b: Owner | undefined): boolean {
  return b !== undefined && a.pid === b.pid && a.host === b.host && a.since === b.since && a.door === b.door;
}

function heldBy(owner: Owner | undefined): Problem {
  const who = owner === undefined ? "" : `, process ${owner.pid} on "${owner.host}" since ${owner.since},`;
  return problem("M110", `another Millrace${who} holds this root`, "stop it, or give your commands while it runs");
}

function damagedLock(): Problem {
  return problem(
    "M111",
    `".millrace/owner" is not the lock that Millrace makes`,
    "make sure that no Millrace runs on this root, then delete the file",
  );
}
