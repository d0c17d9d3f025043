/** What a failed SQLite call means for the file. */
export type SqliteFault = "busy" | "damaged" | "read-only" | "other";

const BUSY = 5;
const READ_ONLY = 8;
// ERROR: our own statements are right, so a missing table means that the schema is not ours; CORRUPT; NOTADB.
const DAMAGE: ReadonlySet<number> = new Set([1, 11, 26]);
const SHORT_READ = 522;

/** Sorts an error that `node:sqlite` threw. Primary codes are the low byte. @see https://sqlite.org/rescode.html */
export function sqliteFault(error: unknown): SqliteFault {
  const code = error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : 0;
  const primary = code & 0xff;
  if (primary === BUSY) return "busy";
  if (primary === READ_ONLY) return "read-only";
  return DAMAGE.has(primary) || code === SHORT_READ ? "damaged" : "other";
}
