import type { Problem } from "./problem.ts";

/** What can happen is a value: either the answer, or every reason why there is none. */
export type Result<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

/** A successful result. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** A failed result; at least one problem. */
export function fail(...problems: readonly Problem[]): Result<never> {
  return { ok: false, problems };
}
