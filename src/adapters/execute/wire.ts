import type { AttemptOutcome, AttemptRequest, Disk, StateReader } from "../../ports.ts";
import type { AbsPath, ContentHash, RelPath } from "../../core/model/words.ts";
import type { NodePlace } from "./node-type.ts";

/** What a worker thread does for one attempt. */
export type Piece = { readonly request: AttemptRequest } & (
  | { readonly do: "run"; readonly place: NodePlace }
  /** Replaces the `{{...}}` in a value. */
  | { readonly do: "fill"; readonly value: unknown }
  /** Hashes and validates what is staged; `reads` of the outcome are empty. */
  | { readonly do: "measure" }
);

/** To a worker: pieces to do one after the other. Structured clone keeps the `work` objects they share shared. */
export interface WorkMessage {
  readonly batch: number;
  readonly pieces: readonly Piece[];
  /** In a thread of its own: nobody waits for it, so no piece is too slow or too large. */
  readonly isAlone: boolean;
  /** Not the first time: clear what an earlier try may have staged. */
  readonly isAgain: boolean;
  /** `Int32Array`: first the number (from 1) of the piece being done, 0 before the first; then per piece 1 to cancel it. */
  readonly control: SharedArrayBuffer;
}

type Common = Omit<AttemptOutcome & { readonly kind: "interrupted" }, "kind">;
/** How a piece ended: an outcome for the engine, or something for the lane that asked. */
export type PieceEnd =
  | AttemptOutcome
  /** A node was chosen that does not run in a worker of this lane. */
  | (Common & { readonly kind: "branch"; readonly place: "then" | "else" })
  | (Common & { readonly kind: "filled"; readonly value: unknown });

/** From a worker, once: it does pieces from now on. */
export interface ReadyMessage {
  readonly ready: true;
}

/** From a worker: how some pieces of a batch ended, by their index in it. */
export interface EndMessage {
  readonly batch: number;
  readonly indexes: readonly number[];
  readonly ends: readonly PieceEnd[];
}

/** What the lanes need to know of one root. */
export interface RootAccess {
  readonly reader: StateReader;
  /** The hash that the folder at `at` has once it is the state at `path`. Throws Node's error when it cannot be read. */
  hashTree(path: RelPath, at: AbsPath): ContentHash;
}

/** The ports of the code that runs nodes, on both sides of the threads. */
export interface ExecutePorts {
  readonly disk: Disk;
  openRoot(root: AbsPath): RootAccess;
}
