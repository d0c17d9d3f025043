import { hasOnly, isObject, isPathInRoot, stateRecordOf } from "../../core/model/manifest-json.ts";
import { problem, type Problem } from "../../core/model/problem.ts";
import { InternalError } from "../../core/model/problems.ts";
import type { AbsPath } from "../../core/model/words.ts";
import type { Disk, Intent, IntentRecord, IntentStore } from "../../ports.ts";
import { readText } from "./document-text.ts";

const INTENT = "intent.json";
const INTENT_KEYS = new Set(["version", "batchId", "records"]);
const RECORD_KEYS = new Set(["taskKey", "entityId", "pattern", "path", "staged", "record", "attempt"]);
const BATCH_ID = /^[A-Za-z0-9_-]+$/;
/** Batches, and small files that were not put in their places. */
const LEFTOVER = /^\.?[A-Za-z0-9_-]+$/;

/** The batch folders of one root: staged results and the intents to commit them. */
export class FileIntents implements IntentStore {
  readonly #folder: AbsPath;
  readonly #disk: Disk;
  /** The batches of this process. */
  readonly #own = new Set<string>();

  constructor(root: AbsPath, disk: Disk) {
    this.#folder = `${root}/.millrace/tmp`;
    this.#disk = disk;
  }

  /** Where a batch is staged. The id is one of our own: letters, digits, `_` and `-`; anything else throws InternalError. */
  batchFolder(batchId: string): AbsPath {
    if (!BATCH_ID.test(batchId)) throw new InternalError(`"${batchId}" is no id of a batch`);
    return `${this.#folder}/${batchId}`;
  }

  /** Makes a batch's folder and returns it. */
  makeBatch(batchId: string): AbsPath {
    const folder = this.batchFolder(batchId);
    this.#own.add(batchId);
    this.#disk.makeFolders(folder);
    return folder;
  }

  /** Writes the intent of a batch whose folder is there; whole or not at all. With `sync` it is on the medium when this returns. */
  write(intent: Intent, options: { readonly sync?: boolean } = {}): void {
    const folder = this.batchFolder(intent.batchId);
    const temp = `${folder}/.${INTENT}`;
    this.#disk.write(temp, JSON.stringify(intent) + "\n", options);
    this.#disk.rename(temp, `${folder}/${INTENT}`);
    if (options.sync !== true) return;
    this.#disk.sync(folder);
    this.#disk.sync(this.#folder);
  }

  /** Every intent of another process, by batch id (code units). Folders without one are no batches that began to commit. */
  readAll(): ReturnType<IntentStore["readAll"]> {
    const intents: Intent[] = [];
    const unreadable: { folder: AbsPath; problem: Problem }[] = [];
    for (const name of this.#strange()) {
      const found = this.#read(name);
      if (found === "unreadable")
        unreadable.push({ folder: `${this.#folder}/${name}`, problem: unreadableIntent(name) });
      else if (found !== undefined) intents.push(found);
    }
    return { intents, unreadable };
  }

  /** Removes a batch with everything that is staged in it, or one of the `leftovers`. */
  remove(name: string): void {
    if (!LEFTOVER.test(name)) throw new InternalError(`"${name}" is nothing of ours in tmp`);
    this.#disk.removeTree(`${this.#folder}/${name}`);
    this.#own.delete(name);
  }

  /** Removes everything from the temp folder but the batches of this process and those with a readable intent; returns the names of what was removed. */
  clear(): string[] {
    const removed: string[] = [];
    for (const name of this.#strange()) {
      if (typeof this.#read(name) === "object" || !this.#removed(name)) continue;
      removed.push(name);
    }
    return removed;
  }

  /** The names in the temp folder that are no batch of this process and none with a readable intent: what `clear` could not remove. */
  leftovers(): string[] {
    return this.#strange().filter((name) => LEFTOVER.test(name) && typeof this.#read(name) !== "object");
  }

  /** `false` when the disk refuses. */
  #removed(name: string): boolean {
    try {
      this.#disk.removeTree(`${this.#folder}/${name}`);
      return true;
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      return false;
    }
  }

  /** Everything in the temp folder but the batches of this process. */
  #strange(): string[] {
    const names = this.#asked(() => this.#disk.list(this.#folder)) ?? [];
    return names.filter((name) => !this.#own.has(name)).sort();
  }

  /** The text; `null` when it cannot be read or is none. */
  #text(path: AbsPath): string | null | undefined {
    try {
      return this.#asked(() => readText(this.#disk, path));
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      return null;
    }
  }

  /** A read that fails once is asked again: without its intent, a result of ours looks like somebody's edit. */
  #asked<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      return read();
    }
  }

  #read(name: string): Intent | "unreadable" | undefined {
    const path = `${this.#folder}/${name}/${INTENT}`;
    const kind = this.#asked(() => this.#disk.lstat(path))?.kind;
    if (kind === undefined) return undefined;
    const text = kind === "file" ? this.#text(path) : null;
    if (text === undefined) return undefined;
    const intent = text === null ? undefined : intentOf(text);
    return intent?.batchId === name ? intent : "unreadable";
  }
}

function unreadableIntent(batchId: string): Problem {
  return {
    ...problem(
      "M406",
      `the record of an interrupted commit, ".millrace/tmp/${batchId}/${INTENT}", cannot be read`,
      "nothing: what it was about is looked at on the disk and made again where needed",
    ),
    severity: "warning",
  };
}

function intentOf(text: string): Intent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || value["version"] !== 1 || !hasOnly(value, INTENT_KEYS)) return undefined;
  const { batchId, records } = value;
  if (typeof batchId !== "string" || !BATCH_ID.test(batchId) || !Array.isArray(records)) return undefined;
  const clean: IntentRecord[] = [];
  for (const item of records) {
    const record = recordOf(item);
    if (record === undefined) return undefined;
    clean.push(record);
  }
  return { version: 1, batchId, records: clean };
}

function recordOf(value: unknown): IntentRecord | undefined {
  if (!isObject(value) || !hasOnly(value, RECORD_KEYS)) return undefined;
  const { taskKey, entityId, pattern, path, staged } = value;
  if (typeof taskKey !== "string" || typeof entityId !== "string" || typeof pattern !== "string") return undefined;
  if (!isPathInRoot(path) || !(staged === "" || isPathInRoot(staged))) return undefined;
  const { attempt } = value;
  if (attempt !== undefined && !Number.isSafeInteger(attempt)) return undefined;
  const record = value["record"] === null ? null : stateRecordOf(value["record"]);
  if (record === undefined) return undefined;
  const clean = { taskKey, entityId, pattern, path, staged, record };
  return attempt === undefined ? clean : { ...clean, attempt: attempt as number };
}
