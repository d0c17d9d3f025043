/** The manifests of a root, read by the description of their format and by nothing else. */
import type { RootView } from "./view.ts";
import { xxh64 } from "./xxh64.ts";

const FOLDER = ".millrace/manifests/";
const HASH = /^[0-9a-f]{16}$/;
const PLAIN = /^[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_-])?$/;
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** What a manifest says of one state, as far as it is judged. */
export interface StateRecord {
  readonly path: string;
  readonly contentHash: string | null;
  readonly codeHash: string;
  readonly inputHashes: Readonly<Record<string, string | null>>;
  readonly producedBy: string;
  readonly runId: string;
}

/** What a manifest says of a failing task, as far as it is judged. */
export interface FailureRecord {
  readonly error: string;
  readonly category: string;
  readonly attempts: number;
}

/** A manifest that could be read. */
export interface ReadManifest {
  readonly file: string;
  readonly entityId: string;
  readonly states: ReadonlyMap<string, StateRecord>;
  readonly failures: ReadonlyMap<string, FailureRecord>;
}

/** The manifests of a root. */
export interface Records {
  readonly byEntity: ReadonlyMap<string, ReadManifest>;
  /** Manifests that cannot be believed, with the reason. */
  readonly unreadable: readonly { readonly file: string; readonly entity: string | null; readonly reason: string }[];
  /** Things in the folder that are no manifest's file. */
  readonly strangers: readonly string[];
}

/** Every manifest of the view. */
export function readRecords({ entries }: RootView): Records {
  const byEntity = new Map<string, ReadManifest>();
  const unreadable: { file: string; entity: string | null; reason: string }[] = [];
  const strangers: string[] = [];
  for (const [path, entry] of entries) {
    if (!path.startsWith(FOLDER)) continue;
    if (entry.kind !== "file" || !path.endsWith(".json")) {
      strangers.push(path);
      continue;
    }
    const read = readManifest(path, entry.bytes());
    if (typeof read === "string") unreadable.push({ file: path, entity: null, reason: read });
    else byEntity.set(read.entityId, read);
  }
  return { byEntity, unreadable, strangers };
}

/** The manifest, or why it cannot be believed. */
function readManifest(file: string, bytes: Uint8Array): ReadManifest | string {
  let text: string;
  let value: unknown;
  try {
    text = utf8.decode(bytes);
    value = JSON.parse(text);
  } catch (error) {
    return `it is no JSON: ${(error as Error).message}`;
  }
  if (!isObject(value)) return "it is no object";
  if (value["version"] !== 1) return `its version is ${JSON.stringify(value["version"])}`;
  const { entityId } = value;
  if (typeof entityId !== "string") return "it names no entity";
  // A power cut that took no more than the end of the last line took nothing of what it says.
  if (text.replace(/\n$/, "") !== canonical(value)) return "its bytes are not the canonical form of what it says";
  if (!isObject(value["states"])) return "it has no states";
  const states = new Map<string, StateRecord>();
  for (const [pattern, state] of Object.entries(value["states"])) {
    const wrong = faultOfState(state);
    if (wrong !== undefined) return `its state "${pattern}" ${wrong}`;
    states.set(pattern, state as StateRecord);
  }
  const failures = new Map<string, FailureRecord>();
  for (const [pattern, failure] of Object.entries(value["failures"] ?? {})) {
    const wrong = faultOfFailure(failure);
    if (wrong !== undefined) return `its failure "${pattern}" ${wrong}`;
    failures.set(pattern, failure as FailureRecord);
  }
  const name = `${FOLDER}${fileNameOf(entityId)}`;
  if (name !== file) return `the manifest of "${entityId}" belongs into ${name}`;
  return { file, entityId, states, failures };
}

function faultOfState(state: unknown): string | undefined {
  if (!isObject(state)) return "is no object";
  for (const key of ["path", "codeHash", "paramsHash", "producedBy", "runId"])
    if (typeof state[key] !== "string") return `has no ${key}`;
  if (state["contentHash"] !== null && !isHash(state["contentHash"])) return "has no contentHash";
  if (!isObject(state["inputHashes"])) return "has no inputHashes";
  if (!Object.values(state["inputHashes"]).every((hash) => hash === null || isHash(hash)))
    return "has a bad input hash";
  if (!isTime(state["producedAt"])) return "has no producedAt";
  const ms = state["durationMs"];
  return typeof ms === "number" && ms >= 0 ? undefined : "has no durationMs";
}

function faultOfFailure(failure: unknown): string | undefined {
  if (!isObject(failure)) return "is no object";
  if (typeof failure["error"] !== "string" || failure["error"] === "") return "gives no reason";
  if (typeof failure["category"] !== "string") return "has no category";
  if (!Number.isSafeInteger(failure["attempts"]) || (failure["attempts"] as number) < 1) return "has no attempts";
  if (!isTime(failure["firstFailedAt"]) || !isTime(failure["lastFailedAt"])) return "has no times";
  return failure["nextRetryAt"] === null || isTime(failure["nextRetryAt"]) ? undefined : "has a bad nextRetryAt";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isHash(value: unknown): boolean {
  return typeof value === "string" && HASH.test(value);
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) && !Number.isNaN(Date.parse(value));
}

/** JSON with sorted keys and 2 spaces. `JSON.stringify` would put keys that look like numbers first. */
function canonical(value: unknown, indent = ""): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  const members = Array.isArray(value)
    ? value.map((member) => canonical(member, inner))
    : Object.keys(value)
        .sort()
        .map((key) => `${JSON.stringify(key)}: ${canonical((value as Record<string, unknown>)[key], inner)}`);
  return members.length === 0 ? open + close : `${open}\n${inner}${members.join(`,\n${inner}`)}\n${indent}${close}`;
}

/** The file name of an entity's manifest. */
export function fileNameOf(entityId: string): string {
  if (entityId === "") return "%.json";
  if (entityId.length <= 200 && PLAIN.test(entityId) && !DEVICE.test(entityId)) return `${entityId}.json`;
  const name = escaped(entityId);
  if (name.length <= 200) return `${name}.json`;
  return `${name.slice(0, 160).replace(/%[0-9a-f]?$/, "")}~${xxh64(name)}.json`;
}

function escaped(id: string): string {
  const isDevice = DEVICE.test(id);
  const characters = Array.from(id);
  return characters
    .map((character, i) => {
      const isInner = i > 0 && (character === "-" || (character === "." && i < characters.length - 1));
      if (isInner || (/^[a-z0-9_]$/.test(character) && !(isDevice && i === 0))) return character;
      const bytes = new TextEncoder().encode(character);
      return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    })
    .join("");
}
