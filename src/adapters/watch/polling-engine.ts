import type { Dirent } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import type { RelPath } from "../../core/model/words.ts";
import type { Clock, Timer } from "../../ports.ts";
import { absolute, type BaseScope, child, type Engine, type EngineSink, levelBelow } from "./scope.ts";

/** How many names of a folder are looked at together. */
const AT_ONCE = 32;
/** A slow share is asked for at most a quarter of the time. */
const REST_FACTOR = 3;

interface Seen {
  readonly isFolder: boolean;
  readonly mark: string;
}

/**
 * Lists and looks again and again, off the main thread, where the kernel does not hear of changes (shares) or has no watches
 * left. The next look comes `intervalMs` after the last one ended, or three times as long as that one took.
 */
export class PollingEngine implements Engine {
  readonly #scope: BaseScope;
  readonly #sink: EngineSink;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #seen: ReadonlyMap<RelPath, Seen> = new Map();
  #timer: Timer | undefined;
  #isOver = false;

  constructor(scope: BaseScope, sink: EngineSink, clock: Clock, intervalMs: number) {
    this.#scope = scope;
    this.#sink = sink;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  async start(): Promise<void> {
    const startedAt = this.#clock.monoMs();
    this.#seen = await this.#look();
    this.#next(startedAt);
  }

  watchedFolders(): number {
    return 0;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #next(startedAt: number): void {
    if (this.#isOver) return;
    const tookMs = this.#clock.monoMs() - startedAt;
    this.#timer = this.#clock.after(Math.max(this.#intervalMs, tookMs * REST_FACTOR), () => void this.#poll());
  }

  async #poll(): Promise<void> {
    const startedAt = this.#clock.monoMs();
    const before = this.#seen;
    const now = await this.#look();
    if (this.#isOver) return;
    this.#seen = now;
    for (const [path, is] of now) {
      const was = before.get(path);
      if (was?.mark === is.mark) continue;
      if (is.isFolder && was?.isFolder !== true) this.#sink.newFolder(path);
      this.#sink.path(path);
    }
    for (const [path, was] of before) {
      if (now.has(path)) continue;
      if (was.isFolder) this.#sink.goneFolder(path);
      this.#sink.path(path);
    }
    this.#next(startedAt);
  }

  async #look(): Promise<ReadonlyMap<RelPath, Seen>> {
    const seen = new Map<RelPath, Seen>();
    const pending = [this.#scope.base.path];
    for (let folder = pending.pop(); folder !== undefined && !this.#isOver; folder = pending.pop()) {
      const entries = await this.#entries(folder, seen);
      for (let from = 0; from < entries.length; from += AT_ONCE) {
        const found = await Promise.all(
          entries.slice(from, from + AT_ONCE).map((entry) => this.#lookAt(folder, entry)),
        );
        for (const { path, state } of found) {
          if (state === undefined) continue;
          seen.set(path, state);
          if (state.isFolder && this.#level(path) < this.#scope.base.depth) pending.push(path);
        }
      }
    }
    return seen;
  }

  async #entries(folder: RelPath, seen: Map<RelPath, Seen>): Promise<Dirent[]> {
    try {
      return await readdir(absolute(this.#scope.root, folder), { withFileTypes: true });
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "ENOENT" || code === "ENOTDIR") return [];
      // It cannot be listed just now: what was known of it stays, rather than be reported as gone.
      for (const [path, was] of this.#seen) if (path.startsWith(`${folder}/`) || folder === "") seen.set(path, was);
      this.#sink.cannotWatch(folder, error instanceof Error ? error : new Error(String(error)));
      return [];
    }
  }

  async #lookAt(folder: RelPath, entry: Dirent): Promise<{ readonly path: RelPath; readonly state: Seen | undefined }> {
    const path = child(folder, entry.name);
    if (this.#scope.isIgnored(path, entry.isDirectory())) return { path, state: undefined };
    const abs = absolute(this.#scope.root, path);
    try {
      // A link counts as what it leads to, but a folder behind one is not walked: it may lead back.
      const stats = await (entry.isSymbolicLink() ? stat(abs) : lstat(abs));
      const isFolder = entry.isDirectory();
      // The times of a folder change with every file in it, and the files speak for themselves.
      const mark = isFolder ? "folder" : `${stats.size} ${stats.mtimeMs} ${stats.ctimeMs} ${stats.ino}`;
      return { path, state: { isFolder, mark } };
    } catch {
      // Gone since it was listed, or a dangling link: the next look or its target's return tells.
      return { path, state: undefined };
    }
  }

  #level(path: RelPath): number {
    return levelBelow(this.#scope.base.path, path) ?? Infinity;
  }
}
