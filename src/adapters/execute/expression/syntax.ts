import { Script } from "node:vm";

/** Why a text is no expression. Line and column count from 1, in the expression's own text. */
export interface SyntaxFault {
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/**
 * The first fault of a JavaScript expression; `undefined` when it parses. It is compiled, never run.
 * It must parse in parentheses and in brackets, so that no `1); effect(); (2` gets out of the function it is put into.
 */
export function findSyntaxFault(expression: string): SyntaxFault | undefined {
  if (expression.trim() === "") return { message: "it is empty", line: 1, column: 1 };
  return compile(expression, "(", ")") ?? compile(expression, "[", "]");
}

/**
 * An expression as the source of a function of `$` and `$env`. Its text starts on line 2, so an error's line is one too high
 * and its column right.
 */
export function functionSource(expression: string, open = "(", close = ")"): string {
  return `(function ($, $env) { "use strict"; return ${open}\n${expression}\n${close}; })`;
}

function compile(expression: string, open: string, close: string): SyntaxFault | undefined {
  try {
    void new Script(functionSource(expression, open, close), { filename: "expression" });
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return faultOf(error, expression);
  }
}

/** V8 puts the place before the stack: `expression:LINE`, the line itself, and a line of blanks and carets. */
function faultOf(error: Error, expression: string): SyntaxFault {
  const [place = "", , carets = ""] = (error.stack ?? "").split("\n");
  const lines = expression.split("\n");
  const line = Number(/^expression:(\d+)$/.exec(place)?.[1] ?? 2) - 1;
  const column = Math.max(1, carets.indexOf("^") + 1);
  // A fault in what was put after the expression is the expression's sudden end.
  if (line > lines.length) {
    return { message: "it ends too early", line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
  }
  return { message: error.message, line, column };
}
