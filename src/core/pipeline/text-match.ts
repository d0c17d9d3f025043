import { accepts, compile, type Program } from "../pattern/automaton.ts";
import { ALL_CHARS } from "../pattern/char-set.ts";
import { parseRegex, type Regex } from "../pattern/regex.ts";

/** One thing that is wrong in an expression, by its place in it in UTF-16 units. */
export interface ExpressionFault {
  readonly offset: number;
  readonly length: number;
  readonly message: string;
  readonly hint: string;
}

/** A checked `validation.matches`. */
export type TextMatch =
  | { readonly ok: true; readonly program: Program }
  | { readonly ok: false; readonly faults: readonly ExpressionFault[] };

/**
 * The checked form of a `validation.matches`, which says what a text must contain; give it to `containsMatch`.
 * The syntax is that of a pattern's expressions (linear time whatever the text), where `.` is any character, a line break too.
 * A `^` at its very start and a `$` at its very end tie the whole expression to the text's start and end.
 */
export function parseTextMatch(source: string): TextMatch {
  const fromStart = source.startsWith("^");
  const toEnd = /(?<!\\)(?:\\\\)*\$$/.test(source) && source.length > (fromStart ? 1 : 0);
  const inner = source.slice(fromStart ? 1 : 0, toEnd ? -1 : undefined);
  const { regex, faults } = parseRegex(inner, ALL_CHARS);
  if (faults.length > 0) {
    const shift = fromStart ? 1 : 0;
    return {
      ok: false,
      faults: faults.map(({ offset, length, message, hint }) => ({ offset: offset + shift, length, message, hint })),
    };
  }
  const parts = [...(fromStart ? [] : [ANYTHING]), regex, ...(toEnd ? [] : [ANYTHING])];
  return { ok: true, program: compile({ kind: "sequence", parts }) };
}
const ANYTHING: Regex = { kind: "repeat", of: { kind: "set", set: ALL_CHARS }, min: 0, max: Infinity };

/** Whether the text contains what the expression says. */
export function containsMatch(program: Program, text: string): boolean {
  return accepts(program, text);
}
