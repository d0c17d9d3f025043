import { type Problem, renderProblem } from "../../core/model/problem.ts";
import type { Result } from "../../core/model/result.ts";

/**
 * What the library throws for everything that is wrong with what it was given: a definition, a pattern, an id, a root that
 * somebody else holds. Its message is the problems as people read them; `problems` are the same as data.
 */
export class MillraceError extends Error {
  override readonly name = "MillraceError";
  /** At least one; of a definition all of them at once. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(renderProblem).join("\n"));
    this.problems = problems;
  }
}

/** The value of a result; throws `MillraceError` when there is none. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new MillraceError(result.problems);
}
