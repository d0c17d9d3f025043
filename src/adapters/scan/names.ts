import { readdir, readdirSync, type Dirent } from "node:fs";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { ScanProblem } from "../../ports.ts";

/** What listing needs to know and where it tells what it could not list. */
export interface Listing {
  readonly isIgnored: (path: RelPath, isFolder: boolean) => boolean;
  readonly problems: ScanProblem[];
}

const OWN_FOLDER = ".millrace";

/** The path of a name in a folder; `""` is the root. */
export function below(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/**
 * The names in one folder, not yet asked whether they are ignored (that takes their kinds).
 * `undefined` when the folder is gone.
 */
export function listFlat(folder: AbsPath, path: RelPath, { problems }: Listing): string[] | undefined {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    return reportUnlisted(error, path, problems) ? [] : undefined;
  }
  const own = names.indexOf(OWN_FOLDER);
  if (own !== -1) names.splice(own, 1);
  const bad = badNames(folder, path, names, problems);
  return bad.size === 0 ? names : names.filter((name) => !bad.has(name));
}

/**
 * Every path in a folder down to `depth` levels, relative to it, without what is ignored and what is below it.
 * Links are listed and not followed.
 */
export async function listDeep(folder: AbsPath, path: RelPath, depth: number, listing: Listing): Promise<string[]> {
  // Most scans list folders one level deep and do without it.
  const { default: glob } = await import("fast-glob");
  const found = await glob("**/*", {
    cwd: folder,
    deep: depth,
    dot: true,
    onlyFiles: false,
    followSymbolicLinks: false,
    unique: false,
    fs: { readdir: readdirFor(folder, path, listing) },
  });
  return found.map(decodeName);
}

type ReaddirDone = (error: NodeJS.ErrnoException | null, entries: Dirent[]) => void;

/** What fast-glob lists folders with: without the ignored, so that it does not descend into them, and never failing. */
function readdirFor(base: AbsPath, basePath: RelPath, { isIgnored, problems }: Listing): typeof readdir {
  const listEntries = (encoded: string, _: unknown, done: ReaddirDone): void => {
    const folder = decodeName(encoded);
    const path = folder === base ? basePath : below(basePath, folder.slice(base === "/" ? 1 : base.length + 1));
    readdir(folder, { withFileTypes: true }, (error, entries) => {
      if (error !== null) {
        reportUnlisted(error, path, problems);
        done(null, []);
        return;
      }
      const names = entries.map((entry) => entry.name);
      const bad = badNames(folder, path, names, problems);
      const kept = entries.filter(
        (entry) =>
          entry.name !== OWN_FOLDER && !bad.has(entry.name) && !isIgnored(below(path, entry.name), entry.isDirectory()),
      );
      for (const entry of kept) entry.name = encodeName(entry.name);
      done(null, kept);
    });
  };
  return listEntries as unknown as typeof readdir;
}

// fast-glob's `**` is a regular expression whose dot stops at line breaks, so names that hold one would be lost. It gets
// to see other characters in their place: E000 introduces, what follows tells which one it was.
const LINE_BREAKS = "\uE000\n\r\u2028\u2029";
const NEEDS_CODE = /[\uE000\n\r\u2028\u2029]/;

function encodeName(name: string): string {
  if (!NEEDS_CODE.test(name)) return name;
  return name.replace(/[\uE000\n\r\u2028\u2029]/g, (found) => `\uE000${LINE_BREAKS.indexOf(found)}`);
}

function decodeName(name: string): string {
  if (!name.includes("\uE000")) return name;
  return name.replace(/\uE000([0-4])/g, (_, index: string) => LINE_BREAKS.charAt(Number(index)));
}

/** Says whether the folder is still there. */
function reportUnlisted(error: unknown, path: RelPath, problems: ScanProblem[]): boolean {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return false;
  problems.push({ kind: "unreadable", path, reason: `the folder cannot be listed: ${code ?? String(error)}` });
  return true;
}

/**
 * The names that stand for bytes which are no UTF-8, each reported once. Node decodes such bytes as U+FFFD, which may
 * also be a character of a right name; only the bytes can tell.
 */
function badNames(folder: AbsPath, path: RelPath, names: readonly string[], problems: ScanProblem[]): Set<string> {
  const bad = new Set<string>();
  if (!names.some((name) => name.includes("\uFFFD"))) return bad;
  const right = new Set<string>();
  for (const bytes of readdirSync(folder, "buffer")) {
    const name = bytes.toString("utf8");
    if (bytes.equals(Buffer.from(name, "utf8"))) right.add(name);
    else {
      bad.add(name);
      problems.push({ kind: "bad-name", path: below(path, escapeBytes(bytes)), reason: "the name is not valid UTF-8" });
    }
  }
  return bad.difference(right);
}

function escapeBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0").toUpperCase()}`,
  ).join("");
}
