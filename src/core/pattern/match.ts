/**
 * Matching, in time linear in the length of the path.
 *
 * A path is cut at its slashes, and each segment of the pattern is compared with its own part of the path; the one with the rest
 * variable gets what the others leave. Within a segment one backward pass finds where each element may start, and one forward pass
 * takes the first possible end of each variable: the leftmost variables are as short as they can be.
 *
 * A variable that is used more than once is read where it is the only unknown of its segment; when there is no such place, at its
 * leftmost use, as if the others were variables of their own. From then on it is literal text. (Trying out all values of several
 * repeated variables is NP-complete, so no linear matcher can do it: Angluin, 1980. A binding that is not found this way is one
 * that `renderPattern` refuses as ambiguous.)
 */
import type { RelPath, Vars } from "../model/words.ts";
import { possibleStarts, shortestEnd } from "./automaton.ts";
import { isReserved } from "./reserved.ts";
import type { Element, Pattern, Use } from "./shape.ts";
import { fitsType } from "./value-type.ts";

type OpenVars = Record<string, string>;

/** What the variables are when the pattern is this path, an object without a prototype; `undefined` when it cannot be. */
export function matchPattern(pattern: Pattern, path: RelPath): Vars | undefined {
  const { prefix, suffix, sole } = pattern;
  if (!path.startsWith(prefix) || !path.endsWith(suffix) || path.includes("\0")) return undefined;
  const vars = emptyVars();
  if (sole === undefined) {
    if (unmatchedSegment(pattern, path, vars) !== undefined) return undefined;
  } else {
    if (path.length <= prefix.length + suffix.length) return undefined;
    const value = path.slice(prefix.length, path.length - suffix.length);
    if (!fitsUse(sole, value)) return undefined;
    vars[sole.name] = value;
  }
  return pattern.mayBeReserved && isReserved(path) ? undefined : vars;
}

/** An object without a prototype and without entries. */
export function emptyVars(): OpenVars {
  return Object.create(null) as OpenVars;
}

/** Whether the value is one that this variable may have; NUL and reserved segments are looked for in the whole path. */
export function fitsUse(use: Use, value: string): boolean {
  return use.type === undefined ? value !== "" && !value.includes("/") : fitsType(use.type, value);
}

/** The first segment, in the order of matching, that its part of the path is not; `undefined` when all match. Fills `vars` on the way. */
export function unmatchedSegment(pattern: Pattern, path: RelPath, vars: OpenVars): number | undefined {
  const parts = partsOf(pattern, path);
  if (parts === undefined) return pattern.segments.length;
  return pattern.order.find((index) => {
    const { elements } = pattern.segments[index]!;
    return !matchElements(pattern.hasRepeats ? fillIn(elements, vars) : elements, parts[index]!, vars);
  });
}

/** The part of the path that each segment of the pattern has to match; `undefined` when there are too few or too many. */
export function partsOf(pattern: Pattern, path: RelPath): readonly string[] | undefined {
  if (pattern.isFolder && !path.endsWith("/")) return undefined;
  const parts = (pattern.isFolder ? path.slice(0, -1) : path).split("/");
  const spare = parts.length - pattern.segments.length;
  if (pattern.restAt < 0) return spare === 0 ? parts : undefined;
  if (spare > 0)
    parts.splice(pattern.restAt, spare + 1, parts.slice(pattern.restAt, pattern.restAt + spare + 1).join("/"));
  return spare >= 0 ? parts : undefined;
}

/** The elements with every known variable as literal text. */
export function fillIn(elements: readonly Element[], vars: Vars): readonly Element[] {
  const filled: Element[] = [];
  for (const element of elements) {
    const known = typeof element === "string" ? element : vars[element.name];
    const last = filled.at(-1);
    if (known === undefined) filled.push(element);
    else if (typeof last === "string") filled[filled.length - 1] = last + known;
    else filled.push(known);
  }
  return filled;
}

/** Whether the text is these elements, which belong to one segment; adds what the variables then are to `vars`. */
export function matchElements(elements: readonly Element[], text: string, vars: OpenVars): boolean {
  let uses = 0;
  let literalLength = 0;
  let sole: Use | undefined;
  let isSole = true;
  for (const element of elements) {
    if (typeof element === "string") {
      literalLength += element.length;
    } else {
      uses++;
      isSole &&= sole === undefined || sole.name === element.name;
      sole ??= element;
    }
  }
  if (sole === undefined) return text === (elements[0] ?? "");
  if (!isSole) return matchSplit(elements, text, vars);
  const valueLength = (text.length - literalLength) / uses;
  if (valueLength <= 0 || !Number.isInteger(valueLength)) return false;
  const start = typeof elements[0] === "string" ? elements[0].length : 0;
  const value = text.slice(start, start + valueLength);
  if (!isSpelled(elements, value, text) || !fitsUse(sole, value)) return false;
  vars[sole.name] = value;
  return true;
}

/** Whether the text is the elements with the value in place of each use. */
function isSpelled(elements: readonly Element[], value: string, text: string): boolean {
  let at = 0;
  for (const element of elements) {
    const part = typeof element === "string" ? element : value;
    if (!text.startsWith(part, at)) return false;
    at += part.length;
  }
  return at === text.length;
}

/** A segment with several unknown variables. */
function matchSplit(elements: readonly Element[], text: string, vars: OpenVars): boolean {
  const starts = startsOf(elements, text);
  if (starts[0]![0] !== 1) return false;
  let at = 0;
  for (const [index, element] of elements.entries()) {
    const end = typeof element === "string" ? at + element.length : firstEnd(element, text, at, starts[index + 1]!);
    if (typeof element !== "string") {
      vars[element.name] = text.slice(at, end);
      const isRepeated = elements.some(
        (later, i) => i > index && typeof later !== "string" && later.name === element.name,
      );
      if (isRepeated) return matchElements(fillIn(elements, vars), text, vars);
    }
    at = end;
  }
  return true;
}

/** Per element, and after the last, 1 at each offset from where the text can be these elements to its end. */
function startsOf(elements: readonly Element[], text: string): readonly Uint8Array[] {
  let ends: Uint8Array = new Uint8Array(text.length + 1);
  ends[text.length] = 1;
  const all = [ends];
  for (const element of elements.toReversed()) {
    if (typeof element === "string") ends = literalStarts(element, text, ends);
    else ends = element.type === undefined ? freeStarts(text, ends) : possibleStarts(element.type.reversed, text, ends);
    all.push(ends);
  }
  return all.reverse();
}

function literalStarts(literal: string, text: string, ends: Uint8Array): Uint8Array {
  const starts = new Uint8Array(text.length + 1);
  for (let at = text.length - literal.length; at >= 0; at--)
    if (ends[at + literal.length] === 1 && text.startsWith(literal, at)) starts[at] = 1;
  return starts;
}

function freeStarts(text: string, ends: Uint8Array): Uint8Array {
  const starts = new Uint8Array(text.length + 1);
  let canEnd = false;
  for (let at = text.length - 1; at >= 0; at--) {
    canEnd = (canEnd || ends[at + 1] === 1) && text[at] !== "/";
    if (canEnd) starts[at] = 1;
  }
  return starts;
}

function firstEnd(use: Use, text: string, from: number, ends: Uint8Array): number {
  return use.type === undefined ? ends.indexOf(1, from + 1) : shortestEnd(use.type.program, text, from, ends);
}
