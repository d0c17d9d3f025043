/** The shape of a definition for TypeScript, and what types a node's function. Nothing here checks anything: loading does. */

/** Seconds as a number, or text with a unit: `"500ms"`, `"5s"`, `"10m"`, `"1h"`, `"2d"`. */
export type Duration = number | string;
/** Bytes as a number, or text with a unit: `"100B"`, `"1KB"` (1024 bytes), `"1.5MB"`, `"2GB"`. */
export type Size = number | string;

export interface RetryPolicyDefinition {
  /** Counts the first try; 7. */
  readonly maxAttempts?: number;
  /** 1 min, 5 min, 15 min, 1 h, 4 h, 1 d; the last one repeats. */
  readonly backoffSeconds?: readonly Duration[];
  /** 0 to 1; 0. */
  readonly jitter?: number;
}

export interface NodeDefinition {
  readonly typeId: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

interface StageDefinitionCommon {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly pattern: string;
}

export interface SourceDefinition extends StageDefinitionCommon {
  readonly type: "source";
  readonly filter?: { readonly minSize?: Size; readonly maxSize?: Size; readonly minFiles?: number };
  readonly settle?: Duration;
  readonly marker?: string;
}

export type InputDefinition =
  string | readonly [string] | Readonly<Record<string, string | { readonly stage: string }>>;

interface TaskDefinitionCommon extends StageDefinitionCommon {
  readonly input: InputDefinition;
  readonly node?: NodeDefinition;
  readonly then?: NodeDefinition;
  readonly else?: NodeDefinition;
  readonly validation?: {
    readonly minSize?: Size;
    readonly maxSize?: Size;
    readonly json?: boolean;
    readonly matches?: string;
  };
  readonly timeout?: Duration;
  readonly concurrency?: number;
  readonly priority?: number;
  readonly retryPolicy?: RetryPolicyDefinition;
  readonly env?: readonly string[];
  readonly tools?: Readonly<Record<string, string>>;
  readonly durability?: "process" | "sync";
  readonly onEdit?: "rebuild" | "keep";
  readonly onOrphan?: "trash" | "keep" | "delete";
}
export interface TransformDefinition extends TaskDefinitionCommon {
  readonly type: "transform";
}
export interface SinkDefinition extends TaskDefinitionCommon {
  readonly type: "sink";
  readonly rerun?: "changed" | "always";
}
export type StageDefinition = SourceDefinition | TransformDefinition | SinkDefinition;

/** A definition as it is written; `docs` and the JSON Schema describe each key. */
export interface PipelineDefinition {
  readonly $schema?: string;
  readonly name?: string;
  readonly description?: string;
  readonly mode?: "pipeline" | "workflow";
  readonly version?: number | string;
  readonly enabled?: boolean;
  readonly stateRoot?: string;
  readonly scanInterval?: Duration;
  readonly maxConcurrentEntities?: number;
  readonly retryPolicy?: RetryPolicyDefinition;
  readonly stages: readonly StageDefinition[];
}

/** The definition itself, unchanged; gives it types: `export default definePipeline({ stages: [...] })`. */
export function definePipeline<const D extends PipelineDefinition>(definition: D): D {
  return definition;
}

/** The variables of a pattern by name: `VarsOf<"orders/{region}/{date:date}.csv">` has `region` and `date`. */
export type VarsOf<P extends string> = string extends P
  ? Readonly<Record<string, string>>
  : { readonly [Name in VariablesIn<P>]: string };
type VariablesIn<P extends string> = P extends `${string}{${infer Inside}}${infer Rest}`
  ? BareName<Inside> | VariablesIn<Rest>
  : never;
type BareName<V extends string> = V extends `${infer Name}...${string}`
  ? Name
  : V extends `${infer Name}:${string}`
    ? Name
    : V;

/** One state as a node's function sees it; `content` of a `.json` state is its parsed value. */
export interface NodeState {
  readonly id: string;
  readonly vars: Readonly<Record<string, string>>;
  /** Absolute, to open it or to hand it to a tool; a folder's has no final `/`. */
  readonly path: string;
  /** Relative to the state root. */
  readonly relPath: string;
  // A node's own code knows what its files hold; any other type would only have to be cast there.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly content: any;
  text(): string;
  // oxlint-disable-next-line typescript/no-explicit-any
  json(): any;
  bytes(): Uint8Array;
  readonly hash: string;
  readonly size: number;
}

/** The one object that a node's function gets; design section 4. */
export interface NodeArgument<P extends string = string, Params = Readonly<Record<string, unknown>>> {
  readonly entity: { readonly id: string; readonly vars: VarsOf<P> };
  /** The first input. */
  readonly input: NodeState;
  /** Exactly the declared inputs, by stage id or alias, in order. */
  readonly inputs: Readonly<Record<string, NodeState>>;
  readonly params: Params;
  /** Aborts when the attempt times out or is stopped. */
  readonly signal: AbortSignal;
  readonly log: (...words: unknown[]) => void;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** A temporary file (a folder for a folder pattern) to fill instead of returning something. */
  readonly output: { readonly path: string };
}

/** A node's function. It returns text, bytes, a stream, an object (written as JSON), or nothing when it filled `output.path`. */
export type NodeFunction<P extends string = string, Params = Readonly<Record<string, unknown>>> = (
  argument: NodeArgument<P, Params>,
) => unknown;

/** The function itself, unchanged; gives its argument types: `export default defineNode<"docs/{slug}.md">(({ entity }) => entity.vars.slug)`. */
export function defineNode<P extends string = string, Params = Readonly<Record<string, unknown>>>(
  run: NodeFunction<P, Params>,
): NodeFunction<P, Params> {
  return run;
}
