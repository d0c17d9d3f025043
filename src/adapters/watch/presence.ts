import { existsSync, type FSWatcher, statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { AbsPath } from "../../core/model/words.ts";

/**
 * Watches the folders above others, so that it is noticed when one comes, goes or is replaced, whichever of its parents that happens to.
 * `onEvent` is called after an event that concerns one of the paths or a folder above it: `rename` for what came or went (then ask
 * the disk), `change` for new content.
 */
export class Presence {
  readonly #watchers = new Map<AbsPath, { readonly watcher: FSWatcher; readonly names: Set<string> }>();
  readonly #onEvent: (path: AbsPath, type: "rename" | "change") => void;
  readonly #onError: (error: Error) => void;
  #paths: readonly AbsPath[] = [];
  #top: AbsPath = "/";

  constructor(onEvent: (path: AbsPath, type: "rename" | "change") => void, onError: (error: Error) => void) {
    this.#onEvent = onEvent;
    this.#onError = onError;
  }

  get watchedFolders(): number {
    return this.#watchers.size;
  }

  /** Watches for these paths from `top` down (or from the nearest existing folder above it). */
  set(top: AbsPath, paths: readonly AbsPath[]): void {
    this.#top = top;
    this.#paths = paths;
    this.arm();
  }

  close(): void {
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watches what can be watched of it now. */
  arm(): void {
    const wanted = new Map<AbsPath, Set<string>>();
    for (const path of this.#paths) {
      for (let at = path; at !== this.#stop() && at !== dirname(at); at = dirname(at)) {
        const above = dirname(at);
        let names = wanted.get(above);
        if (names === undefined) wanted.set(above, (names = new Set()));
        names.add(basename(at));
      }
    }
    for (const [folder, { watcher }] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    // From the top down: a folder that is not there yet is missed by its own watch but not by the one above.
    const topDown = [...wanted].sort(([a], [b]) => a.length - b.length);
    for (const [folder, names] of topDown) this.#watch(folder, names);
  }

  /** The folder above which nothing is watched: the parent of the top, or what there is above it. */
  #stop(): AbsPath {
    let at = dirname(this.#top);
    while (!isFolder(at) && at !== dirname(at)) at = dirname(at);
    return at;
  }

  #watch(folder: AbsPath, names: Set<string>): void {
    const known = this.#watchers.get(folder);
    if (known !== undefined) {
      known.names.clear();
      for (const name of names) known.names.add(name);
      return;
    }
    if (!isFolder(folder)) return;
    try {
      const watcher = watch(folder, (type, name) => this.#event(folder, type, name));
      watcher.on("error", this.#onError);
      this.#watchers.set(folder, { watcher, names });
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code !== "ENOENT" && error instanceof Error) this.#onError(error);
    }
  }

  #event(folder: AbsPath, type: "rename" | "change", name: string | null): void {
    const watched = this.#watchers.get(folder);
    if (watched === undefined) return;
    const within = folder === "/" ? "" : folder;
    if (type === "change") {
      if (name !== null && watched.names.has(name)) this.#onEvent(`${within}/${name}`, type);
      return;
    }
    // A folder that is removed or moved away says its own name.
    const isOwn = name === basename(folder) && !existsSync(`${within}/${name}`);
    if (name !== null && !watched.names.has(name) && !isOwn) return;
    const concerned = isOwn || name === null ? folder : `${within}/${name}`;
    // What was there may have been replaced: its watch, and those below, are of a folder that no longer has this name.
    for (const [path, { watcher }] of this.#watchers) {
      if (path !== concerned && !path.startsWith(`${concerned}/`)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    this.arm();
    this.#onEvent(concerned, type);
  }
}

function isFolder(path: AbsPath): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    // A segment that is a file, or no permission: nothing that could be watched.
    return false;
  }
}
