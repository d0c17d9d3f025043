import type { CommanderError } from "commander";
import { problem, type Problem } from "../core/model/problem.ts";

/** What the argument parser complained about, as a problem with the nearest right spelling or the help to read. */
export function usageProblem(error: CommanderError, command: string): Problem {
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const help = command === "" ? "millrace --help" : `millrace ${command} --help`;
  const suggested = /^\(Did you mean (.+)\?\)$/.exec(rest.join(" ").trim())?.[1];
  const expected =
    /^(option '.+' argument '.*' is invalid|command-argument value '.*' is invalid for argument '.+')\. (.+)$/s.exec(
      first,
    );
  const message = inDoubleQuotes(expected?.[1] ?? first);
  const hint =
    expected?.[2] ?? (suggested === undefined ? undefined : `write ${suggested.replace(/^one of /, "one of: ")}`);
  return problem("M101", message, hint === undefined ? `see "${help}"` : `${hint}; see "${help}"`);
}

/** The parser's quotes are single ones; ours are double. A quote inside a value stays. */
function inDoubleQuotes(text: string): string {
  return text.replace(/\.$/, "").replace(/(^|\s)'(.*?)'(?=$|[\s.,])/g, '$1"$2"');
}
