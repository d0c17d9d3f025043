import type { RelPath, Vars } from "../model/words.ts";
import { fitsUse, matchPattern } from "./match.ts";
import { isReserved } from "./reserved.ts";
import type { Pattern, Use } from "./shape.ts";

/** The path of a binding, or why it has none. */
export type Rendered =
  | { readonly ok: true; readonly path: RelPath }
  | { readonly ok: false; readonly reason: "ambiguous-name" | "invalid-value" | "unbound"; readonly message: string };

/**
 * The path that the pattern is with these values. Values of other variables are ignored.
 *
 * `unbound`: a variable has no value. `invalid-value`: a value breaks its type, holds `/` or NUL or half a character, or the path
 * would be none of a state (`..`, `.millrace`). `ambiguous-name`: matching the path would give other values.
 */
export function renderPattern(pattern: Pattern, vars: Vars): Rendered {
  let path = "";
  for (const element of pattern.elements) {
    if (typeof element === "string") {
      path += element;
      continue;
    }
    const value: unknown = vars[element.name];
    if (typeof value !== "string") return refuse("unbound", `"${pattern.text}" needs a value for {${element.name}}`);
    if (!fitsUse(element, value) || value.includes("\0") || !value.isWellFormed())
      return refuse("invalid-value", invalidMessage(element, value));
    path += value;
  }
  if (pattern.mayBeReserved && isReserved(path))
    return refuse("invalid-value", `"${path}" cannot be the path of a state`);
  return pattern.isUnambiguous ? { ok: true, path } : checked(pattern, vars, path);
}

function checked(pattern: Pattern, vars: Vars, path: RelPath): Rendered {
  const read = matchPattern(pattern, path);
  const wrong = pattern.variables.find(({ name }) => read?.[name] !== vars[name]);
  if (wrong === undefined) return { ok: true, path };
  const other =
    read === undefined
      ? "would not be read back"
      : `would be read as {${wrong.name}} = ${JSON.stringify(read[wrong.name])}`;
  return refuse(
    "ambiguous-name",
    `{${wrong.name}} = ${JSON.stringify(vars[wrong.name])} makes "${path}", which ${other} by "${pattern.text}"`,
  );
}

function refuse(reason: "ambiguous-name" | "invalid-value" | "unbound", message: string): Rendered {
  return { ok: false, reason, message };
}

function invalidMessage({ name, type }: Use, value: string): string {
  const said = `{${name}} cannot be ${JSON.stringify(value)}`;
  if (value === "") return `${said}: a value has at least one character`;
  if (value.includes("\0") || !value.isWellFormed()) return `${said}: no file name can hold it`;
  return type === undefined || type.text === ""
    ? `${said}: its "/" would make folders`
    : `${said}: it is no ${type.text}`;
}
