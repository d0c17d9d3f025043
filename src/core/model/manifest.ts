import type { CodeHash, ContentHash, EntityId, RelPath } from "./words.ts";

/** How an attempt failed; decides whether another try is worth it. */
export type ErrorCategory =
  | "node" // the node's own code or command failed
  | "timeout"
  | "validation" // the result broke the stage's `validation`
  | "input" // an input cannot be read
  | "output" // the result cannot be put in its place
  | "definition" // the node cannot run at all as it is written: no retry before an edit
  | "foreign" // another pipeline's source is in the output's place: no retry before it is accepted or gone
  | "resource"; // the machine: disk full, too many open files

/** Failures that no other try of the same work can mend: no retry comes by itself. */
export const HOPELESS: ReadonlySet<ErrorCategory> = new Set<ErrorCategory>(["definition", "foreign"]);

/**
 * One state of an entity, as its manifest keeps it.
 * `inputHashes` holds the declared inputs and every recorded read, path to hash; `null` records that the path was absent.
 */
export interface StateRecord {
  readonly path: RelPath;
  /** `null` for a skipped task: it ran and chose to make nothing. */
  readonly contentHash: ContentHash | null;
  /** Only of a skipped task: the hash of an older result of ours that still lies there, until it is retracted. */
  readonly leftover?: ContentHash;
  /** Only with `leftover`: what was recorded of that older result, so that it can be taken back from the trash. */
  readonly leftoverRecord?: StateRecord;
  readonly codeHash: CodeHash;
  readonly paramsHash: string;
  readonly inputHashes: Readonly<Record<RelPath, ContentHash | null>>;
  /** Environment variables that counted, name to HMAC under the root's key. Left out when there are none. */
  readonly envHashes?: Readonly<Record<string, string>>;
  /** Declared tools, name to what their version command printed (hashed). Left out when there are none. */
  readonly toolHashes?: Readonly<Record<string, string>>;
  /** ISO 8601, UTC. */
  readonly producedAt: string;
  /** `pipeline#stage`. */
  readonly producedBy: string;
  readonly runId: string;
  readonly durationMs: number;
}

/** A task's failures since its last success, as its entity's manifest keeps them. Times are ISO 8601, UTC. */
export interface FailureRecord {
  readonly error: string;
  readonly category: ErrorCategory;
  /** Failed attempts in a row under this signature. */
  readonly attempts: number;
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
  /** When the next attempt is due; `null` when none will come by itself. */
  readonly nextRetryAt: string | null;
  /** The delay before it as it was set, in milliseconds: the bound when a jumped clock would make the wait longer. */
  readonly delayMs: number;
  /**
   * What failed: the hash of inputs, reads, code, params, env and tools. Any change gives a first attempt at once.
   * Empty (`OUTSIDE_SIGNATURE`): somebody told us of it, and it holds until its time is over, whatever changes.
   */
  readonly signature: string;
  /** The inputs and reads of the failed attempt, so that the signature can be computed again. */
  readonly inputHashes: Readonly<Record<RelPath, ContentHash | null>>;
  readonly envHashes?: Readonly<Record<string, string>>;
  /** The end of what the last attempt printed and logged, at most `FAILURE_LOG_BYTES`, secrets masked. Left out when there is nothing. */
  readonly log?: string;
}

/** How much of what a failed attempt printed its record keeps, in bytes of UTF-8. */
export const FAILURE_LOG_BYTES = 4096 as const;

/**
 * `.millrace/manifests/<name>.json`: the truth about what was produced for one entity. JSON, keys sorted, 2 spaces, final newline.
 * Version 1. An older version is migrated when read, a newer one refused untouched, a corrupt file set aside and rebuilt from the outputs.
 */
export interface Manifest {
  readonly version: 1;
  readonly entityId: EntityId;
  /** Keyed by the text of the stage's pattern. */
  readonly states: Readonly<Record<string, StateRecord>>;
  /** Keyed by the text of the stage's pattern. Left out of the file when empty. */
  readonly failures: Readonly<Record<string, FailureRecord>>;
}

/** The signature of a failure that was recorded from outside: nobody knows what it was made from. */
export const OUTSIDE_SIGNATURE = "" as const;

/** The code hash of every source state. */
export const SOURCE_CODE_HASH: CodeHash = "source00";

/** The `runId` of a state that a person accepted: its bytes are theirs, not ours. */
export const ACCEPTED = "accepted" as const;
