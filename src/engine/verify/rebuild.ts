import { basename, dirname, join } from "node:path/posix";
import { ACCEPTED, type StateRecord } from "../../core/model/manifest.ts";
import type { NodeSpec } from "../../core/model/pipeline.ts";
import { type Problem, problem } from "../../core/model/problem.ts";
import type { AbsPath, ContentHash, TaskKey } from "../../core/model/words.ts";
import type { Row } from "../../core/plan/state-table.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { AttemptOutcome, AttemptRequest, Job, JobQueue, LaneLimits } from "../../ports.ts";
import type { RebuildFinding, RebuildReport } from "../control.ts";
import { isDiskError } from "../disk-error.ts";
import { requestOf } from "../request.ts";
import type { Root } from "../root.ts";
import type { Scene } from "./scene.ts";

/** How many tasks wait in the queue at a time: a root may have millions. */
const WINDOW = 1024;

/** What making every output again needs of whoever verifies. */
export interface Rebuilding {
  /** Called before the first node runs: an empty folder of nobody else outside the root, and what stops the work. */
  readonly begin: () => { readonly folder: AbsPath; readonly signal: AbortSignal };
  readonly makeQueue: (limits: LaneLimits, run: (jobs: readonly Job[]) => Promise<void>) => JobQueue;
}

/** What making the outputs again came to; its findings are in the scene's. */
export interface Rebuilt {
  readonly report: RebuildReport;
  /** Why the machine let it not come to its end. */
  readonly refused: Problem | undefined;
}

/**
 * Makes the outputs of every fresh transform once more, from the same inputs in a folder outside the root, and compares
 * each with its record. Nothing in the root is written. Sinks are left out, since their effects must not be repeated, as
 * is what is not fresh, and what a person accepted: no node made that.
 */
export async function rebuildOutputs(
  scene: Scene,
  isWanted: (task: Task) => boolean,
  rebuilding: Rebuilding,
): Promise<Rebuilt> {
  const choice = choose(scene, isWanted);
  const rebuild = new Rebuild(scene, choice, rebuilding);
  await rebuild.run();
  return rebuild.result();
}

// ---------------------------------------------------------------- what is rebuilt

interface Choice {
  /** Of every task that is to be made again. */
  readonly rows: readonly Row[];
  readonly leftOut: Map<string, number>;
}

function choose({ root, records }: Scene, isWanted: (task: Task) => boolean): Choice {
  const choice: Choice = { rows: [], leftOut: new Map() };
  const rows: Row[] = [];
  for (let row = 0; row < root.table.end; row++) {
    const path = root.table.pathOf(row);
    const status = path === undefined ? undefined : root.table.statusOf(row);
    const task = status === undefined ? undefined : root.stages.topology.producerTask(path!);
    if (task === undefined || !isWanted(task)) continue;
    const isDone = status === "fresh" || status === "skipped";
    if (task.stage.type === "sink") count(choice.leftOut, "sink");
    else if (!isDone) count(choice.leftOut, status!);
    else if (records.get(task.path)?.record.runId === ACCEPTED) count(choice.leftOut, "accepted");
    else rows.push(row);
  }
  return { ...choice, rows };
}

function count(counts: Map<string, number>, what: string, by = 1): void {
  if (by > 0) counts.set(what, (counts.get(what) ?? 0) + by);
}

// ---------------------------------------------------------------- making it again

/** A task that is being made again. */
interface Underway {
  readonly task: Task;
  readonly record: StateRecord;
  readonly node: NodeSpec;
  readonly place: AbsPath;
}

class Rebuild {
  readonly #scene: Scene;
  readonly #root: Root;
  readonly #rebuilding: Rebuilding;
  readonly #rows: readonly Row[];
  readonly #leftOut: Map<string, number>;
  /** Tasks in the queue, and those of them whose attempts the shared thread gave back. */
  readonly #waiting = new Map<TaskKey, Task>();
  readonly #alone = new Set<TaskKey>();
  readonly #running = new Set<string>();
  readonly #found: { readonly task: Task; readonly rebuild: RebuildFinding }[] = [];
  #queue: JobQueue | undefined;
  #folder: AbsPath = "";
  #next = 0;
  #attempts = 0;
  #same = 0;
  #overtaken = 0;
  #isStopped = false;
  #refused: Problem | undefined;

  constructor(scene: Scene, { rows, leftOut }: Choice, rebuilding: Rebuilding) {
    this.#scene = scene;
    this.#root = scene.root;
    this.#rebuilding = rebuilding;
    this.#rows = rows;
    this.#leftOut = leftOut;
  }

  async run(): Promise<void> {
    if (this.#rows.length === 0) return;
    const { folder, signal } = this.#rebuilding.begin();
    this.#folder = folder;
    this.#queue = this.#rebuilding.makeQueue(limitsOf(this.#root), (jobs) => this.#attempt(jobs));
    const stop = (): void => this.#stop();
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    this.#feed();
    await this.#queue.onIdle();
    signal.removeEventListener("abort", stop);
  }

  result(): Rebuilt {
    const { found } = this.#scene;
    const findings = this.#found.toSorted((a, b) => (a.task.path < b.task.path ? -1 : 1));
    for (const { task, rebuild } of findings) found.repeat(task.path, task.entity.id, rebuild);
    const failed = findings.filter(({ rebuild }) => rebuild.error !== null).length;
    const differ = findings.length - failed;
    const rebuilt = this.#same + findings.length;
    const left = [...this.#leftOut.values()].reduce((sum, some) => sum + some, 0);
    const outputs = this.#rows.length + left;
    count(this.#leftOut, "overtaken", this.#overtaken);
    count(this.#leftOut, "interrupted", this.#rows.length - rebuilt - this.#overtaken);
    const leftOut = Object.fromEntries(this.#leftOut);
    return { report: { outputs, rebuilt, same: this.#same, differ, failed, leftOut }, refused: this.#refused };
  }

  /** Starts nothing more and cuts short what runs. */
  #stop(): void {
    this.#isStopped = true;
    this.#queue?.pause(true);
    for (const attemptId of this.#running) this.#root.ports.runner.cancel(attemptId);
  }

  #feed(): void {
    while (!this.#isStopped && this.#waiting.size < WINDOW && this.#next < this.#rows.length) {
      const order = this.#next++;
      const task = this.#root.stages.topology.producerTask(this.#root.table.pathOf(this.#rows[order]!)!);
      if (task !== undefined) this.#put(task, order);
    }
  }

  #put(task: Task, order: number): void {
    const { key, pipeline, priority } = task.stage;
    this.#waiting.set(task.key, task);
    const lane = this.#laneOf(task);
    this.#queue!.put({ taskKey: task.key, stageKey: key, pipeline, priority, order, dueAt: 0, lane });
  }

  #laneOf(task: Task): Job["lane"] {
    const { lane, work } = this.#root.stages.of(task.stage);
    return lane === "batch" && work && !this.#alone.has(task.key) ? this.#root.ports.runner.laneOf(work) : "single";
  }

  async #attempt(jobs: readonly Job[]): Promise<void> {
    const underway = new Map<string, Underway>();
    try {
      const requests = jobs.flatMap((job) => this.#prepare(job, underway) ?? []);
      const { runner } = this.#root.ports;
      if (requests.length > 0)
        await runner.run(requests, (outcomes) => {
          for (const outcome of outcomes) this.#end(outcome, underway);
        });
    } catch (error) {
      if (!isDiskError(error)) throw error;
      this.#refuse(error.message);
    }
    this.#feed();
  }

  #prepare(job: Job, underway: Map<string, Underway>): AttemptRequest | undefined {
    const task = this.#waiting.get(job.taskKey);
    this.#waiting.delete(job.taskKey);
    if (task === undefined || this.#isStopped) return undefined;
    const inForce = this.#root.stages.of(task.stage);
    const record = this.#scene.records.get(task.path)?.record;
    if (inForce.work === undefined || record === undefined) {
      // Whoever works on the root has just taken its record away.
      this.#overtaken++;
      return undefined;
    }
    const attemptId = `rebuild-${++this.#attempts}`;
    const place = join(this.#folder, attemptId);
    const staged = job.lane === "batch" ? place : join(place, basename(task.path));
    if (job.lane === "single") this.#root.ports.disk.makeFolders(place);
    underway.set(attemptId, { task, record, node: inForce.work.node, place });
    this.#running.add(attemptId);
    const where = { attemptId, staged, root: this.#root.ports.root, alone: job.lane !== inForce.lane };
    return requestOf(task, inForce.work, where, undefined, this.#root.facts);
  }

  // ---------------------------------------------------------------- comparing

  #end(outcome: AttemptOutcome, all: ReadonlyMap<string, Underway>): void {
    const underway = all.get(outcome.attemptId);
    if (underway === undefined) return;
    this.#running.delete(outcome.attemptId);
    this.#root.ports.disk.removeTree(underway.place);
    // What a stop cut short may end as anything: it is counted with what was never begun.
    if (this.#isStopped || outcome.kind === "interrupted") return;
    if (outcome.kind === "alone") {
      this.#alone.add(underway.task.key);
      this.#put(underway.task, 0);
    } else if (outcome.kind === "overtaken" || isOfOtherInputs(outcome, underway.record)) this.#overtaken++;
    else if (outcome.kind === "failed" && outcome.category === "resource") this.#refuse(outcome.error);
    else this.#compare(outcome, underway);
  }

  #compare(outcome: AttemptOutcome, { task, record, node }: Underway): void {
    const now: ContentHash | null = outcome.kind === "produced" ? outcome.hash : null;
    const error = outcome.kind === "failed" ? outcome.error : null;
    if (error === null && now === record.contentHash) {
      this.#same++;
      return;
    }
    const of = { task: task.key, stage: task.stage.key, node: nodeWords(node) };
    this.#found.push({ task, rebuild: { ...of, recorded: record.contentHash, now, error } });
  }

  #refuse(why: string): void {
    this.#refused ??= problem(
      "M516",
      `the machine refuses what making outputs again needs: ${why}`,
      `make room in "${dirname(this.#folder)}", or name another folder with TMPDIR; then run the command again`,
    );
    this.#stop();
  }
}

/** Did it read anything else than what the record says? Then somebody changed it meanwhile, and nothing follows. */
function isOfOtherInputs({ reads }: AttemptOutcome, { inputHashes }: StateRecord): boolean {
  return reads.some(({ path, hash }) => Object.hasOwn(inputHashes, path) && inputHashes[path] !== hash);
}

function limitsOf({ stages }: Root): LaneLimits {
  return {
    pipeline: (name) => stages.topology.pipelines.find((p) => p.name === name)?.maxConcurrentEntities ?? 1,
    stage: (key) => stages.get(key)?.stage.concurrency ?? Infinity,
  };
}

/** The node as its definition names it: its type, and the file of a module. */
function nodeWords({ typeId, data }: NodeSpec): string {
  const file = typeId === "module" ? data["path"] : undefined;
  return typeof file === "string" ? `${typeId} ${file}` : typeId;
}
