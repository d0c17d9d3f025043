import { hashBytes, treeHash, type TreeEntry } from "../../core/hash/hash.ts";
import type { AbsPath, ContentHash, RelPath } from "../../core/model/words.ts";
import { createIgnore, type IgnoreRules } from "../../core/pattern/ignore.ts";
import type { Disk, FileStat, StateHash } from "../../ports.ts";
import { hashFile } from "./file-hash.ts";

/** One thing below a folder state that counts. */
export interface TreeNode {
  /** Relative to the folder. */
  readonly path: string;
  readonly kind: "file" | "folder" | "symlink";
  readonly stat: FileStat;
}

export type Tree =
  | { readonly is: "tree"; readonly nodes: readonly TreeNode[]; readonly stat: FileStat }
  | { readonly is: "refused"; readonly reason: string };

/** Which names a folder state leaves out: `path` is where the state is (or will be) in its root. */
export interface TreeScope {
  readonly path: RelPath;
  readonly ignore: IgnoreRules;
}

/**
 * Everything below a folder that counts as its content, in walking order: folders, regular files and symlinks (as links: what they
 * lead to does not count), without ignored names, FIFOs, sockets and devices.
 *
 * Its stat stands for the whole tree and differs after any change below: `size` is the sum of the files' sizes, the times
 * are the latest in the tree, and `ino` is a number made from path, size, times and inode of everything in it.
 */
export function walkTree(disk: Disk, folder: AbsPath, own: FileStat, scope: TreeScope): Tree {
  const nodes: TreeNode[] = [];
  // A state inside an ignored folder was named by a pattern on purpose.
  const inRoot = scope.path === "" || scope.path.endsWith("/") ? scope.path : `${scope.path}/`;
  const prefix = scope.ignore.test(inRoot, true) === undefined ? inRoot : "";
  const pending = [""];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const name of disk.list(`${folder}/${at}`) ?? []) {
      const path = at + name;
      const stat = disk.lstat(`${folder}/${path}`);
      if (stat === undefined && name.includes("\uFFFD")) {
        return { is: "refused", reason: `name that is not UTF-8: "${path}"` };
      }
      if (stat === undefined || stat.kind === "other") continue;
      if (scope.ignore.test(prefix + path, stat.kind === "folder") !== undefined) continue;
      nodes.push({ path, kind: stat.kind, stat });
      if (stat.kind === "folder") pending.push(`${path}/`);
    }
  }
  return { is: "tree", nodes, stat: statOfTree(own, nodes) };
}

function statOfTree(own: FileStat, nodes: readonly TreeNode[]): FileStat {
  let { mtimeMs, ctimeMs } = own;
  let size = 0;
  const lines = [`${own.ino} ${own.mtimeMs} ${own.ctimeMs}`];
  for (const { path, kind, stat } of nodes) {
    if (kind === "file") size += stat.size;
    mtimeMs = Math.max(mtimeMs, stat.mtimeMs);
    ctimeMs = Math.max(ctimeMs, stat.ctimeMs);
    lines.push(`${path}\0${kind} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.ino}`);
  }
  // 52 bits, which a number holds exactly.
  const ino = Number.parseInt(hashBytes(lines.sort().join("\0")).slice(0, 13), 16);
  return { kind: "folder", size, mtimeMs, ctimeMs, ino, dev: own.dev };
}

/**
 * The hash of a walked tree, a step at a time: yields between the chunks of a large file and after every few nodes.
 * `changing` when a node is not what it was when walked.
 */
export function* hashTree(
  disk: Disk,
  folder: AbsPath,
  nodes: readonly TreeNode[],
): Generator<void, ContentHash | Exclude<StateHash, { readonly is: "hashed" }>> {
  const entries: TreeEntry[] = [];
  for (const { path, kind } of nodes) {
    let hash: ContentHash | undefined = "";
    if (kind === "symlink") {
      const target = disk.readLink(`${folder}/${path}`);
      hash = target === undefined ? undefined : hashBytes(target);
    } else if (kind === "file") {
      const hashed = yield* hashFile(disk, `${folder}/${path}`);
      if (hashed.is === "refused") return { is: "refused", reason: `"${path}": ${hashed.reason}` };
      hash = hashed.is === "hashed" ? hashed.hash : undefined;
    }
    if (hash === undefined) return { is: "changing" };
    entries.push({ path, kind, hash });
    if (entries.length % NODES_OF_A_STEP === 0) yield;
  }
  return treeHash(entries);
}
const NODES_OF_A_STEP = 64;

/**
 * The hash of the tree in a folder, which nobody else may be writing (a staged output): equal to the content hash that
 * `StateReader` finds once the folder is at `scope.path`. Without a scope the default ignore list holds.
 * Throws Node's error when something cannot be read, and when there is no folder.
 */
export function hashTreeAt(disk: Disk, folder: AbsPath, scope: TreeScope = DEFAULT_SCOPE): ContentHash {
  const own = disk.lstat(folder);
  if (own?.kind !== "folder") throw unreadable("ENOTDIR", folder, "no folder");
  const tree = walkTree(disk, folder, own, scope);
  if (tree.is === "refused") throw unreadable("EILSEQ", folder, tree.reason);
  const hash = runNow(hashTree(disk, folder, tree.nodes));
  if (typeof hash === "string") return hash;
  throw unreadable("EBUSY", folder, hash.is === "refused" ? hash.reason : "it is being written");
}
const DEFAULT_SCOPE: TreeScope = { path: "", ignore: createIgnore() };

function unreadable(code: string, folder: AbsPath, why: string): Error {
  return Object.assign(new Error(`${code}: ${why}, hash '${folder}'`), { code });
}

/** Runs all steps at once. */
export function runNow<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
