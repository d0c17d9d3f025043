import { documentText } from "./document-json.ts";
import {
  type ErrorCategory,
  FAILURE_LOG_BYTES,
  type FailureRecord,
  type Manifest,
  type StateRecord,
} from "./manifest.ts";
import type { ContentHash } from "./words.ts";

/** What a manifest's text turned out to be. */
export type ParsedManifest =
  | { readonly is: "manifest"; readonly manifest: Manifest }
  /** Written by a later release: not ours to touch. */
  | { readonly is: "newer"; readonly version: number }
  /** `reason` completes "the manifest ...". */
  | { readonly is: "corrupt"; readonly reason: string };

/** Steps from one version to the next, by the version they start from. */
export type ManifestMigrations = ReadonlyMap<number, (older: Json) => Json>;

type Json = Readonly<Record<string, unknown>>;

const CURRENT_VERSION = 1;
// Version 1 is the first, so there is nothing to migrate yet; a step goes here together with the next version.
const MIGRATIONS: ManifestMigrations = new Map();

const CATEGORIES: ReadonlySet<unknown> = new Set<ErrorCategory>([
  "node",
  "timeout",
  "validation",
  "input",
  "output",
  "definition",
  "foreign",
  "resource",
]);

const MANIFEST_KEYS = new Set(["version", "entityId", "states", "failures"]);
const STATE_KEYS = new Set([
  "path",
  "contentHash",
  "leftover",
  "leftoverRecord",
  "codeHash",
  "paramsHash",
  "inputHashes",
  "envHashes",
  "toolHashes",
  "producedAt",
  "producedBy",
  "runId",
  "durationMs",
]);
const FAILURE_KEYS = new Set([
  "error",
  "category",
  "attempts",
  "firstFailedAt",
  "lastFailedAt",
  "nextRetryAt",
  "delayMs",
  "signature",
  "inputHashes",
  "envHashes",
  "log",
]);

/** The text of a manifest's file: canonical JSON and a final newline; `failures` left out when there are none. */
export function formatManifest(manifest: Manifest): string {
  const { failures, ...rest } = manifest;
  return documentText(hasKeys(failures) ? manifest : rest) + "\n";
}

/** The manifest in a file's text. Nothing in it is trusted: unknown keys, wrong types and impossible numbers make it corrupt. */
export function parseManifest(text: string, migrations: ManifestMigrations = MIGRATIONS): ParsedManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { is: "corrupt", reason: "is not JSON" };
  }
  if (!isObject(value)) return { is: "corrupt", reason: "is not a JSON object" };
  const version = value["version"];
  if (!Number.isSafeInteger(version)) return { is: "corrupt", reason: "has no version number" };
  if ((version as number) > CURRENT_VERSION) return { is: "newer", version: version as number };
  for (let from = version as number; from < CURRENT_VERSION; from++) {
    const step = migrations.get(from);
    if (step === undefined) return { is: "corrupt", reason: `has the version "${from}", which never was` };
    value = step(value as Json);
  }
  const manifest = manifestOf(value);
  return typeof manifest === "string" ? { is: "corrupt", reason: manifest } : { is: "manifest", manifest };
}

/**
 * A clean copy of a manifest of this version (its maps have a null prototype, so any pattern or path is a safe key),
 * or what is wrong with it, as the end of a sentence that begins "the manifest".
 */
export function manifestOf(value: unknown): Manifest | string {
  if (!isObject(value)) return "is not a JSON object";
  if (!hasOnly(value, MANIFEST_KEYS)) return "has a key that no manifest has";
  if (value["version"] !== CURRENT_VERSION) return "has no version number";
  const { entityId } = value;
  if (typeof entityId !== "string") return "has no entityId";
  const states = mapOf(value["states"], stateRecordOf);
  if (states === undefined) return "has a state that is no state record";
  const failures = mapOf(Object.hasOwn(value, "failures") ? value["failures"] : {}, failureRecordOf);
  if (failures === undefined) return "has a failure that is no failure record";
  return { version: CURRENT_VERSION, entityId, states, failures };
}

/** A clean copy of a state record; `undefined` when it is none. */
export function stateRecordOf(value: unknown): StateRecord | undefined {
  return recordOf(value, true);
}

/** `mayHaveOlder`: a leftover's record is one of a result, so it has none inside. */
function recordOf(value: unknown, mayHaveOlder: boolean): StateRecord | undefined {
  if (!isObject(value) || !hasOnly(value, STATE_KEYS)) return undefined;
  const { path, contentHash, codeHash, paramsHash, producedAt, producedBy, runId, durationMs } = value;
  if (!isPathInRoot(path) || !isHashOrNull(contentHash) || !isString(codeHash) || !isString(paramsHash))
    return undefined;
  if (!isTime(producedAt) || !isString(producedBy) || !isString(runId) || !isAmount(durationMs)) return undefined;
  const inputHashes = mapOf(value["inputHashes"], hashOrNullOf);
  const envHashes = optionalMapOf(value, "envHashes");
  const toolHashes = optionalMapOf(value, "toolHashes");
  const { leftover } = value;
  if (leftover !== undefined && (!isString(leftover) || contentHash !== null)) return undefined;
  const isOlder = mayHaveOlder && value["leftoverRecord"] !== undefined;
  const leftoverRecord = isOlder ? recordOf(value["leftoverRecord"], false) : undefined;
  if (value["leftoverRecord"] !== undefined && !isRecordOf(leftoverRecord, path, leftover)) return undefined;
  if (inputHashes === undefined || envHashes === undefined || toolHashes === undefined) return undefined;
  // The usual record in one piece: spreading members that are not there into it costs more than all the checks.
  if (leftover === undefined && leftoverRecord === undefined && envHashes === "none" && toolHashes === "none")
    return { path, contentHash, codeHash, paramsHash, inputHashes, producedAt, producedBy, runId, durationMs };
  return {
    path,
    contentHash,
    ...(leftover === undefined ? {} : { leftover }),
    ...(leftoverRecord === undefined ? {} : { leftoverRecord }),
    codeHash,
    paramsHash,
    inputHashes,
    ...(envHashes === "none" ? {} : { envHashes }),
    ...(toolHashes === "none" ? {} : { toolHashes }),
    producedAt,
    producedBy,
    runId,
    durationMs,
  };
}

function isRecordOf(record: StateRecord | undefined, path: string, hash: unknown): boolean {
  return record !== undefined && record.path === path && record.contentHash !== null && record.contentHash === hash;
}

function failureRecordOf(value: unknown): FailureRecord | undefined {
  if (!isObject(value) || !hasOnly(value, FAILURE_KEYS)) return undefined;
  const { error, category, attempts, firstFailedAt, lastFailedAt, nextRetryAt, delayMs, signature } = value;
  if (!isString(error) || !CATEGORIES.has(category) || !isString(signature)) return undefined;
  if (!Number.isSafeInteger(attempts) || (attempts as number) < 1 || !isAmount(delayMs)) return undefined;
  if (!isTime(firstFailedAt) || !isTime(lastFailedAt)) return undefined;
  if (nextRetryAt !== null && !isTime(nextRetryAt)) return undefined;
  const inputHashes = mapOf(value["inputHashes"], hashOrNullOf);
  const envHashes = optionalMapOf(value, "envHashes");
  if (inputHashes === undefined || envHashes === undefined) return undefined;
  const log = Object.hasOwn(value, "log") ? value["log"] : undefined;
  if (log !== undefined && (!isString(log) || log.length > FAILURE_LOG_BYTES)) return undefined;
  return {
    error,
    category: category as ErrorCategory,
    attempts: attempts as number,
    firstFailedAt,
    lastFailedAt,
    nextRetryAt,
    delayMs,
    signature,
    inputHashes,
    ...(envHashes === "none" ? {} : { envHashes }),
    ...(log === undefined ? {} : { log }),
  };
}

// ---------------------------------------------------------------- the pieces

/** Whether a value is a JSON object (no array, no null). */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy of a JSON object with a null prototype, each value checked by `item`; `undefined` when one is wrong. */
export function mapOf<T>(value: unknown, item: (value: unknown) => T | undefined): Record<string, T> | undefined {
  if (!isObject(value)) return undefined;
  const map = Object.create(null) as Record<string, T>;
  for (const key of Object.keys(value)) {
    const clean = item(value[key]);
    if (clean === undefined) return undefined;
    map[key] = clean;
  }
  return map;
}

/** Whether every own key of a JSON object is among these. */
export function hasOnly(object: object, keys: ReadonlySet<string>): boolean {
  for (const key of Object.keys(object)) if (!keys.has(key)) return false;
  return true;
}

/** Whether a value is a path that stays below the root: relative, without `.`, `..` and empty segments; `x/` is a folder. */
export function isPathInRoot(value: unknown): value is string {
  return typeof value === "string" && !/^\/|^$|\0|\/\/|(?:^|\/)\.\.?(?:\/|$)/.test(value);
}

/** The string itself; `undefined` when the value is none. */
export function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function optionalMapOf(record: Json, key: string): Record<string, string> | "none" | undefined {
  return Object.hasOwn(record, key) && record[key] !== undefined ? mapOf(record[key], stringOf) : "none";
}

function hashOrNullOf(value: unknown): ContentHash | null | undefined {
  return isHashOrNull(value) ? value : undefined;
}

function isHashOrNull(value: unknown): value is ContentHash | null {
  return value === null || typeof value === "string";
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isTime(value: unknown): value is string {
  return typeof value === "string" && value.endsWith("Z") && !Number.isNaN(Date.parse(value));
}

function hasKeys(object: object): boolean {
  for (const _ in object) return true;
  return false;
}
