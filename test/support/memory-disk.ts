import type { AbsPath } from "../../src/core/model/words.ts";
import type { Disk, FileStat, OpenFile } from "../../src/ports.ts";

interface NodeCommon {
  readonly ino: number;
  mtimeMs: number;
  ctimeMs: number;
  mode: number;
}
export interface FileNode extends NodeCommon {
  readonly kind: "file";
  bytes: Uint8Array;
}
export interface FolderNode extends NodeCommon {
  readonly kind: "folder";
  readonly entries: Map<string, MemoryNode>;
}
export interface LinkNode extends NodeCommon {
  readonly kind: "symlink";
  readonly target: string;
}
export interface OtherNode extends NodeCommon {
  readonly kind: "other";
}
/** What is at a place of a disk in memory. */
export type MemoryNode = FileNode | FolderNode | LinkNode | OtherNode;

/** The methods of a disk, named as the fault hook hears them. */
export type DiskOperation = keyof Disk;

const encoder = new TextEncoder();
const DOT = 46;

/** A disk in memory with the manners of Linux: error codes, inode numbers, links, and a ctime that moves with every change. */
export class MemoryDisk implements Disk {
  #root: FolderNode;
  readonly #wallMs: () => number;
  #inodes = 0;
  #lastMs = 0;
  /** Folders where another file system begins: nothing is renamed across. */
  readonly mounts: Set<AbsPath> = new Set();
  /** Folders that are on another device than 1. */
  readonly devices: Map<AbsPath, number> = new Map();
  /** Called before every operation; what it throws is what the operation throws. See `diskError`. */
  onOperation: ((operation: DiskOperation, path: AbsPath) => void) | undefined;
  /** Folders by their path without links, dots and doubled slashes: most lookups begin at one. Emptied when a folder goes. */
  readonly #folders = new Map<AbsPath, FolderNode>();

  constructor(clock: { wallMs(): number } = { wallMs: () => 1_700_000_000_000 }) {
    this.#wallMs = () => clock.wallMs();
    this.#root = this.#newFolder();
  }

  lstat(path: AbsPath): FileStat | undefined {
    this.onOperation?.("lstat", path);
    const node = this.#find(path, false);
    return node && statOf(node);
  }

  stat(path: AbsPath): FileStat | undefined {
    this.onOperation?.("stat", path);
    const node = this.#find(path, true);
    return node && { ...statOf(node), dev: this.devices.get(path) ?? 1 };
  }

  realpath(path: AbsPath): AbsPath | undefined {
    this.onOperation?.("realpath", path);
    return this.#walk(path, true)?.path;
  }

  readLink(path: AbsPath): string | undefined {
    this.onOperation?.("readLink", path);
    const node = this.#find(path, false);
    if (node === undefined) return undefined;
    if (node.kind !== "symlink") throw diskError("EINVAL", path);
    return node.target;
  }

  open(path: AbsPath): OpenFile | undefined {
    this.onOperation?.("open", path);
    const node = this.#find(path, false);
    if (node === undefined) return undefined;
    if (node.kind === "symlink") throw diskError("ELOOP", path);
    this.#checkReadable(node, path);
    let isOpen = true;
    const check = (): void => {
      if (!isOpen) throw diskError("EBADF", path);
    };
    return {
      stat: () => (check(), statOf(node)),
      read: (into, position) => {
        check();
        if (node.kind !== "file") throw diskError("EISDIR", path);
        const part = node.bytes.subarray(position, position + into.length);
        into.set(part);
        return part.length;
      },
      close: () => {
        check();
        isOpen = false;
      },
    };
  }

  list(path: AbsPath): string[] | undefined {
    this.onOperation?.("list", path);
    const node = this.#find(path, true);
    if (node?.kind !== "folder") return undefined;
    this.#checkReadable(node, path);
    return [...node.entries.keys()];
  }

  listBytes(path: AbsPath): Uint8Array[] | undefined {
    this.onOperation?.("listBytes", path);
    const node = this.#find(path, true);
    return node?.kind === "folder" ? [...node.entries.keys()].map((name) => Buffer.from(name)) : undefined;
  }

  read(path: AbsPath): Uint8Array | undefined {
    this.onOperation?.("read", path);
    const node = this.#find(path, true);
    if (node === undefined) return undefined;
    if (node.kind !== "file") throw diskError("EISDIR", path);
    this.#checkReadable(node, path);
    return node.bytes.slice();
  }

  write(
    path: AbsPath,
    bytes: Uint8Array | string,
    options: { readonly sync?: boolean; readonly mode?: number } = {},
  ): void {
    this.onOperation?.("write", path);
    const real = this.#walkStraight(path) === "winding" ? (this.#walkWinding(path, true)?.path ?? path) : path;
    const { folder, name } = this.#parentOf(real);
    const content = typeof bytes === "string" ? encoder.encode(bytes) : bytes.slice();
    const node = folder.entries.get(name);
    if (node === undefined) {
      this.#put(folder, name, { kind: "file", bytes: content, ...this.#fresh(options.mode ?? 0o644) });
    } else if (node.kind === "file") {
      node.bytes = content;
      node.mtimeMs = node.ctimeMs = this.#now();
    } else {
      throw diskError("EISDIR", path);
    }
  }

  rename(from: AbsPath, to: AbsPath): void {
    this.onOperation?.("rename", from);
    const source = this.#parentOf(from);
    const node = source.folder.entries.get(source.name);
    if (node === undefined) throw diskError("ENOENT", from);
    const target = this.#parentOf(to);
    if (this.#mountOf(from) !== this.#mountOf(to)) throw diskError("EXDEV", to);
    const there = target.folder.entries.get(target.name);
    if (there === node) return;
    if (there?.kind === "folder" && node.kind !== "folder") throw diskError("EISDIR", to);
    if (there !== undefined && there.kind !== "folder" && node.kind === "folder") throw diskError("ENOTDIR", to);
    if (there?.kind === "folder" && there.entries.size > 0) throw diskError("ENOTEMPTY", to);
    if (`${to}/`.startsWith(`${from}/`)) throw diskError("EINVAL", to);
    this.#drop(source.folder, source.name);
    this.#put(target.folder, target.name, node);
    node.ctimeMs = this.#now();
  }

  copy(from: AbsPath, to: AbsPath): void {
    this.onOperation?.("copy", from);
    const node = this.#find(from, false);
    if (node === undefined) throw diskError("ENOENT", from);
    this.#copyNode(node, from, to);
  }

  makeFolders(path: AbsPath): void {
    this.onOperation?.("makeFolders", path);
    if (this.peek(path)?.kind === "folder") return;
    let at = "";
    for (const segment of segmentsOf(path)) {
      at += `/${segment}`;
      const node = this.#find(at, true);
      if (node === undefined) {
        const { folder, name } = this.#parentOf(at);
        this.#put(folder, name, this.#newFolder());
      } else if (node.kind !== "folder") {
        throw diskError(at === path ? "EEXIST" : "ENOTDIR", path);
      }
    }
  }

  remove(path: AbsPath): boolean {
    this.onOperation?.("remove", path);
    const node = this.#find(path, false);
    if (node === undefined) return false;
    if (node.kind === "folder" && node.entries.size > 0) throw diskError("ENOTEMPTY", path);
    const { folder, name } = this.#parentOf(path);
    this.#drop(folder, name);
    return true;
  }

  removeTree(path: AbsPath): void {
    this.onOperation?.("removeTree", path);
    if (this.#find(path, false) === undefined) return;
    const { folder, name } = this.#parentOf(path);
    this.#drop(folder, name);
  }

  sync(path: AbsPath): void {
    this.onOperation?.("sync", path);
    if (this.#find(path, true) === undefined) throw diskError("ENOENT", path);
  }

  // ---- what tests set up and the port does not offer

  symlink(target: string, path: AbsPath): void {
    const { folder, name } = this.#parentOf(path);
    this.#put(folder, name, { kind: "symlink", target, ...this.#fresh(0o777) });
  }

  makeFifo(path: AbsPath): void {
    const { folder, name } = this.#parentOf(path);
    this.#put(folder, name, { kind: "other", ...this.#fresh(0o644) });
  }

  /** A file or folder whose mode has no read bit cannot be read. */
  chmod(path: AbsPath, mode: number): void {
    const node = this.#find(path, true);
    if (node === undefined) throw diskError("ENOENT", path);
    node.mode = mode;
    node.ctimeMs = this.#now();
  }

  /** Other bytes of the same length with times left as they were, as on a disk with a coarse clock. */
  rewriteWithSameStat(path: AbsPath, text: string): void {
    const node = this.#find(path, true);
    const bytes = new TextEncoder().encode(text);
    if (node?.kind !== "file" || node.bytes.length !== bytes.length) throw new Error(`${path} has another length`);
    node.bytes = bytes;
  }

  modeOf(path: AbsPath): number | undefined {
    return this.#find(path, true)?.mode;
  }

  /** Everything on it, as it is now: not a copy. */
  get tree(): FolderNode {
    return this.#root;
  }

  /** Puts another tree in place of everything on it, inode numbers and times included: what a power cut left. */
  load(tree: FolderNode): void {
    this.#root = tree;
    this.#folders.clear();
  }

  /** What is at a path that no link leads to, dots and doubled slashes left out; `undefined` when nothing is, or a link is on the way. */
  peek(path: AbsPath): MemoryNode | undefined {
    const straight = this.#walkStraight(path);
    return straight === "winding" ? undefined : straight;
  }

  // ----

  #copyNode(node: MemoryNode, from: AbsPath, to: AbsPath): void {
    if (node.kind === "file") {
      this.write(to, node.bytes, { mode: node.mode });
    } else if (node.kind === "symlink") {
      this.symlink(node.target, to);
    } else if (node.kind === "folder") {
      this.makeFolders(to);
      for (const [name, inner] of [...node.entries]) this.#copyNode(inner, `${from}/${name}`, `${to}/${name}`);
      this.chmod(to, node.mode);
    } else {
      throw diskError("EINVAL", from);
    }
  }

  #find(path: AbsPath, follow: boolean): MemoryNode | undefined {
    const straight = this.#walkStraight(path);
    return straight === "winding" ? this.#walkWinding(path, follow)?.node : straight;
  }

  #walk(path: AbsPath, follow: boolean): { readonly node: MemoryNode; readonly path: AbsPath } | undefined {
    const node = this.#walkStraight(path);
    if (node === "winding") return this.#walkWinding(path, follow);
    return node && { node, path: path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path };
  }

  #walkWinding(path: AbsPath, follow: boolean): { readonly node: MemoryNode; readonly path: AbsPath } | undefined {
    let pending = segmentsOf(path);
    const way: { readonly name: string; readonly node: MemoryNode }[] = [];
    for (let hops = 0; pending.length > 0;) {
      const [segment = "", ...rest] = pending;
      pending = rest;
      if (segment === "..") {
        way.pop();
        continue;
      }
      const at = way.at(-1)?.node ?? this.#root;
      const next = at.kind === "folder" ? at.entries.get(segment) : undefined;
      if (next === undefined) return undefined;
      if (next.kind === "symlink" && (follow || pending.length > 0)) {
        if (++hops > 40) throw diskError("ELOOP", path);
        if (next.target.startsWith("/")) way.length = 0;
        pending = [...segmentsOf(next.target), ...pending];
        continue;
      }
      way.push({ name: segment, node: next });
    }
    return { node: way.at(-1)?.node ?? this.#root, path: `/${way.map(({ name }) => name).join("/")}` };
  }

  /** The same for a path without links, dots and doubled slashes, which nearly all are. */
  #walkStraight(path: AbsPath): MemoryNode | undefined | "winding" {
    const slash = path.lastIndexOf("/");
    const folder = this.#folders.get(path.slice(0, slash));
    if (folder === undefined || !isPlainName(path, slash + 1)) return this.#walkFromRoot(path);
    const node = folder.entries.get(path.slice(slash + 1));
    return node?.kind === "symlink" ? "winding" : node;
  }

  #walkFromRoot(path: AbsPath): MemoryNode | undefined | "winding" {
    if (path[0] !== "/" || path.endsWith("/.") || /\/\.?\/|\/\.\./.test(path)) return "winding";
    let at: MemoryNode = this.#root;
    for (let from = 1; from < path.length;) {
      const slash = path.indexOf("/", from);
      const end = slash === -1 ? path.length : slash;
      if (at.kind !== "folder") return undefined;
      if (slash === -1) this.#folders.set(path.slice(0, from - 1), at);
      const next: MemoryNode | undefined = at.entries.get(path.slice(from, end));
      if (next === undefined) return undefined;
      if (next.kind === "symlink") return "winding";
      at = next;
      from = end + 1;
    }
    return at;
  }

  #parentOf(path: AbsPath): { readonly folder: FolderNode; readonly name: string } {
    const slash = path.lastIndexOf("/");
    const known = this.#folders.get(path.slice(0, slash));
    if (known !== undefined && path.length - slash < 64 && isPlainName(path, slash + 1))
      return { folder: known, name: path.slice(slash + 1) };
    const segments = segmentsOf(path);
    const name = segments.pop();
    const folder = this.#find(`/${segments.join("/")}`, true);
    if (name === undefined) throw diskError("EBUSY", path);
    if (folder === undefined) throw diskError("ENOENT", path);
    if (folder.kind !== "folder") throw diskError("ENOTDIR", path);
    if (Buffer.byteLength(name) > 255) throw diskError("ENAMETOOLONG", path);
    return { folder, name };
  }

  #put(folder: FolderNode, name: string, node: MemoryNode): void {
    this.#forget(folder.entries.get(name));
    folder.entries.set(name, node);
    folder.mtimeMs = folder.ctimeMs = this.#now();
  }

  #drop(folder: FolderNode, name: string): void {
    this.#forget(folder.entries.get(name));
    folder.entries.delete(name);
    folder.mtimeMs = folder.ctimeMs = this.#now();
  }

  /** A node leaves its place. */
  #forget(node: MemoryNode | undefined): void {
    if (node?.kind !== "folder") return;
    for (const inner of node.entries.values()) if (inner.kind === "folder") return this.#folders.clear();
    for (const [path, known] of this.#folders) if (known === node) this.#folders.delete(path);
  }

  #newFolder(): FolderNode {
    return { kind: "folder", entries: new Map(), ...this.#fresh(0o755) };
  }

  #fresh(mode: number): NodeCommon {
    const now = this.#now();
    return { ino: ++this.#inodes, mtimeMs: now, ctimeMs: now, mode };
  }

  #mountOf(path: AbsPath): AbsPath | undefined {
    if (this.mounts.size === 0) return undefined;
    return [...this.mounts].find((mount) => path.startsWith(`${mount}/`));
  }

  /** Every change gets a time of its own, as on kernels with multigrain timestamps. */
  #now(): number {
    this.#lastMs = Math.max(this.#wallMs(), this.#lastMs + 1 / 1024);
    return this.#lastMs;
  }

  #checkReadable(node: MemoryNode, path: AbsPath): void {
    if ((node.mode & 0o444) === 0) throw diskError("EACCES", path);
  }
}

/** An error as Node throws it. */
export function diskError(code: string, path: AbsPath): Error {
  return Object.assign(new Error(`${code}: '${path}'`), { code, path });
}

/** Whether what is left of a path is a name: not empty, no `.` and no `..`. */
function isPlainName(path: string, from: number): boolean {
  return (
    from < path.length && (path.charCodeAt(from) !== DOT || (from + 1 < path.length && !path.startsWith("..", from)))
  );
}

function segmentsOf(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}

function statOf(node: MemoryNode): FileStat {
  const { kind, ino, mtimeMs, ctimeMs } = node;
  const size = node.kind === "file" ? node.bytes.length : node.kind === "symlink" ? node.target.length : 0;
  return { kind, size, mtimeMs, ctimeMs, ino, dev: 1 };
}
