import { problem } from "../../core/model/problem.ts";
import type { EntityId, RelPath } from "../../core/model/words.ts";
import { type Pattern, parsePattern, renderPattern, varsOfEntity } from "../../core/pattern/pattern.ts";
import { MillraceError } from "./error.ts";

/** Patterns are few and used again and again. */
const KEPT = 256;
const parsed = new Map<string, Pattern>();

/** The pattern of a text; throws `MillraceError` M207 with every fault of it. */
export function patternOf(text: string): Pattern {
  const known = parsed.get(text);
  if (known) return known;
  const result = parsePattern(text);
  if (!result.ok)
    throw new MillraceError(
      result.faults.map(({ offset, message, hint }) =>
        problem("M207", `pattern "${text}", at character ${offset + 1}: ${message}`, hint),
      ),
    );
  if (parsed.size >= KEPT) parsed.clear();
  parsed.set(text, result.pattern);
  return result.pattern;
}

/** The path of an entity's state; throws `MillraceError` M133 when the id makes none. */
export function pathOf(text: string, entityId: EntityId): RelPath {
  const pattern = patternOf(text);
  const vars = varsOfEntity(pattern, entityId);
  const rendered = vars && renderPattern(pattern, vars);
  if (rendered?.ok) return rendered.path;
  const names = pattern.variables.map(({ name }) => `{${name}}`).join("/");
  const why = rendered ? `: ${rendered.message}` : "";
  throw new MillraceError([
    problem(
      "M133",
      `"${entityId}" is no entity of "${text}"${why}`,
      names === ""
        ? "the pattern has no variables, so its only id is the empty text"
        : `write an id of the form ${names}`,
    ),
  ]);
}
