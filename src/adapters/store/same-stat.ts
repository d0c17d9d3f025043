import type { FileStat } from "../../ports.ts";

/** Whether two looks saw the same thing, unchanged, as far as a stat can tell. */
export function isSameStat(a: FileStat, b: FileStat | undefined): boolean {
  return (
    b !== undefined &&
    a.kind === b.kind &&
    a.size === b.size &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs &&
    a.ino === b.ino &&
    a.dev === b.dev
  );
}
