import { ACCEPTED, type StateRecord } from "../../core/model/manifest.ts";
import type { AbsPath, ContentHash, RelPath } from "../../core/model/words.ts";
import type { Task } from "../../core/plan/topology.ts";
import { findEvidence } from "../../core/plan/verdict.ts";
import type {
  AttemptOutcome,
  AttemptRequest,
  Clock,
  Disk,
  Intent,
  NodeRunner,
  ReadRecord,
  StateHash,
  StateReader,
  Trash,
  TrashedResult,
  TrashEntry,
} from "../../ports.ts";
import { isDiskError } from "../disk-error.ts";
import { isMachineTrouble } from "../health/machine-trouble.ts";
import { factsOf, type FactSources } from "../facts.ts";
import type { Ending } from "../history.ts";

/** How long results that were taken back wait for others, to be committed together, in milliseconds. */
const TOGETHER_MS = 200;

export interface RestoreSources {
  readonly root: AbsPath;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly reader: StateReader;
  readonly trash: Trash;
  readonly runner: NodeRunner;
  readonly facts: FactSources;
  /** Removes an entry that is not needed any more; what the disk refuses stays until it is old enough. */
  readonly tryTo: (act: () => void) => void;
}

type Emit = (outcomes: readonly AttemptOutcome[]) => void;

/**
 * Runs attempts, but takes a result back from the trash instead where one lies there that is still right: made for the same
 * state, from the same contents, by the same code, under the same params, env and tools, and nobody changed it since.
 *
 * What is taken back is copied to where the attempt would have staged its result and goes the way of every result from
 * there. Its entry stays in the trash until the manifest is written, so that a kill leaves one of both at least; the next
 * start removes what a kill left too much, before the intent that says so goes.
 */
export class Restorer implements Pick<NodeRunner, "laneOf" | "run" | "cancel"> {
  readonly #from: RestoreSources;
  /** Which entry each attempt that has not ended was taken from, by its id. */
  readonly #taken = new Map<string, string>();
  /** Entries whose results are in place, by the batch whose manifests wait. */
  readonly #usedUp = new Map<string, string[]>();
  /** Entries that a process that died was about to take back, by its batches. */
  readonly #left = new Map<string, readonly Retracted[]>();

  constructor(from: RestoreSources) {
    this.#from = from;
  }

  laneOf(work: AttemptRequest["work"]): ReturnType<NodeRunner["laneOf"]> {
    return this.#from.runner.laneOf(work);
  }

  cancel(attemptId: string): void {
    this.#from.runner.cancel(attemptId);
  }

  async run(requests: readonly AttemptRequest[], emit: Emit): Promise<void> {
    const { runner } = this.#from;
    const perhaps = requests.filter((request) => this.#trashed(request).length > 0);
    if (perhaps.length === 0) return runner.run(requests, emit);
    const others = requests.filter((request) => !perhaps.includes(request));
    await Promise.all([others.length > 0 ? runner.run(others, emit) : undefined, this.#takeBackOrRun(perhaps, emit)]);
  }

  /** An attempt has ended: was its result put in place? */
  ended({ runId, batchId, result }: Ending): void {
    const name = this.#taken.get(runId);
    if (name === undefined) return;
    this.#taken.delete(runId);
    if (result.is !== "restored") return;
    const others = this.#usedUp.get(batchId);
    if (others) others.push(name);
    else this.#usedUp.set(batchId, [name]);
  }

  /** Every manifest of a batch is written: the entries that its results were taken from go. */
  written(batchId: string): void {
    const left = this.#left.get(batchId)?.filter((entry) => this.#isInPlace(entry)) ?? [];
    const names = [...(this.#usedUp.get(batchId) ?? []), ...left.map(({ name }) => name)];
    this.#left.delete(batchId);
    this.#usedUp.delete(batchId);
    for (const name of names) this.#from.tryTo(() => this.#from.trash.remove(name));
  }

  /** Learns, before they are finished, what a process that died was about to put in place. */
  remember(intents: readonly Intent[]): void {
    for (const { batchId, records } of intents) {
      const entries = records.flatMap((intent) =>
        this.#retracted(intent.path).filter(({ of }) => intent.record !== null && isSame(of.record, intent.record)),
      );
      if (entries.length > 0) this.#left.set(batchId, entries);
    }
  }

  /** Does the manifest say of the state what the trash says, and are the bytes there? */
  #isInPlace({ path, of: { entityId, pattern, record } }: Retracted): boolean {
    const { states } = this.#from.facts.book.get(entityId);
    if (!Object.hasOwn(states, pattern) || !isSame(states[pattern]!, record)) return false;
    const there = this.#from.reader.hashNow(path);
    return there.is === "hashed" && there.hash === record.contentHash;
  }

  /** Results of the task's state that lie in the trash, newest first. */
  #trashed({ entity, work, output }: AttemptRequest): readonly Retracted[] {
    const pattern = this.#from.facts.stages().topology.stage(work.stageKey)?.pattern.text;
    return this.#retracted(output.path).filter(({ of }) => of.entityId === entity.id && of.pattern === pattern);
  }

  /** Nothing where the trash cannot be read. */
  #retracted(path: RelPath): readonly Retracted[] {
    try {
      return this.#from.trash.retracted(path).filter(isRetracted);
    } catch (error) {
      if (!isDiskError(error)) throw error;
      return [];
    }
  }

  async #takeBackOrRun(requests: readonly AttemptRequest[], emit: Emit): Promise<void> {
    const { clock, runner } = this.#from;
    const toRun: AttemptRequest[] = [];
    let taken: AttemptOutcome[] = [];
    let since = clock.monoMs();
    for (const request of requests) {
      const outcome = await this.#takeBack(request);
      if (outcome) taken.push(outcome);
      else toRun.push(request);
      if (taken.length === 0 || clock.monoMs() - since < TOGETHER_MS) continue;
      emit(taken);
      taken = [];
      since = clock.monoMs();
    }
    if (taken.length > 0) emit(taken);
    if (toRun.length > 0) await runner.run(toRun, emit);
  }

  /**
   * What the machine is short of (room, open files, memory) fails the attempt as it fails every other: it waits. That is no
   * reason to make anew what is there, or to repeat the effect of a sink.
   */
  async #takeBack(request: AttemptRequest): Promise<AttemptOutcome | undefined> {
    try {
      return await this.#take(request);
    } catch (error) {
      if (!isMachineTrouble(error)) throw error;
      const { attemptId } = request;
      const told = `what lies in the trash cannot be taken back now: ${error.message}`;
      return {
        kind: "failed",
        error: told,
        category: "resource",
        attemptId,
        reads: [],
        envReads: [],
        durationMs: 0,
        log: "",
      };
    }
  }

  async #take(request: AttemptRequest): Promise<AttemptOutcome | undefined> {
    const { clock, facts } = this.#from;
    const { topology } = facts.stages();
    const stage = topology.stage(request.work.stageKey);
    const task = stage && stage.type !== "source" ? topology.taskOf(stage, request.entity.vars) : undefined;
    if (!task) return undefined;
    const beganAt = clock.monoMs();
    for (const { name, kept, of } of this.#trashed(request)) {
      const { record } = of;
      if (!isTodays(record, task, facts)) continue;
      const reads = await this.#readAgain(record);
      if (!reads || !(await this.#stage(kept, record.contentHash, request))) continue;
      this.#taken.set(request.attemptId, name);
      return {
        kind: "produced",
        attemptId: request.attemptId,
        hash: record.contentHash,
        size: 0,
        restored: record,
        reads,
        envReads: Object.keys(record.envHashes ?? {}),
        durationMs: clock.monoMs() - beganAt,
        log: "",
      };
    }
    return undefined;
  }

  /** What the result was made from, read anew; `undefined` when anything of it is not what it was then. */
  async #readAgain({ inputHashes }: StateRecord): Promise<ReadRecord[] | undefined> {
    const reads: ReadRecord[] = [];
    for (const [path, before] of Object.entries(inputHashes)) {
      const now = await this.#hash(path);
      if (now.is === "hashed" && now.hash === before) reads.push({ path, hash: now.hash, stat: now.stat });
      else if (now.is === "absent" && before === null) reads.push({ path, hash: null, stat: undefined });
      else return undefined;
    }
    return reads;
  }

  /** Copies what lies in the trash to where the attempt stages; `false`, and nothing there, unless it is what was put away. */
  async #stage(kept: RelPath, hash: ContentHash, { output, root }: AttemptRequest): Promise<boolean> {
    const { disk } = this.#from;
    const { staged, path } = output;
    if (!(await this.#holds(kept, hash))) return false;
    try {
      disk.copy(`${root}/${kept.replace(/\/$/, "")}`, staged);
      // What was copied decides: somebody may have changed the other meanwhile.
      if (await this.#holds(staged.slice(root.length + 1) + (path.endsWith("/") ? "/" : ""), hash)) return true;
    } catch (error) {
      if (!isDiskError(error) || isMachineTrouble(error)) throw error;
    }
    // The batch folder goes with whatever is left in it, and the attempt writes over it.
    this.#from.tryTo(() => disk.removeTree(staged));
    return false;
  }

  async #holds(path: RelPath, hash: ContentHash): Promise<boolean> {
    const found = await this.#hash(path);
    return found.is === "hashed" && found.hash === hash;
  }

  async #hash(path: RelPath): Promise<StateHash> {
    const found = await this.#from.reader.hash(path);
    if (found.is !== "changing" || found.shortOf === undefined) return found;
    throw Object.assign(new Error(`${found.shortOf}: "${path}" cannot be read`), { code: found.shortOf });
  }
}

/** An entry that can be taken back. */
type Retracted = TrashEntry & {
  readonly of: TrashedResult & { readonly record: StateRecord & { readonly contentHash: ContentHash } };
};

function isRetracted(entry: TrashEntry): entry is Retracted {
  return entry.of !== null && entry.of.record.contentHash !== null && entry.of.record.runId !== ACCEPTED;
}

/** Of one run: one and the same result. */
function isSame(a: StateRecord, b: StateRecord): boolean {
  return a.runId === b.runId && a.producedAt === b.producedAt && a.contentHash === b.contentHash;
}

/**
 * Would the task be fresh now with this record, were its inputs what they were then? The walk is that of every verdict; what
 * the inputs are is read afterwards.
 */
function isTodays(record: StateRecord & { readonly contentHash: ContentHash }, task: Task, from: FactSources): boolean {
  const facts = factsOf(task, from);
  const { inputHashes } = record;
  const isKnown = (path: RelPath): boolean => Object.hasOwn(inputHashes, path);
  if (!facts.code || !facts.inputs.every(({ is, path }) => is === "ready" && isKnown(path))) return false;
  const then = (path: RelPath): ContentHash | null => inputHashes[path] ?? null;
  const inputs = facts.inputs.map((input) => ({ ...input, hash: then(input.path) ?? undefined }));
  return findEvidence({ ...facts, record, outputHash: record.contentHash, inputs, hashNow: then }).length === 0;
}
