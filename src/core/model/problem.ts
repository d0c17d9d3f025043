import type { ProblemCode } from "./problems.ts";

/** Where in a text file a problem is. Lines and columns count from 1, columns in UTF-16 units. */
export interface Place {
  /** As the user would type it, relative to the project folder where possible. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** How many characters of the line the squiggle covers; at least 1. */
  readonly length: number;
  /** JSON pointer inside the file, such as `/stages/1/pattern`; empty when the file is no JSON. */
  readonly pointer: string;
  /** The source line itself, without its newline. */
  readonly excerpt: string;
}

/** One thing that is wrong, said once: what, where, and what to do. */
export interface Problem {
  readonly code: ProblemCode;
  readonly severity: "error" | "warning";
  /** What happened, values in quotes; one sentence without a final full stop. */
  readonly message: string;
  readonly place?: Place;
  /** Further lines of explanation, such as the other place of a conflict. */
  readonly notes?: readonly string[];
  /** What to do about it, imperative. */
  readonly hint: string;
}

/** A problem of severity `error`. */
export function problem(
  code: ProblemCode,
  message: string,
  hint: string,
  more: { readonly place?: Place | undefined; readonly notes?: readonly string[] } = {},
): Problem {
  return {
    code,
    severity: "error",
    message,
    hint,
    ...(more.place === undefined ? {} : { place: more.place }),
    ...(more.notes === undefined ? {} : { notes: more.notes }),
  };
}

/**
 * The text of a problem as people read it on stderr:
 *
 *     error M204  output pattern uses "{slug}", which no input binds
 *       pipelines/social.json:14:26  /stages/1/pattern
 *           "pattern": "tweets/{slug}.json"
 *                              ~~~~~~
 *       inputs bind: {id}
 *       do: write {id} here, or name the input variable {slug}
 */
export function renderProblem(p: Problem): string {
  const lines = [`${p.severity} ${p.code}  ${p.message}`];
  if (p.place) {
    const { file, line, column, pointer, excerpt, length } = p.place;
    lines.push(`  ${file}:${line}:${column}${pointer ? `  ${pointer}` : ""}`);
    if (excerpt) {
      lines.push(`    ${excerpt}`);
      lines.push(`    ${excerpt.slice(0, column - 1).replace(/[^\t]/g, " ")}${"~".repeat(Math.max(1, length))}`);
    }
  }
  for (const note of p.notes ?? []) lines.push(`  ${note}`);
  lines.push(`  do: ${p.hint}`);
  return lines.join("\n");
}
