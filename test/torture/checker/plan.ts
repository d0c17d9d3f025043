/**
 * What was meant to happen to a root, and what is known to have happened: all that the checker believes.
 * The driver and the nemesis write it down (every intent before the act, every acknowledgement after), or the simulator makes it up.
 */

/** A path relative to the root, `/` between segments. A name that is no UTF-8 makes the whole path `hex:` and its bytes in hex digits. */
export type PlanPath = string;

/**
 * What a stage makes of its first input:
 *
 * - `copy` the input;
 * - `upper` it in upper case; `first` its first UTF-16 unit;
 * - `wrap:x` `x(input)`; `with:stage` `input+` and what that stage holds for the entity (`nothing` where it holds nothing);
 * - `skip:x` nothing for inputs that contain x, else the input;
 * - `list` the members of a group, each once, in the order of their ids, joined by commas;
 * - `say:x` and any other word: the word, a space, the input.
 */
export type Op = string;

/** One stage of the definitions that were in force at the end. */
export interface PlannedStage {
  /** `pipeline#stage`. */
  readonly key: string;
  readonly type: "source" | "transform" | "sink";
  /** Variables are `{name}`, `{name...}`, `{name:int}`, `{name:slug}`, `{name:hex}` or `{name:date}`; a final `/` means a folder. */
  readonly pattern: string;
  /** The id of the stage it reads (its own pipeline's); none for a source. */
  readonly input?: string;
  /** None for a source. */
  readonly op?: Op;
  /** What becomes of its products when their sources are gone; `trash` when left out. */
  readonly onOrphan?: "trash" | "keep" | "delete";
  /** It fails for every input that contains this text. */
  readonly failsOn?: string;
  /** How often one life may try the same work in vain; not bounded when left out. */
  readonly maxAttempts?: number;
  /** When it came to be as it is now, in the plan's sequence; 0 when left out. */
  readonly since?: number;
}

/** A file that was dropped. */
export interface PlannedSource {
  readonly path: PlanPath;
  /** Every content it was given, in order. */
  readonly versions: readonly string[];
  /** The content it was left with; `null`: it was deleted on purpose. */
  readonly last: string | null;
  /** When it was changed last, in the plan's sequence; 0 when left out. */
  readonly since?: number;
  /** As it was after its last write; what is left out is not compared. */
  readonly stat?: PlannedStat;
}

/** Of a file that nobody but its writer may touch. */
export interface PlannedStat {
  readonly size?: number;
  /** Permission bits. */
  readonly mode?: number;
  /** Nanoseconds, decimal digits. */
  readonly mtimeNs?: string;
}

/** Somebody was told that this result is done. */
export interface PlannedAck {
  readonly path: PlanPath;
  readonly content: string;
  /** In the plan's sequence. */
  readonly at: number;
}

/** One run of a node, from its own marks outside the root. Times are milliseconds of one clock. */
export interface Effect {
  /** `pipeline#stage`. */
  readonly stage: string;
  readonly entity: string;
  /** Anything that tells one input content from another, such as its hash. */
  readonly input: string;
  /** The same for the code it ran; empty when left out. */
  readonly code?: string;
  readonly nonce: string;
  readonly start: number;
  /** `null`: it never told its end. */
  readonly end: number | null;
  /** It ended in a failure. */
  readonly failed?: boolean;
  /** What it made, in the words of `input`. */
  readonly output?: string;
  /** The number of the process that ran it, counted from the first start of the daemon. */
  readonly life: number;
}

/** The end of a life by force. */
export interface Kill {
  readonly life: number;
  /** On the clock of the effects. */
  readonly at: number;
  /**
   * The nonces of the runs that it cost: begun, and by a look at the disk after the kill neither recorded nor announced.
   * Left out where nobody looked: then it may have cost every run of its life.
   */
  readonly cost?: readonly string[];
  /** The nonces of the runs whose commit it interrupted after their results were safe: the history may not tell of them. */
  readonly untold?: readonly string[];
}

/** Bytes that somebody else put where results go: an edited result, a foreign file. They must be there still, or in the trash. */
export interface Keepsake {
  readonly path: PlanPath;
  readonly content: string;
  /** They may stay in the way (an edit that is kept, a foreign file); else the result must have replaced them. */
  readonly mayStay: boolean;
}

/** All of it. JSON as `plan.json`. */
export interface Plan {
  readonly version: 1;
  /** In any order. */
  readonly stages: readonly PlannedStage[];
  readonly sources: readonly PlannedSource[];
  /** `stage@entity` with the pipeline in front (`pipeline#stage@entity`) of tasks that may be failing at the end, beside those of `failsOn`; `any` for all. */
  readonly mayFail?: readonly string[] | "any";
  readonly acks?: readonly PlannedAck[];
  readonly effects?: readonly Effect[];
  readonly kills?: readonly Kill[];
  readonly keepsakes?: readonly Keepsake[];
  /** The guard may have stopped retractions: products of gone sources may be there still. */
  readonly mayLinger?: boolean;
  /** Other files that are nobody's fault: paths, or folders with a final `/`. */
  readonly others?: readonly PlanPath[];
  /** Secrets that may stand nowhere but in sources and in results. */
  readonly canaries?: readonly string[];
}
