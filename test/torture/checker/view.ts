/** What the checker sees of a root: names and bytes, nothing else. */
import type { PlanPath } from "./plan.ts";

/** One thing below a root, links not followed. */
export interface Entry {
  readonly kind: "file" | "folder" | "symlink" | "other";
  /** Of a file its bytes, of a symlink the text of its target; empty for the rest. */
  readonly bytes: () => Uint8Array;
  /** Permission bits; left out where nobody knows. */
  readonly mode?: number;
  /** Nanoseconds, decimal digits; left out where nobody knows. */
  readonly mtimeNs?: string;
}

/** Everything below the root, Millrace's own included, folders without a final slash; the root itself is not in it. */
export interface RootView {
  readonly entries: ReadonlyMap<PlanPath, Entry>;
}

/** A broken rule. */
export interface Finding {
  /** `I1` to `I16`. */
  readonly rule: Rule;
  /** What kind of break it is, as a name in capitals: `WRONG-BYTES`. */
  readonly what: string;
  readonly path: PlanPath | null;
  readonly entity: string | null;
  readonly expected: string;
  readonly got: string;
}

export type Rule = `I${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16}`;

/** What a finished second look, a listing or `verify` told: things beside the disk that some rules compare. */
export interface Extras {
  /** As `list --json` shows every task. */
  readonly listed?: readonly {
    readonly pipeline: string;
    readonly task: string;
    readonly path: string;
    readonly status: string;
  }[];
  /** How many files of each source stage (`pipeline#stage`) the status counts. */
  readonly sourceCounts?: Readonly<Record<string, number>>;
  /** How many attempts the history knows, by `pipeline#stage@entity`. */
  readonly attempts?: Readonly<Record<string, number>>;
  /** What a second start without any change did: tasks that ran, files that it wrote. */
  readonly second?: { readonly ran: readonly string[]; readonly wrote: readonly PlanPath[] };
  /** Processes that outlived the daemon, listening sockets, mounts: one line each. */
  readonly leaks?: readonly string[];
  /** Other bytes in which no canary may stand: logs, command lines; by a name for each. */
  readonly written?: Readonly<Record<string, string>>;
  /** What `verify --json` found. */
  readonly verify?: readonly { readonly code: string; readonly path: string | null; readonly entity: string | null }[];
}
