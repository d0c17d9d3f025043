import { NodeFailure } from "../node-type.ts";
import { findSyntaxFault, type SyntaxFault } from "./syntax.ts";
import { parseTemplate, shorten } from "./template.ts";

/**
 * A value with expressions in it, as plain data: what the sandbox compiles.
 * `parts` are joined to a text; a string that is exactly one `{{...}}` is an `expression` and keeps its type.
 */
export type ValueTree =
  | { readonly is: "constant"; readonly value: unknown }
  | { readonly is: "expression"; readonly expression: string }
  | { readonly is: "parts"; readonly parts: readonly ValueTree[] }
  | { readonly is: "list"; readonly items: readonly ValueTree[] }
  | { readonly is: "object"; readonly entries: readonly (readonly [string, ValueTree])[] };

/** What the sandbox can run. Built once per node and reused: the sandbox compiles each at its first run. */
export type Program =
  /** Any value. */
  | { readonly kind: "value"; readonly tree: ValueTree }
  /** An object whose fields keep this order, whatever their names (JavaScript sorts those that look like numbers). */
  | { readonly kind: "record"; readonly fields: readonly (readonly [string, ValueTree])[] }
  /** Whether an expression yields something truthy. */
  | { readonly kind: "truth"; readonly tree: ValueTree };

/** The program of one expression. Throws `NodeFailure` when it does not parse. */
export function expressionProgram(expression: string): Program {
  return { kind: "value", tree: expressionTree(expression) };
}

/** The program of a condition. Throws `NodeFailure` when it does not parse. */
export function truthProgram(expression: string): Program {
  return { kind: "truth", tree: expressionTree(expression) };
}

/** The program of any JSON value with `{{...}}` in its strings. Throws `NodeFailure` when one does not parse. */
export function valueProgram(value: unknown): Program {
  return { kind: "value", tree: treeOf(value) };
}

/** The program of an object made field by field. Throws `NodeFailure` when an expression does not parse. */
export function recordProgram(fields: readonly { readonly name: string; readonly value: unknown }[]): Program {
  return { kind: "record", fields: fields.map(({ name, value }) => [name, treeOf(value)]) };
}

function expressionTree(expression: string): ValueTree {
  const fault = findSyntaxFault(expression);
  if (fault !== undefined) throw unparsable(expression, fault);
  return { is: "expression", expression };
}

function unparsable(expression: string, { message, line, column }: SyntaxFault): NodeFailure {
  return new NodeFailure(
    `expression "${shorten(expression)}" does not parse at ${line}:${column}: ${message}`,
    "definition",
  );
}

function treeOf(value: unknown): ValueTree {
  if (typeof value === "string") return textTree(value);
  if (Array.isArray(value)) return foldConstant({ is: "list", items: value.map(treeOf) }, value);
  if (typeof value !== "object" || value === null) return { is: "constant", value };
  const entries = Object.entries(value).map(([key, item]) => [key, treeOf(item)] as const);
  return foldConstant({ is: "object", entries }, value);
}

function textTree(text: string): ValueTree {
  const { parts, faults } = parseTemplate(text);
  const [fault] = faults;
  if (fault !== undefined) throw unparsable(fault.expression, fault.fault);
  const trees = parts.map((part): ValueTree =>
    "text" in part ? { is: "constant", value: part.text } : { is: "expression", expression: part.expression },
  );
  if (trees.every((tree) => tree.is === "constant")) return { is: "constant", value: text };
  const [only] = trees;
  return trees.length === 1 && only !== undefined ? only : { is: "parts", parts: trees };
}

function foldConstant(tree: ValueTree & { readonly is: "list" | "object" }, value: unknown): ValueTree {
  const children = tree.is === "list" ? tree.items : tree.entries.map(([, child]) => child);
  return children.every((child) => child.is === "constant") ? { is: "constant", value } : tree;
}
