import { InternalError } from "../model/problems.ts";
import type { EntityId, Vars } from "../model/words.ts";
import { emptyVars, fitsUse } from "./match.ts";
import type { Pattern, Span, Use } from "./shape.ts";

/** The values joined by `/`, in the order of first use; empty for a pattern without variables. Throws when a value is missing. */
export function entityIdOf(pattern: Pattern, vars: Vars): EntityId {
  let id = "";
  for (const [index, { name }] of pattern.variables.entries()) {
    const value = vars[name];
    if (value === undefined) throw new InternalError(`no value for {${name}} of "${pattern.text}"`);
    id += index === 0 ? value : `/${value}`;
  }
  return id;
}

/**
 * The values that make this id, an object without a prototype; `undefined` when it is no id of the pattern's entities.
 * Only a rest variable's value may hold `/`, and there is at most one, so the others say what is left for it.
 */
export function varsOfEntity(pattern: Pattern, id: EntityId): Vars | undefined {
  const vars = emptyVars();
  if (pattern.variables.length === 0) return id === "" ? vars : undefined;
  const pieces = id.split("/");
  const spare = pieces.length - pattern.variables.length;
  if (id.includes("\0") || spare < 0) return undefined;
  let at = 0;
  for (const { name, rest } of pattern.variables) {
    const next = at + 1 + (rest ? spare : 0);
    vars[name] = pieces.slice(at, next).join("/");
    at = next;
  }
  const fits = pattern.elements.every(
    (element) => typeof element === "string" || fitsUse(element, valueOf(element, vars)),
  );
  return fits && at === pieces.length ? vars : undefined;
}

function valueOf({ name }: Use, vars: Vars): string {
  return vars[name] ?? "";
}

/** Whether both patterns have the same variables, by name, in any order. */
export function sameVariables(a: Pattern, b: Pattern): boolean {
  const names = new Set(a.variables.map(({ name }) => name));
  return names.size === b.variables.length && b.variables.every(({ name }) => names.has(name));
}

/** Where the first use of a variable stands in the pattern's text, braces included; `undefined` when it has no such variable. */
export function variableSpan(pattern: Pattern, name: string): Span | undefined {
  return pattern.spans[pattern.variables.findIndex((variable) => variable.name === name)];
}
