import type { RelPath } from "../model/words.ts";
import { emptyVars, fillIn, matchElements, matchPattern, partsOf, unmatchedSegment } from "./match.ts";
import { isReserved } from "./reserved.ts";
import type { Element, Pattern } from "./shape.ts";

/** Where a path stops being what a pattern says. */
export interface Miss {
  /** The segment of the path, counted from 0; the path's length in segments when it ends too early. */
  readonly segment: number;
  /** What the pattern has there, with variables that are known already filled in; ends with `/` where a folder was wanted and a file came. Empty: nothing more. */
  readonly expected: string;
  /** What the path has there; ends with `/` where a file was wanted and a folder came. Empty: nothing more. */
  readonly got: string;
}

/** The first part of the path, from the left, that the pattern does not match; `undefined` when it matches all. */
export function nearestMiss(pattern: Pattern, path: RelPath): Miss | undefined {
  if (matchPattern(pattern, path) !== undefined) return undefined;
  const isFolder = path.endsWith("/");
  const names = (isFolder ? path.slice(0, -1) : path).split("/");
  return missInSegments(pattern, names, isFolder) ?? missInForm(pattern, path, names);
}

function missInSegments(pattern: Pattern, names: readonly string[], isFolder: boolean): Miss | undefined {
  const { segments, restAt } = pattern;
  const vars = emptyVars();
  const spare = names.length - segments.length;
  const last = segments.length - 1;
  for (const [index, { text, elements }] of segments.entries()) {
    const isLate = restAt >= 0 && index > restAt;
    const segment = isLate ? index + spare : index;
    const expected = pattern.hasRepeats ? spellOut(fillIn(elements, vars)) : text;
    if (index >= names.length || (index === restAt && spare < 0))
      return { segment: names.length, expected: segments[names.length]!.text, got: "" };
    const got = index === restAt ? names.slice(index, index + spare + 1).join("/") : names[segment]!;
    if (!matchElements(fillIn(elements, vars), got, vars)) return { segment, expected, got };
    if (index < last) continue;
    if (restAt < 0 && spare > 0)
      return pattern.isFolder
        ? { segment: index + 1, expected: "", got: names.slice(index + 1).join("/") }
        : { segment, expected, got: `${got}/` };
    if (pattern.isFolder && !isFolder) return { segment, expected: `${expected}/`, got };
    if (!pattern.isFolder && isFolder) return { segment, expected, got: `${got}/` };
  }
  return undefined;
}

/** What is left: a path that no state may have, or uses of one variable that are read in another order. */
function missInForm(pattern: Pattern, path: RelPath, names: readonly string[]): Miss {
  const bad = names.findIndex(
    (name, index) => (index === 0 ? isReserved(name) : isReserved(`x/${name}`)) || name.includes("\0"),
  );
  const index = bad >= 0 ? bad : (unmatchedSegment(pattern, path, emptyVars()) ?? 0);
  const got = bad >= 0 ? names[bad]! : (partsOf(pattern, path)?.[index] ?? path);
  return { segment: index, expected: (pattern.segments[index] ?? pattern.segments.at(-1)!).text, got };
}

function spellOut(elements: readonly Element[]): string {
  return elements.map((element) => (typeof element === "string" ? element : `{${element.name}}`)).join("");
}
