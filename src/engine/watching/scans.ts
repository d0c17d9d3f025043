import { type Problem, problem } from "../../core/model/problem.ts";
import type { RelPath, WallMs } from "../../core/model/words.ts";
import type { StateTable } from "../../core/plan/state-table.ts";
import type {
  ChangeHint,
  ChangeSource,
  Clock,
  Log,
  RescanCause,
  Scan,
  ScanProblem,
  Scanner,
  WatchBase,
  WatchHealth,
} from "../../ports.ts";
import { isDiskError } from "../disk-error.ts";
import { IGNORE_FILE } from "./live-ignore.ts";
import { findDifferences, watchBases } from "./reconcile.ts";
import type { StagesInForce } from "../stages.ts";

/** A reconcile scan may use one part in so many of one core. */
const SCAN_SHARE = 20;
/** How soon a scan that failed is tried again, in milliseconds. */
const FAILED_AGAIN_MS = 10_000;

const HINTS: Readonly<Record<ScanProblem["kind"], string>> = {
  unreadable: "let the user that runs Millrace read it, or name it in .millraceignore",
  "bad-name": "give it a name that is valid UTF-8",
  "link-outside": "put the files themselves inside the root",
};

export interface ScanSources {
  readonly clock: Clock;
  readonly scanner: Scanner;
  readonly changes: ChangeSource | undefined;
  readonly log: Log;
  /** Takes the root's ignore file anew; says whether it is another one now. */
  readonly refreshIgnore: () => boolean;
  readonly table: StateTable;
  readonly stages: () => StagesInForce;
  /** Paths to look at. */
  readonly hint: (paths: Iterable<RelPath>) => void;
  readonly onEnd: () => void;
  /** Looks whether the root itself is there: else nothing that a scan does not find is gone. */
  readonly isHere: () => boolean;
}

/** What brings paths to the journey's beginning: events of the watcher, and comparisons of the disk with the table. */
export class Scans {
  readonly #from: ScanSources;
  #running: Promise<void> | undefined;
  #problems: readonly Problem[] = [];
  #lastMs = 0;
  #lastLookAt: WallMs | undefined;
  #closed = false;
  /** Looks at everything that the watcher did not ask for, by cause. */
  readonly #rescans: Partial<Record<RescanCause, number>> = {};

  constructor(from: ScanSources) {
    this.#from = from;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** What the last scan could not look at. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** When the disk was last looked at as a whole; `undefined` when not yet. */
  get lastLookAt(): WallMs | undefined {
    return this.#lastLookAt;
  }

  /** Milliseconds between reconcile scans: the shortest `scanInterval`, stretched to keep a scan's share of a core small. */
  get intervalMs(): number {
    const wanted = Math.min(...this.#from.stages().topology.pipelines.map((pipeline) => pipeline.scanIntervalMs));
    const regular = Math.max(Number.isFinite(wanted) ? wanted : 600_000, this.#lastMs * SCAN_SHARE);
    return this.#problems.some(({ code }) => code === "M514") ? Math.min(regular, FAILED_AGAIN_MS) : regular;
  }

  /** Lets the watcher tell. Resolves when its events are really delivered. */
  async watch(): Promise<void> {
    await this.#from.changes?.start(this.#watched(), (hint) => this.#onHint(hint));
  }

  /** Watches no more, until `watchAnew`. */
  async unwatch(): Promise<void> {
    await this.#from.changes?.close();
  }

  /** Watches anew after the root was away, of which its watches know nothing, and looks at everything. */
  async watchAnew(): Promise<void> {
    this.#rescans["root-back"] = (this.#rescans["root-back"] ?? 0) + 1;
    if (this.#closed) return;
    await this.watch();
    await this.scan();
  }

  /** How well the watcher watches; `null` where nothing is watched. */
  health(): WatchHealth | null {
    const health = this.#from.changes?.health();
    return health ? { ...health, rescans: { ...health.rescans, ...this.#rescans } } : null;
  }

  /** Watches what the stages in force have patterns for. */
  async watchAgain(): Promise<void> {
    await this.#from.changes?.update(this.#watched());
  }

  /** Ends the watching and waits for a scan that runs; what it finds is no longer told. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#from.changes?.close();
    await this.#running;
  }

  /** The patterns' folders, and the root itself for its ignore file. */
  #watched(): WatchBase[] {
    return [{ path: "", depth: 1 }, ...watchBases(this.#from.stages().topology)];
  }

  #onHint(hint: ChangeHint): void {
    if (hint.kind === "folder") void this.#scanFolder(hint.path);
    else if (hint.path !== IGNORE_FILE) this.#from.hint([hint.path]);
    else if (this.#from.refreshIgnore()) void this.scan();
  }

  /** Compares the disk with the table and hints at every difference. One scan at a time: a second call joins in after it. */
  async scan(): Promise<void> {
    const { clock, refreshIgnore, stages, isHere } = this.#from;
    await this.#inTurn(async () => {
      const startedAt = clock.monoMs();
      if (!isHere()) return;
      refreshIgnore();
      const found = await this.#compare(watchBases(stages().topology));
      if (!found) return;
      this.#takeProblems(found.problems.map(asProblem));
      this.#lastMs = clock.monoMs() - startedAt;
      this.#lastLookAt = clock.wallMs();
    });
  }

  /** The same for one folder that something happened in, however deep. */
  async #scanFolder(path: RelPath): Promise<void> {
    const base = path.replace(/\/$/, "");
    await this.#inTurn(async () => {
      const found = this.#from.isHere() ? await this.#compare([{ path: base, depth: Infinity }]) : undefined;
      if (!found) return;
      // What stands elsewhere still stands; the next scan of everything tells what is over.
      this.#takeProblems([...this.#problems, ...found.problems.map(asProblem)]);
      this.#from.hint([base]);
    });
    this.#from.onEnd();
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    while (this.#running) await this.#running;
    if (this.#closed) return;
    this.#running = work().finally(() => (this.#running = undefined));
    await this.#running;
  }

  /** `undefined` when the root was gone at the end: then what was seen on the way says nothing. */
  async #compare(bases: readonly WatchBase[]): Promise<{ readonly problems: readonly ScanProblem[] } | undefined> {
    const { table, stages, clock, hint, isHere } = this.#from;
    try {
      const found = await this.#scanNow(bases);
      if (!found) return undefined;
      const different = await findDifferences(found, bases, table, stages().topology, clock);
      if (!isHere()) return undefined;
      if (!this.#closed) hint(different);
      return found;
    } catch (error) {
      if (isDiskError(error) && !isHere()) return undefined;
      throw error;
    }
  }

  /** `undefined` when the scanner failed: that stands as a problem until a scan of everything succeeds; the next one comes as ever. */
  async #scanNow(bases: readonly WatchBase[]): Promise<Scan | undefined> {
    const { scanner, isHere } = this.#from;
    try {
      return await scanner.scan(bases);
    } catch (error) {
      if (!isHere()) return undefined;
      const why = error instanceof Error ? error.message : String(error);
      const hint = "nothing is taken for gone; it is tried again at the next scan (mend what the message names)";
      const failed = problem("M514", `a scan of the root failed: ${why}`, hint);
      this.#takeProblems([...this.#problems.filter(({ code }) => code !== "M514"), failed]);
      return undefined;
    }
  }

  /** What cannot be looked at is told once; it stands in `problems` for as long as it is so. */
  #takeProblems(problems: readonly Problem[]): void {
    const known = new Set(this.#problems.map(({ message }) => message));
    this.#problems = [...new Map(problems.map((found) => [found.message, found])).values()];
    for (const found of this.#problems) if (!known.has(found.message)) this.#from.log.problem(found);
  }
}

function asProblem({ kind, path, reason }: ScanProblem): Problem {
  return { ...problem("M501", `"${path}" is left out: ${reason}`, HINTS[kind]), severity: "warning" };
}
