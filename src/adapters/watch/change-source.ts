import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { ChangeHint, ChangeSource, Clock, Disk, WatchBase, WatchHealth } from "../../ports.ts";
import { type BaseContext, BaseWatch } from "./base-watch.ts";
import { fileSystemOf, type FileSystem } from "./file-system.ts";
import { type GateLimits, HintGate } from "./hint-gate.ts";
import { LateLoop } from "./late-loop.ts";
import { Presence } from "./presence.ts";
import { absolute, relative, withoutOverlap } from "./scope.ts";

/** What a source of changes needs; the optional settings are for tests and have the values of the design. */
export interface ChangeSourceOptions {
  readonly root: AbsPath;
  readonly disk: Disk;
  readonly clock: Clock;
  /** Paths not to hint at; `.millrace` never is, whatever this says. */
  readonly isIgnored: (path: RelPath, isFolder: boolean) => boolean;
  /** Entries under a base above which one `fs.watch` per folder replaces chokidar: 50,000. */
  readonly maxEntries?: number;
  /** Between two looks at what must be polled: 1,000. */
  readonly pollIntervalMs?: number;
  /** How many events the kernel queues; else as the kernel says. */
  readonly maxQueuedEvents?: number;
  /** Which file system a path is on. */
  readonly fileSystemOf?: (path: AbsPath) => FileSystem;
}

/**
 * Hints of changes below a root: by chokidar, by one `fs.watch` per folder for large bases and bases with links to folders, by polling on
 * shares and where the kernel has no watches left. Paths in folder hints have no final slash; the hint is about the folder
 * itself too. A base that does not exist is noticed when it appears. A file behind a link is hinted at by its own path only.
 */
export function createChangeSource(options: ChangeSourceOptions): ChangeSource {
  return new WatchingSource(options);
}

const OWN_FOLDER = ".millrace";
const QUEUE_SETTING = "/proc/sys/fs/inotify/max_queued_events";
const DEFAULT_QUEUE = 16_384;
/** Share of the kernel's queue that one second may fill before a loss is assumed. */
const RISKY_SHARE = 0.25;

class WatchingSource implements ChangeSource {
  readonly #root: AbsPath;
  readonly #options: ChangeSourceOptions;
  readonly #isIgnored: (path: RelPath, isFolder: boolean) => boolean;
  readonly #bases = new Map<string, BaseWatch>();
  #parts:
    | {
        readonly gate: HintGate;
        readonly presence: Presence;
        readonly lateLoop: LateLoop;
        readonly context: BaseContext;
      }
    | undefined;
  #presenceTrouble = "";

  constructor(options: ChangeSourceOptions) {
    this.#options = options;
    this.#root = options.root.length > 1 && options.root.endsWith("/") ? options.root.slice(0, -1) : options.root;
    this.#isIgnored = (path, isFolder) =>
      path === OWN_FOLDER || path.startsWith(`${OWN_FOLDER}/`) || options.isIgnored(path, isFolder);
  }

  async start(bases: readonly WatchBase[], onHint: (hint: ChangeHint) => void): Promise<void> {
    await this.close();
    const { clock } = this.#options;
    const gate = new HintGate(clock, this.#limits(), onHint);
    const presence = new Presence(
      (path, type) => this.#presenceEvent(path, type),
      (error) => (this.#presenceTrouble = `cannot watch the folders above: ${error.message}`),
    );
    const lateLoop = new LateLoop(
      clock,
      () => gate.totalEvents,
      () => this.#hintAll("late-loop"),
    );
    const context: BaseContext = {
      clock,
      gate,
      fileSystemOf: this.#options.fileSystemOf ?? fileSystemOf,
      maxEntries: this.#options.maxEntries ?? 50_000,
      pollIntervalMs: this.#options.pollIntervalMs ?? 1_000,
    };
    this.#parts = { gate, presence, lateLoop, context };
    await this.#set(bases);
    if (this.#parts?.gate === gate) lateLoop.start();
  }

  async update(bases: readonly WatchBase[]): Promise<void> {
    await this.#set(bases);
  }

  health(): WatchHealth {
    const parts = this.#parts;
    if (parts === undefined) return { mode: "blind", reason: "not started", watchedFolders: 0, rescans: {}, canary: null };
    const watches = [...this.#bases.values()];
    const healths = watches.map((watch) => watch.health());
    const worst = healths.find(({ mode }) => mode === "degraded") ??
      (this.#presenceTrouble === "" ? undefined : { mode: "degraded" as const, reason: this.#presenceTrouble }) ??
      healths.find(({ mode }) => mode === "polling") ?? { mode: "live" as const, reason: "" };
    const watchedFolders = watches.reduce((sum, watch) => sum + watch.watchedFolders, parts.presence.watchedFolders);
    return { ...worst, watchedFolders, rescans: parts.gate.rescans, canary: null };
  }

  async close(): Promise<void> {
    const parts = this.#parts;
    this.#parts = undefined;
    parts?.lateLoop.close();
    parts?.presence.close();
    parts?.gate.close();
    const watches = [...this.#bases.values()];
    this.#bases.clear();
    await Promise.all(watches.map((watch) => watch.close()));
  }

  async #set(bases: readonly WatchBase[]): Promise<void> {
    const parts = this.#parts;
    if (parts === undefined) return;
    const wanted = new Map(withoutOverlap(bases).map((base) => [`${base.depth} ${base.path}`, base]));
    const dropped = [...this.#bases].filter(([key]) => !wanted.has(key));
    const added: BaseWatch[] = [];
    for (const [key, base] of wanted) {
      if (this.#bases.has(key)) continue;
      const watch = new BaseWatch({ root: this.#root, base, isIgnored: this.#isIgnored }, parts.context);
      this.#bases.set(key, watch);
      added.push(watch);
    }
    for (const [key] of dropped) this.#bases.delete(key);
    this.#presenceTrouble = "";
    // Before the bases are looked at, so that none appears unseen in between.
    parts.presence.set(
      this.#root,
      [...this.#bases.values()].map((watch) => absolute(this.#root, watch.scope.base.path)),
    );
    await Promise.all(added.map((watch) => watch.restart(true)));
    // Last: what an old base watched is watched by a new one by now.
    await Promise.all(dropped.map(([, watch]) => watch.close()));
  }

  #presenceEvent(path: AbsPath, type: "rename" | "change"): void {
    const gate = this.#parts?.gate;
    if (gate === undefined) return;
    for (const watch of this.#bases.values()) {
      const base = absolute(this.#root, watch.scope.base.path);
      if (watch.isSinglePath) {
        if (relative(path, base) !== undefined) gate.path(watch.scope.base.path);
      } else if (type === "rename" && relative(path, base) !== undefined) {
        void watch.restart(false);
      }
    }
  }

  #hintAll(cause: "late-loop"): void {
    for (const watch of this.#bases.values()) this.#parts?.gate.folder(watch.scope.base.path, cause);
  }

  #limits(): GateLimits {
    const said = this.#options.disk.read(QUEUE_SETTING);
    const ofKernel = said === undefined ? Number.NaN : Number(new TextDecoder().decode(said));
    const queue = this.#options.maxQueuedEvents ?? (ofKernel > 0 ? ofKernel : DEFAULT_QUEUE);
    return { eventsOfAll: queue * RISKY_SHARE, eventsOfFolder: 1_000, eventsToRelist: 100 };
  }
}
