import { DatabaseSync, type StatementSync } from "node:sqlite";
import { problem, type Problem } from "../../core/model/problem.ts";
import { InternalError } from "../../core/model/problems.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { AttemptFilter, AttemptRow, Disk, Ledger, Trash } from "../../ports.ts";
import { MIGRATIONS } from "./migrations.ts";
import { openReader } from "./open-reader.ts";

/** What the ledger of a root needs from outside. */
export interface LedgerPorts {
  readonly disk: Disk;
  /** Where a damaged file goes; `undefined` for a process that does not own the root: it only reads, and moves nothing. */
  readonly trash: Trash | undefined;
  readonly onProblem: (problem: Problem) => void;
}

const PLACE: RelPath = ".millrace/ledger.db";
const DEFAULT_LIMIT = 100;
/** SQLITE_CORRUPT. */
const CORRUPT = 11;

const COLUMNS = {
  runId: "run_id",
  taskKey: "task_key",
  pipeline: "pipeline",
  stage: "stage",
  entity: "entity",
  path: "path",
  attempt: "attempt",
  result: "result",
  reasons: "reasons",
  startedAt: "started_at",
  durationMs: "duration_ms",
  contentHash: "content_hash",
  error: "error",
  category: "category",
  log: "log",
} as const satisfies Record<keyof AttemptRow, string>;

const INSERT = `insert into attempts (${Object.values(COLUMNS).join(", ")})
  values (${Object.keys(COLUMNS)
    .map(() => "?")
    .join(", ")})`;
const SELECT = `select ${Object.entries(COLUMNS)
  .map(([field, column]) => `${column} as ${field}`)
  .join(", ")} from attempts`;

/**
 * The ledger of a root in `.millrace/ledger.db`: WAL, so that others read while the daemon writes, and synced at checkpoints
 * only: a power cut may cost the last rows, never the file.
 *
 * Fails with M409 when a later release wrote it. A damaged file is set aside with a warning, now or when it shows, and a new
 * one is begun: history is worth less than going on. A process that does not own the root finds no rows where there is no ledger.
 */
export function openLedger(
  root: AbsPath,
  ports: LedgerPorts,
  migrations: readonly string[] = MIGRATIONS,
): Result<Ledger> {
  const ledger = new SqliteLedger(root, ports, migrations);
  const problem = ledger.open();
  return problem === undefined ? ok(ledger) : fail(problem);
}

class SqliteLedger implements Ledger {
  readonly #path: AbsPath;
  readonly #ports: LedgerPorts;
  readonly #migrations: readonly string[];
  #database: DatabaseSync | undefined;
  #insert: StatementSync | undefined;
  #isClosed = false;

  constructor(root: AbsPath, ports: LedgerPorts, migrations: readonly string[]) {
    this.#path = `${root}/${PLACE}`;
    this.#ports = ports;
    this.#migrations = migrations;
  }

  /** Opens the file, or a new one in place of a damaged one; the problem when it is of a later release. */
  open(): Problem | undefined {
    try {
      return this.#connectOrTryAgain();
    } catch (error) {
      this.#setAsideDamaged(error);
      // For a reader the file is still there; it finds no rows.
      return this.#ports.trash === undefined ? undefined : this.#connect();
    }
  }

  /** A read that fails once makes a sound file look damaged: SQLite then takes its schema for an empty one. */
  #connectOrTryAgain(): Problem | undefined {
    try {
      return this.#connect();
    } catch (error) {
      if (!isDamage(error)) throw error;
      return this.#connect();
    }
  }

  add(rows: readonly AttemptRow[]): void {
    if (this.#ports.trash === undefined)
      throw new InternalError("a process that does not own the root wrote to the ledger");
    if (rows.length === 0) return;
    try {
      this.#addOrTryAgain(rows);
    } catch (error) {
      this.#setAsideDamaged(error);
      this.#add(rows);
    }
  }

  /** One read that fails makes a sound file look damaged: it is asked once more through a new connection. */
  #addOrTryAgain(rows: readonly AttemptRow[]): void {
    try {
      this.#add(rows);
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#disconnect();
      this.#add(rows);
    }
  }

  attempts(filter: AttemptFilter): AttemptRow[] {
    try {
      return this.#attempts(filter);
    } catch (error) {
      this.#setAsideDamaged(error);
      // Nothing that can be read is left; a reader finds no rows, the owner a new file.
      if (this.#ports.trash !== undefined) this.#connect();
      return [];
    }
  }

  check(): string | undefined {
    if (this.#database === undefined) return undefined;
    const damage = damageOf(this.#database);
    if (damage === undefined) return undefined;
    this.#setAsideDamaged(damage);
    if (this.#ports.trash !== undefined) this.#connect();
    return damage.message;
  }

  close(): void {
    this.#isClosed = true;
    this.#disconnect();
  }

  /** Whoever writes next connects again. */
  #disconnect(): void {
    const database = this.#database;
    this.#database = undefined;
    this.#insert = undefined;
    try {
      database?.close();
    } catch (error) {
      // A damaged file may refuse to be closed well; it is not used any more.
      if (!isDamage(error)) throw error;
    }
  }

  #add(rows: readonly AttemptRow[]): void {
    const database = this.#opened();
    this.#insert ??= database.prepare(INSERT);
    database.exec("begin immediate");
    try {
      for (const row of rows) this.#insert.run(...valuesOf(row));
      database.exec("commit");
    } catch (error) {
      // Some errors have rolled back already.
      if (database.isTransaction) database.exec("rollback");
      throw error;
    }
  }

  #attempts(filter: AttemptFilter): AttemptRow[] {
    if (this.#database === undefined) return [];
    const { text, values } = conditions(filter);
    const limit = filter.limit ?? DEFAULT_LIMIT;
    const rows = this.#database.prepare(`${SELECT}${text} order by id desc limit ?`).all(...values, limit);
    return rows.map((row) => ({ ...row }) as unknown as AttemptRow);
  }

  #opened(): DatabaseSync {
    if (this.#isClosed) throw new InternalError("the ledger was used after it was closed");
    // The disk refused what was to be done with a damaged file; now it may not.
    if (this.#database === undefined) this.#connect();
    return this.#database!;
  }

  // ---------------------------------------------------------------- the file

  #connect(): Problem | undefined {
    const { disk, trash } = this.#ports;
    const isReader = trash === undefined;
    if (disk.lstat(this.#path) === undefined) {
      if (isReader) return undefined;
      // The log of a file that somebody removed must never meet the new one.
      disk.remove(`${this.#path}-wal`);
      disk.remove(`${this.#path}-shm`);
    }
    const database = isReader ? openReader(this.#path) : new DatabaseSync(this.#path, { timeout: 5000 });
    try {
      const version = versionOf(database);
      if (version > this.#migrations.length) {
        database.close();
        return newerLedger(version);
      }
      if (isReader) {
        // The owner brings an older file up to date when it starts; until then its history is not shown.
        if (version < this.#migrations.length) database.close();
        else this.#database = database;
        return undefined;
      }
      database.exec("pragma journal_mode = wal; pragma synchronous = normal");
      this.#migrate(database);
    } catch (error) {
      if (database.isOpen) database.close();
      throw error;
    }
    this.#database = database;
    return undefined;
  }

  #migrate(database: DatabaseSync): void {
    for (const [from, step] of this.#migrations.entries()) {
      if (from < versionOf(database)) continue;
      database.exec(`begin immediate; ${step} pragma user_version = ${from + 1}; commit`);
    }
    // Reads the whole schema, so that damage to it shows now.
    database.prepare(`${SELECT} limit 1`).get();
  }

  /** Moves a file that an error has shown to be damaged to the trash, with a warning; throws every other error on. */
  #setAsideDamaged(error: unknown): void {
    if (!isDamage(error)) throw error;
    this.#disconnect();
    const { disk, trash, onProblem } = this.#ports;
    const notes = [(error as Error).message];
    // The log first: it must never meet a new file.
    for (const suffix of trash === undefined ? [] : ["-wal", "-shm", ""]) {
      if (disk.lstat(this.#path + suffix) === undefined) continue;
      notes.push(`it was moved to ${trash!.put(PLACE + suffix, "the ledger is damaged")}`);
    }
    onProblem({
      ...problem("M407", `the ledger "${PLACE}" is damaged`, "nothing: a new history begins; no output depends on it", {
        notes,
      }),
      severity: "warning",
    });
  }
}

function versionOf(database: DatabaseSync): number {
  return (database.prepare("pragma user_version").get() as { user_version: number }).user_version;
}

function newerLedger(version: number): Problem {
  return problem(
    "M409",
    `the ledger "${PLACE}" has the version ${version}, which this Millrace does not know`,
    "use the Millrace that wrote it, or a later one; the file was not touched",
  );
}

/** CORRUPT, NOTADB, a read beyond the end of a cut file, or (ERROR, since our statements are right) a schema that is not ours. */
function isDamage(error: unknown): boolean {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return false;
  const primary = error.errcode & 0xff;
  return primary === 11 || primary === 26 || primary === 1 || error.errcode === 522;
}

/** SQLite's own opinion of the whole file, as an error that `isDamage` knows. */
function damageOf(database: DatabaseSync): Error | undefined {
  try {
    const { integrity_check: said } = database.prepare("pragma integrity_check(1)").get() as {
      integrity_check: string;
    };
    return said === "ok" ? undefined : Object.assign(new Error(said), { errcode: CORRUPT });
  } catch (error) {
    if (isDamage(error)) return error as Error;
    throw error;
  }
}

type SqlValue = string | number | null;

function valuesOf(row: AttemptRow): SqlValue[] {
  return [
    row.runId,
    row.taskKey,
    row.pipeline,
    row.stage,
    row.entity,
    row.path,
    row.attempt,
    row.result,
    row.reasons,
    row.startedAt,
    row.durationMs,
    row.contentHash,
    row.error,
    row.category,
    row.log,
  ];
}

function conditions(filter: AttemptFilter): { readonly text: string; readonly values: SqlValue[] } {
  const { pipeline, stage, entity, result, runId, sinceMs } = filter;
  const wanted: [string, SqlValue | undefined][] = [
    ["pipeline = ?", pipeline],
    ["stage = ?", stage],
    ["entity = ?", entity],
    ["result = ?", result],
    ["run_id = ?", runId],
    ["started_at >= ?", sinceMs],
  ];
  const given = wanted.filter((condition): condition is [string, SqlValue] => condition[1] !== undefined);
  const text = given.length === 0 ? "" : ` where ${given.map(([condition]) => condition).join(" and ")}`;
  return { text, values: given.map(([, value]) => value) };
}
