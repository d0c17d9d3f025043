import type { Result } from "../core/model/result.ts";
import type { Control } from "./control.ts";

/** Every call of `Control`, by name. */
export const CALLS: readonly (keyof Control)[] = [
  "status",
  "plan",
  "explain",
  "whyNot",
  "list",
  "show",
  "history",
  "logs",
  "graph",
  "retry",
  "invalidate",
  "accept",
  "acceptDeletions",
  "hold",
  "release",
  "trash",
  "restore",
  "emptyTrash",
  "clean",
  "quarantine",
  "run",
  "repair",
];

/** A control whose calls are answered at a daemon's door. */
export function remoteControl(call: (name: string, query: unknown) => Promise<Result<unknown>>): Control {
  const calls = CALLS.map((name) => [name, (query: unknown) => call(name, query)]);
  return Object.fromEntries(calls) as Control;
}
