import type { Pattern } from "../pattern/pattern.ts";
import type { Place } from "./problem.ts";
import type { StageKey } from "./words.ts";

/** When a failed task is tried again; design section 4. */
export interface RetryPolicy {
  /** Counts the first try; at least 1. */
  readonly maxAttempts: number;
  /** Seconds before attempt 2, 3, ...; the last one repeats. */
  readonly backoffSeconds: readonly number[];
  /** 0 to 1: each delay is drawn from [delay * (1 - jitter), delay]. */
  readonly jitter: number;
}

/** A type of node and its `data`, checked by that type. */
export interface NodeSpec {
  readonly typeId: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Where `data` stands in the definition, for problems found later. */
  readonly place: Place;
}

/** A check of a staged result before it is published. */
export interface Validation {
  readonly minSize?: number;
  readonly maxSize?: number;
  /** The result must parse as JSON. */
  readonly json?: boolean;
  /** A regular expression of the linear-time subset that the text must contain. */
  readonly matches?: string;
}

interface StageCommon {
  readonly key: StageKey;
  readonly id: string;
  /** For people; the id when not given. */
  readonly name: string;
  readonly description: string;
  /** The pipeline's name. */
  readonly pipeline: string;
  readonly pattern: Pattern;
  readonly place: Place;
}

/** Files that arrive. */
export interface SourceStage extends StageCommon {
  readonly type: "source";
  /** A file that fails it counts as absent. */
  readonly filter: { readonly minSize?: number; readonly maxSize?: number; readonly minFiles?: number };
  /** Quiet time before a file is read; `undefined`: 200 ms on a local disk, 5 s on a share. */
  readonly settleMs: number | undefined;
  /** The done-file that must exist beside the state. */
  readonly marker: Pattern | undefined;
}

/** One declared input: a set of states of another stage of the pipeline. */
export interface StageInput {
  /** How expressions and modules call it: the alias, else the stage's id. */
  readonly alias: string;
  readonly stage: string;
}

/** Files that we produce (`transform`), or the receipt of an effect outside (`sink`). */
export interface TaskStage extends StageCommon {
  readonly type: "transform" | "sink";
  /** Exactly one, with the variables of the output. */
  readonly inputs: readonly StageInput[];
  /** Ids of every stage this one is made from, nearest first, sources last. */
  readonly ancestors: readonly string[];
  readonly node: NodeSpec;
  readonly then: NodeSpec | undefined;
  readonly else: NodeSpec | undefined;
  readonly validation: Validation;
  readonly timeoutMs: number;
  /** `Infinity` when not limited. */
  readonly concurrency: number;
  readonly priority: number;
  readonly retryPolicy: RetryPolicy;
  /** Names of environment variables that count as inputs. */
  readonly env: readonly string[];
  /** Tool name to the command that prints its version. */
  readonly tools: Readonly<Record<string, string>>;
  readonly durability: "process" | "sync";
  /** What happens to an output edited by hand: made again (the edit goes to the trash), or left alone. */
  readonly onEdit: "rebuild" | "keep";
  /** What happens to an output whose source is gone: it goes to the trash, stays, or is removed for good. */
  readonly onOrphan: "trash" | "keep" | "delete";
  /** For a sink: `changed` re-fires for changed inputs only, `always` for changed code too. */
  readonly rerun: "changed" | "always";
}

export type Stage = SourceStage | TaskStage;

/** One checked definition. Frozen when loaded. */
export interface Pipeline {
  readonly name: string;
  readonly description: string;
  readonly version: number | string;
  readonly enabled: boolean;
  /** The definition file, relative to the project folder. */
  readonly file: string;
  /** As written; relative to the project folder. */
  readonly stateRoot: string;
  readonly scanIntervalMs: number;
  readonly maxConcurrentEntities: number;
  readonly retryPolicy: RetryPolicy;
  /** In an order in which every stage comes after its inputs. */
  readonly stages: readonly Stage[];
  /** Where these keys stand, for problems found later; the file's start for one that is left out. */
  readonly places?: { readonly name: Place; readonly stateRoot: Place };
}
