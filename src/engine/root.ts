import type { Pipeline } from "../core/model/pipeline.ts";
import { type Problem, problem } from "../core/model/problem.ts";
import {
  type AbsPath,
  type EntityId,
  type RelPath,
  type StageKey,
  stageKey,
  type TaskKey,
} from "../core/model/words.ts";
import { StateTable } from "../core/plan/state-table.ts";
import type { Task } from "../core/plan/topology.ts";
import type {
  AttemptRow,
  ChangeHint,
  ChangeSource,
  Clock,
  Controls,
  ControlsStore,
  Disk,
  IndexStore,
  IntentStore,
  Job,
  JobQueue,
  Ledger,
  LaneLimits,
  Log,
  ManifestStore,
  NodeRunner,
  Random,
  Scanner,
  ScanProblem,
  StateReader,
  Timer,
  Trash,
  WatchBase,
} from "../ports.ts";
import type { FactSources } from "./facts.ts";
import { isDiskError } from "./disk-error.ts";
import { type Ending, rowOf } from "./history.ts";
import { Journey } from "./journey.ts";
import type { LookSources } from "./look.ts";
import { IGNORE_FILE } from "./live-ignore.ts";
import { ManifestBook } from "./manifest-book.ts";
import { breathe, findDifferences, watchBases } from "./reconcile.ts";
import { recover } from "./recover.ts";
import { Settling } from "./settling.ts";
import { loadSnapshot, saveSnapshot, type SnapshotMeta } from "./snapshot.ts";
import { bringIntoForce, StagesInForce } from "./stages.ts";
import { statusOfRoot } from "./status.ts";

/** How long a manifest may wait for the next stage of its entity, in milliseconds. */
const MANIFEST_DELAY_MS = 100;
/** A reconcile scan may use one part in so many of one core. */
const SCAN_SHARE = 20;
/** How many ended attempts are kept for the ledger while it cannot be written. */
const HISTORY_KEPT = 10_000;
/** How long a root must be quiet before its index is saved, in milliseconds. */
const SAVE_DELAY_MS = 2000;
/** How often the counters for `status` are saved while things change, in milliseconds. */
const STATUS_DELAY_MS = 1000;

function scanProblem({ kind, path, reason }: ScanProblem): Problem {
  const hint = SCAN_HINTS[kind];
  return { ...problem("M501", `"${path}" is left out: ${reason}`, hint), severity: "warning" };
}

const SCAN_HINTS: Readonly<Record<ScanProblem["kind"], string>> = {
  unreadable: "let the user that runs Millrace read it, or name it in .millraceignore",
  "bad-name": "give it a name that is valid UTF-8",
  "link-outside": "put the files themselves inside the root",
};

/** What one root is made of. */
export interface RootPorts {
  readonly root: AbsPath;
  /** As definitions name it, for reports. */
  readonly name: string;
  readonly pipelinesFolder: AbsPath;
  readonly cacheFolder: AbsPath;
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly reader: StateReader;
  readonly manifests: ManifestStore;
  readonly intents: IntentStore;
  readonly index: IndexStore;
  readonly controls: ControlsStore;
  readonly trash: Trash;
  readonly ledger: Ledger;
  readonly scanner: Scanner;
  readonly changes: ChangeSource | undefined;
  /** Takes the root's ignore file anew; says whether it is another one now. */
  readonly refreshIgnore: () => boolean;
  readonly runner: NodeRunner;
  /** HMAC of an environment variable's value today, under the root's key. */
  readonly envHash: (name: string) => string;
  readonly log: Log;
  /** `undefined`: only looked at, nothing is run or written. */
  readonly makeQueue: ((limits: LaneLimits, run: (jobs: readonly Job[]) => Promise<void>) => JobQueue) | undefined;
  readonly defaultSettleMs: number;
  readonly racyMs: number;
  /** Told at each reconcile scan: definitions, code outside the project and tools may have changed unseen, too. */
  readonly onReconcile: () => void;
}

/** One root at work: its table, its journey, its scans, and what survives of it on disk. */
export class Root {
  readonly ports: RootPorts;
  readonly table: StateTable = new StateTable();
  readonly book: ManifestBook;
  readonly settling: Settling;
  readonly journey: Journey;
  readonly facts: FactSources;
  readonly lookFrom: LookSources;
  readonly endings: Set<(ending: Ending) => void> = new Set();
  #stages: StagesInForce = new StagesInForce([], new Map(), []);
  #controls: Controls;
  #envSeen: Record<string, string> = Object.create(null);
  #definitionProblems: readonly Problem[] = [];
  #scanProblems: readonly Problem[] = [];
  #lastScanMs = 0;
  #lastLookAt: number | undefined;
  #scanning: Promise<void> | undefined;
  readonly #timers = new Map<string, Timer>();
  readonly #waiters = new Set<() => void>();
  /** Ended attempts that the ledger could not take yet. */
  readonly #history: AttemptRow[] = [];
  #saved: SnapshotMeta | undefined;
  #dirty = false;
  #isSaveFailed = false;
  #closed = false;

  constructor(ports: RootPorts) {
    this.ports = ports;
    const { clock, reader } = ports;
    this.#controls = ports.controls.read();
    this.book = new ManifestBook(ports.manifests, (batchId) =>
      this.#tryToWrite("what an attempt left in tmp", () => ports.intents.remove(batchId)),
    );
    this.settling = new Settling(clock, (paths) => this.journey.hint(paths));
    const stages = (): StagesInForce => this.#stages;
    this.facts = {
      table: this.table,
      book: this.book,
      reader,
      clock,
      stages,
      controls: () => this.#controls,
      envHash: (name) => this.#envHash(name),
    };
    this.lookFrom = {
      table: this.table,
      reader,
      clock,
      settling: this.settling,
      stages,
      defaultSettleMs: ports.defaultSettleMs,
      racyMs: ports.racyMs,
    };
    const { makeQueue } = ports;
    this.journey = new Journey(
      {
        ...ports,
        queue: makeQueue && ((run) => makeQueue(this.#limits, run)),
        onEnding: (endings) => this.#onEnding(endings),
        onDone: (key) => this.#unforce(key),
        flushManifest: (id) => this.#flushManifest(id),
        onChange: () => this.#onChange(),
      },
      this.lookFrom,
      this.facts,
    );
  }

  get stages(): StagesInForce {
    return this.#stages;
  }

  get controls(): Controls {
    return this.#controls;
  }

  /** Standing problems: definitions that do not load, code that does not compile, what a scan could not read. */
  get problems(): readonly Problem[] {
    return [...this.#definitionProblems, ...this.#stages.problems, ...this.#scanProblems];
  }

  /** When the disk was last looked at as a whole, wall time; `undefined` when not yet. */
  get lastLookAt(): number | undefined {
    return this.#lastLookAt;
  }

  /** Milliseconds between reconcile scans: the shortest `scanInterval` of the pipelines, stretched to keep a scan's share of a core small. */
  get scanIntervalMs(): number {
    const wanted = Math.min(...this.#stages.topology.pipelines.map((pipeline) => pipeline.scanIntervalMs));
    return Math.max(Number.isFinite(wanted) ? wanted : 600_000, this.#lastScanMs * SCAN_SHARE);
  }

  // ------------------------------------------------------------ start and stop

  /** Brings the definitions into force: enough for what does not ask about files. */
  async openDefinitions(pipelines: readonly Pipeline[], problems: readonly Problem[]): Promise<void> {
    this.#definitionProblems = problems;
    this.#stages = await this.#inspect(pipelines);
  }

  /** Brings the definitions into force and loads what is known; reads, never writes. */
  async open(pipelines: readonly Pipeline[], problems: readonly Problem[]): Promise<void> {
    await this.openDefinitions(pipelines, problems);
    const today = { stamps: this.#stages.stamps(), manifestsMtimeMs: this.#manifestsMtimeMs() };
    const loaded = loadSnapshot(this.ports.index, this.table, this.#stages.topology, today);
    if (!loaded) return;
    this.#saved = loaded.meta;
    Object.assign(this.#envSeen, loaded.envSeen);
    const envChanged = Object.entries(loaded.envSeen).some(([name, hash]) => this.ports.envHash(name) !== hash);
    this.#toJudge = envChanged ? "all" : loaded.changed;
  }

  #toJudge: ReadonlySet<StageKey> | "all" = new Set();

  /** Finishes what a dead process left, watches, and looks at everything once. Resolves when that first look is planned. */
  async start(): Promise<void> {
    const { intents, reader, log, changes } = this.ports;
    for (const found of recover(intents, this.book, reader)) log.problem(found);
    if (changes) this.#makeSourceFolders();
    await changes?.start(this.#watched(), (hint) => this.#onHint(hint));
    await this.look();
    this.#armScan();
  }

  /** The folders that people are to drop files into. */
  #makeSourceFolders(): void {
    const { disk, root, log } = this.ports;
    for (const { type, pattern } of this.#stages.topology.stages) {
      const folder = `${root}/${pattern.base}`;
      if (type !== "source" || disk.stat(folder) !== undefined) continue;
      disk.makeFolders(folder);
      log.info({ folder: `${this.ports.name}${pattern.base}` }, "made a folder for sources");
    }
  }

  /** Looks at everything and judges what may have changed since the table was saved. */
  async look(): Promise<void> {
    await this.scan();
    this.#judgeAgain(this.#toJudge);
    this.#toJudge = new Set();
    await this.#whenPlanned();
  }

  /** Ends running attempts, giving them `graceMs`, and saves everything. */
  async stop(graceMs: number): Promise<void> {
    this.journey.stop();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    await this.ports.changes?.close();
    await this.#scanning;
    const idle = this.journey.queue?.onIdle() ?? Promise.resolve();
    const cut = this.ports.clock.after(graceMs, () => this.journey.cancelRunning());
    await idle;
    cut.cancel();
    this.#closed = true;
    this.settling.stop();
    this.flushManifests();
    this.save();
    this.ports.ledger.close();
    this.ports.index.close();
  }

  /** Ends a root that was opened for one command: writes what the command changed, and nothing when it only looked. */
  finish(): void {
    this.#closed = true;
    this.journey.stop();
    this.settling.stop();
    for (const timer of this.#timers.values()) timer.cancel();
    this.ports.ledger.close();
    this.ports.index.close();
  }

  // ------------------------------------------------------------ scans

  #bases(): WatchBase[] {
    return watchBases(this.#stages.topology);
  }

  /** What is scanned, and the root itself for its ignore file. */
  #watched(): WatchBase[] {
    return [{ path: "", depth: 1 }, ...this.#bases()];
  }

  #onHint(hint: ChangeHint): void {
    if (hint.kind === "folder") void this.scanFolder(hint.path);
    else if (hint.path !== IGNORE_FILE) this.journey.hint([hint.path]);
    else if (this.ports.refreshIgnore()) void this.scan();
  }

  /** Compares the disk with the table and hints at every difference. One scan at a time: a second call joins in after it. */
  async scan(): Promise<void> {
    while (this.#scanning) await this.#scanning;
    this.#scanning = this.#scanBases(this.#bases()).finally(() => (this.#scanning = undefined));
    await this.#scanning;
    this.#lastLookAt = this.ports.clock.wallMs();
  }

  async #scanBases(bases: readonly WatchBase[]): Promise<void> {
    const { scanner, clock } = this.ports;
    const startedAt = clock.monoMs();
    this.ports.refreshIgnore();
    const found = await scanner.scan(bases);
    this.#takeScanProblems(found.problems.map(scanProblem));
    if (this.#closed) return;
    this.journey.hint(await findDifferences(found, bases, this.table, this.#stages.topology, clock));
    this.#lastScanMs = clock.monoMs() - startedAt;
  }

  /** What cannot be looked at is told once; it stands in `problems` for as long as it is so. */
  #takeScanProblems(problems: readonly Problem[]): void {
    const known = new Set(this.#scanProblems.map(({ message }) => message));
    this.#scanProblems = [...new Map(problems.map((found) => [found.message, found])).values()];
    for (const found of this.#scanProblems) if (!known.has(found.message)) this.ports.log.problem(found);
  }

  /** Scans one folder that something happened in, however deep. */
  async scanFolder(path: RelPath): Promise<void> {
    while (this.#scanning) await this.#scanning;
    if (this.#closed) return;
    const base = path.replace(/\/$/, "");
    const { scanner, clock } = this.ports;
    const work = async (): Promise<void> => {
      const bases = [{ path: base, depth: Infinity }];
      const found = await scanner.scan(bases);
      if (this.#closed) return;
      this.#takeScanProblems([...this.#scanProblems, ...found.problems.map(scanProblem)]);
      const different = await findDifferences(found, bases, this.table, this.#stages.topology, clock);
      this.journey.hint([...different, base]);
    };
    this.#scanning = work().finally(() => (this.#scanning = undefined));
    await this.#scanning;
    this.#onChange();
  }

  #armScan(): void {
    this.#every("scan", this.scanIntervalMs, () => {
      this.ports.onReconcile();
      void this.scan().then(() => this.#armScan());
    });
  }

  /** Calls `act` once after a time, unless already waiting under this name. */
  #every(name: string, delayMs: number, act: () => void): void {
    if (this.#closed || this.#timers.has(name)) return;
    const timer = this.ports.clock.after(delayMs, () => {
      this.#timers.delete(name);
      if (!this.#closed) act();
    });
    this.#timers.set(name, timer);
  }

  // ------------------------------------------------------------ definitions

  #inspect(pipelines: readonly Pipeline[]): Promise<StagesInForce> {
    const { runner, pipelinesFolder, cacheFolder, envHash } = this.ports;
    return bringIntoForce(pipelines, { runner, pipelinesFolder, cacheFolder, envHash, before: this.#stages });
  }

  /** Puts other definitions (or other code) in force; only what they make stale runs. Returns how many stages changed. */
  async replaceDefinitions(pipelines: readonly Pipeline[], problems: readonly Problem[]): Promise<number> {
    const before = this.#stages;
    const after = await this.#inspect(pipelines);
    this.#definitionProblems = problems;
    this.#stages = after;
    this.table.assignRoles(after.topology.roleNumber);
    this.journey.adopt();
    this.#forgetStrangers();
    const [was, is] = [before.stamps(), after.stamps()];
    const keys = new Set([...Object.keys(was), ...Object.keys(is)]);
    const changed = new Set([...keys].filter((key) => was[key] !== is[key]));
    if (changed.size > 0) {
      await this.ports.changes?.update(this.#watched());
      this.#judgeAgain(changed);
      await this.scan();
    }
    this.#onChange();
    return changed.size;
  }

  /** Paths that belong to no stage any more are none of ours, and what nobody makes any more is a source like any other. */
  #forgetStrangers(): void {
    const { table } = this;
    for (let row = 0; row < table.end; row++) {
      if (table.pathOf(row) === undefined) continue;
      const { producer, sources } = this.#stages.topology.role(table.roleOf(row));
      if (producer) continue;
      const isSettling = table.statusOf(row) === "settling";
      const isThere = isSettling || table.isPresent(row) || table.isRefused(row);
      if (sources.length === 0 || !isThere) table.remove(row);
      else if (!isSettling) table.setStatus(row, table.isPresent(row) ? "fresh" : "failed");
    }
    for (const path of this.settling.paths()) if (this.table.find(path) === undefined) this.settling.forget(path);
  }

  /** Judges the tasks of these stages, every task that is not done, and what follows from them. */
  #judgeAgain(stages: ReadonlySet<StageKey> | "all"): void {
    const { topology } = this.#stages;
    const concerned = stages === "all" ? stages : this.#withInputs(stages);
    const paths: RelPath[] = [];
    for (let row = 0; row < this.table.end; row++) {
      const path = this.table.pathOf(row);
      if (path === undefined) continue;
      const role = topology.role(this.table.roleOf(row));
      const status = this.table.statusOf(row);
      const settled = status === "fresh" || status === "skipped";
      const named =
        concerned === "all" || [role.producer, ...role.sources].some((stage) => stage && concerned.has(stage.key));
      if (named || (role.producer ? !settled : status === "settling")) paths.push(path);
    }
    this.journey.replanAround(paths);
    this.journey.replan(this.#forcedTasks());
  }

  /** These stages and their inputs: a stage that is new has no states yet by which its tasks could be found. */
  #withInputs(stages: ReadonlySet<StageKey>): ReadonlySet<StageKey> {
    const all = new Set(stages);
    for (const key of stages) {
      const stage = this.#stages.topology.stage(key);
      if (!stage || stage.type === "source") continue;
      for (const { stage: input } of stage.inputs) all.add(stageKey(stage.pipeline, input));
    }
    return all;
  }

  /** Tasks that a person invalidated: no file shows that they are due. */
  #forcedTasks(): Task[] {
    return Object.keys(this.#controls.forced).flatMap((key) => {
      const stage = this.#stages.topology.stage(key.slice(0, key.indexOf("@")));
      const task =
        stage && stage.type !== "source"
          ? this.#stages.topology.taskOfEntity(stage, key.slice(key.indexOf("@") + 1))
          : undefined;
      return task ? this.withFollowers(task) : [];
    });
  }

  // ------------------------------------------------------------ commands

  /** Replaces the controls, on disk first, and judges the tasks they concern. */
  setControls(controls: Controls, tasks: Iterable<Task>): void {
    this.ports.controls.write(controls);
    this.#controls = controls;
    this.journey.replan(tasks);
  }

  /** A task and all that is made from its result. */
  withFollowers(task: Task): Task[] {
    const { topology } = this.#stages;
    return topology.affected(task.path, topology.role(topology.roleNumber(task.path)));
  }

  #unforce(key: TaskKey): void {
    if (!Object.hasOwn(this.#controls.forced, key)) return;
    const { [key]: _used, ...forced } = this.#controls.forced;
    this.#controls = { ...this.#controls, forced };
    // Written with the next status: until then a restart runs the task once more.
    this.#every("controls", STATUS_DELAY_MS, () => this.#saveControls());
  }

  #saveControls(): void {
    if (!this.#tryToWrite("the controls", () => this.ports.controls.write(this.#controls)))
      this.#every("controls", STATUS_DELAY_MS, () => this.#saveControls());
  }

  /** A forced task has failed: the mark stays until it succeeds, but is not newer than the failure even where the clock was set back. */
  #forceNoMore({ key, entity, stage }: Task): void {
    const { forced } = this.#controls;
    const failedAt = this.book.get(entity.id).failures[stage.pattern.text]?.lastFailedAt;
    if (failedAt === undefined || !Object.hasOwn(forced, key) || Date.parse(forced[key]!) <= Date.parse(failedAt))
      return;
    this.#controls = { ...this.#controls, forced: { ...forced, [key]: failedAt } };
    this.#every("controls", STATUS_DELAY_MS, () => this.#saveControls());
  }

  #envHash(name: string): string {
    const hash = this.ports.envHash(name);
    this.#envSeen[name] = hash;
    return hash;
  }

  // ------------------------------------------------------------ endings

  #onEnding(endings: readonly Ending[]): void {
    const { log } = this.ports;
    this.#history.push(...endings.map(rowOf));
    this.#saveHistory();
    for (const ending of endings) {
      const { task, runId, result } = ending;
      const fields = { task: `${task.stage.id}@${task.entity.id}`, pipeline: task.stage.pipeline, runId };
      if (result.is === "failed") this.#forceNoMore(task);
      if (result.is === "failed")
        log.warn(
          { ...fields, error: result.error, category: result.category, retryAt: result.retryAt },
          "attempt failed",
        );
      else log.debug({ ...fields, result: result.is, path: task.path, reasons: ending.reasons }, "attempt ended");
      for (const listener of this.endings) listener(ending);
    }
  }

  /** The intents keep what the manifests cannot take yet. */
  #flushManifest(id: EntityId): void {
    if (!this.#tryToWrite("a manifest", () => this.book.flush(id))) this.#flushLater();
  }

  flushManifests(): void {
    if (!this.#tryToWrite("a manifest", () => this.book.flushAll())) this.#flushLater();
  }

  #flushLater(): void {
    this.#every("flush", STATUS_DELAY_MS, () => this.flushManifests());
  }

  #saveHistory(): void {
    if (this.#history.length === 0) return;
    const rows = this.#history.splice(0);
    if (this.#tryToWrite("the ledger", () => this.ports.ledger.add(rows))) return;
    this.#history.unshift(...rows.slice(-HISTORY_KEPT));
    this.#every("history", STATUS_DELAY_MS, () => this.#saveHistory());
  }

  /** Writes what can be written again later; `false` when the disk refuses now. A full disk must not end a daemon. */
  #tryToWrite(what: string, write: () => void): boolean {
    try {
      write();
      return true;
    } catch (error) {
      if (!isDiskError(error)) throw error;
      this.ports.log.error({ error: error.message }, `${what} cannot be written now`);
      return false;
    }
  }

  // ------------------------------------------------------------ quiet

  get isQuiet(): boolean {
    return this.journey.isQuiet && this.settling.size === 0 && this.#scanning === undefined;
  }

  /**
   * Resolves when nothing is left to do now (waiting retries and held work are left), when `signal` aborts, or when all that
   * is left is files that have been settling for `settleTimeoutMs`.
   */
  async whenQuiet(
    options: { readonly settleTimeoutMs?: number; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const { settleTimeoutMs = Infinity, signal } = options;
    while (!this.isQuiet && !signal?.aborted) {
      const left = settleTimeoutMs - this.settling.newestMs();
      if (left <= 0 && this.journey.isQuiet && this.#scanning === undefined) break;
      const timer = Number.isFinite(left)
        ? this.ports.clock.after(Math.max(1, left), () => this.#wakeWaiters())
        : undefined;
      await this.#nextChange(signal);
      timer?.cancel();
    }
    this.flushManifests();
  }

  /** Resolves when everything hinted at is planned; files may still be settling and work running. */
  async #whenPlanned(): Promise<void> {
    await breathe(this.ports.clock);
    while (this.journey.isPlanning) await this.#nextChange();
  }

  #nextChange(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiters.delete(wake);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  #onChange(): void {
    this.#dirty = true;
    this.#wakeWaiters();
    if (this.#closed || !this.ports.makeQueue) return;
    if (this.book.waiting > 0) this.#every("flush", MANIFEST_DELAY_MS, () => this.flushManifests());
    this.#every("status", STATUS_DELAY_MS, () => this.#saveStatus());
    this.#every("save", SAVE_DELAY_MS, () => this.#saveWhenQuiet());
  }

  #wakeWaiters(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #saveStatus(): void {
    const meta = { ...(this.#saved ? { snapshot: this.#saved } : {}), status: statusOfRoot(this) };
    this.#tryToWrite("the status", () => this.ports.index.saveMeta(meta));
  }

  #saveWhenQuiet(): void {
    if (!this.#dirty) return;
    if (this.isQuiet) this.save();
    else this.#every("save", SAVE_DELAY_MS, () => this.#saveWhenQuiet());
  }

  /** Saves the index: derived, but it makes the next start fast. */
  save(): void {
    if (!this.ports.makeQueue) return;
    this.#dirty = false;
    this.#saveHistory();
    const isSaved = this.#tryToWrite("the index", () => {
      this.ports.controls.write(this.#controls);
      this.#saved = saveSnapshot(this.ports.index, this.table, this.#stages.topology, {
        stamps: this.#stages.stamps(),
        envSeen: this.#envSeen,
        manifestsMtimeMs: this.#manifestsMtimeMs(),
        status: statusOfRoot(this),
        all: this.#isSaveFailed,
      });
    });
    this.#isSaveFailed = !isSaved;
    if (!isSaved) this.#saveLater();
  }

  #saveLater(): void {
    this.#dirty = true;
    this.#every("save", SAVE_DELAY_MS, () => this.#saveWhenQuiet());
  }

  #manifestsMtimeMs(): number {
    const { disk, root } = this.ports;
    return disk.stat(`${root}/.millrace/manifests`)?.mtimeMs ?? 0;
  }

  readonly #limits: LaneLimits = {
    pipeline: (name) => this.#stages.topology.pipelines.find((p) => p.name === name)?.maxConcurrentEntities ?? 10,
    stage: (key) => this.#stages.get(key)?.stage.concurrency ?? Infinity,
  };
}
