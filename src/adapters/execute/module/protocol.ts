/** What the main process and the process of a user's module say to each other. */
import type { ErrorCategory } from "../../../core/model/manifest.ts";
import type { AbsPath, ContentHash, EntityId, RelPath, Vars } from "../../../core/model/words.ts";

/** One state as the module's process needs it. */
export interface HostItem {
  readonly id: EntityId;
  readonly vars: Vars;
  readonly path: AbsPath;
  /** Relative to the root; a folder state's ends with `/`. */
  readonly relPath: RelPath;
  readonly hash: ContentHash;
  readonly size: number;
}
export interface HostInput {
  readonly name: string;
  readonly list: boolean;
  readonly items: readonly HostItem[];
}

/** One attempt; JSON over the process's channel. */
export interface RunMessage {
  readonly kind: "run";
  /** What the reply begins with, so that nothing that is printed can be taken for it. */
  readonly nonce: string;
  /** The compiled module. */
  readonly module: AbsPath;
  readonly exportName: string;
  /** Places in messages are relative to it. */
  readonly projectFolder: AbsPath;
  readonly entity: { readonly id: EntityId; readonly vars: Vars };
  readonly inputs: readonly HostInput[];
  readonly params: unknown;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly output: { readonly path: AbsPath; readonly isFolder: boolean };
}

export type HostMessage = RunMessage | { readonly kind: "abort" };

/**
 * How the attempt ended: one line on stdout, the nonce and JSON. It takes the same way as what the module prints,
 * so that everything printed before it has arrived before it.
 */
export type HostReply =
  { readonly kind: "done" } | { readonly kind: "failed"; readonly error: string; readonly category: ErrorCategory };
