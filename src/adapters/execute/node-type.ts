import type { NodeTypeInfo } from "../../core/pipeline/node-type.ts";
import type { ErrorCategory } from "../../core/model/manifest.ts";
import type { NodeSpec } from "../../core/model/pipeline.ts";
import type { AbsPath, ContentHash, EntityId, RelPath, Vars } from "../../core/model/words.ts";
import type { AttemptRequest } from "../../ports.ts";
import type { Program } from "./expression/program.ts";

/** A node of a stage by its key in the definition; `StageWork.code.modules` is keyed by it. */
export type NodePlace = "node" | "then" | "else";

/** What both kinds of node type add to what loading a definition knows. */
interface NodeTypeCommon extends NodeTypeInfo {
  /**
   * Files named by `data` whose content is code of the node, relative to the pipelines folder; `[]` for most types.
   * Only those that count by their raw bytes: modules are bundled by `inspect` itself.
   */
  codeFiles(data: unknown): readonly string[];
  /** Words of `data` that count like `codeFiles` where they name an existing file, such as the arguments of a command. */
  codeWords?(data: unknown): readonly string[];
  /** The user's module that `data` names: bundled by `inspect`; then only `params` is params, and the rest is code. */
  moduleOf?(data: unknown): ModuleReference;
  /** Ends every process and worker that this type keeps; called once, after the last attempt has ended. */
  close?(): Promise<void>;
}

/** A function of a module, as a definition names it. */
export interface ModuleReference {
  /** Relative to the pipelines folder, or absolute. */
  readonly path: string;
  readonly exportName: string;
  readonly params: unknown;
}

/** A node that runs in the batch worker thread, synchronously and many at a time: no effects outside its result. */
export interface BatchNodeType extends NodeTypeCommon {
  readonly lane: "batch";
  /**
   * What runs each attempt of a node with this `data`; called once for many attempts. `codeFile` gives the text of a file
   * that `codeFiles` names. Both throw `NodeFailure` for everything that can go wrong.
   */
  prepare(data: unknown, codeFile: (path: string) => string): (context: BatchContext) => Made;
}

/** A node that runs alone, started from the main thread. */
export interface SingleNodeType extends NodeTypeCommon {
  readonly lane: "single";
  /**
   * One attempt. Must settle soon after `context.signal` aborts, with nothing of it still running then;
   * what it returns after that is ignored. A rejection counts as a failure of category `node` with the error's message.
   * The runner does the rest: timeout, reads, hashing, validation of the staged result.
   */
  run(context: SingleContext): Promise<SingleResult>;
  /** One line for a shell that does the same by hand; `undefined` where an attempt would fail before it ran anything. */
  byHand?(request: AttemptRequest): string | undefined;
}

export type NodeType = BatchNodeType | SingleNodeType;

// ---------------------------------------------------------------- the single lane

/** Why `signal` aborted: its `reason`. */
export type StopReason = "timeout" | "cancelled";

/** A declared input's state, hashed just before the attempt; the runner checks after it that it is still the same. */
export interface ReadyItem {
  readonly id: EntityId;
  readonly vars: Vars;
  /** Relative to the root; a folder state's ends with `/`. */
  readonly path: RelPath;
  /** The same, absolute and without a final `/`. */
  readonly absolutePath: AbsPath;
  readonly hash: ContentHash;
  /** Bytes of the file; of a folder, 0. */
  readonly size: number;
}
export interface ReadySet {
  /** The stage's id, or its alias. */
  readonly name: string;
  readonly list: boolean;
  readonly items: readonly ReadyItem[];
}

export interface SingleContext {
  readonly request: AttemptRequest;
  /** The node that runs: the stage's own, or the chosen branch. */
  readonly node: NodeSpec;
  readonly place: NodePlace;
  /** The compiled module of this place, when `inspect` made one. */
  readonly modulePath: AbsPath | undefined;
  /** The declared inputs in order. */
  readonly inputs: readonly ReadySet[];
  /** Aborts when the attempt times out or is cancelled; its `reason` is a `StopReason`. */
  readonly signal: AbortSignal;
  /**
   * Stages a result: a string, bytes (`Uint8Array`, `ArrayBuffer`), a stream (web, Node or any async iterable of strings and bytes),
   * or any other value as JSON (2 spaces, final newline). `undefined` stands for "the output path was filled by the node itself":
   * it is checked that something is there, a folder for a folder pattern and a file for any other.
   * Returns what to return from `run`.
   */
  stage(value: unknown): Promise<SingleResult>;
  /** Adds text to the attempt's log, as it is (no newline is added); the end is kept. */
  log(text: string): void;
  /**
   * The value with every `{{expression}}` in its strings, however nested, replaced: evaluated in the sandbox, reads recorded.
   * A string that is exactly one `{{...}}` becomes the expression's value.
   */
  fill(value: unknown): Promise<Filled>;
}

export interface Failed {
  readonly kind: "failed";
  readonly error: string;
  readonly category: ErrorCategory;
  /** The service asked us to wait at least so long. */
  readonly retryAfterMs?: number;
}
export type SingleResult = { readonly kind: "produced" } | { readonly kind: "skipped" } | Failed;
export type Filled = { readonly kind: "filled"; readonly value: unknown } | Failed | { readonly kind: "stopped" };

// ---------------------------------------------------------------- the batch lane

/** What a batch node makes: a result to stage, or the choice of a branch that makes it. */
export type Made =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** The state at this path, as it is: a file or a folder, of any size. */
  | { readonly kind: "copy"; readonly path: RelPath }
  | { readonly kind: "branch"; readonly place: "then" | "else" };

/** What a batch node sees of its attempt. */
export interface BatchContext {
  readonly request: AttemptRequest;
  /** What a program yields, as a result: a string as text, bytes as they are, anything else as JSON (2 spaces, final newline). */
  make(program: Program): Made;
  /** Whether a `truth` program yields something truthy. */
  holds(program: Program): boolean;
}

/** Thrown inside an attempt, caught round it: becomes its `failed` outcome. */
export class NodeFailure extends Error {
  override readonly name = "NodeFailure";
  readonly category: ErrorCategory;
  constructor(message: string, category: ErrorCategory, options?: ErrorOptions) {
    super(message, options);
    this.category = category;
  }
}
