import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

/** How long a reader waits for a writer's lock, in milliseconds. */
const PATIENCE_MS = 5000;

/**
 * The database at a path, to read only. On a read-only file system SQLite cannot make the files that a write-ahead log
 * wants; nobody writes there either, so the file is read as it is, without the log.
 */
export function openReader(path: string): DatabaseSync {
  if (!isOnReadOnlyDisk(path)) return new DatabaseSync(path, { readOnly: true, timeout: PATIENCE_MS });
  const url = pathToFileURL(path);
  url.search = "immutable=1";
  return new DatabaseSync(url, { readOnly: true });
}

function isOnReadOnlyDisk(path: string): boolean {
  try {
    accessSync(dirname(path), constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}
