/** The words everybody shares; design section 1 defines them. */

/** A path relative to the state root, with `/` between segments, no leading `/`; a folder state's path ends with `/`. */
export type RelPath = string;
/** An absolute path of the machine. */
export type AbsPath = string;
/** The values of a pattern's variables joined by `/`, in the order of their first use in that pattern. */
export type EntityId = string;
/** 16 lower-case hex digits: XXH64 of the bytes of a file, or of a folder's tree. */
export type ContentHash = string;
/** 16 lower-case hex digits: the meaning of a node's code; `source00` for a source. */
export type CodeHash = string;
/** Variable name to value. Objects have a null prototype, so a variable may be called `__proto__`. */
export type Vars = Readonly<Record<string, string>>;
/** `pipeline#stage@entity`: one task, unique in a root. */
export type TaskKey = string;
/** `pipeline#stage`: one stage, unique in a root; what manifests call `producedBy`. */
export type StageKey = string;
/** Milliseconds since 1970 by the wall clock: for display and for records only. */
export type WallMs = number;
/** Milliseconds of a clock that never jumps: for every wait. */
export type MonoMs = number;

/** One status per task, lower case; design section 1. */
export type Status =
  | "fresh"
  | "missing"
  | "stale"
  | "settling"
  | "waiting"
  | "queued"
  | "running"
  | "retrying"
  | "failed"
  | "quarantined"
  | "blocked"
  | "skipped"
  | "orphaned"
  | "held";

/** Every status in the order tables show them. */
export const STATUSES: readonly Status[] = [
  "fresh",
  "skipped",
  "missing",
  "stale",
  "settling",
  "waiting",
  "queued",
  "running",
  "retrying",
  "failed",
  "quarantined",
  "blocked",
  "orphaned",
  "held",
];

/** How an attempt that made a result ended: new bytes, the same bytes (nothing downstream wakes), or taken back from the trash. */
export type ResultWord = "ran" | "unchanged" | "restored";

/** Why a task is stale; stable codes. */
export type ReasonCode =
  | "output-missing"
  | "output-modified"
  | "input-changed"
  | "input-added"
  | "input-removed"
  | "code-changed"
  | "params-changed"
  | "env-changed"
  | "tool-changed"
  | "upstream-stale"
  | "forced"
  | "foreign-file"
  | "ambiguous-name";

/** One piece of evidence: which thing, which hash before, which now. Absent hashes mean "was not there". */
export interface Evidence {
  readonly code: ReasonCode;
  /** The path, `code`, `params`, the environment variable or the tool that differs. */
  readonly subject: string;
  readonly before?: string;
  readonly now?: string;
}

/** The key of a stage in a root. */
export function stageKey(pipeline: string, stage: string): StageKey {
  return `${pipeline}#${stage}`;
}

/** The key of a task in a root. */
export function taskKey(pipeline: string, stage: string, entity: EntityId): TaskKey {
  return `${pipeline}#${stage}@${entity}`;
}
