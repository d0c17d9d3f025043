import { hashBytes } from "../hash/hash.ts";
import type { ErrorCategory } from "../model/manifest.ts";
import type { EntityId, StageKey, Vars } from "../model/words.ts";

/** How much of an error decides: what follows is a stack or a listing. It bounds the work, too. */
const MAX_CHARACTERS = 4096;

/** One mark for all: a number may be one file's id and a plain number in the next file's error. */
const MARK = "*";
const INCIDENT_TARGET = /^incident:([0-9a-f]{8})$/;
/** A quoted name; a bound on its length keeps a lone quote from costing the whole rest each time. */
const QUOTED =
  /"[^"\n]{0,200}"|`[^`\n]{0,200}`|(?<![\p{L}\p{N}])'[^'\n]{0,200}'(?![\p{L}\p{N}])|“[^”\n]{0,200}”|«[^»\n]{0,200}»/gu;
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;
const HEX = /\b(?:0x[0-9a-f]+|[0-9a-f]{8,})\b/gi;
const NUMBER = /\d+(?:[.,:]\d+)*/g;
const LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** A failure as far as it decides which incident it belongs to. */
export interface FailureToSort {
  readonly stage: StageKey;
  readonly category: ErrorCategory;
  readonly error: string;
  readonly entity: { readonly id: EntityId; readonly vars: Vars };
}

/**
 * The id of the incident that a failure belongs to, 8 hex digits: equal for failures of one stage and category whose errors
 * say the same once everything is taken out that differs from file to file (see `commonText`).
 */
export function incidentOf(failure: FailureToSort): string {
  const text = `${failure.stage}\n${failure.category}\n${commonText(failure.error, failure.entity)}`;
  return hashBytes(text).slice(0, 8);
}

/**
 * An error without what differs from file to file: the entity's id and the values of its variables, quoted names, paths,
 * hex strings and numbers become one mark. Never throws; time linear in the text for each variable.
 */
export function commonText(error: string, entity: FailureToSort["entity"]): string {
  let text = error.slice(0, MAX_CHARACTERS);
  const values = [...new Set([entity.id, ...Object.values(entity.vars)])].filter((value) => value !== "");
  // The longest first: the id holds the values.
  for (const value of values.toSorted((a, b) => b.length - a.length)) text = withoutWord(text, value);
  text = text.replace(QUOTED, MARK);
  text = text
    .split(/\s+/)
    .map((word) => (/[/\\]/.test(word) ? MARK : word))
    .join(" ");
  return text.replace(UUID, MARK).replace(HEX, MARK).replace(NUMBER, MARK).trim();
}

/** The id in a target such as `incident:ab12cd34`; `undefined` for every other target. */
export function incidentInTarget(text: string): string | undefined {
  return INCIDENT_TARGET.exec(text)?.[1];
}

/** How an incident is typed as a target. */
export function incidentTarget(id: string): string {
  return `incident:${id}`;
}

/** The text with a value replaced wherever it stands for itself: not inside a longer word or number. */
function withoutWord(text: string, value: string): string {
  let result = "";
  let from = 0;
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + value.length)) {
    const end = at + value.length;
    if (isInsideWord(text, at) || isInsideWord(text, end)) continue;
    result += `${text.slice(from, at)}${MARK}`;
    from = end;
  }
  return result + text.slice(from);
}

/** Whether both sides of a place are letters or digits. */
function isInsideWord(text: string, at: number): boolean {
  return at > 0 && at < text.length && LETTER_OR_DIGIT.test(text[at - 1]!) && LETTER_OR_DIGIT.test(text[at]!);
}
