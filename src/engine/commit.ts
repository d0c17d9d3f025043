import type { ErrorCategory, FailureRecord, Manifest, StateRecord } from "../core/model/manifest.ts";
import { ACCEPTED, FAILURE_LOG_BYTES, HOPELESS } from "../core/model/manifest.ts";
import { tailOf } from "../core/model/text-tail.ts";
import type { AbsPath, ContentHash, EntityId, RelPath } from "../core/model/words.ts";
import type { Row } from "../core/plan/state-table.ts";
import type { Task } from "../core/plan/topology.ts";
import { nextRetry } from "../core/resilience/retry.ts";
import type {
  AttemptOutcome,
  AttemptRequest,
  Disk,
  FileStat,
  IntentRecord,
  IntentStore,
  Random,
  Trash,
} from "../ports.ts";
import { isDiskError } from "./disk-error.ts";
import { type FactSources, signatureOf } from "./facts.ts";
import type { MachineTrouble } from "./health/machine-trouble.ts";
import { isRacy, type LookSources } from "./look.ts";
import { withEntry } from "./manifest-book.ts";
import { Publisher } from "./publisher.ts";
import { SeenInputs } from "./seen-inputs.ts";
import { missingSources, resultRecord, type SourceEntry } from "./orphans/source-records.ts";
import type { StageInForce } from "./stages.ts";

/** An attempt that has come back. */
export interface Attempted {
  readonly task: Task;
  readonly request: AttemptRequest;
  readonly inForce: StageInForce;
  readonly outcome: AttemptOutcome;
  readonly runId: string;
  readonly batchId: string;
}

/** What became of an attempt's result. */
export type Committed =
  | { readonly is: "ran" | "unchanged" | "restored" | "skipped"; readonly hash: ContentHash | null }
  | {
      readonly is: "failed";
      readonly error: string;
      readonly category: ErrorCategory;
      readonly retryAt: string | null;
      /** Changes that nobody had told of. */
      readonly learned: readonly RelPath[];
    }
  /** An input changed under it: look at `path`, then plan again. */
  | { readonly is: "dropped"; readonly path: RelPath };

export interface CommitPorts {
  readonly disk: Disk;
  readonly trash: Trash;
  readonly random: Random;
  readonly root: AbsPath;
  readonly intents: IntentStore;
  /** Tells the machine's trouble from a task's. */
  readonly trouble: MachineTrouble;
  /** May a file with these times be torn, or its record lost, since the machine went down? */
  readonly mayBeTorn: (stat: Pick<FileStat, "ctimeMs">) => boolean;
  /** Was the manifest of an entity damaged when the machine went down? Then any of its results may have lost its record. */
  readonly lostRecords: (id: EntityId) => boolean;
  /** Did a process that died announce these bytes for this place? */
  readonly leftByDead: (path: RelPath, hash: ContentHash) => boolean;
}

/** The code hash of a result that is in its place and may not be on the medium: no code has it, so it is made again. */
const UNSAFE = "";

/** Why something that is not what is recorded of a result leaves its place. */
const WHY_ASIDE = {
  theirs: { recorded: "edited by hand, made again", unknown: "a file that Millrace did not write was in the way" },
  torn: {
    recorded: "not what its record says since the machine went down, made again",
    unknown: "it has no record since the machine went down, made again",
  },
} as const;

/** A result that has passed every check and waits for its rename. */
interface Ready {
  readonly attempt: Attempted;
  readonly record: StateRecord;
  /** Records of the sources it was made from. */
  readonly sources: readonly SourceEntry[];
  /** Whether bytes are to be moved into place; else what lies there already is the result. */
  readonly publish: boolean;
}

/**
 * Makes the results of attempts visible, in the order that a kill cannot spoil: checks, one intent for all, renames,
 * manifests (through the book), all without giving anybody else a turn in between. The ledger is the caller's.
 */
export class Committer {
  readonly #ports: CommitPorts;
  readonly #publisher: Publisher;
  readonly #look: LookSources;
  readonly #facts: FactSources;
  readonly #seen: SeenInputs;
  /** What each batch in flight has announced so far. */
  readonly #announced = new Map<string, readonly IntentRecord[]>();

  constructor(ports: CommitPorts, look: LookSources, facts: FactSources) {
    this.#ports = ports;
    this.#publisher = new Publisher(ports);
    this.#look = look;
    this.#facts = facts;
    this.#seen = new SeenInputs(look, facts);
  }

  commit(attempts: readonly Attempted[]): Map<Attempted, Committed> {
    const done = new Map<Attempted, Committed>();
    const ready: Ready[] = [];
    for (const attempt of attempts) {
      const checked = this.#guarded(attempt, () => this.#check(attempt));
      if ("record" in checked) ready.push(checked);
      else done.set(attempt, checked);
    }
    const announced = this.#announce(ready.filter((r) => r.publish));
    for (const r of ready) {
      const fault = announced.get(r);
      const publish = (): Committed => {
        if (fault !== undefined) throw fault;
        return this.#publish(r);
      };
      done.set(r.attempt, this.#guarded(r.attempt, publish));
    }
    return done;
  }

  /** What the disk throws on the way costs the attempt, not the daemon. */
  #guarded<T>(attempt: Attempted, step: () => T): T | Committed {
    try {
      return step();
    } catch (error) {
      if (!isDiskError(error)) throw error;
      if (!this.#look.isHere()) return { is: "dropped", path: attempt.task.path };
      if (this.#isUnrecordable(attempt.task)) return { is: "dropped", path: attempt.task.path };
      if (this.#ports.trouble.takes(error)) return { is: "dropped", path: attempt.task.path };
      return this.#fail(attempt, `the result cannot be put in its place: ${error.message}`, "output");
    }
  }

  // ------------------------------------------------------------ checks

  #check(attempt: Attempted): Ready | Committed {
    const { outcome, task } = attempt;
    if (this.#isUnrecordable(task)) return { is: "dropped", path: task.path };
    switch (outcome.kind) {
      case "overtaken":
        return { is: "dropped", path: outcome.path };
      case "interrupted":
      case "alone":
        return { is: "dropped", path: task.path };
      case "failed":
        return this.#fail(attempt, outcome.error, outcome.category, outcome.retryAfterMs);
      case "produced":
      case "skipped": {
        const overtaken = this.#seen.findOvertaken(outcome);
        if (overtaken !== undefined) return { is: "dropped", path: overtaken };
        return outcome.kind === "produced" ? this.#checkTarget(attempt, outcome.hash) : this.#skip(attempt);
      }
    }
  }

  /** Nothing is known and nothing can be recorded of a task whose manifest cannot be read now; each scan tries again. */
  #isUnrecordable({ entity }: Task): boolean {
    const { book } = this.#facts;
    book.get(entity.id);
    return book.refusal(entity.id) !== undefined || book.isDoubted(entity.id);
  }

  /** Decides about what lies where the result goes. */
  #checkTarget(attempt: Attempted, hash: ContentHash): Ready | Committed {
    const { task } = attempt;
    const there = this.#look.reader.look(task.path);
    if (there.is === "absent") return this.#ready(attempt, hash, true);
    if (there.is === "refused") return this.#fail(attempt, `${task.path} is in the way: ${there.reason}`, "output");
    const { table } = this.#look;
    const row = table.ensure(task.path, this.#facts.stages().topology.roleNumber);
    const { stat } = there;
    const seen = table.hasStat(row, stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino) ? table.hashOf(row) : undefined;
    const current = seen ?? this.#seen.hashNow(task.path);
    if (current === undefined)
      return this.#fail(
        attempt,
        `${task.path} is in the way and cannot be read, or changes while it is read`,
        "output",
      );
    const before = this.#recordOf(task);
    // With the very bytes it is the result; only what was not forced to the medium by us is put there anew.
    const isSafe = task.stage.durability !== "sync" || (before?.contentHash === hash && before.codeHash !== UNSAFE);
    if (current === hash) return this.#ready(attempt, hash, !isSafe);
    const record = this.#recordOf(task);
    const isOurs = record !== undefined && leftBy(record) === current;
    if (isOurs || this.#ports.leftByDead(task.path, current)) return this.#ready(attempt, hash, true);
    // The older result may be back, too, or the manifest be lost that knew what lies there.
    const { mayBeTorn, lostRecords } = this.#ports;
    const isTorn =
      mayBeTorn(stat) || (record ? mayBeTorn({ ctimeMs: Date.parse(record.producedAt) }) : lostRecords(task.entity.id));
    if (!record && !isTorn) {
      const claimed = this.#claimedBy(task);
      if (claimed) return this.#failForeign(attempt, current, claimed);
    }
    this.#ports.trash.put(task.path, WHY_ASIDE[isTorn ? "torn" : "theirs"][record ? "recorded" : "unknown"]);
    return this.#ready(attempt, hash, true);
  }

  #recordOf(task: Task): StateRecord | undefined {
    return resultRecord(this.#facts.book.get(task.entity.id), task.stage.pattern.text);
  }

  /** The source stage of another pipeline that may have been given the file in our way. */
  #claimedBy(task: Task): string | undefined {
    const { topology } = this.#facts.stages();
    return topology.role(topology.roleNumber(task.path)).sources[0]?.key;
  }

  #failForeign(attempt: Attempted, current: ContentHash, claimedBy: string): Committed {
    const { path } = attempt.task;
    // Perhaps nobody told of it: what the failure names, it is judged by.
    this.#remember(path, current);
    const error = `foreign-file: ${path} is there already and is a source of ${claimedBy}; "accept" takes it as the result, removing it lets the task run`;
    return this.#fail(attempt, error, "foreign", undefined, { path, hash: current });
  }

  /** The run chose to make nothing: an older result of ours is `leftover` until it is retracted, an edited one stays. */
  #skip(attempt: Attempted): Ready {
    const { task } = attempt;
    const before = this.#recordOf(task);
    const ours = before && leftBy(before);
    const isThere = ours !== undefined && this.#look.reader.look(task.path).is !== "absent";
    const ready = this.#ready(attempt, null, false);
    if (!isThere || this.#seen.hashNow(task.path) !== ours) return ready;
    const leftoverRecord = before!.contentHash === null ? before!.leftoverRecord : before!;
    return { ...ready, record: { ...ready.record, leftover: ours, ...(leftoverRecord && { leftoverRecord }) } };
  }

  #ready(attempt: Attempted, hash: ContentHash | null, publish: boolean): Ready {
    const record = this.#recordFor(attempt, hash);
    const from = { topology: this.#facts.stages().topology, book: this.#facts.book, nowMs: this.#look.clock.wallMs() };
    const sources = missingSources(attempt.task, { ...record, runId: attempt.runId }, from);
    return { attempt, record, sources, publish };
  }

  #recordFor({ task, inForce, outcome, runId }: Attempted, contentHash: ContentHash | null): StateRecord {
    if (outcome.kind === "produced" && outcome.restored) return outcome.restored;
    const code = inForce.code!;
    const envHashes = { ...this.#envHashes(outcome.envReads), ...code.envHashes };
    return {
      path: task.path,
      contentHash,
      codeHash: code.codeHash,
      paramsHash: code.paramsHash,
      inputHashes: inputHashesOf(outcome),
      ...(isEmpty(envHashes) ? {} : { envHashes }),
      ...(isEmpty(code.toolHashes) ? {} : { toolHashes: code.toolHashes }),
      producedAt: new Date(this.#look.clock.wallMs()).toISOString(),
      producedBy: task.stage.key,
      runId,
      durationMs: Math.round(outcome.durationMs * 10) / 10,
    };
  }

  #envHashes(names: readonly string[]): Record<string, string> {
    return Object.fromEntries(names.map((name) => [name, this.#facts.envHash(name)]));
  }

  // ------------------------------------------------------------ publishing

  /**
   * Says on disk what is about to become visible; the results of a batch may come in several goes.
   *
   * @returns the results that could not be announced and must not become visible, with what the disk threw
   */
  #announce(ready: readonly Ready[]): Map<Ready, unknown> {
    const faults = new Map<Ready, unknown>();
    for (const [batchId, results] of Map.groupBy(ready, (r) => r.attempt.batchId)) {
      const records = [...(this.#announced.get(batchId) ?? []), ...results.flatMap(intentRecords)];
      const sync = results.some((r) => r.attempt.task.stage.durability === "sync");
      try {
        this.#ports.intents.write({ version: 1, batchId, records }, { sync });
        this.#announced.set(batchId, records);
      } catch (error) {
        for (const r of results) faults.set(r, error);
      }
    }
    return faults;
  }

  /** A batch has no more results to come. */
  forgetBatch(batchId: string): void {
    this.#announced.delete(batchId);
  }

  #publish({ attempt, record, sources, publish }: Ready): Committed {
    const { task, batchId, request, outcome } = attempt;
    const isRestored = outcome.kind === "produced" && outcome.restored !== undefined;
    const before = this.#recordOf(task);
    const sync = task.stage.durability === "sync";
    if (publish) this.#moveIntoPlace({ attempt, record, sources }, request.output.staged, sync);
    this.#remember(task.path, record.contentHash ?? record.leftover ?? null);
    this.#record(task, record, sources, { sync, ...(publish || isRestored ? { batchId } : {}) });
    if (sync) this.#facts.book.flush(task.entity.id);
    if (record.contentHash === null) return { is: "skipped", hash: null };
    if (isRestored) return { is: "restored", hash: record.contentHash };
    const unchanged = !publish || before?.contentHash === record.contentHash;
    return { is: unchanged ? "unchanged" : "ran", hash: record.contentHash };
  }

  /** Where the disk refuses after the rename, the result is in its place and known for ours, but made again. */
  #moveIntoPlace({ attempt, record, sources }: Omit<Ready, "publish">, staged: AbsPath, sync: boolean): void {
    const { task, batchId } = attempt;
    try {
      this.#publisher.moveIntoPlace(task.path, staged, sync);
    } catch (error) {
      if (isDiskError(error) && this.#ports.disk.lstat(staged) === undefined) {
        this.#remember(task.path, record.contentHash);
        this.#record(task, { ...record, codeHash: UNSAFE }, sources, { sync: false, batchId });
      }
      throw error;
    }
  }

  /** The table learns what lies at a result's place now. */
  #remember(path: RelPath, hash: ContentHash | null): void {
    const { table, reader } = this.#look;
    const row: Row = table.ensure(path, this.#facts.stages().topology.roleNumber);
    const there = reader.look(path);
    if (there.is === "file" || there.is === "folder")
      table.setPresent(row, there.stat, hash ?? undefined, isRacy(there.stat, this.#look));
    else table.setAbsent(row);
  }

  #record(
    task: Task,
    record: StateRecord,
    sources: readonly SourceEntry[],
    options: { batchId?: string; sync: boolean },
  ): void {
    const { book } = this.#facts;
    const pattern = task.stage.pattern.text;
    let manifest = withEntry(book.get(task.entity.id), "states", pattern, record);
    if (Object.hasOwn(manifest.failures, pattern)) manifest = withEntry(manifest, "failures", pattern, undefined);
    book.put(manifest, options);
    for (const source of sources)
      book.put(withEntry(book.get(source.entityId), "states", source.pattern, source.record), options);
  }

  // ------------------------------------------------------------ failures

  #fail(
    attempt: Attempted,
    error: string,
    category: ErrorCategory,
    retryAfterMs?: number,
    also?: { path: RelPath; hash: ContentHash },
  ): Committed {
    const { task, outcome, inForce } = attempt;
    const learned = this.#seen.learn(outcome.reads);
    const { book, clock } = { book: this.#facts.book, clock: this.#look.clock };
    const manifest: Manifest = book.get(task.entity.id);
    const pattern = task.stage.pattern.text;
    const inputHashes = {
      ...this.#declaredNow(task, category === "input"),
      ...inputHashesOf(outcome),
      ...(also ? { [also.path]: also.hash } : {}),
    };
    const envHashes = this.#envHashes(outcome.envReads);
    const signature = signatureOf(inputHashes, inForce.code!, envHashes);
    const before = Object.hasOwn(manifest.failures, pattern) ? manifest.failures[pattern] : undefined;
    const again = before?.signature === signature ? before : undefined;
    const attempts = (again?.attempts ?? 0) + 1;
    const now = clock.wallMs();
    const next = HOPELESS.has(category)
      ? undefined
      : nextRetry(task.stage.retryPolicy, attempts, now, this.#ports.random.next(), retryAfterMs);
    const failure: FailureRecord = {
      error,
      category,
      attempts,
      firstFailedAt: again?.firstFailedAt ?? new Date(now).toISOString(),
      lastFailedAt: new Date(now).toISOString(),
      nextRetryAt: next ? new Date(next.at).toISOString() : null,
      delayMs: next?.delayMs ?? 0,
      signature,
      inputHashes,
      ...(isEmpty(envHashes) ? {} : { envHashes }),
      ...(outcome.log === "" ? {} : { log: tailOf(outcome.log, FAILURE_LOG_BYTES) }),
    };
    book.put(withEntry(manifest, "failures", pattern, failure));
    return { is: "failed", error, category, retryAt: failure.nextRetryAt, learned };
  }

  /**
   * The declared inputs as the table knows them: an attempt may fail before it has read them. One that could not be read
   * counts as absent (`null`), so that the task is tried again as soon as its content is known.
   */
  #declaredNow(task: Task, isUnread: boolean): Record<RelPath, ContentHash | null> {
    const { table } = this.#look;
    const hashes: Record<RelPath, ContentHash | null> = {};
    for (const { path } of task.inputs) {
      const row = table.find(path);
      // The same hash that it will be judged by.
      const hash = row === undefined ? undefined : table.lastHashOf(row);
      if (hash !== undefined) hashes[path] = hash;
      else if (isUnread) hashes[path] = null;
    }
    return hashes;
  }
}

function intentRecords({ attempt: { task, request, batchId, runId }, record, sources }: Ready): IntentRecord[] {
  const entry = { entityId: task.entity.id, pattern: task.stage.pattern.text, record };
  const { staged } = request.output;
  const place = staged.slice(staged.indexOf(`/${batchId}/`) + batchId.length + 2);
  const own = { ...entry, taskKey: task.key, path: task.path, staged: place };
  // What was taken back keeps the record of the run that made it.
  const made = record.runId === runId ? { ...own, attempt: request.attempt } : own;
  return [made, ...sources.map((source) => ({ ...source, taskKey: task.key, path: source.record.path, staged: "" }))];
}

/** The hash of the result that a record says we left at its path; `undefined` when there is none of ours. */
export function leftBy(record: StateRecord): ContentHash | undefined {
  return record.runId === ACCEPTED ? undefined : (record.contentHash ?? record.leftover);
}

function inputHashesOf(outcome: AttemptOutcome): Record<RelPath, ContentHash | null> {
  return Object.fromEntries(outcome.reads.map((read) => [read.path, read.hash]));
}

function isEmpty(record: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(record).length === 0;
}
