import type { DataFault } from "../../../core/pipeline/node-type.ts";
import { findSyntaxFault, type SyntaxFault } from "./syntax.ts";

/** A text cut at its `{{...}}`: literal text, and expressions. */
export type TemplatePart = { readonly text: string } | { readonly expression: string };

/** Why a text with `{{` is no template. */
export interface TemplateFault {
  /** Where the `{{` stands, in UTF-16 units from 0. */
  readonly offset: number;
  readonly expression: string;
  readonly fault: SyntaxFault;
}

export interface Template {
  readonly parts: readonly TemplatePart[];
  readonly faults: readonly TemplateFault[];
}

// A `}}` may belong to the expression (`{{ {a: {b: 1}} }}`): the first one that leaves a whole expression closes it.
const CLOSING_TRIES = 50;

/** The parts of a text, in order; faulty expressions are left out of them and listed as faults. */
export function parseTemplate(text: string): Template {
  const parts: TemplatePart[] = [];
  const faults: TemplateFault[] = [];
  let from = 0;
  for (let open = text.indexOf("{{"); open !== -1; open = text.indexOf("{{", from)) {
    if (open > from) parts.push({ text: text.slice(from, open) });
    const found = closeExpression(text, open + 2);
    if (found.fault === undefined) parts.push({ expression: found.expression });
    else faults.push({ offset: open, expression: found.expression, fault: found.fault });
    from = found.end;
  }
  if (from < text.length) parts.push({ text: text.slice(from) });
  return { parts, faults };
}

interface Closed {
  readonly expression: string;
  readonly fault: SyntaxFault | undefined;
  /** Where the text goes on. */
  readonly end: number;
}

function closeExpression(text: string, from: number): Closed {
  let first: Closed | undefined;
  let close = text.indexOf("}}", from);
  for (let tries = 0; close !== -1 && tries < CLOSING_TRIES; tries++) {
    const expression = text.slice(from, close);
    const closed = { expression, fault: findSyntaxFault(expression), end: close + 2 };
    if (closed.fault === undefined) return closed;
    first ??= closed;
    close = text.indexOf("}}", close + 1);
  }
  if (first !== undefined) return first;
  const fault = { message: `"{{" is never closed by "}}"`, line: 1, column: 1 };
  return { expression: text.slice(from), fault, end: text.length };
}

/** Every faulty `{{...}}` in the strings of a value, however nested; `path` leads to the value. */
export function findTemplateFaults(value: unknown, path: readonly (string | number)[] = []): readonly DataFault[] {
  if (typeof value === "string") return parseTemplate(value).faults.map((fault) => describe(fault, path));
  if (Array.isArray(value)) return value.flatMap((item, index) => findTemplateFaults(item, [...path, index]));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => findTemplateFaults(item, [...path, key]));
}

/** The fault of an expression that stands at `path`; none when it parses. */
export function findExpressionFaults(expression: string, path: readonly (string | number)[]): readonly DataFault[] {
  const fault = findSyntaxFault(expression);
  if (fault === undefined) return [];
  return [
    {
      path,
      message: `expression "${shorten(expression)}" does not parse: ${fault.message} (line ${fault.line}, column ${fault.column})`,
      hint: "write one JavaScript expression; wrap several statements as (() => { ...; return value; })()",
    },
  ];
}

function describe({ offset, expression, fault }: TemplateFault, path: readonly (string | number)[]): DataFault {
  return {
    path,
    message: `"{{${shorten(expression)}" at character ${offset + 1} does not parse: ${fault.message} (line ${fault.line}, column ${fault.column} of the expression)`,
    hint: `write one JavaScript expression between "{{" and "}}"; for braces as text write {{"{{"}}`,
  };
}

/** An expression as messages show it: one line of at most 80 characters. */
export function shorten(expression: string): string {
  const line = expression.trim().replace(/\s+/g, " ");
  return line.length <= 80 ? line : `${line.slice(0, 77)}...`;
}
