import type { Pipeline } from "../core/model/pipeline.ts";
import type { Problem } from "../core/model/problem.ts";
import type { AbsPath, StageKey, WallMs } from "../core/model/words.ts";
import { StateTable } from "../core/plan/state-table.ts";
import type { Task } from "../core/plan/topology.ts";
import type { Verdict } from "../core/plan/verdict.ts";
import type {
  ChangeSource,
  Clock,
  Controls,
  ControlsStore,
  Disk,
  FileStat,
  IndexStore,
  Intent,
  IntentStore,
  Job,
  JobQueue,
  Ledger,
  LaneLimits,
  Log,
  Machine,
  ManifestStore,
  NodeRunner,
  Random,
  Scanner,
  ShortOf,
  StateReader,
  Trash,
  WatchHealth,
} from "../ports.ts";
import { ChangeSignal } from "./change-signal.ts";
import { removeCopiesLeft } from "./copies-left.ts";
import type { FactSources } from "./facts.ts";
import type { Ending } from "./history.ts";
import { Journey } from "./journey.ts";
import { forcedTasks, forgetStrangers, statesToJudge, withFollowers } from "./judge-again.ts";
import { Keeper } from "./keeper.ts";
import { Incidents } from "./calls/incidents.ts";
import type { LookSources } from "./look.ts";
import { ManifestBook } from "./manifest-book.ts";
import { NamedTimers } from "./named-timers.ts";
import { Pauses } from "./health/pause.ts";
import { RootAway } from "./health/root-away.ts";
import { RootPresence } from "./health/root-presence.ts";
import { breathe } from "./watching/reconcile.ts";
import { recoverSoon } from "./recover.ts";
import { LeftResults } from "./left-results.ts";
import { Restorer } from "./orphans/restore.ts";
import { Retractions } from "./orphans/retractions.ts";
import { Scans } from "./watching/scans.ts";
import { strayTasks } from "./orphans/stray-tasks.ts";
import { MachineTrouble } from "./health/machine-trouble.ts";
import { Session } from "./health/session.ts";
import { Settling } from "./watching/settling.ts";
import { mendSourceRecords } from "./orphans/source-records.ts";
import { makeSourceFolders } from "./source-folders.ts";
import { bringIntoForce, StagesInForce } from "./stages.ts";
import { statusOfRoot } from "./calls/status.ts";
import { untoldAttempts } from "./untold.ts";
import { keepTrashShort } from "./orphans/trash-retention.ts";

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
  readonly machine: Machine;
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
  /** Tells whether the root is there; made here when left out. */
  readonly presence?: RootPresence;
}

/** One root at work: the table and the journey, what feeds it (`Scans`), and what survives of it (`Keeper`). */
export class Root {
  readonly ports: RootPorts;
  readonly table: StateTable = new StateTable();
  readonly book: ManifestBook;
  readonly settling: Settling;
  readonly journey: Journey;
  readonly facts: FactSources;
  readonly incidents: Incidents;
  readonly lookFrom: LookSources;
  /** Told of each attempt's end. */
  readonly endings: Set<(ending: Ending) => void> = new Set();
  /** Why no work is started now, if it is not. */
  readonly pauses: Pauses = new Pauses((why) => this.#onPause(why));
  readonly #presence: RootPresence;
  readonly #away: RootAway;
  readonly #timers: NamedTimers;
  readonly #changes = new ChangeSignal();
  readonly #scans: Scans;
  readonly #keeper: Keeper;
  readonly retractions: Retractions;
  readonly #restorer: Restorer;
  readonly #left = new LeftResults();
  /** Whether files were known before the first look: then those that are new have arrived. */
  #knowsFiles = false;
  readonly #session: Session;
  readonly #trouble: MachineTrouble;
  #stages: StagesInForce = new StagesInForce([], new Map(), []);
  #definitionProblems: readonly Problem[] = [];
  #toJudge: ReadonlySet<StageKey> | "all" = new Set();
  #isStopping = false;

  constructor(ports: RootPorts) {
    this.ports = ports;
    const { clock, reader, defaultSettleMs, racyMs } = ports;
    const { table } = this;
    const stages = (): StagesInForce => this.#stages;
    this.#timers = new NamedTimers(clock);
    this.#presence = ports.presence ?? new RootPresence(ports.root, ports.name, ports.disk);
    this.#away = new RootAway({
      presence: this.#presence,
      pauses: this.pauses,
      timers: this.#timers,
      onAway: () => void this.#scans.unwatch(),
      onReturn: () => void this.#goOn(),
    });
    const { isHere } = this.#away;
    this.settling = new Settling(clock, (paths) => this.journey.hint(paths));
    this.book = new ManifestBook(ports.manifests, (batchId) => this.#onBatchWritten(batchId), isHere);
    this.incidents = new Incidents({ table, book: this.book, clock, stages });
    table.onStatus = (row, status) => this.incidents.note(row, status);
    this.#trouble = new MachineTrouble({ ...ports, timers: this.#timers, pauses: this.pauses });
    this.#keeper = new Keeper({
      ...ports,
      trouble: this.#trouble,
      timers: this.#timers,
      table,
      book: () => this.book,
      stages,
      isQuiet: () => this.isQuiet,
      status: () => statusOfRoot(this),
      devices: () => this.retractions.devices(),
      writes: ports.makeQueue !== undefined,
    });
    this.#session = new Session({
      ...ports,
      timers: this.#timers,
      // What waits for a pause to end is quiet, but it has not been looked at.
      isQuiet: () => this.isQuiet && this.pauses.current === null,
      folders: () => this.#stages.topology.stages.map(({ pattern }) => `${ports.root}/${pattern.base}`),
      checkpoints: ports.changes !== undefined,
      tryToWrite: (what, write) => this.#keeper.tryToWrite(what, write),
    });
    const controls = (): Controls => this.#keeper.controls;
    this.facts = {
      table,
      book: this.book,
      reader,
      clock,
      stages,
      controls,
      envHash: this.#keeper.envHash,
      movedTo: (path) => this.retractions.movedTo(path),
    };
    const onShort = (code: ShortOf): void => this.#trouble.meets(code);
    this.lookFrom = { table, reader, clock, settling: this.settling, stages, defaultSettleMs, racyMs, isHere, onShort };
    this.#scans = new Scans({
      ...ports,
      table,
      stages,
      hint: (paths) => this.journey.hint(paths),
      onEnd: () => this.#onChange(),
      isHere,
    });
    this.retractions = new Retractions({
      ...ports,
      facts: this.facts,
      lookFrom: this.lookFrom,
      journey: () => this.journey,
      controls,
      setRetractions: (retractions, durable) => this.#keeper.setRetractions(retractions, durable),
      windowMs: () => this.scanIntervalMs,
      isScanning: () => this.#scans.isRunning,
      mayRetract: () => this.mayRetract && this.pauses.current === null,
      acts: ports.makeQueue !== undefined,
      discard: (name) => this.#keeper.removeBatch(name),
      onChange: () => this.#onChange(),
    });
    const tryTo = (act: () => void): boolean => this.#keeper.tryToWrite("the trash", act);
    this.#restorer = new Restorer({ ...ports, facts: this.facts, tryTo });
    this.journey = this.#makeJourney();
  }

  /** Nothing of a batch has to be finished by another process any more. */
  #onBatchWritten(batchId: string): void {
    this.#restorer.written(batchId);
    this.#keeper.removeBatch(batchId);
  }

  #makeJourney(): Journey {
    const { makeQueue } = this.ports;
    const ports = {
      ...this.ports,
      runner: this.#restorer,
      queue: makeQueue && ((run: (jobs: readonly Job[]) => Promise<void>) => makeQueue(this.#limits, run)),
      onEnding: (endings: readonly Ending[]) => this.#onEnding(endings),
      onDone: (key: string) => this.#keeper.unforce(key),
      flushManifest: (id: string) => this.#keeper.flush(id),
      onVerdict: (task: Task, verdict: Verdict) => this.retractions.judged(task, verdict),
      onArrival: (path: string) => {
        if (this.#knowsFiles) this.retractions.arrived(path);
      },
      onChange: () => this.#onChange(),
      isHere: this.#away.isHere,
      trouble: this.#trouble,
      mayBeTorn: (stat: Pick<FileStat, "ctimeMs">) => this.#session.mayBeTorn(stat),
      leftByDead: (path: string, hash: string) => this.#left.has(path, hash),
      lostRecords: (id: string) => this.#session.lostRecords(this.ports.manifests.fileOf(id), this.ports.trash),
    };
    return new Journey(ports, this.lookFrom, this.facts);
  }

  readonly #limits: LaneLimits = {
    pipeline: (name) => this.#stages.topology.pipelines.find((p) => p.name === name)?.maxConcurrentEntities ?? 10,
    stage: (key) => this.#stages.get(key)?.stage.concurrency ?? Infinity,
  };

  get stages(): StagesInForce {
    return this.#stages;
  }

  get controls(): Controls {
    return this.#keeper.controls;
  }

  /** Standing problems: definitions that do not load, code that does not compile, what a scan could not read. */
  get problems(): readonly Problem[] {
    const own = this.#session.problem ? [this.#session.problem] : [];
    return [...this.#definitionProblems, ...this.#stages.problems, ...this.#scans.problems, ...own];
  }

  /** Whether results may be taken away now: not while the root is away, since then everything looks gone. */
  get mayRetract(): boolean {
    return !this.pauses.has("away") && this.#away.isHere();
  }

  /** How well the watcher watches; `null` where nothing is watched. */
  get watchHealth(): WatchHealth | null {
    const why = this.pauses.has("away") ? this.#presence.problem : null;
    const health = this.#scans.health();
    return health && why ? { ...health, mode: "blind", reason: why.message } : health;
  }

  /** The root is there again. */
  async #goOn(): Promise<void> {
    this.journey.goOn();
    if (!this.#isStopping) await this.#scans.watchAnew();
    this.#onChange();
  }

  #onPause(why: Problem | null): void {
    const { log, name } = this.ports;
    if (why) log.problem(why);
    else log.info({ root: name }, "work goes on");
    if (!this.#isStopping) this.journey.queue?.pause(why !== null);
    this.#onChange();
  }

  /** When the disk was last looked at as a whole; `undefined` when not yet. */
  get lastLookAt(): WallMs | undefined {
    return this.#scans.lastLookAt;
  }

  /** Milliseconds between reconcile scans, as stretched by their own cost. */
  get scanIntervalMs(): number {
    return this.#scans.intervalMs;
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
    this.#toJudge = this.#keeper.load();
    this.#knowsFiles = this.#keeper.savedDevices !== undefined;
    this.retractions.adoptDevices(this.#keeper.savedDevices ?? {});
    if (this.#session.open(this.table)) this.#toJudge = "all";
  }

  #foundLeft(intents: readonly Intent[]): void {
    const { ledger, reader } = this.ports;
    this.#restorer.remember(intents);
    this.#left.remember(intents);
    this.#keeper.tellLate(untoldAttempts(intents, ledger, reader));
  }

  /** Finishes what a dead process left, watches, and looks at everything once. Resolves when that first look is planned. */
  async start(): Promise<void> {
    const { intents, reader, log, changes } = this.ports;
    this.#presence.remember();
    if (this.#session.problem) log.problem(this.#session.problem);
    this.#session.begin(() => this.#keeper.save());
    removeCopiesLeft(intents, this.ports.disk, this.ports.root);
    const left = { intents, book: this.book, reader, timers: this.#timers };
    const late = (): void => this.#judgeAgain("all");
    for (const found of recoverSoon(left, (dead) => this.#foundLeft(dead), late)) log.problem(found);
    this.#keeper.removeLeft();
    this.flushManifests();
    if (changes) this.#makeSourceFolders();
    await this.#scans.watch();
    await this.look();
    this.#armScan();
    if (changes) this.#away.beat();
    keepTrashShort({
      ...this.ports,
      timers: this.#timers,
      mayRemove: () => this.mayRetract,
      tryTo: (act) => this.#keeper.tryToWrite("the trash", act),
    });
  }

  /** The folders that people are to drop files into. */
  #makeSourceFolders(): void {
    makeSourceFolders({
      ...this.ports,
      timers: this.#timers,
      topology: () => this.#stages.topology,
      tryTo: (write) => this.#keeper.tryToWrite("a folder for sources", write),
    });
  }

  /** Looks at everything and judges what may have changed since the table was saved. */
  async look(): Promise<void> {
    await this.scan();
    // Manifests were written after the table was saved: it may not know all that they tell of.
    const knowsRecords = this.#knowsFiles && this.#toJudge !== "all";
    this.#judgeAgain(this.#toJudge);
    this.#toJudge = new Set();
    await this.#whenPlanned();
    if (!knowsRecords) await this.#judgeStrays();
    this.#knowsFiles = true;
  }

  /** Without an index nothing shows which records have neither a file nor an input any more. */
  async #judgeStrays(): Promise<void> {
    const { manifests, clock } = this.ports;
    const from = [manifests.ids(), this.book, this.table, this.#stages.topology, clock] as const;
    await mendSourceRecords(...from);
    this.journey.replan(await strayTasks(...from));
    await this.#whenPlanned();
  }

  /** Compares the disk with the table and hints at every difference. */
  async scan(): Promise<void> {
    await this.#scans.scan();
  }

  #armScan(): void {
    this.#timers.once("scan", this.scanIntervalMs, () => {
      this.ports.onReconcile();
      // A manifest that could not be used may be mended; no event tells.
      if (this.book.hadRefusals()) this.#judgeAgain(new Set());
      void this.scan().then(() => this.#armScan());
    });
  }

  /** Ends running attempts, giving them `graceMs`, and saves everything. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.journey.stop();
    await this.#scans.close();
    const idle = this.journey.queue?.onIdle() ?? Promise.resolve();
    const cut = this.ports.clock.after(graceMs, () => this.journey.cancelRunning());
    await idle;
    cut.cancel();
    this.#timers.stop();
    this.settling.stop();
    this.retractions.stop();
    this.flushManifests();
    this.#keeper.save();
    await this.#session.end();
    this.#keeper.close();
  }

  /** Ends a root that was opened for one command. What the command changed is written already. */
  finish(): void {
    this.journey.stop();
    this.#timers.stop();
    this.settling.stop();
    this.retractions.stop();
    this.#keeper.close();
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
    forgetStrangers(this.table, after.topology, this.settling);
    const [was, is] = [before.stamps(), after.stamps()];
    const keys = new Set([...Object.keys(was), ...Object.keys(is)]);
    const changed = new Set([...keys].filter((key) => was[key] !== is[key]));
    if (changed.size > 0) {
      await this.#scans.watchAgain();
      this.#judgeAgain(changed);
      await this.scan();
    }
    this.#onChange();
    return changed.size;
  }

  #judgeAgain(stages: ReadonlySet<StageKey> | "all"): void {
    const { topology } = this.#stages;
    this.journey.replanAround(statesToJudge(stages, this.table, topology));
    this.journey.replan(forcedTasks(this.controls, topology));
    this.journey.replan(this.retractions.decided());
  }

  // ------------------------------------------------------------ commands

  /** Replaces the controls, on disk first, and judges the tasks they concern. */
  setControls(controls: Controls, tasks: Iterable<Task>): void {
    this.#keeper.setControls(controls);
    this.journey.replan(tasks);
  }

  /** A task and all that is made from its result. */
  withFollowers(task: Task): Task[] {
    return withFollowers(task, this.#stages.topology);
  }

  /** Writes every manifest that waits. */
  flushManifests(): void {
    this.#keeper.flushAll();
  }

  // ------------------------------------------------------------ endings and quiet

  #onEnding(endings: readonly Ending[]): void {
    for (const ending of endings) this.#restorer.ended(ending);
    this.#keeper.tell(endings);
    this.#session.worked();
    if (endings.some(({ result }) => result.is === "ran")) this.#trouble.worked();
    for (const ending of endings) for (const listener of this.endings) listener(ending);
  }

  #onChange(): void {
    if (this.ports.makeQueue && !this.#isStopping) this.#trouble.check();
    this.#changes.fire();
    this.#keeper.changed();
  }

  /** Nothing is being done and nothing can be begun now. What waits for a pause to end is quiet, as are retries. */
  get isQuiet(): boolean {
    return this.#isJourneyQuiet && this.settling.size === 0 && !this.#scans.isRunning && !this.retractions.isBusy;
  }

  get #isJourneyQuiet(): boolean {
    if (this.pauses.current === null) return this.journey.isQuiet;
    return !this.journey.isPlanning && this.journey.queue?.counts().running === 0;
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
      if (left <= 0 && this.#isJourneyQuiet && !this.#scans.isRunning) break;
      const soon = Number.isFinite(left) ? Math.max(1, left) : undefined;
      const timer = soon === undefined ? undefined : this.ports.clock.after(soon, () => this.#changes.fire());
      await this.#changes.next(signal);
      timer?.cancel();
    }
    this.flushManifests();
  }

  /** Resolves when everything hinted at is planned; files may still be settling and work running. */
  async #whenPlanned(): Promise<void> {
    await breathe(this.ports.clock);
    while (this.journey.isPlanning) await this.#changes.next();
  }
}
