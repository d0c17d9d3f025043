/**
 * The queue of one process. Everything that waits is in our own backlog, one per stage; p-queue is handed only what can
 * start now, because it slows down with many waiting priorities and cannot tell one stage's limit from another's.
 */
import PQueue from "p-queue";
import type { MonoMs, StageKey, TaskKey } from "../../core/model/words.ts";
import type { Clock, Job, JobQueue, LaneLimits, Timer } from "../../ports.ts";
import { Backlog, type Leavable } from "./backlog.ts";

/** One batch runs while the next one is ready behind it, so that deciding and doing overlap. */
const BATCHES_IN_FLIGHT = 2;

export interface LocalQueueOptions {
  readonly clock: Clock;
  /** Asked at each start, so an edited definition counts at once. A batch takes one slot of each stage it touches and one of its pipeline. */
  readonly limits: LaneLimits;
  /** How many jobs of lane `single` run at one time; at least 1. */
  readonly slots: number;
  /** How many jobs of lane `batch`, all of one pipeline, are handed out together at most; default 128. */
  readonly batchSize?: number;
  /** Does the jobs: one of lane `single`, or some of lane `batch`. They count as running until it resolves. */
  readonly run: (jobs: readonly Job[]) => Promise<void>;
  /**
   * Told when `run` rejects; the jobs count as ended then. Left out: the error is thrown where nobody can catch it,
   * since attempts that fail are values and a rejection is a fault of Millrace itself.
   */
  readonly onError?: (error: unknown, jobs: readonly Job[]) => void;
}

/** A job that waits. It lies in the backlog `home`; in none while its task still runs. */
interface Entry extends Leavable {
  readonly job: Job;
  readonly arrival: number;
  home: Backlog<Entry> | undefined;
}

/** What waits and is due, of one stage and one kind of lane. */
interface Lane {
  readonly kind: Job["lane"];
  readonly stageKey: StageKey;
  readonly pipeline: string;
  readonly ready: Backlog<Entry>;
}

function isSooner(a: Entry, b: Entry): boolean {
  return a.job.dueAt === b.job.dueAt ? a.arrival < b.arrival : a.job.dueAt < b.job.dueAt;
}

function goesFirst(a: Entry, b: Entry): boolean {
  if (a.job.priority !== b.job.priority) return a.job.priority > b.job.priority;
  return a.job.order === b.job.order ? a.arrival < b.arrival : a.job.order < b.job.order;
}

/** Counts by name; a name at zero is forgotten. */
class Tally {
  readonly #counts = new Map<string, number>();
  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }
  add(name: string, by: 1 | -1): void {
    const count = this.of(name) + by;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }
}

/**
 * An empty queue that starts jobs by itself: due ones only, higher priority first, then smaller order.
 * Jobs put in one turn of the event loop are looked at together at its end; none waits longer for company.
 * A stage or pipeline at its limit holds up nobody else.
 */
export function createLocalQueue(options: LocalQueueOptions): JobQueue {
  return new LocalQueue(options);
}

class LocalQueue implements JobQueue {
  readonly #clock: Clock;
  readonly #limits: LaneLimits;
  readonly #slots: number;
  readonly #batchSize: number;
  readonly #run: LocalQueueOptions["run"];
  readonly #onError: LocalQueueOptions["onError"];
  readonly #pool: PQueue;

  readonly #waiting = new Map<TaskKey, Entry>();
  readonly #later = new Backlog<Entry>(isSooner);
  readonly #lanes = { batch: new Map<StageKey, Lane>(), single: new Map<StageKey, Lane>() };
  #ready = 0;
  #parked = 0;

  readonly #running = new Set<TaskKey>();
  readonly #busy = { batch: 0, single: 0 };
  readonly #perPipeline = new Tally();
  readonly #perStage = new Tally();

  #arrivals = 0;
  #isPaused = false;
  #isStartPlanned = false;
  #alarm: { readonly at: MonoMs; readonly timer: Timer } | undefined;
  #idleWaiters: (() => void)[] = [];

  constructor(options: LocalQueueOptions) {
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#slots = options.slots;
    this.#batchSize = options.batchSize ?? 128;
    this.#run = options.run;
    this.#onError = options.onError;
    this.#pool = new PQueue({ concurrency: options.slots + BATCHES_IN_FLIGHT });
  }

  put(job: Job): void {
    const old = this.#waiting.get(job.taskKey);
    if (old !== undefined) this.#withdraw(old);
    const entry: Entry = { job, arrival: this.#arrivals++, home: undefined, gone: false };
    this.#waiting.set(job.taskKey, entry);
    if (this.#running.has(job.taskKey)) this.#parked++;
    else this.#place(entry);
    this.#planStart();
  }

  drop(taskKey: TaskKey): boolean {
    const entry = this.#waiting.get(taskKey);
    if (entry === undefined) return false;
    this.#waiting.delete(taskKey);
    this.#withdraw(entry);
    this.#planStart();
    return true;
  }

  isRunning(taskKey: TaskKey): boolean {
    return this.#running.has(taskKey);
  }

  isWaiting(taskKey: TaskKey): boolean {
    return this.#waiting.has(taskKey);
  }

  counts(): { readonly waiting: number; readonly due: number; readonly running: number } {
    this.#promote();
    return { waiting: this.#waiting.size, due: this.#ready + this.#dueParked(), running: this.#running.size };
  }

  nextDue(): MonoMs | undefined {
    if (this.#ready === 0 && this.#parked === 0) return this.#later.peek()?.job.dueAt;
    let earliest = Number.POSITIVE_INFINITY;
    for (const { job } of this.#waiting.values()) {
      earliest = Math.min(earliest, job.dueAt);
      if (earliest <= 0) break;
    }
    return earliest;
  }

  pause(paused: boolean): void {
    this.#isPaused = paused;
    this.#planStart();
  }

  onIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#planStart();
    });
  }

  // ------------------------------------------------------------ waiting

  #place(entry: Entry): void {
    const { job } = entry;
    const isDue = job.dueAt <= 0 || job.dueAt <= this.#clock.monoMs();
    entry.home = isDue ? this.#laneOf(job).ready : this.#later;
    entry.home.push(entry);
    if (isDue) this.#ready++;
  }

  #withdraw(entry: Entry): void {
    if (entry.home === undefined) this.#parked--;
    else {
      if (entry.home !== this.#later) this.#ready--;
      entry.home.leave(entry);
    }
  }

  #laneOf(job: Job): Lane {
    const lanes = this.#lanes[job.lane];
    let lane = lanes.get(job.stageKey);
    if (lane === undefined) {
      lane = { kind: job.lane, stageKey: job.stageKey, pipeline: job.pipeline, ready: new Backlog(goesFirst) };
      lanes.set(job.stageKey, lane);
    }
    return lane;
  }

  /** Moves what has become due to its lane. */
  #promote(): void {
    let first = this.#later.peek();
    if (first === undefined) return;
    const now = this.#clock.monoMs();
    for (; first !== undefined && first.job.dueAt <= now; first = this.#later.peek()) this.#place(this.#later.pop());
  }

  #dueParked(): number {
    if (this.#parked === 0) return 0;
    const now = this.#clock.monoMs();
    let due = 0;
    for (const { home, job } of this.#waiting.values()) if (home === undefined && job.dueAt <= now) due++;
    return due;
  }

  // ------------------------------------------------------------ starting

  #planStart(): void {
    if (this.#isStartPlanned) return;
    this.#isStartPlanned = true;
    queueMicrotask(() => {
      this.#isStartPlanned = false;
      this.#startWhatCan();
    });
  }

  #startWhatCan(): void {
    this.#promote();
    if (!this.#isPaused) {
      for (let lane = this.#bestLane(); lane !== undefined; lane = this.#bestLane()) {
        this.#start(lane.kind, lane.pipeline, lane.kind === "single" ? [this.#take(lane)] : this.#takeBatch(lane));
      }
    }
    this.#setAlarm();
    this.#tellIdle();
  }

  /** The lane whose first job goes first, of those that may start one. */
  #bestLane(): Lane | undefined {
    let best: Lane | undefined;
    if (this.#ready === 0) return best;
    if (this.#busy.single < this.#slots) best = this.#better(best, this.#lanes.single);
    if (this.#busy.batch < BATCHES_IN_FLIGHT) best = this.#better(best, this.#lanes.batch);
    return best;
  }

  #better(best: Lane | undefined, lanes: Map<StageKey, Lane>): Lane | undefined {
    let first = best?.ready.peek();
    for (const lane of lanes.values()) {
      const head = lane.ready.peek();
      if (head === undefined) lanes.delete(lane.stageKey);
      else if ((first === undefined || goesFirst(head, first)) && this.#mayStart(lane)) {
        best = lane;
        first = head;
      }
    }
    return best;
  }

  #mayStart({ pipeline, stageKey }: Lane): boolean {
    return (
      this.#perPipeline.of(pipeline) < this.#limits.pipeline(pipeline) &&
      this.#perStage.of(stageKey) < this.#limits.stage(stageKey)
    );
  }

  #take(lane: Lane): Job {
    const { job } = lane.ready.pop();
    this.#ready--;
    this.#waiting.delete(job.taskKey);
    return job;
  }

  /** Jobs of one pipeline, in order, from every stage of it that has a slot. */
  #takeBatch(first: Lane): Job[] {
    const lanes = [...this.#lanes.batch.values()].filter(
      (lane) => lane.pipeline === first.pipeline && (lane === first || this.#mayStart(lane)),
    );
    const jobs: Job[] = [];
    while (jobs.length < this.#batchSize) {
      let best: Lane | undefined;
      let head: Entry | undefined;
      for (const lane of lanes) {
        const entry = lane.ready.peek();
        if (entry !== undefined && (head === undefined || goesFirst(entry, head))) {
          best = lane;
          head = entry;
        }
      }
      if (best === undefined) break;
      jobs.push(this.#take(best));
    }
    return jobs;
  }

  #start(kind: Job["lane"], pipeline: string, jobs: readonly Job[]): void {
    const stages = jobs.length === 1 ? jobs.map((job) => job.stageKey) : new Set(jobs.map((job) => job.stageKey));
    const count = (by: 1 | -1): void => {
      this.#busy[kind] += by;
      this.#perPipeline.add(pipeline, by);
      for (const stage of stages) this.#perStage.add(stage, by);
    };
    count(1);
    for (const job of jobs) this.#running.add(job.taskKey);
    const ended = this.#pool.add(() => this.#run(jobs)).catch((error: unknown) => this.#report(error, jobs));
    void ended.then(() => {
      count(-1);
      for (const job of jobs) this.#end(job.taskKey);
      this.#planStart();
    });
  }

  #end(taskKey: TaskKey): void {
    this.#running.delete(taskKey);
    const next = this.#parked > 0 ? this.#waiting.get(taskKey) : undefined;
    if (next === undefined) return;
    this.#parked--;
    this.#place(next);
  }

  #report(error: unknown, jobs: readonly Job[]): void {
    if (this.#onError !== undefined) this.#onError(error, jobs);
    else {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  // ------------------------------------------------------------ time and rest

  /** One timer, for the earliest job that is not due; none while paused, so that nothing keeps a stopped process alive. */
  #setAlarm(): void {
    const at = this.#isPaused ? undefined : this.#later.peek()?.job.dueAt;
    if (this.#alarm?.at === at) return;
    this.#alarm?.timer.cancel();
    this.#alarm = undefined;
    if (at === undefined) return;
    const timer = this.#clock.after(Math.max(0, at - this.#clock.monoMs()), () => {
      this.#alarm = undefined;
      this.#startWhatCan();
    });
    this.#alarm = { at, timer };
  }

  #tellIdle(): void {
    const mayStart = this.#ready > 0 && !this.#isPaused;
    if (this.#idleWaiters.length === 0 || this.#running.size > 0 || mayStart) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
