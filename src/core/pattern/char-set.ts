/** Sorted, disjoint, inclusive ranges of code points, flat: `[low, high, low, high, ...]`. */
export type CharSet = readonly number[];

const LAST = 0x10ffff;

/** Every code point. */
export const ALL_CHARS: CharSet = [0, LAST];

/** What a file name may hold: everything but NUL and `/`. */
export const NAME_CHARS: CharSet = [1, 46, 48, LAST];

/** A set of one character. */
export function charSetOf(codePoint: number): CharSet {
  return [codePoint, codePoint];
}

/** The set of everything in any of these ranges, which may overlap and stand in any order. */
export function uniteRanges(ranges: readonly (readonly [low: number, high: number])[]): CharSet {
  const out: number[] = [];
  for (const [low, high] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const end = out.at(-1);
    if (end !== undefined && low <= end + 1) out[out.length - 1] = Math.max(end, high);
    else out.push(low, high);
  }
  return out;
}

/** Everything that is not in the set. */
export function invert(set: CharSet): CharSet {
  const out: number[] = [];
  let from = 0;
  for (const [low, high] of rangesOf(set)) {
    if (low > from) out.push(from, low - 1);
    from = high + 1;
  }
  if (from <= LAST) out.push(from, LAST);
  return out;
}

/** What is in both sets. */
export function intersect(a: CharSet, b: CharSet): CharSet {
  const out: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const [aHigh, bHigh] = [a[i + 1]!, b[j + 1]!];
    const [low, high] = [Math.max(a[i]!, b[j]!), Math.min(aHigh, bHigh)];
    if (low <= high) out.push(low, high);
    if (aHigh < bHigh) i += 2;
    else j += 2;
  }
  return out;
}

/** Whether the character is in the set. */
export function hasChar(set: CharSet, codePoint: number): boolean {
  for (let i = 0; i < set.length; i += 2) {
    if (codePoint < set[i]!) return false;
    if (codePoint <= set[i + 1]!) return true;
  }
  return false;
}

/** The ranges of a set as pairs. */
export function rangesOf(set: CharSet): [low: number, high: number][] {
  const out: [number, number][] = [];
  for (let i = 0; i < set.length; i += 2) out.push([set[i]!, set[i + 1]!]);
  return out;
}
