import type { EntityId, RelPath, TaskKey } from "../core/model/words.ts";
import type { Task, Topology } from "../core/plan/topology.ts";
import { reasonsOf, type Verdict } from "../core/plan/verdict.ts";
import type { AttemptOutcome, Clock, Job, JobQueue, NodeRunner, Random, StageWork } from "../ports.ts";
import { type Attempted, type Committed, Committer, type CommitPorts } from "./commit.ts";
import { type FactSources, judgeTask } from "./facts.ts";
import { Brake } from "./health/brake.ts";
import type { Ending } from "./history.ts";
import { learnHash, look, type LookSources } from "./look.ts";
import { requestOf } from "./request.ts";
import type { StageInForce } from "./stages.ts";
import { failedForRoom, Staging } from "./staging.ts";
import { TaskStatuses } from "./task-statuses.ts";
import { failureOf, type Prepared, retryOf, type Underway } from "./underway.ts";

/** How many paths are looked at before others get a turn. */
const SLICE = 256;

export interface JourneyPorts extends CommitPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly runner: Pick<NodeRunner, "laneOf" | "run" | "cancel">;
  /** `undefined`: nothing is run, verdicts are only looked at (`plan`, `explain`, `status --scan`). */
  readonly queue: ((run: (jobs: readonly Job[]) => Promise<void>) => JobQueue) | undefined;
  /** Told of each attempt's end, after its manifest entry is in the book: the ledger, the log, progress. */
  readonly onEnding: (endings: readonly Ending[]) => void;
  /** A task is done: what forced it is used up. */
  readonly onDone: (task: TaskKey) => void;
  /** Writes an entity's manifest; what cannot be written now stays in the book for a later flush. */
  readonly flushManifest: (id: EntityId) => void;
  /** Told of each verdict: what it says about a product that is to go. */
  readonly onVerdict: (task: Task, verdict: Verdict) => void;
  /** A state was seen for the first time. */
  readonly onArrival: (path: RelPath) => void;
  /** Told when something changed that `isQuiet` depends on. */
  readonly onChange: () => void;
  /** Looks whether the root itself is there. While it is not, nothing is looked at, planned, begun or recorded. */
  readonly isHere: () => boolean;
}

/** Verdicts that let a running attempt come to its end: its result is wanted, or no worse than waiting for it. */
const MAY_END: ReadonlySet<string> = new Set(["fresh", "skipped", "held"]);

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
  readonly #statesToMatch = new Set<RelPath>();
  readonly #tasksToPlan = new Map<TaskKey, Task>();
  readonly #underway = new Map<TaskKey, Underway>();
  /** Tasks with a running attempt. */
  readonly #running = new Set<TaskKey>();
  /** Tasks whose attempts the shared thread gave back. */
  readonly #alone = new Set<TaskKey>();
  readonly #hashing = new Set<RelPath>();
  readonly #statuses: TaskStatuses;
  readonly #brake: Brake;
  #pumping = false;
  #stopped = false;
  #arrivals = 0;

  constructor(ports: JourneyPorts, lookFrom: LookSources, facts: FactSources) {
    this.#ports = ports;
    this.#look = lookFrom;
    this.#facts = facts;
    this.#committer = new Committer(ports, lookFrom, facts);
    this.#brake = new Brake(ports.clock, lookFrom.table);
    this.#statuses = new TaskStatuses(lookFrom.table, () => this.#topology);
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
    for (const task of tasks) putLast(this.#tasksToPlan, task);
    this.#pump();
  }

  /** Judges every task that these states concern. */
  replanAround(states: Iterable<RelPath>): void {
    for (const state of states) this.#statesToMatch.add(state);
    this.#pump();
  }

  /** Other definitions are in force: tasks not running are planned anew, attempts of other code are cut short. */
  adopt(): void {
    const tasks: Task[] = [];
    for (const [key, { task, attemptId, work }] of this.#underway) {
      if (attemptId !== undefined) {
        if (!this.#isInForce(task, work)) this.#ports.runner.cancel(attemptId);
        continue;
      }
      this.#queue?.drop(key);
      this.#underway.delete(key);
      this.#statuses.set(task, undefined);
      tasks.push(...this.#today(task));
    }
    this.replan(tasks);
  }

  /** The task as the stages in force have it, if they do. */
  #today(task: Task): Task[] {
    const stage = this.#topology.stage(task.stage.key);
    const now = stage && stage.type !== "source" ? this.#topology.taskOf(stage, task.entity.vars) : undefined;
    return now ? [now] : [];
  }

  /** Is anything hinted at not planned yet? */
  get isPlanning(): boolean {
    return this.#pumping || this.#hashing.size > 0;
  }

  /** Is anything hinted at not looked at yet, or a change not followed? */
  get isMatching(): boolean {
    return this.#pumping;
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

  /** Goes on with what waits, after the root was away. */
  goOn(): void {
    this.#pump();
  }

  #turn(): void {
    if (!this.#ports.isHere()) {
      this.#pumping = false;
      this.#ports.onChange();
      return;
    }
    const changed: RelPath[] = [];
    let looked = 0;
    for (const path of this.#inbox) {
      if (++looked > SLICE) break;
      this.#inbox.delete(path);
      for (const state of this.#topology.statesAt(path)) if (this.#isChanged(state)) changed.push(state);
    }
    // What waits for its look is not missing: nothing is judged before all of it was looked at.
    if (this.#inbox.size > 0) for (const state of changed) this.#statesToMatch.add(state);
    else {
      this.#plan(this.#match(changed), ++this.#arrivals);
      if (this.#statesToMatch.size > 0) this.#matchAgain();
      else this.#planAgain();
    }
    if (!this.#stopped && this.#inbox.size + this.#statesToMatch.size + this.#tasksToPlan.size > 0) {
      this.#ports.clock.after(0, () => this.#turn());
    } else {
      this.#pumping = false;
      this.#ports.onChange();
    }
  }

  #isChanged(state: RelPath): boolean {
    const isNew = this.#look.table.find(state) === undefined;
    const isChanged = look(state, this.#look);
    if (isNew && isChanged) this.#ports.onArrival(state);
    return isChanged;
  }

  /** All are matched before any is planned: what is made first then comes first. */
  #matchAgain(): void {
    const states: RelPath[] = [];
    for (const state of this.#statesToMatch) {
      if (states.length >= SLICE) break;
      this.#statesToMatch.delete(state);
      states.push(state);
    }
    this.replan(this.#match(states));
  }

  #planAgain(): void {
    const tasks: Task[] = [];
    for (const [key, task] of this.#tasksToPlan) {
      if (tasks.length >= SLICE) break;
      this.#tasksToPlan.delete(key);
      // Definitions may have been edited since it was put there.
      const isInForce = this.#topology.stage(task.stage.key) === task.stage;
      tasks.push(...(isInForce ? [task] : this.#today(task)));
    }
    this.#plan(tasks, ++this.#arrivals);
  }

  get #topology(): Topology {
    return this.#facts.stages().topology;
  }

  /** Every task that changes of these states concern, what is made first first; not those that have just `made` them. */
  #match(states: Iterable<RelPath>, made?: ReadonlyMap<RelPath, Task>): Task[] {
    const { table } = this.#look;
    const tasks = new Map<TaskKey, Task>();
    for (const path of states) {
      const row = table.find(path);
      const role = this.#topology.role(row === undefined ? this.#topology.roleNumber(path) : table.roleOf(row));
      for (const task of this.#topology.affected(path, role, made?.get(path))) putLast(tasks, task);
      // A source that is gone leaves no trace.
      const isGone = row !== undefined && !table.isPresent(row) && table.statusOf(row) === undefined;
      if (isGone && !role.producer) table.remove(row);
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

  /** The verdict; `undefined` while contents are being hashed, then all that they concern is planned again. */
  #judge(task: Task): Verdict | undefined {
    for (;;) {
      const judged = judgeTask(task, this.#facts);
      if ("verdict" in judged) return judged.verdict;
      const slow = judged.unknown.filter((path) => !this.#learn(path));
      if (slow.length > 0) {
        if (!this.#underway.has(task.key)) this.#statuses.set(task, "waiting");
        return undefined;
      }
    }
  }

  /** Learns a hash; `false` when that takes longer than now. */
  #learn(path: RelPath): boolean {
    if (this.#hashing.has(path)) return false;
    if (!this.#ports.isHere()) {
      this.#statesToMatch.add(path);
      return false;
    }
    const learned = learnHash(path, this.#look);
    if (learned === "done") return true;
    this.#hashing.add(path);
    void learned.finally(() => {
      this.#hashing.delete(path);
      this.replanAround([path]);
    });
    return false;
  }

  // ------------------------------------------------------------ 5 queue

  /** Does what a verdict asks for. The only place that decides about a task's status. */
  #follow(task: Task, verdict: Verdict, order: number): void {
    this.#ports.onVerdict(task, verdict);
    const underway = this.#underway.get(task.key);
    if (underway?.attemptId !== undefined) {
      underway.isDoubted = true;
      // Its end is looked at anyway; only what has become pointless is cut short.
      if (!verdict.due && !MAY_END.has(verdict.status)) this.#ports.runner.cancel(underway.attemptId);
      return;
    }
    if (!verdict.due || !this.#queue) {
      this.#forget(task);
      return this.#statuses.set(task, verdict.status === "none" ? undefined : verdict.status);
    }
    this.#enqueue(task, verdict, underway?.order ?? order);
  }

  #enqueue(task: Task, verdict: Verdict, order: number): void {
    const inForce = this.#facts.stages().of(task.stage);
    const reasons = reasonsOf(verdict).join(" ");
    const failure = failureOf(task, this.#facts.book);
    const retry = retryOf(verdict, this.#underway.get(task.key)?.retry, failure, this.#ports.clock);
    const dueAt = Math.max(retry?.dueAt ?? 0, this.#brake.dueAt(task.key));
    const isLater = dueAt > this.#ports.clock.monoMs();
    const notRunning = { attemptId: undefined, work: undefined, isDoubted: false };
    this.#underway.set(task.key, { task, reasons, order, retry, failure, ...notRunning });
    this.#statuses.set(task, isLater ? "retrying" : "queued");
    this.#queue!.put({
      taskKey: task.key,
      stageKey: task.stage.key,
      pipeline: task.stage.pipeline,
      priority: task.stage.priority,
      order,
      dueAt: isLater ? dueAt : 0,
      lane: this.#laneOf(task, inForce),
    });
  }

  #laneOf({ key }: Task, { lane, work }: StageInForce): Job["lane"] {
    return lane === "batch" && work && !this.#alone.has(key) ? this.#ports.runner.laneOf(work) : "single";
  }

  /** The task is no longer underway. */
  #forget(task: Task): void {
    this.#queue?.drop(task.key);
    this.#underway.delete(task.key);
  }

  // ------------------------------------------------------------ 6 run

  async #run(jobs: readonly Job[]): Promise<void> {
    if (!this.#ports.isHere()) return this.replan(jobs.flatMap((job) => this.#underway.get(job.taskKey)?.task ?? []));
    const batchId = this.#ports.random.id();
    const attempts = this.#prepare(jobs, batchId);
    if (attempts.size > 0) {
      const { book } = this.#facts;
      book.hold(batchId);
      const emit = (outcomes: readonly AttemptOutcome[]): void =>
        this.#commit(outcomes.flatMap((outcome) => this.#arrive(attempts, outcome)));
      const all = [...attempts.values()];
      const noRoom = all.filter((a) => a.noRoom !== undefined);
      if (noRoom.length > 0) emit(noRoom.map((a) => failedForRoom(a.runId, a.noRoom!)));
      const requests = all.filter((a) => a.noRoom === undefined).map((a) => a.request);
      if (requests.length > 0) await this.#ports.runner.run(requests, emit);
      this.#committer.forgetBatch(batchId);
      book.release(batchId);
    }
    // The queue counts these jobs as running until this function has returned.
    this.#ports.clock.after(0, () => this.#ports.onChange());
  }

  #prepare(jobs: readonly Job[], batchId: string): Map<string, Prepared> {
    const attempts = new Map<string, Prepared>();
    const staging = new Staging(batchId, this.#ports);
    for (const job of jobs) {
      const underway = this.#underway.get(job.taskKey);
      if (!underway || this.#stopped) continue;
      const { task } = underway;
      const inForce = this.#facts.stages().of(task.stage);
      if (!inForce?.work) continue;
      const { staged, noRoom } = staging.roomFor(attempts.size, task.path, job.lane);
      const runId = `${batchId}-${attempts.size}`;
      const request = requestOf(
        task,
        inForce.work,
        { attemptId: runId, staged, root: this.#ports.root, alone: job.lane !== inForce.lane },
        underway.failure,
        this.#facts,
      );
      underway.attemptId = runId;
      underway.work = inForce.work;
      this.#running.add(task.key);
      this.#statuses.set(task, "running");
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
        noRoom,
      });
    }
    return attempts;
  }

  #arrive(attempts: ReadonlyMap<string, Prepared>, outcome: AttemptOutcome): (Prepared & Attempted)[] {
    const prepared = attempts.get(outcome.attemptId);
    return prepared ? [{ ...prepared, outcome: this.#ports.trouble.spare(prepared.task.key, outcome) }] : [];
  }

  // ------------------------------------------------------------ 7 commit, 8 wake

  #commit(all: readonly (Prepared & Attempted)[]): void {
    const attempted = all.filter(({ outcome }) => outcome.kind !== "alone");
    if (attempted.length < all.length) this.#sendAlone(all.filter(({ outcome }) => outcome.kind === "alone"));
    if (attempted.length === 0) return;
    const wanted = this.#ports.isHere() ? attempted.filter((attempt) => this.#isWanted(attempt)) : [];
    const committed = this.#committer.commit(wanted);
    const endings = attempted.map((attempt) => ({
      ...attempt,
      result: committed.get(attempt) ?? { is: "dropped" as const, path: attempt.task.path },
    }));
    const doubted = new Set(
      endings.filter(({ task }) => this.#underway.get(task.key)?.isDoubted).map((e) => e.task.key),
    );
    for (const { task, result } of endings) this.#end(task, result);
    this.#wake(endings, doubted);
    const unwanted = attempted.filter((attempt) => !committed.has(attempt));
    if (unwanted.length > 0) this.replan(unwanted.flatMap(({ task }) => this.#today(task)));
    this.#ports.onEnding(endings);
    for (const { task } of endings)
      if (!this.#statuses.isBusy(task.entity.id)) this.#ports.flushManifest(task.entity.id);
  }

  /** The shared thread gave them back: they are planned anew, each for a thread and a slot of its own. */
  #sendAlone(attempted: readonly Attempted[]): void {
    for (const { task } of attempted) {
      this.#alone.add(task.key);
      this.#underway.delete(task.key);
      this.#running.delete(task.key);
    }
    this.replan(attempted.flatMap(({ task }) => this.#today(task)));
  }

  /** Otherwise its result answers a question nobody asks any more. */
  #isWanted({ task, inForce }: Attempted): boolean {
    return this.#underway.has(task.key) && this.#isInForce(task, inForce.work);
  }

  /** Is there still the same stage with the same code, and does it make the same path of the same inputs? */
  #isInForce(task: Task, work: StageWork | undefined): boolean {
    const inForce = this.#facts.stages().get(task.stage.key);
    if (inForce?.work !== work) return false;
    if (inForce?.stage === task.stage) return true;
    const now = inForce && this.#topology.taskOf(inForce.stage, task.entity.vars);
    const inputs = (of: Task): string => JSON.stringify(of.inputs.map(({ alias, path }) => [alias, path]));
    return now?.path === task.path && inputs(now) === inputs(task);
  }

  #end(task: Task, result: Committed): void {
    this.#underway.delete(task.key);
    this.#running.delete(task.key);
    this.#alone.delete(task.key);
    this.#brake.ended(task, result);
    if (isDone(result)) {
      this.#statuses.set(task, result.is === "skipped" ? "skipped" : "fresh");
      this.#ports.onDone(task.key);
      return;
    }
    // Another stage may have taken its path over.
    if (this.#topology.producerTask(task.path)?.key === task.key) this.#statuses.set(task, "waiting");
    else this.#statuses.release(task);
    if (result.is === "dropped") for (const state of this.#topology.statesAt(result.path)) look(state, this.#look);
  }

  /** Plans what these ends concern: all that is made from the results, and the tasks themselves unless they are surely done. */
  #wake(endings: readonly Ending[], doubted: ReadonlySet<TaskKey>): void {
    if (this.#stopped) return;
    // What chose to make nothing may have left an older result: its verdict says so.
    const sure = endings.filter((e) => isDone(e.result) && e.result.is !== "skipped" && !doubted.has(e.task.key));
    const done = new Set(sure.map((e) => e.task.key));
    const made = new Map(sure.map((e) => [e.task.path, e.task]));
    const states = endings.flatMap(({ task, result }) => {
      if (result.is === "failed") return [...result.learned, task.path];
      return result.is === "dropped" ? [result.path, task.path] : [task.path];
    });
    const tasks = this.#match(states, made).filter((task) => !done.has(task.key));
    // What follows from the oldest file comes before the next file: chains end early, and their manifests are written once.
    this.#plan(tasks, Math.min(...endings.map((e) => e.order)));
  }
}

/** Puts a task at the end: what is matched later comes after what it is made from. */
function putLast(tasks: Map<TaskKey, Task>, task: Task): void {
  tasks.delete(task.key);
  tasks.set(task.key, task);
}

function isDone(result: Committed): boolean {
  return result.is !== "failed" && result.is !== "dropped";
}
