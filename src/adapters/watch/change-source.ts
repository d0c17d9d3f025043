import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { ChangeHint, ChangeSource, Clock, Disk, RescanCause, Timer, WatchBase, WatchHealth } from "../../ports.ts";
import { type BaseContext, BaseWatch } from "./base-watch.ts";
import { Canaries } from "./canaries.ts";
import { identityOf } from "./canary.ts";
import { Delays } from "./delays.ts";
import { fileSystemOf, type FileSystem } from "./file-system.ts";
import { type GateLimits, HintGate } from "./hint-gate.ts";
import { watchErrorWords } from "./limits.ts";
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
 *
 * A base that cannot be watched is polled, and watched again when that goes. In a root with a `.millrace`, canary files in
 * `.millrace/canary` prove at the start and every 30 s that events are delivered; when two in a row do not come back, every
 * base is polled until one does.
 */
export function createChangeSource(options: ChangeSourceOptions): ChangeSource {
  return new WatchingSource(options);
}

const OWN_FOLDER = ".millrace";
const CANARY_FOLDER = ".millrace/canary";
const POLL_MS = 1_000;
const NO_EVENTS = "polled, because canary files do not come back as events";
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
        readonly canaries: Canaries | undefined;
      }
    | undefined;
  #presenceTrouble = "";
  readonly #presenceDelays = new Delays();
  #presenceTryAt = 0;
  #checkTimer: Timer | undefined;
  /** What was closed before must not take away what is started after it. */
  #closing: Promise<unknown> = Promise.resolve();
  /** Since the first start: a root that was away is started anew. */
  readonly #rescans: Partial<Record<RescanCause, number>> = {};

  constructor(options: ChangeSourceOptions) {
    this.#options = options;
    this.#root = options.root.length > 1 && options.root.endsWith("/") ? options.root.slice(0, -1) : options.root;
    this.#isIgnored = (path, isFolder) =>
      path === OWN_FOLDER || path.startsWith(`${OWN_FOLDER}/`) || options.isIgnored(path, isFolder);
  }

  async start(bases: readonly WatchBase[], onHint: (hint: ChangeHint) => void): Promise<void> {
    await this.close();
    const { clock, disk } = this.#options;
    const gate = new HintGate(clock, this.#limits(), onHint, this.#rescans);
    const presence = new Presence(
      (path, type) => this.#presenceEvent(path, type),
      (error) => (this.#presenceTrouble = `cannot watch the folders above: ${watchErrorWords(error, disk)}`),
    );
    const lateLoop = new LateLoop(
      clock,
      () => gate.totalEvents,
      (cause) => {
        this.#hintAll(cause);
        void this.#parts?.canaries?.send();
      },
    );
    const context: BaseContext = {
      clock,
      gate,
      fileSystemOf: this.#options.fileSystemOf ?? fileSystemOf,
      maxEntries: this.#options.maxEntries ?? 50_000,
      pollIntervalMs: this.#options.pollIntervalMs ?? POLL_MS,
      wordsOf: (error) => watchErrorWords(error, disk),
      mayWatch: () => this.#parts?.canaries?.areEventsProved !== false,
    };
    const canaries = this.#makeCanaries(context);
    this.#parts = { gate, presence, lateLoop, context, canaries };
    await Promise.all([this.#set(bases), canaries?.send()]);
    if (this.#parts?.gate !== gate) return;
    lateLoop.start();
    this.#checkLater(context.pollIntervalMs);
  }

  /** None in a folder that is no root of ours: there is no place where they would be in nobody's way. */
  #makeCanaries({ clock, pollIntervalMs, fileSystemOf: systemOf }: BaseContext): Canaries | undefined {
    const own = absolute(this.#root, OWN_FOLDER);
    if (identityOf(own) === "") return undefined;
    return new Canaries({
      root: this.#root,
      folder: CANARY_FOLDER,
      clock,
      pollIntervalMs,
      isShare: systemOf(own).network,
      onBack: () => {
        for (const watch of this.#bases.values()) if (watch.isForcedByCanary) void watch.tryNative();
      },
      onLost: (losses) => this.#eventsLost(losses),
    });
  }

  /** One lost event may be one of many; more in a row mean that none come. */
  #eventsLost(losses: number): void {
    this.#hintAll("canary");
    if (losses < 2) return;
    for (const watch of this.#bases.values()) watch.pollForWantOfEvents(NO_EVENTS);
  }

  /** What no event tells: a watch that lies on a folder which has another name by now, or on none. */
  #checkLater(delayMs: number): void {
    this.#checkTimer = this.#options.clock.after(delayMs, () => {
      const { presence, canaries } = this.#parts!;
      const now = this.#options.clock.monoMs();
      if (this.#presenceTrouble !== "" && now >= this.#presenceTryAt) {
        this.#presenceTryAt = now + this.#presenceDelays.next();
        this.#presenceTrouble = "";
        presence.arm();
        if (this.#presenceTrouble === "") this.#presenceDelays.reset();
      }
      for (const watch of this.#bases.values()) watch.check();
      canaries?.follow(this.#isAnyPolled);
      this.#checkLater(delayMs);
    });
  }

  get #isAnyPolled(): boolean {
    return [...this.#bases.values()].some((watch) => watch.isPolling);
  }

  async update(bases: readonly WatchBase[]): Promise<void> {
    await this.#set(bases);
  }

  health(): WatchHealth {
    const parts = this.#parts;
    if (parts === undefined)
      return { mode: "blind", reason: "not started", watchedFolders: 0, rescans: {}, canary: null };
    const watches = [...this.#bases.values()];
    const watchedFolders = watches.reduce((sum, watch) => sum + watch.watchedFolders, parts.presence.watchedFolders);
    const canary = parts.canaries?.report ?? null;
    return { ...this.#mode(watches, parts.canaries), canary, watchedFolders, rescans: parts.gate.rescans };
  }

  #mode(watches: readonly BaseWatch[], canaries: Canaries | undefined): Pick<WatchHealth, "mode" | "reason"> {
    const healths = watches.map((watch) => watch.health());
    const { whyNoEvents = "", whyNoPolling = "" } = canaries ?? {};
    if (whyNoPolling !== "")
      return {
        mode: "blind",
        reason: `not even polling notices a canary file: ${whyNoPolling}; only scans find changes`,
      };
    const degraded = healths.find(({ mode }) => mode === "degraded");
    if (degraded) return degraded;
    if (this.#presenceTrouble !== "") return { mode: "degraded", reason: this.#presenceTrouble };
    const polling = healths.find(({ mode }) => mode === "polling");
    if (polling) return polling;
    if (whyNoEvents !== "") return { mode: "degraded", reason: `not proved by a canary file: ${whyNoEvents}` };
    return { mode: "live", reason: "" };
  }

  async close(): Promise<void> {
    const parts = this.#parts;
    this.#parts = undefined;
    this.#checkTimer?.cancel();
    parts?.lateLoop.close();
    parts?.presence.close();
    parts?.gate.close();
    const watches = [...this.#bases.values()];
    this.#bases.clear();
    this.#closing = Promise.all([this.#closing, parts?.canaries?.close(), ...watches.map((watch) => watch.close())]);
    await this.#closing;
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
    parts.canaries?.follow(this.#isAnyPolled);
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

  #hintAll(cause: RescanCause): void {
    for (const watch of this.#bases.values()) this.#parts?.gate.folder(watch.scope.base.path, cause);
  }

  #limits(): GateLimits {
    const said = this.#options.disk.read(QUEUE_SETTING);
    const ofKernel = said === undefined ? Number.NaN : Number(new TextDecoder().decode(said));
    const queue = this.#options.maxQueuedEvents ?? (ofKernel > 0 ? ofKernel : DEFAULT_QUEUE);
    return { eventsOfAll: queue * RISKY_SHARE, eventsOfFolder: 1_000, eventsToRelist: 100 };
  }
}
