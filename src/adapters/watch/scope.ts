import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { ChangeHint, WatchBase } from "../../ports.ts";

/** One base as an engine needs to know it. */
export interface BaseScope {
  readonly root: AbsPath;
  readonly base: WatchBase;
  readonly isIgnored: (path: RelPath, isFolder: boolean) => boolean;
}

/** What an engine tells; folders are relative to the root, without a final slash. */
export interface EngineSink {
  /** Something happened to a name in a folder, whatever it is; `false`: the folder is in a storm, single hints are not wanted. */
  arrived(folder: RelPath): boolean;
  path(path: RelPath): void;
  /** A path that the engine found out about later than the kernel said so: dropped when it was hinted just now. */
  repeatedPath(path: RelPath): void;
  /** An event of this folder lost its name. */
  lostName(folder: RelPath): void;
  newFolder(folder: RelPath): void;
  goneFolder(folder: RelPath): void;
  /** A folder or file below the base cannot be watched; the rest goes on. */
  cannotWatch(path: RelPath, error: Error): void;
  /** The engine cannot go on with this base. */
  failed(error: Error): void;
  /** The base has become one for the other engine: too many entries, or links to folders. */
  unsuited(): void;
}

/** Watches one existing folder. */
export interface Engine {
  /** Resolves when changes are noticed. */
  start(): Promise<void>;
  watchedFolders(): number;
  close(): Promise<void>;
}

export type OnHint = (hint: ChangeHint) => void;

/** The absolute path of a path in the root. */
export function absolute(root: AbsPath, path: RelPath): AbsPath {
  if (path === "") return root;
  return root === "/" ? `/${path}` : `${root}/${path}`;
}

/** A path in the root; `undefined` when it is outside. */
export function relative(root: AbsPath, path: AbsPath): RelPath | undefined {
  if (path === root) return "";
  const prefix = root === "/" ? "/" : `${root}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}

/** The folder of a path; that of a top-level name is `""`. */
export function folderOf(path: RelPath): RelPath {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** A name in a folder. */
export function child(folder: RelPath, name: string): RelPath {
  return folder === "" ? name : `${folder}/${name}`;
}

/** How many levels a path is below a base: 0 for the base itself, `undefined` when it is not below it. */
export function levelBelow(base: RelPath, path: RelPath): number | undefined {
  const below = relative(base, path);
  if (base !== "" && below === undefined) return undefined;
  const rest = base === "" ? path : (below ?? "");
  return rest === "" ? 0 : rest.split("/").length;
}

/** Bases that say the same with less: none is inside another one that reaches as deep. */
export function withoutOverlap(bases: readonly WatchBase[]): WatchBase[] {
  const kept: WatchBase[] = [];
  // Shallow paths first, and of one path the deepest first: whatever covers a base has been seen before it.
  const sorted = bases.toSorted((a, b) => a.path.length - b.path.length || b.depth - a.depth);
  for (const base of sorted) {
    const isCovered = kept.some((other) => {
      const level = levelBelow(other.path, base.path);
      return level !== undefined && level + base.depth <= other.depth;
    });
    if (!isCovered) kept.push(base);
  }
  return kept;
}
