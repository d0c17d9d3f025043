import { documentText } from "../../core/model/document-json.ts";
import { hasOnly, isObject, isPathInRoot, stateRecordOf } from "../../core/model/manifest-json.ts";
import type { RelPath } from "../../core/model/words.ts";
import type { TrashEntry, TrashedResult } from "../../ports.ts";

/**
 * `.millrace/trash/<UTC time>-<id>/note.json`: why something was moved aside. Documented JSON, keys sorted.
 * Beside it is the thing itself under its path in the root, so that moving it back needs no other knowledge.
 */
export interface TrashNote {
  /** Where it was, relative to the root. */
  readonly path: RelPath;
  /** Where it is now, relative to the root: `.millrace/trash/<entry>/<path>` (with `_/` before a path that begins with `note.json`). */
  readonly kept: RelPath;
  readonly why: string;
  /** When, ISO 8601, UTC. */
  readonly at: string;
  /** Of a retracted result: what it was the result of, and what its manifest said. Left out otherwise. */
  readonly of?: TrashedResult;
}

/** Where the trash is, relative to a root. */
export const TRASH_FOLDER: RelPath = ".millrace/trash";

const NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-[0-9a-z]{1,32}$/;
const NOTE_KEYS: ReadonlySet<string> = new Set(["path", "kept", "why", "at", "of"]);
const OF_KEYS: ReadonlySet<string> = new Set(["taskKey", "entityId", "pattern", "record"]);

/** The name of an entry made at this time (ISO 8601, UTC): names sort as times do. */
export function entryName(at: string, id: string): string {
  return `${at.replace(/[-:.]/g, "")}-${id}`;
}

/** When an entry of this name was made, ISO 8601; `undefined` when no entry can have the name. */
export function timeOfName(name: string): string | undefined {
  const at = NAME.exec(name);
  if (at === null) return undefined;
  const text = `${at[1]}-${at[2]}-${at[3]}T${at[4]}:${at[5]}:${at[6]}.${at[7]}Z`;
  return Number.isNaN(Date.parse(text)) ? undefined : text;
}

/** Where an entry keeps the thing that was at `path`. The note's own name is taken there; disks may ignore case. */
export function keptPath(name: string, path: RelPath): RelPath {
  return `${TRASH_FOLDER}/${name}/${/^note\.json(?:\/|$)/i.test(path) ? "_/" : ""}${path}`;
}

/** Whether something at this path can be in the trash: below the root, and neither Millrace's folder nor the trash itself. */
export function canBeTrashed(path: RelPath): boolean {
  if (!isPathInRoot(path)) return false;
  return path !== ".millrace" && path !== ".millrace/" && !`${path}/`.startsWith(`${TRASH_FOLDER}/`);
}

/** The text of a note's file. */
export function formatNote(note: TrashNote): string {
  return documentText(note) + "\n";
}

/**
 * The entry that a note's text describes; `undefined` when it is damaged. Nothing in it is trusted: where the thing lies
 * follows from the entry's own name, and a path that leads out of the root is damage.
 */
export function parseNote(name: string, text: string): TrashEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value) || !hasOnly(value, NOTE_KEYS)) return undefined;
  const { path, kept, why, at } = value;
  if (typeof path !== "string" || !canBeTrashed(path)) return undefined;
  if (kept !== keptPath(name, path) || typeof why !== "string") return undefined;
  if (typeof at !== "string" || at !== timeOfName(name)) return undefined;
  const of = Object.hasOwn(value, "of") ? resultOf(value["of"], path) : null;
  return of === undefined ? undefined : { name, path, kept, why, at, of };
}

function resultOf(value: unknown, path: RelPath): TrashedResult | undefined {
  if (!isObject(value) || !hasOnly(value, OF_KEYS)) return undefined;
  const { taskKey, entityId, pattern } = value;
  if (typeof taskKey !== "string" || typeof entityId !== "string" || typeof pattern !== "string") return undefined;
  const record = stateRecordOf(value["record"]);
  return record === undefined || record.path !== path ? undefined : { taskKey, entityId, pattern, record };
}
