import { renderProblem, type Problem } from "../../core/model/problem.ts";
import type { Log } from "../../ports.ts";

/**
 * A log for one command: only errors, each as a line for people. It needs no logging library, whose loading would be a
 * tenth of a short command's time.
 */
export function createPlainLog(
  write: (line: string) => void,
  onProblem: (problem: Problem) => void = (problem) =>
    void (problem.severity === "error" && write(`${renderProblem(problem)}\n`)),
): Log {
  const nothing = (): void => {};
  return {
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (fields, message) => write(`error  ${message} ${JSON.stringify(fields)}\n`),
    problem: onProblem,
    flush: nothing,
  };
}
