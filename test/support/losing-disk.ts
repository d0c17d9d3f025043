import type { AbsPath } from "../../src/core/model/words.ts";
import type { Disk, FileStat, OpenFile } from "../../src/ports.ts";
import type { FolderNode, MemoryDisk, MemoryNode } from "./memory-disk.ts";

/** An entry of a folder: two changes of one entry are never reordered, changes of different ones may be. */
interface Entry {
  readonly folder: number;
  readonly name: string;
  /** Both in one. */
  readonly key: string;
}

/** A change of names that is not on the medium yet: something was made, renamed or removed. It gets there as a whole. */
interface NameChange {
  readonly entries: readonly Entry[];
  readonly apply: (medium: Map<number, Inode>) => void;
}

/** What the medium holds of a file or a folder. */
type Inode =
  | { readonly kind: "file"; bytes: Uint8Array }
  | { readonly kind: "folder"; readonly entries: Map<string, number> }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "other" };

interface Times {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly mode: number;
}

/**
 * A disk in memory whose power may fail. What is written, renamed or removed is on the medium only after `sync` of the
 * file (its bytes) and of its folder (its name), or after `syncAll`; until then any part of it may be lost.
 *
 * It takes what the memory disk holds when it is made for durable; from then on everything must be written through it (or
 * call `syncAll` after writing past it). `powerCut` puts what a file system like ext4 or xfs may show after a cut onto the
 * memory disk: names may be there before the bytes (empty, short, mixed, or zeroes under the right size and times).
 */
export class LosingDisk implements Disk {
  readonly memory: MemoryDisk;
  #medium = new Map<number, Inode>();
  #names: NameChange[] = [];
  /** Contents not forced to the medium, oldest first, by inode. */
  readonly #contents = new Map<number, Uint8Array[]>();
  readonly #times = new Map<number, Times>();

  constructor(memory: MemoryDisk) {
    this.memory = memory;
    this.syncAll();
  }

  /** How many changes a power cut could lose now. */
  get unsynced(): number {
    return this.#names.length + this.#contents.size;
  }

  /** Everything is on the medium, as after `sync -f`. */
  syncAll(): void {
    this.#medium = new Map();
    this.#names = [];
    this.#contents.clear();
    this.#takeTree(this.memory.tree);
  }

  #takeTree(node: MemoryNode): void {
    this.#times.set(node.ino, timesOf(node));
    this.#medium.set(node.ino, inodeOf(node));
    if (node.kind === "folder") for (const inner of node.entries.values()) this.#takeTree(inner);
  }

  /**
   * The power fails: of what was not forced to the medium a part chosen by `random` is lost. Then the memory disk holds
   * what the next boot finds; inode numbers and times survive.
   */
  powerCut(random: { next(): number }): void {
    this.#applyNames(chooseKept(this.#names, random));
    for (const [ino, versions] of this.#contents) {
      const inode = this.#medium.get(ino);
      if (inode?.kind === "file") inode.bytes = chooseContent(inode.bytes, versions, random);
    }
    this.memory.load(this.#build(this.memory.tree.ino) as FolderNode);
    this.syncAll();
  }

  #build(ino: number): MemoryNode {
    const inode = this.#medium.get(ino)!;
    const common = { ino, ...this.#times.get(ino)! };
    if (inode.kind !== "folder") return { ...common, ...inode };
    const entries = new Map([...inode.entries].map(([name, inner]) => [name, this.#build(inner)]));
    return { ...common, kind: "folder", entries };
  }

  // ------------------------------------------------------------ reading

  lstat(path: AbsPath): FileStat | undefined {
    return this.memory.lstat(path);
  }
  stat(path: AbsPath): FileStat | undefined {
    return this.memory.stat(path);
  }
  realpath(path: AbsPath): AbsPath | undefined {
    return this.memory.realpath(path);
  }
  readLink(path: AbsPath): string | undefined {
    return this.memory.readLink(path);
  }
  open(path: AbsPath): OpenFile | undefined {
    return this.memory.open(path);
  }
  list(path: AbsPath): string[] | undefined {
    return this.memory.list(path);
  }
  listBytes(path: AbsPath): Uint8Array[] | undefined {
    return this.memory.listBytes(path);
  }
  read(path: AbsPath): Uint8Array | undefined {
    return this.memory.read(path);
  }

  // ------------------------------------------------------------ writing

  write(
    path: AbsPath,
    bytes: Uint8Array | string,
    options: { readonly sync?: boolean; readonly mode?: number } = {},
  ): void {
    const before = this.#nodeAt(path);
    this.memory.write(path, bytes, options);
    const file = this.#nodeAt(path)!;
    if (before?.ino !== file.ino) this.#made(path, file);
    this.#wrote(file);
    if (options.sync) this.#syncContent(file.ino);
  }

  rename(from: AbsPath, to: AbsPath): void {
    const [source, target] = [this.#entryOf(from), this.#entryOf(to)];
    this.memory.rename(from, to);
    const moved = this.#nodeAt(to)!;
    this.#noteTimes(moved);
    const { ino } = moved;
    if (!source || !target) return;
    this.#changed([source, target], (medium) => {
      const [left, entered] = [entriesOf(medium, source), entriesOf(medium, target)];
      if (left?.get(source.name) === ino) left.delete(source.name);
      entered?.set(target.name, ino);
    });
  }

  copy(from: AbsPath, to: AbsPath): void {
    this.memory.copy(from, to);
    this.#takeMade(to);
  }

  makeFolders(path: AbsPath): void {
    const missing: AbsPath[] = [];
    for (let at = path; at !== "" && this.#nodeAt(at) === undefined; at = parentOf(at)) missing.unshift(at);
    this.memory.makeFolders(path);
    for (const at of missing) this.#made(at, this.#nodeAt(at)!);
  }

  remove(path: AbsPath): boolean {
    const entry = this.#entryOf(path);
    const isRemoved = this.memory.remove(path);
    if (isRemoved && entry) this.#removed(entry);
    return isRemoved;
  }

  removeTree(path: AbsPath): void {
    const entries = this.#entriesBelow(path);
    this.memory.removeTree(path);
    for (const entry of entries) this.#removed(entry);
  }

  sync(path: AbsPath): void {
    this.memory.sync(path);
    const node = this.#nodeAt(path)!;
    if (node.kind === "folder") this.#syncNames(node.ino);
    else this.#syncContent(node.ino);
  }

  // ------------------------------------------------------------ what is not on the medium yet

  #takeMade(path: AbsPath): void {
    const node = this.#nodeAt(path)!;
    this.#made(path, node);
    if (node.kind === "file") this.#wrote(node);
    if (node.kind === "folder") for (const name of node.entries.keys()) this.#takeMade(`${path}/${name}`);
  }

  /** Something new has a name; its bytes are a matter of their own. */
  #made(path: AbsPath, node: MemoryNode): void {
    const entry = this.#entryOf(path)!;
    const { ino } = node;
    this.#noteTimes(node);
    this.#medium.set(ino, emptied(node));
    this.#changed([entry], (medium) => void entriesOf(medium, entry)?.set(entry.name, ino));
  }

  #removed(entry: Entry): void {
    this.#changed([entry], (medium) => void entriesOf(medium, entry)?.delete(entry.name));
  }

  #changed(entries: readonly Entry[], apply: NameChange["apply"]): void {
    this.#names.push({ entries, apply });
  }

  #wrote(node: MemoryNode): void {
    if (node.kind !== "file") return;
    this.#noteTimes(node);
    const versions = this.#contents.get(node.ino);
    if (versions) versions.push(node.bytes);
    else this.#contents.set(node.ino, [node.bytes]);
  }

  #noteTimes(node: MemoryNode): void {
    this.#times.set(node.ino, timesOf(node));
  }

  #syncContent(ino: number): void {
    const inode = this.#medium.get(ino);
    const newest = this.#contents.get(ino)?.at(-1);
    if (inode?.kind === "file" && newest) inode.bytes = newest;
    this.#contents.delete(ino);
  }

  /** All changes in one folder, and those of other folders that they build on. */
  #syncNames(folder: number): void {
    const needed = new Set<string>();
    const kept = new Set<NameChange>();
    for (let i = this.#names.length - 1; i >= 0; i--) {
      const change = this.#names[i]!;
      let isWanted = false;
      for (const { folder: of, key } of change.entries) isWanted ||= of === folder || needed.has(key);
      if (!isWanted) continue;
      kept.add(change);
      for (const { key } of change.entries) needed.add(key);
    }
    if (kept.size === 0) return;
    this.#applyNames(kept);
  }

  #applyNames(kept: ReadonlySet<NameChange>): void {
    for (const change of this.#names) if (kept.has(change)) change.apply(this.#medium);
    this.#names = this.#names.filter((change) => !kept.has(change));
  }

  // ------------------------------------------------------------ the tree in memory

  #nodeAt(path: AbsPath): MemoryNode | undefined {
    const known = this.memory.peek(path);
    if (known !== undefined) return known;
    let node: MemoryNode | undefined = this.memory.tree;
    for (const segment of path.split("/").filter((name) => name !== ""))
      node = node?.kind === "folder" ? node.entries.get(segment) : undefined;
    return node;
  }

  #entryOf(path: AbsPath): Entry | undefined {
    const folder = this.#nodeAt(parentOf(path));
    if (folder === undefined) return undefined;
    const name = path.slice(path.lastIndexOf("/") + 1);
    return { folder: folder.ino, name, key: `${folder.ino}/${name}` };
  }

  /** Every entry of a tree, the innermost first. */
  #entriesBelow(path: AbsPath): Entry[] {
    const node = this.#nodeAt(path);
    if (node === undefined) return [];
    const names = node.kind === "folder" ? [...node.entries.keys()] : [];
    return [...names.flatMap((name) => this.#entriesBelow(`${path}/${name}`)), this.#entryOf(path)!];
  }
}

/** Which changes of names survive; one that is lost takes the later ones of its entries with it. */
function chooseKept(changes: readonly NameChange[], random: { next(): number }): Set<NameChange> {
  const kept = new Set<NameChange>();
  const lost = new Set<string>();
  const isOrdered = random.next() < 0.5;
  const share = [0, 1, 0.5, random.next()][Math.floor(random.next() * 4)]!;
  for (const [i, change] of changes.entries()) {
    const survives = isOrdered ? i < share * changes.length : random.next() < share;
    if (survives && !change.entries.some(({ key }) => lost.has(key))) kept.add(change);
    else for (const { key } of change.entries) lost.add(key);
  }
  return kept;
}

/** What is left of a file whose last contents were not forced to the medium. */
function chooseContent(durable: Uint8Array, versions: readonly Uint8Array[], random: { next(): number }): Uint8Array {
  const version = versions[Math.floor(random.next() * versions.length)]!;
  const part = Math.floor(random.next() * version.length);
  const mixed = version.slice();
  switch (Math.floor(random.next() * 6)) {
    case 0:
      return durable;
    case 1:
      return new Uint8Array();
    case 2:
      return version.slice(0, part);
    case 3:
      // The size came before the bytes.
      return mixed.fill(0, part);
    case 4:
      mixed.set(durable.subarray(part, mixed.length), part);
      return mixed;
    default:
      return version;
  }
}

function entriesOf(medium: Map<number, Inode>, { folder }: Entry): Map<string, number> | undefined {
  const inode = medium.get(folder);
  return inode?.kind === "folder" ? inode.entries : undefined;
}

function inodeOf(node: MemoryNode): Inode {
  switch (node.kind) {
    case "file":
      // A file's bytes are never changed in place.
      return { kind: "file", bytes: node.bytes };
    case "folder":
      return { kind: "folder", entries: new Map([...node.entries].map(([name, { ino }]) => [name, ino])) };
    case "symlink":
      return { kind: "symlink", target: node.target };
    case "other":
      return { kind: "other" };
  }
}

/** What was just made has no bytes and no entries on the medium. */
function emptied(node: MemoryNode): Inode {
  if (node.kind === "file") return { kind: "file", bytes: new Uint8Array() };
  return node.kind === "folder" ? { kind: "folder", entries: new Map() } : inodeOf(node);
}

function timesOf({ mtimeMs, ctimeMs, mode }: MemoryNode): Times {
  return { mtimeMs, ctimeMs, mode };
}

function parentOf(path: AbsPath): AbsPath {
  return path.slice(0, path.lastIndexOf("/"));
}
