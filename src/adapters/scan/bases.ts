import type { RelPath } from "../../core/model/words.ts";
import type { WatchBase } from "../../ports.ts";

/** How many levels `path` is below `base`; `undefined` when it is not at or below it. */
function levelsBelow(base: RelPath, path: RelPath): number | undefined {
  if (path === base) return 0;
  if (base === "") return path.split("/").length;
  return path.startsWith(`${base}/`) ? path.slice(base.length + 1).split("/").length : undefined;
}

/** The same subtrees without those that another one covers whole. */
export function withoutOverlap(bases: readonly WatchBase[]): WatchBase[] {
  const kept: WatchBase[] = [];
  // Whatever covers a base comes before it: the shorter path, and of equal paths the deeper reach.
  for (const base of bases.toSorted((a, b) => a.path.length - b.path.length || b.depth - a.depth)) {
    const isCovered = kept.some(({ path, depth }) => {
      const levels = levelsBelow(path, base.path);
      return levels !== undefined && levels + base.depth <= depth;
    });
    if (!isCovered) kept.push(base);
  }
  return kept;
}

/** Whether some path is at or below two of the bases, so that it can be found twice. */
export function doOverlap(bases: readonly WatchBase[]): boolean {
  const kept = withoutOverlap(bases);
  return kept.some((base) => kept.some((other) => other !== base && levelsBelow(base.path, other.path) !== undefined));
}
