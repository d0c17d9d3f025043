import { problem, type Problem } from "../model/problem.ts";
import type { ProblemCode } from "../model/problems.ts";
import type { Locator, Span } from "./locator.ts";
import type { Path } from "./plain.ts";

/** A fault of a definition by its path; becomes a `Problem` once it is located. */
export interface Fault {
  readonly code: ProblemCode;
  readonly path: Path;
  readonly message: string;
  readonly hint: string;
  /** The squiggle goes under the key, or under a part of the text; under the whole value when left out. */
  readonly at?: "key" | Span;
  readonly notes?: readonly string[];
}

/** The problem that a fault is, at its place. */
export function locate(fault: Fault, locator: Locator): Problem {
  const { path, at } = fault;
  const place = at === "key" ? locator.key(path) : locator.value(path, at);
  return problem(fault.code, fault.message, fault.hint, fault.notes ? { place, notes: fault.notes } : { place });
}

/** Problems in the order of their places in the file. */
export function inOrder(problems: readonly Problem[]): readonly Problem[] {
  return problems.toSorted(
    (a, b) => (a.place?.line ?? 0) - (b.place?.line ?? 0) || (a.place?.column ?? 0) - (b.place?.column ?? 0),
  );
}
