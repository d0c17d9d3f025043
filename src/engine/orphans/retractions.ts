import { type Problem, problem } from "../../core/model/problem.ts";
import type { MonoMs, RelPath, StageKey, Status, TaskKey } from "../../core/model/words.ts";
import {
  type GoneSource,
  guardDeletions,
  type PlannedRetraction,
  type Trip,
  tripWords,
} from "../../core/plan/deletion-guard.ts";
import type { Task, Topology } from "../../core/plan/topology.ts";
import type { Verdict } from "../../core/plan/verdict.ts";
import type { Clock, Controls, Disk, Log, Timer } from "../../ports.ts";
import type { FrozenReport } from "../control.ts";
import { isDiskError } from "../disk-error.ts";
import type { Journey } from "../journey.ts";
import { lineageOf } from "./lineage.ts";
import type { LookSources } from "../look.ts";
import { MovedSources } from "./moved-sources.ts";
import { ReturnedSources } from "./returned-sources.ts";
import { SourceDevices } from "./source-devices.ts";
import { recordsOfGone, takeAway, type TakeAwayPorts } from "./take-away.ts";

/** How long nothing more must vanish before the second look, in milliseconds. */
const SECOND_LOOK_MS = 500;
/** A batch to which more and more is added is decided after so long, in milliseconds. */
const LONGEST_BATCH_MS = 5000;
/** When what the disk refused is tried again, in milliseconds. */
const RETRY_MS = 10_000;
/** How often it is looked whether all that was found is planned, in milliseconds. */
const POLL_MS = 10;
/** How many are taken away before others get a turn. */
const SLICE = 64;
/** How long the words on what is frozen are good for while nothing of it changes: they cost what it is much. */
const REPORT_MS = 10_000;
/** How many frozen tasks a report names. */
const EXAMPLES = 3;

export interface RetractionSources extends TakeAwayPorts {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Log;
  readonly lookFrom: LookSources;
  readonly journey: () => Journey;
  readonly controls: () => Controls;
  /** Replaces the word on retractions in the controls; with `durable` on disk before it returns, or it throws. */
  readonly setRetractions: (retractions: NonNullable<Controls["retractions"]>, durable: boolean) => void;
  /** Milliseconds within which deletions count together. */
  readonly windowMs: () => number;
  readonly isScanning: () => boolean;
  /** Not while the root is away or its work is paused. */
  readonly mayRetract: () => boolean;
  /** A root that is only looked at keeps everything. */
  readonly acts: boolean;
  readonly onChange: () => void;
}

interface Planned {
  readonly task: Task;
  readonly at: MonoMs;
  /** Whether its product goes; else only the records of its vanished sources. */
  readonly retract: boolean;
}

/**
 * Takes away the products of what is gone: a verdict says so (`judged`), a second look at the disk confirms it, the guard
 * decides about all of them together, and each is looked at once more when it goes.
 */
export class Retractions {
  readonly #from: RetractionSources;
  readonly #moved: MovedSources;
  readonly #devices: SourceDevices;
  readonly #back: ReturnedSources;
  readonly #planned = new Map<TaskKey, Planned>();
  #firstAt: MonoMs = 0;
  #newestAt: MonoMs = 0;
  /** When the second look at the batch began; what was planned later waits for the next one. */
  #lookedAt: MonoMs | undefined;
  /** Decided, and on its way out. */
  readonly #going = new Map<TaskKey, Task>();
  /** What the disk did not let go when it was tried last; tried again later. */
  readonly #refused = new Set<TaskKey>();
  /** What went lately, oldest first. */
  readonly #recentSources = new Map<RelPath, { readonly stage: StageKey; readonly at: MonoMs }>();
  readonly #recentOutputs = new Map<
    RelPath,
    { readonly key: TaskKey; readonly stage: StageKey; readonly at: MonoMs }
  >();
  readonly #returned = new Set<TaskKey>();
  readonly #timers = new Map<"look" | "work" | "returned", Timer>();
  #report: { marks: object; topology: Topology; at: MonoMs; report: FrozenReport | null } | undefined;
  #stopped = false;
  /** How many products were taken away. */
  taken = 0;

  /** Tasks whose products stay anyway: the records of their sources wait for the same word as what is frozen. */
  readonly #alike = new Map<TaskKey, Task>();

  constructor(from: RetractionSources) {
    this.#from = from;
    this.#moved = new MovedSources(from.lookFrom, () => from.facts.book);
    this.#devices = new SourceDevices(from.disk, from.root);
    this.#back = new ReturnedSources(from.facts);
  }

  /** Is anything on its way out? What is frozen is not. */
  get isBusy(): boolean {
    return this.#planned.size + this.#going.size > 0 && this.#from.mayRetract();
  }

  get #topology(): Topology {
    return this.#from.facts.stages().topology;
  }

  // ------------------------------------------------------------ what is told

  /** A task was judged: its product is to go, or is wanted (again). */
  judged(task: Task, verdict: Verdict): void {
    const { key } = task;
    const isWanted = verdict.retract || this.#leavesSources(task, verdict);
    if (!isWanted || !this.#from.acts) {
      if (!this.#from.acts) return;
      this.#back.judged(task, verdict);
      return this.#keep(key);
    }
    this.#returned.delete(key);
    if (this.#markOf(key) === "frozen" || this.#going.has(key)) return;
    const now = this.#from.clock.monoMs();
    const before = this.#planned.get(key);
    if (!before) {
      if (this.#planned.size === 0) this.#firstAt = now;
      this.#newestAt = now;
    }
    this.#planned.set(key, { task, at: before?.at ?? now, retract: verdict.retract });
    this.#arm(SECOND_LOOK_MS);
  }

  #keep(key: TaskKey): void {
    this.#alike.delete(key);
    this.#planned.delete(key);
    this.#going.delete(key);
    if (this.#markOf(key) === undefined) return;
    // Many come back at once: one write for all.
    this.#returned.add(key);
    this.#report = undefined;
    this.#after("returned", 0, () => this.#forgetReturned());
  }

  /** An orphan that stays has nothing to do with a source that is not there. */
  #leavesSources(task: Task, { status }: Verdict): boolean {
    if (status !== "orphaned") return false;
    const { facts } = this.#from;
    return recordsOfGone(lineageOf(task, this.#topology, facts.table), facts).length > 0;
  }

  /** A source was seen for the first time. */
  arrived(path: RelPath): void {
    const { table } = this.#from.facts;
    const row = table.find(path);
    if (row === undefined || this.#topology.role(table.roleOf(row)).producer) return;
    this.#moved.arrived(path);
    this.#back.add(path);
  }

  /** Where a vanished source has reappeared. */
  movedTo(path: RelPath): RelPath | undefined {
    return this.#moved.movedTo(path);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  // ------------------------------------------------------------ the second look

  #after(name: "look" | "work" | "returned", delayMs: number, act: () => void): void {
    if (this.#stopped || this.#timers.has(name)) return;
    const timer = this.#from.clock.after(delayMs, () => {
      this.#timers.delete(name);
      if (!this.#stopped) act();
    });
    this.#timers.set(name, timer);
  }

  #arm(delayMs: number): void {
    this.#after("look", delayMs, () => this.#lookAgain());
  }

  #lookAgain(): void {
    if (this.#planned.size === 0) return this.#endLook();
    const { clock, mayRetract, isScanning, journey } = this.#from;
    if (!mayRetract()) {
      this.#lookedAt = undefined;
      return this.#arm(2 * SECOND_LOOK_MS);
    }
    // A batch is decided as a whole: not while more of it is being found.
    if (journey().isMatching || isScanning()) return this.#arm(POLL_MS);
    const now = clock.monoMs();
    if (this.#lookedAt === undefined) {
      const waitMs = Math.min(this.#newestAt + SECOND_LOOK_MS, this.#firstAt + LONGEST_BATCH_MS) - now;
      if (waitMs > 0) return this.#arm(waitMs);
      this.#lookedAt = now;
      const tasks = [...this.#planned.values()].map(({ task }) => task);
      journey().hint(new Set(tasks.flatMap((task) => [task.path, ...this.#lineage(task).paths])));
      return this.#arm(POLL_MS);
    }
    const seen = [...this.#planned.values()].filter(({ at }) => at <= this.#lookedAt!);
    this.#lookedAt = undefined;
    this.#decide(seen);
    if (this.#planned.size === 0) return this.#endLook();
    this.#firstAt = Math.min(...[...this.#planned.values()].map(({ at }) => at), now);
    this.#arm(SECOND_LOOK_MS);
  }

  #endLook(): void {
    this.#lookedAt = undefined;
    this.#from.onChange();
  }

  #lineage(task: Task): ReturnType<typeof lineageOf> {
    return lineageOf(task, this.#topology, this.#from.facts.table);
  }

  // ------------------------------------------------------------ the guard

  /** Decides about everything that a second look has confirmed, together. What must wait stays planned. */
  #decide(seen: readonly Planned[]): void {
    const { clock } = this.#from;
    const oldest = clock.monoMs() - this.#from.windowMs();
    this.#moved.forgetBefore(oldest);
    this.#forgetRecent(oldest);
    const guarded = seen.filter(({ task }) => this.#markOf(task.key) !== "accepted");
    const plan = guarded.map(({ task, retract }) => this.#plan(task, retract));
    const { moves, unknown } = this.#moved.find(distinct(plan.flatMap((p) => p.sources)));
    const { trips, frozen } = this.#guard(plan, moves);
    // Files that are still being written may turn out to be those that are missing.
    if (trips.some(({ what, gone, of }) => what === "sources" && (gone - unknown) * 2 <= of)) return;
    if (frozen.size > 0 && !this.#freeze(guarded, trips, frozen)) return;
    for (const [old, now] of moves) this.#from.log.info({ from: old, to: now }, "a source has moved");
    for (const { task } of seen) {
      this.#planned.delete(task.key);
      if (!frozen.has(task.key)) this.#going.set(task.key, task);
      else if (this.#markOf(task.key) !== "frozen") this.#alike.set(task.key, task);
    }
    this.#after("work", 0, () => this.#work());
  }

  #plan(task: Task, retract: boolean): PlannedRetraction {
    const { table } = this.#from.facts;
    const row = table.find(task.path);
    const hasFile = retract && row !== undefined && table.isPresent(row);
    const { gone, follows } = this.#lineage(task);
    return { key: task.key, stage: hasFile ? task.stage.key : undefined, sources: gone, follows };
  }

  #guard(
    planned: readonly PlannedRetraction[],
    moves: ReadonlyMap<RelPath, RelPath>,
  ): ReturnType<typeof guardDeletions> {
    const { table } = this.#from.facts;
    const isGone = (path: RelPath): boolean => {
      const row = table.find(path);
      return row === undefined || !table.isPresent(row);
    };
    const stages = new Set(planned.flatMap((p) => p.sources.map(({ stage }) => stage)));
    return guardDeletions({
      planned,
      frozen: this.#frozenTasks().map((task) => this.#plan(task, true)),
      recentSources: [...this.#recentSources].flatMap(([path, { stage }]) => (isGone(path) ? [{ path, stage }] : [])),
      recentOutputs: [...this.#recentOutputs].flatMap(([path, of]) => (isGone(path) ? [of] : [])),
      sourcesPresent: (key) => this.#count(key, SOURCE_IS_THERE),
      outputsPresent: (key) => this.#count(key, OUTPUT_STAYS),
      moved: new Set(moves.keys()),
      otherDevice: this.#devices.changed(this.#topology, stages),
    });
  }

  /** States of a stage with one of these statuses, by the table's counters; of a source stage, those that nobody makes. */
  #count(key: StageKey, statuses: readonly Status[]): number {
    const { table } = this.#from.facts;
    let count = 0;
    for (const [number, { producer, sources }] of this.#topology.roles().entries()) {
      if (producer ? producer.key !== key : !sources.some((source) => source.key === key)) continue;
      for (const status of statuses) count += table.count(number, status);
    }
    return count;
  }

  /** `false`: the disk would not have it, so nothing goes and all of it waits. */
  #freeze(seen: readonly Planned[], trips: readonly Trip[], frozen: ReadonlySet<TaskKey>): boolean {
    const { log, clock } = this.#from;
    const at = new Date(clock.wallMs()).toISOString();
    const marks = { ...this.#marks() };
    for (const { task, retract } of seen) if (retract && frozen.has(task.key)) marks[task.key] = { at, is: "frozen" };
    try {
      this.#from.setRetractions(marks, true);
    } catch (error) {
      if (!isDiskError(error)) throw error;
      log.error({ error: error.message }, "the controls cannot be written now");
      return false;
    }
    for (const trip of trips) log.problem(this.#problemOf(trip));
    return true;
  }

  #problemOf(trip: Trip): Problem {
    const hint = 'bring the files back; or, when it was meant, "millrace accept --deletions"';
    const message = `${this.#wordsOf(trip)}; nothing that was made of them is taken away`;
    return { ...problem("M517", message, hint), severity: "warning" };
  }

  #wordsOf(trip: Trip): string {
    return tripWords(trip, this.#topology.stage(trip.stage)?.pattern.text ?? trip.stage);
  }

  // ------------------------------------------------------------ taking away

  #work(): void {
    const { mayRetract, onChange } = this.#from;
    if (!mayRetract()) return this.#after("work", 2 * SECOND_LOOK_MS, () => this.#work());
    const taken: RelPath[] = [];
    let count = 0;
    for (const [key, task] of this.#going) {
      if (++count > SLICE) break;
      this.#going.delete(key);
      if (this.#take(task)) taken.push(task.path);
    }
    if (taken.length > 0) this.#from.journey().replanAround(taken);
    if (this.#going.size > 0) this.#after("work", 0, () => this.#work());
    onChange();
  }

  /** How many left-over results the disk does not let go. Each has been told, and is tried again later. */
  get refused(): number {
    return this.#refused.size;
  }

  /** Whether a file went. */
  #take(task: Task): boolean {
    const { clock, log } = this.#from;
    this.#refused.delete(task.key);
    const stage = this.#topology.stage(task.stage.key);
    const today = stage && stage.type !== "source" ? this.#topology.taskOf(stage, task.entity.vars) : undefined;
    if (today?.path !== task.path) return false;
    let result;
    try {
      result = takeAway(today, this.#from);
    } catch (error) {
      if (!isDiskError(error)) throw error;
      log.error({ path: task.path, error: error.message }, "a result that is left over cannot be taken away now");
      this.#refused.add(task.key);
      clock.after(RETRY_MS, () => this.#again(task));
      return false;
    }
    if (result.is === "busy") {
      clock.after(SECOND_LOOK_MS, () => this.#again(task));
      return false;
    }
    if (result.is === "doubted") {
      this.#from.journey().hint(result.paths);
      this.#from.journey().replan([today]);
      return false;
    }
    for (const { path } of result.lineage.gone) this.#back.add(path);
    const isAccepted = this.#markOf(task.key) !== undefined;
    if (isAccepted) this.#keep(task.key);
    const at = clock.monoMs();
    if (!isAccepted)
      for (const { stage: key, path } of result.lineage.gone) this.#recentSources.set(path, { stage: key, at });
    if (result.what === "records") return false;
    if (!isAccepted) this.#recentOutputs.set(task.path, { key: task.key, stage: task.stage.key, at });
    this.taken++;
    log.info(
      { path: task.path, policy: today.stage.onOrphan },
      "took away a result that had lost what it was made from",
    );
    return true;
  }

  #again(task: Task): void {
    if (!this.#stopped) this.#from.journey().replan([task]);
  }

  #forgetRecent(oldest: MonoMs): void {
    for (const recent of [this.#recentSources, this.#recentOutputs])
      for (const [path, { at }] of recent) if (at < oldest) recent.delete(path);
  }

  // ------------------------------------------------------------ what is frozen

  #marks(): NonNullable<Controls["retractions"]> {
    return this.#from.controls().retractions ?? {};
  }

  #markOf(key: TaskKey): "frozen" | "accepted" | undefined {
    const marks = this.#marks();
    return Object.hasOwn(marks, key) && !this.#returned.has(key) ? marks[key]!.is : undefined;
  }

  #forgetReturned(): void {
    const left = Object.entries(this.#marks()).filter(([key]) => !this.#returned.has(key));
    this.#returned.clear();
    this.#from.setRetractions(Object.fromEntries(left), false);
    this.#from.onChange();
  }

  /** Every task that the guard or a person has decided about: no file shows that it is to be judged at a start. */
  decided(is?: "frozen"): Task[] {
    return Object.keys(this.#marks()).flatMap((key) => {
      if (is !== undefined && this.#markOf(key) !== is) return [];
      const at = key.indexOf("@");
      const stage = this.#topology.stage(key.slice(0, at));
      const task = stage && stage.type !== "source" ? this.#topology.taskOfEntity(stage, key.slice(at + 1)) : undefined;
      return task ? [task] : [];
    });
  }

  #frozenTasks(): Task[] {
    return this.decided("frozen");
  }

  /** Lets go what is frozen, on disk first; returns the tasks. They are looked at again before they go. */
  accept(): Task[] {
    const tasks = this.#frozenTasks();
    const alike = [...this.#alike.values()];
    const at = new Date(this.#from.clock.wallMs()).toISOString();
    const marks = Object.entries(this.#marks()).filter(([, { is }]) => is === "accepted");
    this.#from.setRetractions(
      {
        ...Object.fromEntries(marks),
        ...Object.fromEntries([...tasks, ...alike].map(({ key }) => [key, { at, is: "accepted" }])),
      },
      true,
    );
    this.#alike.clear();
    if (tasks.length > 0 && this.#from.acts) this.#devices.learn(this.#topology, () => true);
    this.#from.journey().replan([...tasks, ...alike]);
    return tasks;
  }

  /** What is frozen, for people; `null` when nothing is. */
  report(): FrozenReport | null {
    const [marks, topology, now] = [this.#marks(), this.#topology, this.#from.clock.monoMs()];
    const known = this.#report;
    const isNews = known?.marks !== marks || known.topology !== topology || now - known.at > REPORT_MS;
    if (isNews) this.#report = { marks, topology, at: now, report: this.#makeReport(marks) };
    return this.#report!.report;
  }

  #makeReport(marks: NonNullable<Controls["retractions"]>): FrozenReport | null {
    const tasks = this.#frozenTasks();
    if (tasks.length === 0) return null;
    const since = tasks.map(({ key }) => marks[key]!.at).toSorted()[0]!;
    const planned = tasks.map((task) => this.#plan(task, true));
    const { trips } = this.#guard(planned, new Map());
    const why = trips.map((trip) => this.#wordsOf(trip));
    const examples = tasks.slice(0, EXAMPLES).map(({ stage, entity }) => `${stage.id}@${entity.id}`);
    const fallback = `${tasks.length} results had lost what they were made from, more than half of what there was`;
    return { total: tasks.length, since, why: why.length > 0 ? why : [fallback], examples };
  }

  // ------------------------------------------------------------ devices

  /** What an earlier process knew of the devices of source folders. */
  adoptDevices(known: Readonly<Record<string, number>>): void {
    this.#devices.adopt(known);
  }

  /** The devices of source folders, to be kept with the index. */
  devices(): Readonly<Record<string, number>> {
    const frozen = new Set(this.#frozenTasks().flatMap((task) => this.#lineage(task).gone.map(({ stage }) => stage)));
    const isGood = (key: StageKey): boolean =>
      this.#planned.size === 0 && !frozen.has(key) && this.#count(key, SOURCE_IS_THERE) > 0;
    return this.#devices.learn(this.#topology, isGood);
  }
}

const SOURCE_IS_THERE: readonly Status[] = ["fresh", "settling", "failed"];
/** Statuses of tasks that may have an output and keep it. */
const OUTPUT_STAYS: readonly Status[] = [
  "fresh",
  "stale",
  "settling",
  "waiting",
  "queued",
  "running",
  "retrying",
  "failed",
  "quarantined",
  "blocked",
  "held",
];

function distinct(sources: readonly GoneSource[]): GoneSource[] {
  return [...new Map(sources.map((source) => [`${source.stage}\n${source.path}`, source])).values()];
}
