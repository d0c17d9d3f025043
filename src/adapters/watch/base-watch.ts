import { type Dirent, readdirSync, statSync } from "node:fs";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Clock, Timer, WatchHealth } from "../../ports.ts";
import { identityOf } from "./canary.ts";
import { ChokidarEngine } from "./chokidar-engine.ts";
import { Delays } from "./delays.ts";
import type { FileSystem } from "./file-system.ts";
import { FolderEngine } from "./folder-engine.ts";
import type { HintGate } from "./hint-gate.ts";
import { isLimit } from "./limits.ts";
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
  /** Why a watch could not be made, and the way out. */
  readonly wordsOf: (error: Error) => string;
  /** Are events delivered at all? Else watching is no better than polling. */
  readonly mayWatch: () => boolean;
}

const RETRY_MS = 1_000;
const MAX_FAILURES = 3;
const MAX_UNWATCHABLE = 100;
/** One base: chooses the engine that suits it, and follows it through coming, going, growing and failing. */
export class BaseWatch {
  readonly scope: BaseScope;
  readonly #context: BaseContext;
  readonly #unwatchable = new Map<RelPath, string>();
  #engine: Engine | undefined;
  readonly #delays = new Delays();
  #retry: Timer | undefined;
  /** The number of the engine in charge: whoever waited asks whether it is still their turn. */
  #turn = 0;
  #lastTurn = 0;
  /** What was at the base when it was last looked at: a folder's identity, or the stat of a single path. */
  #mark = "";
  #isPresent = false;
  #prefersFolders = false;
  #failures = 0;
  #trouble = "";
  #mustPoll = false;
  #isForcedByCanary = false;
  #share: string | undefined;

  constructor(scope: BaseScope, context: BaseContext) {
    this.scope = scope;
    this.#context = context;
  }

  /** Watches what is at the base now, and says so unless it is the first time. */
  async restart(isFirst: boolean): Promise<void> {
    const turn = this.#newTurn();
    const { gate } = this.#context;
    const { path } = this.scope.base;
    await this.#stopEngine();
    if (turn !== this.#turn) return;
    const wasPresent = this.#isPresent;
    const abs = this.#abs;
    this.#mark = this.#markNow();
    this.#isPresent = isFolder(abs);
    if (!isFirst && this.#isPresent) gate.newFolder(path);
    if (!isFirst && !this.#isPresent && wasPresent) gate.folder(path, "gone");
    const engine = this.#choose(abs);
    if (this.#mustPoll) this.#tryNativeLater();
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

  /** Looks whether the watch is still on what has this name now, which no event tells when the watch itself is what went. */
  check(): void {
    const mark = this.#markNow();
    if (mark === this.#mark) return;
    this.#mark = mark;
    if (this.isSinglePath) this.#context.gate.path(this.scope.base.path);
    else void this.restart(false);
  }

  get #abs(): AbsPath {
    return absolute(this.scope.root, this.scope.base.path);
  }

  #markNow(): string {
    if (!this.isSinglePath) return identityOf(this.#abs);
    try {
      const stats = statSync(this.#abs, { throwIfNoEntry: false });
      return stats === undefined ? "" : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    } catch (error) {
      return String(error);
    }
  }

  #newTurn(): number {
    return (this.#turn = ++this.#lastTurn);
  }

  /** Is it polled because events did not come, though it can be watched? */
  get isForcedByCanary(): boolean {
    return this.#mustPoll && this.#isForcedByCanary;
  }

  get isPolling(): boolean {
    return this.#engine instanceof PollingEngine;
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
    this.#newTurn();
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
    const { clock, pollIntervalMs, fileSystemOf } = this.#context;
    const sink = this.#sinkOf(this.#turn);
    const fileSystem = fileSystemOf(abs);
    this.#share = fileSystem.network ? fileSystem.name : undefined;
    // On a share nobody tells when the base appears, so an absent one is polled too.
    if (this.#mustPoll || fileSystem.network) return new PollingEngine(this.scope, sink, clock, pollIntervalMs);
    return this.#isPresent ? this.#native(sink) : undefined;
  }

  #native(sink: EngineSink): Engine {
    const { maxEntries } = this.#context;
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
    const { gate, clock, wordsOf } = this.#context;
    this.#failures++;
    if (isLimit(error) || this.#failures >= MAX_FAILURES) {
      gate.folder(this.scope.base.path, "watch-error");
      this.#poll(`polled, because watching failed: ${wordsOf(error)}`, false);
      return;
    }
    this.#trouble = error.message;
    gate.folder(this.scope.base.path, "watch-error");
    this.#retry = clock.after(RETRY_MS, () => {
      this.#trouble = "";
      void this.restart(false);
    });
  }

  /** Polls until `tryNative`, because no events come. */
  pollForWantOfEvents(why: string): void {
    if (!this.isSinglePath && !this.isPolling) this.#poll(why, true);
  }

  /** Polls, and tries to watch again after ever longer whiles. */
  #poll(why: string, isForcedByCanary: boolean): void {
    this.#isForcedByCanary = isForcedByCanary;
    this.#trouble = why;
    this.#mustPoll = true;
    void this.restart(false);
  }

  #tryNativeLater(): void {
    this.#retry?.cancel();
    this.#retry = this.#context.clock.after(this.#delays.next(), () => void this.tryNative());
  }

  /** Watches beside the polling; only when that stands does the polling end. */
  async tryNative(): Promise<void> {
    if (!this.#mustPoll) return;
    const before = this.#turn;
    const turn = ++this.#lastTurn;
    const trial = this.#trialOf(turn);
    const isThere = isFolder(this.#abs) && !this.#context.fileSystemOf(this.#abs).network && this.#context.mayWatch();
    const engine = isThere ? this.#native(trial.sink) : undefined;
    try {
      await engine?.start();
    } catch (error) {
      trial.sink.failed(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#turn !== before || engine === undefined || trial.error !== undefined) {
      await engine?.close();
      if (this.#turn === before) this.#tryNativeLater();
      return;
    }
    const polling = this.#engine;
    this.#turn = turn;
    this.#engine = engine;
    this.#mark = this.#markNow();
    this.#retry?.cancel();
    this.#mustPoll = false;
    this.#trouble = "";
    this.#failures = 0;
    this.#unwatchable.clear();
    for (const [path, why] of trial.unwatchable) this.#unwatchable.set(path, why);
    await polling?.close();
    this.#delays.reset();
    this.#context.gate.folder(this.scope.base.path, "watched-again");
  }

  /** A sink for an engine that is not in charge yet: what it cannot do is kept, what it hears is said when its turn comes. */
  #trialOf(turn: number): Trial {
    const inCharge = this.#sinkOf(turn);
    const isTurn = (): boolean => turn === this.#turn;
    const trial: Trial = {
      sink: {
        ...inCharge,
        cannotWatch: (path, error) => {
          if (isTurn()) inCharge.cannotWatch(path, error);
          else trial.unwatchable.push([path, error.message]);
        },
        failed: (error) => {
          if (isTurn()) inCharge.failed(error);
          else trial.error = error;
        },
        unsuited: () => {
          if (isTurn()) return inCharge.unsuited();
          this.#prefersFolders = true;
          trial.error = new Error("it needs the other engine");
        },
      },
      error: undefined,
      unwatchable: [],
    };
    return trial;
  }
}

/** An engine that may take over. */
interface Trial {
  readonly sink: EngineSink;
  error: Error | undefined;
  readonly unwatchable: [RelPath, string][];
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
