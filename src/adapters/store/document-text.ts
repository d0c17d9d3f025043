import type { AbsPath } from "../../core/model/words.ts";
import type { Disk } from "../../ports.ts";

// Invalid UTF-8 must not turn into U+FFFD in silence: it is damage.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a file; `undefined`: there is none; `null`: it is not UTF-8. */
export function readText(disk: Disk, path: AbsPath): string | null | undefined {
  const bytes = disk.read(path);
  if (bytes === undefined) return undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
