import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Disk } from "../../ports.ts";
import { isDiskError } from "../disk-error.ts";
import type { IgnoreTest } from "../calls/why-not.ts";

/** One name in a folder of the root, told by its bytes. */
export interface Entry {
  /** Bytes that are no UTF-8 come as U+FFFD; a folder state ends with `/`. */
  readonly path: RelPath;
  /** The same for people: bytes that are no UTF-8 are written `\xHH`. */
  readonly shown: RelPath;
  readonly kind: "file" | "folder" | "other" | "bad-name" | "unreadable" | "link-outside" | "link-nowhere";
  /** The rule that ignores it. */
  readonly rule: string | undefined;
  /** When it was last changed; `undefined` for a name that the system does not let us ask for. */
  readonly mtimeMs: number | undefined;
}

export interface WalkOptions {
  readonly disk: Disk;
  readonly root: AbsPath;
  readonly ignored: IgnoreTest;
  /** Is the folder of this path (which ends with `/`) one state? Then what is below it is not walked. */
  readonly isFolderState: (path: RelPath) => boolean;
}

const OWN_FOLDER = ".millrace";

/**
 * Everything below a root but Millrace's own, each name once, listed by bytes. An ignored folder is one entry; a folder that
 * holds entries comes as none. Links to folders inside the root are followed, never in circles.
 */
export function* walkRoot(options: WalkOptions): Generator<Entry, void> {
  const real = options.disk.realpath(options.root);
  if (real === undefined) return;
  const open: Folder[] = [{ path: "", real, above: [] }];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const bytes of list(options, folder)) {
      const found = entryOf(bytes, folder, options, real);
      if (found === undefined) continue;
      if ("kind" in found) yield found;
      else open.push(found);
    }
    if (folder.fault !== undefined) yield plain(folder.path, "unreadable");
  }
}

interface Folder {
  readonly path: RelPath;
  /** Every link resolved. */
  readonly real: AbsPath;
  /** Where links led here from: one that leads back up would lead in circles. */
  readonly above: readonly AbsPath[];
  fault?: string;
}

function list({ disk, root }: WalkOptions, folder: Folder): Uint8Array[] {
  try {
    return disk.listBytes(folder.path === "" ? root : `${root}/${folder.path}`) ?? [];
  } catch (error) {
    if (!isDiskError(error)) throw error;
    folder.fault = error.message;
    return [];
  }
}

function plain(path: RelPath, kind: Entry["kind"], more: Partial<Entry> = {}): Entry {
  return { path, shown: path, kind, rule: undefined, mtimeMs: undefined, ...more };
}

/** `undefined`: it is gone since it was listed. */
function entryOf(
  bytes: Uint8Array,
  folder: Folder,
  options: WalkOptions,
  rootReal: AbsPath,
): Entry | Folder | undefined {
  const name = Buffer.from(bytes).toString("utf8");
  const path = folder.path === "" ? name : `${folder.path}/${name}`;
  if (!Buffer.from(name, "utf8").equals(bytes)) {
    const shown = folder.path === "" ? escapeBytes(bytes) : `${folder.path}/${escapeBytes(bytes)}`;
    return plain(path, "bad-name", { shown, rule: options.ignored(path, false) });
  }
  const { disk, root, ignored } = options;
  const stat = disk.lstat(`${root}/${path}`);
  if (stat === undefined) return undefined;
  const { mtimeMs } = stat;
  if (stat.kind === "symlink") return linkOf(path, folder, options, rootReal, mtimeMs);
  const isFolder = stat.kind === "folder";
  const rule = path === OWN_FOLDER ? OWN_FOLDER : ignored(path, isFolder);
  if (rule !== undefined || !isFolder) return plain(path, kindOf(stat.kind), { rule, mtimeMs });
  if (options.isFolderState(`${path}/`)) return plain(`${path}/`, "folder", { mtimeMs });
  return { path, real: `${folder.real}/${name}`, above: folder.above };
}

function kindOf(kind: "file" | "folder" | "symlink" | "other"): "file" | "folder" | "other" {
  return kind === "file" || kind === "folder" ? kind : "other";
}

function linkOf(
  path: RelPath,
  folder: Folder,
  { disk, root, ignored, isFolderState }: WalkOptions,
  rootReal: AbsPath,
  mtimeMs: number,
): Entry | Folder {
  const real = disk.realpath(`${root}/${path}`);
  const target = real === undefined ? undefined : disk.lstat(real);
  const isFolder = target?.kind === "folder";
  const rule = ignored(path, isFolder);
  if (rule !== undefined) return plain(path, "file", { rule, mtimeMs });
  if (real === undefined || target === undefined) return plain(path, "link-nowhere", { mtimeMs });
  if (!isWithin(rootReal, real) || isWithin(`${rootReal}/${OWN_FOLDER}`, real))
    return plain(path, "link-outside", { mtimeMs });
  if (!isFolder) return plain(path, kindOf(target.kind), { mtimeMs });
  if (isFolderState(`${path}/`)) return plain(`${path}/`, "folder", { mtimeMs });
  const above = [...folder.above, folder.real];
  if (above.some((from) => isWithin(real, from))) return plain(path, "link-outside", { mtimeMs });
  return { path, real, above };
}

function isWithin(folder: AbsPath, path: AbsPath): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function escapeBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0").toUpperCase()}`,
  ).join("");
}
