/**
 * XXH64 of bytes, of trees and of everything a task's result depends on.
 * Hashing is synchronous; only compiling the WebAssembly is not, so every process and worker awaits `loadHasher` once.
 */
import xxhash, { type XXHashAPI } from "xxhash-wasm";
import { InternalError } from "../model/problems.ts";
import type { CodeHash, ContentHash, RelPath } from "../model/words.ts";

// The WebAssembly memory grows to the largest input and never shrinks, so larger ones go through it in slices.
const SLICE_BYTES = 1 << 20;

const utf8 = new TextEncoder();

let loading: Promise<void> | undefined;
let hasher: XXHashAPI | undefined;

/** Resolves when hashing works; any number of calls load it once. */
export function loadHasher(): Promise<void> {
  loading ??= xxhash().then((api) => {
    hasher = api;
  });
  return loading;
}

function loaded(): XXHashAPI {
  if (hasher === undefined) throw new InternalError("a hash was asked for before loadHasher() had resolved");
  return hasher;
}

function hex(hash: bigint): ContentHash {
  return hash.toString(16).padStart(16, "0");
}

/**
 * XXH64 (seed 0) as 16 lower-case hex digits. A string is hashed as its UTF-8 bytes.
 * Throws InternalError before `loadHasher` has resolved.
 */
export function hashBytes(content: Uint8Array | string): ContentHash {
  const api = loaded();
  if (typeof content === "string") {
    return content.length <= SLICE_BYTES ? hex(api.h64(content)) : hashBytes(utf8.encode(content));
  }
  if (content.byteLength <= SLICE_BYTES) return hex(api.h64Raw(content));
  return createHashStream().update(content).digest();
}

/** A hash in the making: any way of cutting the bytes into updates gives the digest of `hashBytes` over all of them. */
export interface HashStream {
  update(bytes: Uint8Array): HashStream;
  /** Of everything so far; more may follow. */
  digest(): ContentHash;
}

/** An empty hash stream; several may be open at once. Throws InternalError before `loadHasher` has resolved. */
export function createHashStream(): HashStream {
  const state = loaded().create64();
  const stream: HashStream = {
    update(bytes) {
      for (let from = 0; from < bytes.byteLength; from += SLICE_BYTES) {
        state.update(bytes.subarray(from, from + SLICE_BYTES));
      }
      return stream;
    },
    digest: () => hex(state.digest()),
  };
  return stream;
}

/**
 * JSON text that is equal for equal values: keys sorted by code units, no whitespace, members that are `undefined` or
 * functions dropped (in arrays: `null`), `toJSON` honoured, as `JSON.stringify` does.
 */
export function canonicalJson(value: unknown): string {
  return canonical(value) ?? "null";
}

function canonical(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if ("toJSON" in value && typeof value.toJSON === "function") return canonical(value.toJSON());
  if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(",")}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const text = canonical((value as Readonly<Record<string, unknown>>)[key]);
    if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(",")}}`;
}

/** One thing below a folder state. */
export interface TreeEntry {
  /** Relative to the folder, `/` between segments. */
  readonly path: string;
  readonly kind: "file" | "folder" | "symlink";
  /** Of a file its content's hash, of a symlink its target's text hashed; of a folder empty. */
  readonly hash: string;
}

/**
 * The hash of a folder state: over kind, hash and path of everything below it, sorted by path (code units).
 * Lengths frame each field, so no two different trees give the same bytes. Throws InternalError before `loadHasher` has resolved.
 */
export function treeHash(entries: readonly TreeEntry[]): ContentHash {
  const sorted = entries.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const text: string[] = [];
  for (const { path, kind, hash } of sorted) text.push(`${kind} ${hash.length}:${hash}${path.length}:${path}\n`);
  return hashBytes(text.join(""));
}

/** Everything the result of a task depends on. */
export interface FingerprintParts {
  /** The declared inputs and every recorded read: path to hash, `null` for a path that was absent. */
  readonly inputs: Readonly<Record<RelPath, ContentHash | null>>;
  readonly codeHash: CodeHash;
  readonly paramsHash: string;
  /** Environment variable to HMAC. */
  readonly env: Readonly<Record<string, string>>;
  /** Tool to the hash of its version. */
  readonly tools: Readonly<Record<string, string>>;
}

/**
 * The signature of a task: 16 hex digits that change with each of the parts and not with the order of keys.
 * Throws InternalError before `loadHasher` has resolved.
 */
export function fingerprint(parts: FingerprintParts): string {
  const { inputs, codeHash, paramsHash, env, tools } = parts;
  return hashBytes(JSON.stringify([codeHash, paramsHash, pairs(inputs), pairs(env), pairs(tools)]));
}

function pairs(record: Readonly<Record<string, string | null>>): (string | null | undefined)[] {
  const keys = Object.keys(record);
  if (keys.length > 1) keys.sort();
  return keys.flatMap((key) => [key, record[key]]);
}
