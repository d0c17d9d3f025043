import type { RelPath } from "../model/words.ts";

/** The folder of a root that Millrace keeps for itself; nothing in it is ever a state. */
export const OWN_FOLDER = ".millrace";

/** Whether the path is none that a state may have: it has a `.` or `..` segment, or is in Millrace's own folder. */
export function isReserved(path: RelPath): boolean {
  if (!path.startsWith(".") && !path.includes("/.")) return false;
  const segments = path.split("/");
  return segments[0] === OWN_FOLDER || segments.some((segment) => segment === "." || segment === "..");
}
