import type { Stats } from "node:fs";
import { type FSWatcher, watch } from "chokidar";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import {
  absolute,
  type BaseScope,
  child,
  type Engine,
  type EngineSink,
  folderOf,
  levelBelow,
  relative,
} from "./scope.ts";

/**
 * chokidar 6 on one folder. The kernel's own words (`raw`) become hints at once, before chokidar has looked and throttled;
 * its conclusions add what it finds by listing new folders. Links are not followed: a link to a folder makes the base unsuited.
 */
export class ChokidarEngine implements Engine {
  readonly #scope: BaseScope;
  readonly #sink: EngineSink;
  readonly #maxEntries: number;
  #entries: number;
  #watcher: FSWatcher | undefined;
  /** Ends the wait for `ready`, which never comes where a watch could not be made. */
  #endWait: () => void = () => {};

  /** `entries`: how many files and folders the base has now; `unsuited` is told when there are more than `maxEntries`. */
  constructor(scope: BaseScope, sink: EngineSink, entries: number, maxEntries: number) {
    this.#scope = scope;
    this.#sink = sink;
    this.#entries = entries;
    this.#maxEntries = maxEntries;
  }

  async start(): Promise<void> {
    const { root, base } = this.#scope;
    const top = absolute(root, base.path);
    const watcher = watch(top, {
      ignoreInitial: true,
      followSymlinks: false,
      atomic: false,
      awaitWriteFinish: false,
      // Its levels count from the first one below the folder.
      ...(Number.isFinite(base.depth) ? { depth: Math.max(0, base.depth - 1) } : {}),
      ignored: (path, stats) => this.#ignores(path, stats),
    });
    this.#watcher = watcher;
    watcher.on("raw", (_type, name, details) => this.#raw(name, details));
    watcher.on("all", (event, path, stats) => this.#concluded(event, path, stats));
    watcher.on("error", (error) => this.#trouble(error));
    await new Promise<void>((resolve) => {
      this.#endWait = resolve;
      watcher.once("ready", resolve);
    });
  }

  watchedFolders(): number {
    return Object.keys(this.#watcher?.getWatched() ?? {}).length;
  }

  async close(): Promise<void> {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    this.#endWait();
    await watcher?.close();
  }

  #ignores(path: AbsPath, stats: Stats | undefined): boolean {
    const rel = relative(this.#scope.root, path);
    if (rel === undefined || rel === this.#scope.base.path) return false;
    // Asked first without stats: what the name alone decides need not be looked at.
    return this.#scope.isIgnored(rel, stats?.isDirectory() ?? false);
  }

  #raw(name: string | null, details: unknown): void {
    if (this.#watcher === undefined) return;
    const { watchedPath } = details as { readonly watchedPath: AbsPath };
    const folder = relative(this.#scope.root, watchedPath);
    // chokidar watches the folders above the base too.
    if (folder === undefined || levelBelow(this.#scope.base.path, folder) === undefined) return;
    const isCalm = this.#sink.arrived(folder);
    if (name === null || name.includes("\uFFFD")) return this.#sink.lostName(folder);
    const path = child(folder, name);
    if (!isCalm || !this.#isInReach(path) || this.#scope.isIgnored(path, false)) return;
    this.#sink.path(path);
  }

  #concluded(event: string, path: AbsPath, stats: Stats | undefined): void {
    const rel = relative(this.#scope.root, path);
    if (rel === undefined || this.#watcher === undefined) return;
    if (event === "add" || event === "addDir") this.#entries++;
    if (event === "unlink" || event === "unlinkDir") this.#entries--;
    if (rel === this.#scope.base.path || !this.#isInReach(rel)) return;
    if (this.#scope.isIgnored(rel, event === "addDir" || event === "unlinkDir")) return;
    if (event === "addDir" && this.#isWatchedLevel(rel)) this.#sink.newFolder(rel);
    if (event === "unlinkDir" && this.#isWatchedLevel(rel)) this.#sink.goneFolder(rel);
    this.#sink.repeatedPath(rel);
    const isLink = stats?.isSymbolicLink() === true;
    if (this.#entries > this.#maxEntries || (isLink && this.#isWatchedLevel(rel))) this.#sink.unsuited();
  }

  #isInReach(path: RelPath): boolean {
    return (levelBelow(this.#scope.base.path, path) ?? Infinity) <= this.#scope.base.depth;
  }

  #isWatchedLevel(path: RelPath): boolean {
    return (levelBelow(this.#scope.base.path, path) ?? Infinity) < this.#scope.base.depth;
  }

  #trouble(problem: unknown): void {
    const error = problem instanceof Error ? problem : new Error(String(problem));
    const code = "code" in error ? error.code : undefined;
    if (code !== "EACCES" && code !== "EPERM") {
      this.#sink.failed(error);
      return this.#endWait();
    }
    const at = "path" in error && typeof error.path === "string" ? relative(this.#scope.root, error.path) : undefined;
    this.#sink.cannotWatch(at ?? folderOf(this.#scope.base.path), error);
  }
}
