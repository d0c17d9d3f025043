import { type Dirent, readdirSync, statSync } from "node:fs";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Clock, Timer, WatchHealth } from "../../ports.ts";
import { ChokidarEngine } from "./chokidar-engine.ts";
import type { FileSystem } from "./file-system.ts";
import { FolderEngine } from "./folder-engine.ts";
import type { HintGate } from "./hint-gate.ts";
import { PollingEngine } from "./polling-engine.ts";
import { absolute, type BaseScope, child, type Engine, type EngineSink, levelBelow } from "./scope.ts";

/** What every base shares. */
export interface BaseContext {
  readonly clock: Clock;
  readonly gate: HintGate;
  readonly fileSystemOf: (path: AbsPath) => FileSystem;
  /** Above so many entries chokidar gives way to one `fs.watch` per folder. */
  readonly maxEntries: number;
  readonly pollIntervalMs: number;
}

const RETRY_MS = 1_000;
const MAX_FAILURES = 3;
const MAX_UNWATCHABLE = 100;
/** Out of inotify watches, out of open files: trying again does not help. */
const LIMIT_CODES: ReadonlySet<unknown> = new Set(["ENOSPC", "EMFILE", "ENFILE"]);

/** One base: chooses the engine that suits it, and follows it through coming, going, growing and failing. */
export class BaseWatch {
  readonly scope: BaseScope;
  readonly #context: BaseContext;
  readonly #unwatchable = new Map<RelPath, string>();
  #engine: Engine | undefined;
  #retry: Timer | undefined;
  /** Counts the changes of engine: whoever waited asks whether it is still their turn. */
  #turn = 0;
  #isPresent = false;
  #prefersFolders = false;
  #failures = 0;
  #trouble = "";
  #mustPoll = false;
  #share: string | undefined;

  constructor(scope: BaseScope, context: BaseContext) {
    this.scope = scope;
    this.#context = context;
  }

  /** Watches what is at the base now, and says so unless it is the first time. */
  async restart(isFirst: boolean): Promise<void> {
    const turn = ++this.#turn;
    const { gate } = this.#context;
    const { path } = this.scope.base;
    await this.#stopEngine();
    if (turn !== this.#turn) return;
    const wasPresent = this.#isPresent;
    const abs = absolute(this.scope.root, path);
    this.#isPresent = isFolder(abs);
    if (!isFirst && this.#isPresent) gate.newFolder(path);
    if (!isFirst && !this.#isPresent && wasPresent) gate.folder(path, "gone");
    const engine = this.#choose(abs);
    if (engine === undefined) return;
    this.#engine = engine;
    try {
      await engine.start();
    } catch (error) {
      if (turn === this.#turn && isFolder(abs)) this.#failed(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    // Of what came before the engine was ready nobody has heard.
    if (turn === this.#turn && !isFirst && this.#isPresent) gate.newFolder(path);
  }

  /** For a base of depth 0, which is one path and needs no engine. */
  get isSinglePath(): boolean {
    return this.scope.base.depth <= 0;
  }

  get watchedFolders(): number {
    return this.#engine?.watchedFolders() ?? 0;
  }

  health(): Pick<WatchHealth, "mode" | "reason"> {
    const where = this.scope.base.path === "" ? "the state root" : `"${this.scope.base.path}"`;
    if (this.#trouble !== "") return { mode: "degraded", reason: `${where}: ${this.#trouble}` };
    for (const [path, why] of this.#unwatchable) return { mode: "degraded", reason: `cannot watch "${path}": ${why}` };
    if (this.#share !== undefined)
      return { mode: "polling", reason: `${where} is on a network file system (${this.#share})` };
    return { mode: "live", reason: "" };
  }

  async close(): Promise<void> {
    this.#turn++;
    await this.#stopEngine();
  }

  async #stopEngine(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    this.#retry?.cancel();
    this.#unwatchable.clear();
    await engine?.close();
  }

  #choose(abs: AbsPath): Engine | undefined {
    if (this.isSinglePath) return undefined;
    const { clock, maxEntries, pollIntervalMs, fileSystemOf } = this.#context;
    const sink = this.#sinkOf(this.#turn);
    const fileSystem = fileSystemOf(abs);
    this.#share = fileSystem.network ? fileSystem.name : undefined;
    // On a share nobody tells when the base appears, so an absent one is polled too.
    if (this.#mustPoll || fileSystem.network) return new PollingEngine(this.scope, sink, clock, pollIntervalMs);
    if (!this.#isPresent) return undefined;
    if (this.#prefersFolders) return new FolderEngine(this.scope, sink);
    const { entries, hasLinks } = survey(this.scope, maxEntries);
    if (entries > maxEntries || hasLinks) return new FolderEngine(this.scope, sink);
    return new ChokidarEngine(this.scope, sink, entries, maxEntries);
  }

  /** What an engine tells counts only while it is the one. */
  #sinkOf(turn: number): EngineSink {
    const { gate } = this.#context;
    const isTurn = (): boolean => turn === this.#turn;
    return {
      arrived: (folder) => isTurn() && gate.arrived(folder),
      path: (path) => isTurn() && gate.path(path),
      repeatedPath: (path) => isTurn() && gate.repeatedPath(path),
      lostName: (folder) => isTurn() && gate.lostName(folder),
      newFolder: (folder) => isTurn() && gate.newFolder(folder),
      goneFolder: (folder) => isTurn() && gate.folder(folder, "gone"),
      cannotWatch: (path, error) => {
        if (isTurn() && this.#unwatchable.size < MAX_UNWATCHABLE) this.#unwatchable.set(path, error.message);
      },
      failed: (error) => isTurn() && this.#failed(error),
      unsuited: () => {
        if (!isTurn() || this.#prefersFolders) return;
        this.#prefersFolders = true;
        void this.restart(false);
      },
    };
  }

  #failed(error: Error): void {
    const { gate, clock } = this.#context;
    const isLimit = "code" in error && LIMIT_CODES.has(error.code);
    this.#failures++;
    this.#mustPoll = isLimit || this.#failures >= MAX_FAILURES;
    this.#trouble = this.#mustPoll ? `polled, because watching failed: ${error.message}` : error.message;
    gate.folder(this.scope.base.path, "watch-error");
    if (this.#mustPoll) {
      void this.restart(false);
      return;
    }
    this.#retry = clock.after(RETRY_MS, () => {
      this.#trouble = "";
      void this.restart(false);
    });
  }
}

/** How much there is to watch below a base; stops counting when it is too much for chokidar. */
function survey(scope: BaseScope, maxEntries: number): { readonly entries: number; readonly hasLinks: boolean } {
  const { root, base, isIgnored } = scope;
  let entries = 0;
  const pending = [base.path];
  for (let folder = pending.pop(); folder !== undefined && entries <= maxEntries; folder = pending.pop()) {
    for (const entry of entriesOf(absolute(root, folder))) {
      entries++;
      if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
      const path = child(folder, entry.name);
      if ((levelBelow(base.path, path) ?? Infinity) >= base.depth || isIgnored(path, entry.isDirectory())) continue;
      if (entry.isDirectory()) pending.push(path);
      else if (isFolder(absolute(root, path))) return { entries, hasLinks: true };
    }
  }
  return { entries, hasLinks: false };
}

function entriesOf(folder: AbsPath): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // Gone, or not to be listed: the engine that is chosen meets the same and reports it.
    return [];
  }
}

function isFolder(path: AbsPath): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}
