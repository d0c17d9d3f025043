import { basename, join } from "node:path/posix";
import type { EntityId, RelPath, Status, TaskKey } from "../core/model/words.ts";
import type { Task, Topology } from "../core/plan/topology.ts";
import { reasonsOf, type Verdict } from "../core/plan/verdict.ts";
import { remainingMs } from "../core/resilience/retry.ts";
import type { AttemptOutcome, Clock, Job, JobQueue, NodeRunner, Random, StageWork } from "../ports.ts";
import { type Attempted, type Committed, Committer, type CommitPorts } from "./commit.ts";
import { type FactSources, judgeTask } from "./facts.ts";
import type { Ending } from "./history.ts";
import { learnHash, look, type LookSources } from "./look.ts";
import { requestOf } from "./request.ts";
import type { StageInForce } from "./stages.ts";

/** How many paths are looked at before others get a turn. */
const SLICE = 256;

export interface JourneyPorts extends CommitPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly runner: NodeRunner;
  /** `undefined`: nothing is run, verdicts are only looked at (`plan`, `explain`, `status --scan`). */
  readonly queue: ((run: (jobs: readonly Job[]) => Promise<void>) => JobQueue) | undefined;
  /** Told of each attempt's end, after its manifest entry is in the book: the ledger, the log, progress. */
  readonly onEnding: (endings: readonly Ending[]) => void;
  /** A task is done: what forced it is used up. */
  readonly onDone: (task: TaskKey) => void;
  /** Writes an entity's manifest; what cannot be written now stays in the book for a later flush. */
  readonly flushManifest: (id: EntityId) => void;
  /** Told when something changed that `isQuiet` depends on. */
  readonly onChange: () => void;
}

/** A task between its verdict and its end. */
interface Underway {
  readonly task: Task;
  readonly reasons: string;
  readonly order: number;
  attemptId: string | undefined;
  /** The code of the running attempt. */
  work: StageWork | undefined;
}

/**
 * The journey of a dropped file, from a hint to its results and to what follows from them:
 *
 *     1 watch   `hint`      something may have changed at a path
 *     2 match   `#match`    which states that is, and which tasks they concern
 *     3 look    `look`      what is on disk now
 *     4 plan    `#plan`     each task's verdict
 *     5 queue   `#queue`    due work, one job per task
 *     6 run     `#run`      attempts, many at a time
 *     7 commit  `#commit`   checked, renamed, recorded
 *     8 wake    `#match`    the new file is a change: go to 2
 *
 * A restart, a reconcile scan and a command enter the same line with `hint` or `replan`.
 */
export class Journey {
  readonly #ports: JourneyPorts;
  readonly #look: LookSources;
  readonly #facts: FactSources;
  readonly #committer: Committer;
  readonly #queue: JobQueue | undefined;
  readonly #inbox = new Set<RelPath>();
  readonly #tasksToPlan = new Map<TaskKey, Task>();
  readonly #underway = new Map<TaskKey, Underway>();
  /** Tasks with a running attempt. */
  readonly #running = new Set<TaskKey>();
  /** Entities with queued or running tasks: their manifests wait for the end of the chain. */
  readonly #busy = new Map<EntityId, number>();
  readonly #hashing = new Set<RelPath>();
  #pumping = false;
  #stopped = false;
  #arrivals = 0;

  constructor(ports: JourneyPorts, lookFrom: LookSources, facts: FactSources) {
    this.#ports = ports;
    this.#look = lookFrom;
    this.#facts = facts;
    this.#committer = new Committer(ports, lookFrom, facts);
    this.#queue = ports.queue?.((jobs) => this.#run(jobs));
  }

  // ------------------------------------------------------------ 1 watch

  /** Something may have changed at these paths. */
  hint(paths: Iterable<RelPath>): void {
    for (const path of paths) this.#inbox.add(path);
    this.#pump();
  }

  /** Judges these tasks again, though no file changed: another definition, a command, a due time. */
  replan(tasks: Iterable<Task>): void {
    for (const task of tasks) this.#tasksToPlan.set(task.key, task);
    this.#pump();
  }

  /** Judges every task that these states concern. */
  replanAround(states: Iterable<RelPath>): void {
    this.replan(this.#match(states));
  }

  /** Other definitions are in force: tasks not running are planned anew, attempts of other code are cut short. */
  adopt(): void {
    const tasks: Task[] = [];
    for (const [key, { task, attemptId, work }] of this.#underway) {
      const stage = this.#facts.stages().topology.stage(task.stage.key);
      if (attemptId !== undefined) {
        if (this.#facts.stages().get(task.stage.key)?.work !== work) this.#ports.runner.cancel(attemptId);
        continue;
      }
      this.#queue?.drop(key);
      this.#underway.delete(key);
      this.#setStatus(task, undefined);
      const now = stage && stage.type !== "source" ? this.#topology.taskOf(stage, task.entity.vars) : undefined;
      if (now) tasks.push(now);
    }
    this.replan(tasks);
  }

  /** Is anything hinted at not planned yet? */
  get isPlanning(): boolean {
    return this.#pumping || this.#hashing.size > 0;
  }

  /** Nothing is being looked at, planned, hashed or run, and nothing is due. Work that waits for later is quiet. */
  get isQuiet(): boolean {
    const counts = this.#queue?.counts();
    return !this.#pumping && this.#hashing.size === 0 && (!counts || counts.due + counts.running === 0);
  }

  get queue(): JobQueue | undefined {
    return this.#queue;
  }

  /** Tasks with a running attempt. */
  running(): string[] {
    return [...this.#running];
  }

  /** Starts nothing new. Attempts that run end by themselves or by `cancelRunning`. */
  stop(): void {
    this.#stopped = true;
    this.#queue?.pause(true);
  }

  cancelRunning(): void {
    for (const { attemptId } of this.#underway.values()) if (attemptId) this.#ports.runner.cancel(attemptId);
  }

  // ------------------------------------------------------------ 2 match, 3 look

  #pump(): void {
    if (this.#pumping || this.#stopped) return;
    this.#pumping = true;
    this.#ports.clock.after(0, () => this.#turn());
  }

  #turn(): void {
    const changed: RelPath[] = [];
    let looked = 0;
    for (const path of this.#inbox) {
      if (++looked > SLICE) break;
      this.#inbox.delete(path);
      for (const state of this.#topology.statesAt(path)) if (look(state, this.#look)) changed.push(state);
    }
    this.#plan(this.#match(changed), ++this.#arrivals);
    this.#planAgain();
    if (!this.#stopped && (this.#inbox.size > 0 || this.#tasksToPlan.size > 0)) {
      this.#ports.clock.after(0, () => this.#turn());
    } else {
      this.#pumping = false;
      this.#ports.onChange();
    }
  }

  #planAgain(): void {
    const tasks: Task[] = [];
    for (const [key, task] of this.#tasksToPlan) {
      if (tasks.length >= SLICE) break;
      this.#tasksToPlan.delete(key);
      tasks.push(task);
    }
    this.#plan(tasks, ++this.#arrivals);
  }

  get #topology(): Topology {
    return this.#facts.stages().topology;
  }

  /** Every task that changes of these states concern, what is made first first. */
  #match(states: Iterable<RelPath>): Task[] {
    const { table } = this.#look;
    const tasks = new Map<TaskKey, Task>();
    for (const path of states) {
      const row = table.find(path);
      const role = this.#topology.role(row === undefined ? this.#topology.roleNumber(path) : table.roleOf(row));
      for (const task of this.#topology.affected(path, role)) if (!tasks.has(task.key)) tasks.set(task.key, task);
      // A source that is gone, with nothing made of it, leaves no trace.
      if (row !== undefined && !role.producer && !table.isPresent(row) && !table.isRefused(row)) table.remove(row);
    }
    return [...tasks.values()];
  }

  // ------------------------------------------------------------ 4 plan

  #plan(tasks: readonly Task[], order: number): void {
    for (const task of tasks) {
      const judged = this.#judge(task);
      if (judged) this.#follow(task, judged, order);
    }
  }

  /** The verdict; `undefined` while contents are being hashed, then the task is planned again. */
  #judge(task: Task): Verdict | undefined {
    for (;;) {
      const judged = judgeTask(task, this.#facts);
      if ("verdict" in judged) return judged.verdict;
      const slow = judged.unknown.filter((path) => !this.#learn(path, task));
      if (slow.length > 0) {
        this.#setStatus(task, "waiting");
        return undefined;
      }
    }
  }

  /** Learns a hash; `false` when that takes longer than now. */
  #learn(path: RelPath, task: Task): boolean {
    if (this.#hashing.has(path)) {
      this.#afterHashing(path, task);
      return false;
    }
    const learned = learnHash(path, this.#look);
    if (learned === "done") return true;
    this.#hashing.add(path);
    this.#afterHashing(path, task);
    void learned.finally(() => {
      this.#hashing.delete(path);
      const waiting = this.#waitingForHash.get(path) ?? [];
      this.#waitingForHash.delete(path);
      this.replan(waiting);
    });
    return false;
  }

  readonly #waitingForHash = new Map<RelPath, Task[]>();

  #afterHashing(path: RelPath, task: Task): void {
    const waiting = this.#waitingForHash.get(path) ?? [];
    waiting.push(task);
    this.#waitingForHash.set(path, waiting);
  }

  // ------------------------------------------------------------ 5 queue

  /** Does what a verdict asks for. The only place that decides about a task's status. */
  #follow(task: Task, verdict: Verdict, order: number): void {
    const underway = this.#underway.get(task.key);
    if (underway?.attemptId !== undefined) {
      // Its end is looked at anyway; only what has become pointless is cut short.
      if (!verdict.due && verdict.status !== "fresh" && verdict.status !== "skipped")
        this.#ports.runner.cancel(underway.attemptId);
      return;
    }
    if (!verdict.due || !this.#queue) {
      this.#forget(task);
      return this.#setStatus(task, verdict.status === "none" ? undefined : verdict.status);
    }
    this.#enqueue(task, verdict, underway?.order ?? order);
  }

  #enqueue(task: Task, verdict: Verdict, order: number): void {
    const inForce = this.#facts.stages().of(task.stage);
    const reasons = reasonsOf(verdict).join(" ");
    const delayMs = verdict.retryAt === undefined ? 0 : this.#retryDelay(task, verdict.retryAt);
    const later = delayMs > 0;
    if (!this.#underway.has(task.key))
      this.#underway.set(task.key, { task, reasons, order, attemptId: undefined, work: undefined });
    this.#setStatus(task, later ? "retrying" : "queued");
    this.#queue!.put({
      taskKey: task.key,
      stageKey: task.stage.key,
      pipeline: task.stage.pipeline,
      priority: task.stage.priority,
      order,
      dueAt: later ? this.#ports.clock.monoMs() + delayMs : 0,
      lane: inForce.lane,
    });
  }

  #retryDelay(task: Task, retryAt: number): number {
    const failure = this.#facts.book.get(task.entity.id).failures[task.stage.pattern.text];
    return remainingMs(retryAt, failure?.delayMs ?? 0, this.#ports.clock.wallMs());
  }

  /** The task is no longer underway. */
  #forget(task: Task): void {
    this.#queue?.drop(task.key);
    this.#underway.delete(task.key);
  }

  #setStatus(task: Task, status: Status | undefined): void {
    const { table } = this.#look;
    const row = status === undefined ? table.find(task.path) : table.ensure(task.path, this.#topology.roleNumber);
    if (row === undefined) return;
    const wasBusy = isBusy(table.statusOf(row));
    table.setStatus(row, status);
    if (wasBusy !== isBusy(status)) this.#countBusy(task.entity.id, wasBusy ? -1 : 1);
    if (status === undefined && !table.isPresent(row)) table.remove(row);
  }

  #countBusy(id: EntityId, by: 1 | -1): void {
    const count = (this.#busy.get(id) ?? 0) + by;
    if (count > 0) this.#busy.set(id, count);
    else this.#busy.delete(id);
  }

  // ------------------------------------------------------------ 6 run

  async #run(jobs: readonly Job[]): Promise<void> {
    const batchId = this.#ports.random.id();
    const attempts = this.#prepare(jobs, batchId);
    if (attempts.size > 0) {
      const { book } = this.#facts;
      book.hold(batchId);
      await this.#ports.runner.run(
        [...attempts.values()].map((a) => a.request),
        (outcomes) => {
          this.#commit(outcomes.flatMap((outcome) => this.#arrive(attempts, outcome)));
        },
      );
      this.#committer.forgetBatch(batchId);
      book.release(batchId);
    }
    // The queue counts these jobs as running until this function has returned.
    this.#ports.clock.after(0, () => this.#ports.onChange());
  }

  #prepare(jobs: readonly Job[], batchId: string): Map<string, Prepared> {
    const attempts = new Map<string, Prepared>();
    let folder: string | undefined;
    for (const job of jobs) {
      const underway = this.#underway.get(job.taskKey);
      if (!underway || this.#stopped) continue;
      const { task } = underway;
      const inForce = this.#facts.stages().of(task.stage);
      if (!inForce?.work) continue;
      folder ??= this.#ports.intents.makeBatch(batchId);
      const staged = this.#stagedPath(folder, attempts.size, task, inForce);
      const runId = `${batchId}-${attempts.size}`;
      const request = requestOf(task, inForce.work, { attemptId: runId, staged, root: this.#ports.root }, this.#facts);
      underway.attemptId = runId;
      underway.work = inForce.work;
      this.#running.add(task.key);
      this.#setStatus(task, "running");
      const { reasons, order } = underway;
      attempts.set(runId, {
        task,
        inForce,
        request,
        runId,
        batchId,
        reasons,
        order,
        startedAt: this.#ports.clock.wallMs(),
      });
    }
    return attempts;
  }

  /** A result that only we touch is a numbered file; one that a tool fills bears its final name in a folder of its own. */
  #stagedPath(folder: string, number: number, task: Task, inForce: StageInForce): string {
    if (inForce.lane === "batch") return join(folder, String(number));
    const own = join(folder, String(number));
    this.#ports.disk.makeFolders(own);
    return join(own, basename(task.path));
  }

  #arrive(attempts: ReadonlyMap<string, Prepared>, outcome: AttemptOutcome): (Prepared & Attempted)[] {
    const prepared = attempts.get(outcome.attemptId);
    return prepared ? [{ ...prepared, outcome }] : [];
  }

  // ------------------------------------------------------------ 7 commit, 8 wake

  #commit(attempted: readonly (Prepared & Attempted)[]): void {
    const committed = this.#committer.commit(attempted.filter((attempt) => this.#isWanted(attempt)));
    const endings = attempted.map((attempt) => ({
      ...attempt,
      result: committed.get(attempt) ?? { is: "dropped" as const, path: attempt.task.path },
    }));
    for (const { task, result } of endings) this.#end(task, result);
    this.#wake(endings);
    this.#ports.onEnding(endings);
    for (const { task } of endings) if (!this.#busy.has(task.entity.id)) this.#ports.flushManifest(task.entity.id);
  }

  /** Still the same stage with the same code? Otherwise its result answers a question nobody asks any more. */
  #isWanted({ task, inForce }: Attempted): boolean {
    return this.#underway.has(task.key) && this.#facts.stages().get(task.stage.key)?.work === inForce.work;
  }

  #end(task: Task, result: Committed): void {
    this.#underway.delete(task.key);
    this.#running.delete(task.key);
    if (isDone(result)) {
      this.#setStatus(task, result.is === "skipped" ? "skipped" : "fresh");
      this.#ports.onDone(task.key);
      return;
    }
    this.#setStatus(task, "waiting");
    if (result.is === "dropped") for (const state of this.#topology.statesAt(result.path)) look(state, this.#look);
  }

  /** Plans what these ends concern: all that is made from the results, and the tasks themselves when they are not done. */
  #wake(endings: readonly Ending[]): void {
    if (this.#stopped) return;
    const done = new Set(endings.filter((e) => isDone(e.result)).map((e) => e.task.key));
    const states = endings.flatMap((e) => (e.result.is === "dropped" ? [e.result.path, e.task.path] : [e.task.path]));
    const tasks = this.#match(states).filter((task) => !done.has(task.key));
    // What follows from the oldest file comes before the next file: chains end early, and their manifests are written once.
    this.#plan(tasks, Math.min(...endings.map((e) => e.order)));
  }
}

/** An attempt on its way. */
interface Prepared extends Omit<Attempted, "outcome"> {
  readonly reasons: string;
  readonly order: number;
  readonly startedAt: number;
}

function isDone(result: Committed): boolean {
  return result.is === "ran" || result.is === "unchanged" || result.is === "skipped";
}

function isBusy(status: Status | undefined): boolean {
  return status === "queued" || status === "running";
}
