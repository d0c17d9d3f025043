/**
 * Every problem code with its title. The table is the source of `docs/errors.md` (a test compares both directions).
 * 1xx usage, root and daemon; 2xx definitions and patterns; 3xx attempts of a node; 4xx the store; 5xx watching.
 * A code is never reused for another meaning.
 */
export const PROBLEM_TITLES = {
  M101: "usage is wrong",
} as const;

/** A stable problem code. */
export type ProblemCode = keyof typeof PROBLEM_TITLES;

/** A broken invariant of Millrace itself: thrown, never returned. */
export class InternalError extends Error {
  override readonly name = "InternalError";
}
