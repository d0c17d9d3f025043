import { type Control, type RootReport } from "./control.ts";
import { CALLS } from "./control-remote.ts";
import { incidentInTarget } from "../core/plan/incident.ts";
import { ok } from "../core/model/result.ts";

/** How far a root must be open for a call: its definitions alone, or its table after a look at the whole disk. */
export type Depth = "definitions" | "disk";

const DEFINITIONS_SUFFICE: ReadonlySet<keyof Control> = new Set(["history", "logs", "show", "graph", "trash"]);

export interface LazyControlOptions {
  readonly control: Control;
  /** Opens every root so far; called before each call, more than once. */
  readonly open: (depth: Depth) => Promise<void>;
  /** The counters of every root as they were saved. */
  readonly saved: () => readonly RootReport[];
}

/** Which tasks an incident has is known from the statuses of today alone. */
function namesIncident(query: { readonly target?: unknown }): boolean {
  return typeof query.target === "string" && incidentInTarget(query.target) !== undefined;
}

/**
 * A control for one command that reads: each call opens as much as it needs. `status` without `scan` opens nothing and
 * answers from the saved counters, so it costs the same whatever the number of entities.
 */
export function lazyControl({ control, open, saved }: LazyControlOptions): Control {
  const calls = CALLS.map((name) => {
    const call = async (query: never): Promise<unknown> => {
      await open(DEFINITIONS_SUFFICE.has(name) && !namesIncident(query) ? "definitions" : "disk");
      return control[name](query);
    };
    return [name, call] as const;
  });
  const status: Control["status"] = async (query) => {
    if (!query.scan) return ok({ version: 1, roots: saved() });
    await open("disk");
    // The look has just been.
    return control.status({ scan: false });
  };
  return { ...(Object.fromEntries(calls) as unknown as Control), status };
}
