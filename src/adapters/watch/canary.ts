import { mkdirSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { CanaryReport, Clock, Timer } from "../../ports.ts";
import { Delays } from "./delays.ts";
import { absolute, type BaseScope, type Engine, type EngineSink } from "./scope.ts";

/** Between two canaries while all is well. */
const INTERVAL_MS = 30_000;
/** After an overdue canary, for events that waited while the process did not run. */
const GRACE_MS = 250;

/** What a canary needs of the one who sends it. */
export interface CanaryOptions {
  readonly root: AbsPath;
  /** Relative to the root; made and removed here, the folder above it is not. */
  readonly folder: RelPath;
  /** Begins the names of its files; other files of the folder are not its own. */
  readonly name: string;
  readonly clock: Clock;
  /** How long one may be under way. */
  readonly boundMs: number;
  readonly engine: (scope: BaseScope, sink: EngineSink) => Engine;
  readonly onBack: () => void;
  /** `losses`: how many in a row. */
  readonly onLost: (losses: number, why: string) => void;
}

/**
 * Writes a small file into a folder of our own, watched by an engine as bases are, and waits for it to come back as an event.
 *
 * That proves the way from the kernel into this process, which all watches share: one inotify instance serves a whole
 * process. It does not prove the watch of each single folder; that one lies on the folder that has the name today is
 * compared by `BaseWatch.check`. No canary is ever written among sources.
 */
export class Canary {
  readonly #options: CanaryOptions;
  readonly #delays = new Delays();
  #engine: Engine | undefined;
  /** Device and inode of the folder that is watched. */
  #watched = "";
  #pending: { readonly file: string; readonly arrive: () => void } | undefined;
  #timer: Timer | undefined;
  #sent = 0;
  #losses = 0;
  #backAt: string | null = null;
  #why = "";
  #isClosed = false;

  constructor(options: CanaryOptions) {
    this.#options = options;
  }

  get report(): CanaryReport {
    return { at: this.#backAt, ok: this.#why === "" && this.#backAt !== null };
  }

  /** Why the last one did not come back; empty when it did. */
  get why(): string {
    return this.#why;
  }

  /** Sends one now, unless one is under way. Resolves when it is back or given up; never rejects. */
  async send(): Promise<void> {
    if (this.#pending !== undefined || this.#isClosed) return;
    const file = `${this.#options.name}-${++this.#sent}`;
    const arrived = new Promise<void>((resolve) => (this.#pending = { file, arrive: resolve }));
    this.#timer?.cancel();
    try {
      await this.#watch();
      if (this.#isClosed) return;
      writeFileSync(join(this.#folder, file), "", { flag: "wx" });
    } catch (error) {
      this.#lost(`it cannot be sent: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    this.#timer = this.#options.clock.after(this.#options.boundMs, () => {
      this.#timer = this.#options.clock.after(GRACE_MS, () => this.#lost("it did not come back"));
    });
    await arrived;
  }

  /** Ends it and takes its files away. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#pending?.arrive();
    const engine = this.#engine;
    this.#engine = undefined;
    await engine?.close();
    // What has another identity by now is another root's.
    if (this.#watched === "" || identityOf(this.#folder) !== this.#watched) return;
    this.#removeFiles();
    try {
      rmdirSync(this.#folder);
    } catch {
      // The other kind's canary is still there, or the disk is read-only: an empty folder of our own harms nobody.
    }
  }

  get #folder(): AbsPath {
    return absolute(this.#options.root, this.#options.folder);
  }

  /** Watches the folder, anew where it is another one than before. */
  async #watch(): Promise<void> {
    if (this.#engine !== undefined && identityOf(this.#folder) === this.#watched) return;
    await this.#engine?.close();
    this.#engine = undefined;
    try {
      // Not with the folders above it: where `.millrace` is missing, the root is away.
      mkdirSync(this.#folder);
    } catch (error) {
      if (identityOf(this.#folder) === "") throw error;
    }
    this.#watched = identityOf(this.#folder);
    this.#removeFiles();
    const { root, folder, engine } = this.#options;
    const scope: BaseScope = { root, base: { path: folder, depth: 1 }, isIgnored: () => false };
    let failure: Error | undefined;
    const started = engine(
      scope,
      this.#sink((error) => (failure = error)),
    );
    await started.start();
    if (failure === undefined && !this.#isClosed) {
      this.#engine = started;
      return;
    }
    await started.close();
    if (failure !== undefined) throw failure;
  }

  #sink(onFailure: (error: Error) => void): EngineSink {
    const seen = (path: RelPath): void => this.#seen(path);
    return {
      arrived: () => true,
      path: seen,
      repeatedPath: seen,
      lostName: () => {},
      newFolder: () => {},
      goneFolder: () => {},
      cannotWatch: (_path, error) => onFailure(error),
      failed: (error) => {
        onFailure(error);
        this.#watched = "";
      },
      unsuited: () => {},
    };
  }

  #seen(path: RelPath): void {
    const pending = this.#pending;
    if (pending === undefined || path !== `${this.#options.folder}/${pending.file}`) return;
    this.#end(pending.file);
    this.#losses = 0;
    this.#why = "";
    this.#backAt = new Date(this.#options.clock.wallMs()).toISOString();
    this.#delays.reset();
    this.#next(INTERVAL_MS);
    pending.arrive();
    this.#options.onBack();
  }

  #lost(why: string): void {
    const pending = this.#pending;
    if (pending === undefined || this.#isClosed) return;
    this.#end(pending.file);
    this.#losses++;
    this.#why = why;
    // One alone may have been lost with others, when the kernel's queue overflowed: the next one follows at once.
    this.#next(this.#losses === 1 ? 0 : this.#delays.next());
    pending.arrive();
    this.#options.onLost(this.#losses, why);
  }

  #next(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => void this.send());
  }

  #end(file: string): void {
    this.#pending = undefined;
    this.#timer?.cancel();
    this.#remove(file);
  }

  /** What a process that died left there, too. */
  #removeFiles(): void {
    for (const name of namesIn(this.#folder)) if (name.startsWith(`${this.#options.name}-`)) this.#remove(name);
  }

  #remove(file: string): void {
    try {
      rmSync(join(this.#folder, file), { force: true });
    } catch {
      // The root is away or read-only; what is left is removed with the next start.
    }
  }
}

function namesIn(folder: AbsPath): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Tells a folder from another one of its name; empty when there is none. */
export function identityOf(folder: AbsPath): string {
  try {
    const stats = statSync(folder, { throwIfNoEntry: false });
    return stats?.isDirectory() === true ? `${stats.dev} ${stats.ino}` : "";
  } catch {
    return "";
  }
}
