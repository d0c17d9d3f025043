import { type Dirent, type FSWatcher, readdirSync, realpathSync, statSync, watch } from "node:fs";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import { absolute, type BaseScope, child, type Engine, type EngineSink, levelBelow } from "./scope.ts";

interface Watched {
  readonly watcher: FSWatcher;
  /** Where the folder really is, and every folder that a link on the way to it led to: what a link must not lead back to. */
  readonly reals: readonly AbsPath[];
  readonly folders: Set<RelPath>;
}

/** One `fs.watch` for each folder: constant memory for a file, so for bases of any size; links to folders are followed. */
export class FolderEngine implements Engine {
  readonly #scope: BaseScope;
  readonly #sink: EngineSink;
  readonly #watched = new Map<RelPath, Watched>();
  #realRoot: AbsPath = "";
  #isOver = false;

  constructor(scope: BaseScope, sink: EngineSink) {
    this.#scope = scope;
    this.#sink = sink;
  }

  async start(): Promise<void> {
    this.#realRoot = realpathSync.native(this.#scope.root);
    const { path } = this.#scope.base;
    this.#watchTree(path, [realpathSync.native(absolute(this.#scope.root, path))]);
    // inotify is in place when `watch` returns; what came meanwhile is delivered in the next turn.
    await new Promise((resolve) => setImmediate(resolve));
  }

  watchedFolders(): number {
    return this.#watched.size;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    for (const { watcher } of this.#watched.values()) watcher.close();
    this.#watched.clear();
  }

  #watchTree(top: RelPath, reals: readonly AbsPath[]): void {
    const pending: { readonly folder: RelPath; readonly reals: readonly AbsPath[] }[] = [{ folder: top, reals }];
    for (let next = pending.pop(); next !== undefined && !this.#isOver; next = pending.pop()) {
      const watched = this.#watchFolder(next.folder, next.reals);
      if (watched === undefined) continue;
      for (const entry of this.#entries(next.folder)) {
        const path = child(next.folder, entry.name);
        const inner = this.#realsOf(path, entry, watched);
        if (inner === undefined) continue;
        watched.folders.add(path);
        pending.push({ folder: path, reals: inner });
      }
    }
  }

  /** Watches before anybody lists the folder, so that nothing comes between. */
  #watchFolder(folder: RelPath, reals: readonly AbsPath[]): Watched | undefined {
    this.#unwatch(folder);
    const path = absolute(this.#scope.root, folder);
    try {
      const watcher = watch(path, (type, name) => this.#event(folder, type, name));
      watcher.on("error", (error) => this.#trouble(folder, error));
      const watched: Watched = { watcher, reals, folders: new Set() };
      this.#watched.set(folder, watched);
      return watched;
    } catch (error) {
      this.#trouble(folder, error);
      return undefined;
    }
  }

  #entries(folder: RelPath): Dirent[] {
    try {
      return readdirSync(absolute(this.#scope.root, folder), { withFileTypes: true });
    } catch (error) {
      this.#trouble(folder, error);
      return [];
    }
  }

  /** The way to a folder that is to be watched; `undefined` when it is none, or not one of ours. */
  #realsOf(path: RelPath, entry: Dirent | undefined, parent: Watched): readonly AbsPath[] | undefined {
    if ((levelBelow(this.#scope.base.path, path) ?? Infinity) >= this.#scope.base.depth) return undefined;
    if (entry !== undefined && !entry.isDirectory() && !entry.isSymbolicLink()) return undefined;
    if (this.#scope.isIgnored(path, true)) return undefined;
    if (entry?.isDirectory() === true) {
      const [here = "", ...others] = parent.reals;
      return [`${here}/${entry.name}`, ...others];
    }
    return this.#throughLink(path, parent.reals);
  }

  #throughLink(path: RelPath, reals: readonly AbsPath[]): readonly AbsPath[] | undefined {
    try {
      const target = realpathSync.native(absolute(this.#scope.root, path));
      if (!statSync(target).isDirectory()) return undefined;
      if (!`${target}/`.startsWith(`${this.#realRoot}/`)) return undefined;
      const leadsBack = reals.some((real) => `${real}/`.startsWith(`${target}/`));
      return leadsBack ? undefined : [target, ...reals];
    } catch {
      // A dangling link, or one that leads to itself: no folder to watch.
      return undefined;
    }
  }

  #event(folder: RelPath, type: string, name: string | null): void {
    const watched = this.#watched.get(folder);
    if (watched === undefined || this.#isOver) return;
    const isCalm = this.#sink.arrived(folder);
    // A name that is not UTF-8 cannot be hinted at.
    if (name === null || name.includes("\uFFFD")) return this.#sink.lostName(folder);
    const path = child(folder, name);
    if ((levelBelow(this.#scope.base.path, path) ?? Infinity) > this.#scope.base.depth) return;
    if (type === "rename" && this.#folderEvent(path, watched)) return;
    if (isCalm && !this.#scope.isIgnored(path, false)) this.#sink.path(path);
  }

  /** Whether a name that came or went is or was a folder of ours, and all that is to be done about it was done. */
  #folderEvent(path: RelPath, parent: Watched): boolean {
    if (!isFolder(absolute(this.#scope.root, path))) {
      if (!this.#watched.has(path)) return false;
      parent.folders.delete(path);
      this.#unwatch(path);
      this.#sink.goneFolder(path);
      return false;
    }
    // Watched anew even when it was watched: after a removal the new folder of that name may have the old inode number.
    // No `Dirent`: the real path is asked for, whether it is a link or not.
    const reals = this.#realsOf(path, undefined, parent);
    if (reals === undefined) return this.#scope.isIgnored(path, true);
    parent.folders.add(path);
    this.#watchTree(path, reals);
    this.#sink.newFolder(path);
    return false;
  }

  #unwatch(top: RelPath): void {
    const pending = [top];
    for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
      const watched = this.#watched.get(folder);
      if (watched === undefined) continue;
      watched.watcher.close();
      this.#watched.delete(folder);
      pending.push(...watched.folders);
    }
  }

  #trouble(folder: RelPath, error: unknown): void {
    if (this.#isOver || !(error instanceof Error)) return;
    switch ("code" in error ? error.code : undefined) {
      case "ENOENT":
      case "ENOTDIR":
      case "ELOOP":
        // Gone again before it was watched; the folder above says so.
        return;
      case "EACCES":
      case "EPERM":
        return this.#sink.cannotWatch(folder, error);
      default:
        this.#isOver = true;
        this.#sink.failed(error);
    }
  }
}

function isFolder(path: AbsPath): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    // Links that lead in a circle, or no permission: whatever it is, it cannot be watched as a folder.
    return false;
  }
}
