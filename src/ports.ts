/**
 * The agreements between the engine and the world: small interfaces, no code.
 * `adapters/` implements them, `engine/` uses them, tests replace them.
 */
import type { NodeTypeInfo } from "./core/pipeline/node-type.ts";
import type { ErrorCategory, Manifest, StateRecord } from "./core/model/manifest.ts";
import type { NodeSpec, Validation } from "./core/model/pipeline.ts";
import type { Problem } from "./core/model/problem.ts";
import type { Result } from "./core/model/result.ts";
import type {
  AbsPath,
  CodeHash,
  ContentHash,
  EntityId,
  MonoMs,
  RelPath,
  StageKey,
  TaskKey,
  Vars,
  WallMs,
} from "./core/model/words.ts";

// ---------------------------------------------------------------- time and chance

/** Both clocks and the timers. Waits use the monotonic clock only. */
export interface Clock {
  wallMs(): WallMs;
  monoMs(): MonoMs;
  /** Calls `fire` once after `delayMs` of monotonic time (at least 0; any length) unless cancelled. */
  after(delayMs: number, fire: () => void): Timer;
}
export interface Timer {
  cancel(): void;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** 12 lower-case base-36 characters, unique for practical purposes; sorts by creation time to the millisecond. */
  id(): string;
}

// ---------------------------------------------------------------- disk

export interface FileStat {
  readonly kind: "file" | "folder" | "symlink" | "other";
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
  readonly dev: number;
}

/** An open file: what it says stays true of the same file whatever happens to its name. */
export interface OpenFile {
  stat(): FileStat;
  /** Fills `into` from the byte `position` of the file on; says how many bytes came, 0 at its end. */
  read(into: Uint8Array, position: number): number;
  close(): void;
}

/**
 * The disk, synchronous (measured: a third to a fifth of the cost of promises on the hot path), absolute paths.
 * What is absent is `undefined` or `false`; every other failure throws Node's error with its `code` (ENOSPC, EACCES, EIO ...).
 */
export interface Disk {
  lstat(path: AbsPath): FileStat | undefined;
  /** Follows symlinks. */
  stat(path: AbsPath): FileStat | undefined;
  realpath(path: AbsPath): AbsPath | undefined;
  /** What a symlink says, resolved by nobody; `undefined` when nothing is there. */
  readLink(path: AbsPath): string | undefined;
  /**
   * Opens for reading; never waits for a FIFO's writer. A symlink as the last segment throws ELOOP, a socket ENXIO; a
   * folder, a FIFO or a device opens, and its `stat` tells.
   */
  open(path: AbsPath): OpenFile | undefined;
  /** Names in a folder, in the disk's order; `undefined` when there is no such folder. Undecodable bytes come as U+FFFD. */
  list(path: AbsPath): string[] | undefined;
  /** The same as raw bytes, to tell which names are not UTF-8. */
  listBytes(path: AbsPath): Uint8Array[] | undefined;
  read(path: AbsPath): Uint8Array | undefined;
  /** Creates or replaces in place (for staged files only); makes no folders. `sync` forces the bytes to the medium. */
  write(path: AbsPath, bytes: Uint8Array | string, options?: { readonly sync?: boolean; readonly mode?: number }): void;
  /** Atomic within one file system; EXDEV otherwise. */
  rename(from: AbsPath, to: AbsPath): void;
  /** Copies a file or a tree, contents and modes; symlinks stay symlinks. */
  copy(from: AbsPath, to: AbsPath): void;
  makeFolders(path: AbsPath): void;
  /** Removes a file or an empty folder; `false` when it was absent. */
  remove(path: AbsPath): boolean;
  /** Removes a whole tree, if there. */
  removeTree(path: AbsPath): void;
  /** Forces a file or a folder's entries to the medium. */
  sync(path: AbsPath): void;
}

/** How much room is left. */
export interface SpaceProbe {
  /** Bytes that this user may still write below `path`; `undefined` when the file system does not tell. */
  freeBytes(path: AbsPath): number | undefined;
}

/** How much a file system has, in bytes and in files (`undefined` where it has no fixed number of them). */
export interface Room {
  /** What this user may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeFiles: number | undefined;
}

/** What only the machine as a whole knows and does. */
export interface Machine {
  /** Another one after each boot; `undefined` where it is not known. */
  bootId(): string | undefined;
  /** Forces everything on the file system of `path` to the medium, without blocking others; `false` where it cannot. */
  syncAll(path: AbsPath): Promise<boolean>;
  /** How much room the file system of `path` has; `undefined` when it does not tell. */
  room(path: AbsPath): Room | undefined;
}

/** What is at a state's path, symlinks inside the root followed. */
export type Look =
  | { readonly is: "absent" }
  | { readonly is: "file" | "folder"; readonly stat: FileStat }
  /** There is something, but it cannot be a state: a link that leads outside, no permission; `isSpecial`: a FIFO, a socket or a device. */
  | { readonly is: "refused"; readonly reason: string; readonly isSpecial?: true; readonly shortOf?: ShortOf };

/** The system's code where it ran short of something (open files, memory): nothing is wrong with the path, a later try tells. */
export type ShortOf = "EMFILE" | "ENFILE" | "ENOMEM" | "EAGAIN";

/** A read that is proved untorn as far as a stat can: equal before and after, and a regular file all the while. */
export type StateRead =
  | { readonly is: "read"; readonly bytes: Uint8Array; readonly hash: ContentHash; readonly stat: FileStat }
  | { readonly is: "absent" }
  /** It changed while being read: look again when it is quiet. Or the system ran short. */
  | { readonly is: "changing"; readonly shortOf?: ShortOf }
  | { readonly is: "refused"; readonly reason: string };
export type StateHash =
  | { readonly is: "hashed"; readonly hash: ContentHash; readonly stat: FileStat }
  | { readonly is: "absent" }
  | { readonly is: "changing"; readonly shortOf?: ShortOf }
  | { readonly is: "refused"; readonly reason: string };

/** Reads states of one root: never outside it, never a FIFO, never torn. Folder states' paths end with `/`. */
export interface StateReader {
  look(path: RelPath): Look;
  read(path: RelPath): StateRead;
  /** XXH64 of a file, in chunks with constant memory; of a folder, of its tree. Blocks: for small states. */
  hashNow(path: RelPath): StateHash;
  /** The same in slices, letting others run in between: for states of any size. */
  hash(path: RelPath): Promise<StateHash>;
  /** How many files a folder state holds, at any depth; 1 for a file, 0 when absent. */
  countFiles(path: RelPath): number;
}

// ---------------------------------------------------------------- watching

/** A subtree to watch: everything at or below `path` (relative to the root; `""` is the root itself). */
export interface WatchBase {
  readonly path: RelPath;
  /** How many levels below it matter; `Infinity` for patterns that match across `/` and for folder states. */
  readonly depth: number;
}

/** Something may have changed: look there. Hints may be late, repeated, in any order, wrong or missing. */
export type ChangeHint =
  | { readonly kind: "path"; readonly path: RelPath }
  /** Look at everything below this folder. */
  | { readonly kind: "folder"; readonly path: RelPath; readonly cause: RescanCause };
export type RescanCause =
  | "storm"
  | "watch-error"
  | "late-loop"
  | "new-folder"
  | "folder-event"
  | "gone"
  /** A canary file did not come back as an event. */
  | "canary"
  /** A base that was polled is watched again. */
  | "watched-again"
  /** The machine was asleep, the process was stopped, or the clock was set. */
  | "resume"
  /** The root was away and is there again. */
  | "root-back";

export interface WatchHealth {
  /** `live`: proved by a canary file. `polling`: as it must be on a share. `degraded`: polled for want of something, or not proved. */
  readonly mode: "live" | "polling" | "degraded" | "blind";
  /** Why it is not `live`, and the way out; empty when it is. */
  readonly reason: string;
  /** The last proof that events are delivered; `null` where there is no place for canaries, or nothing that they could prove. */
  readonly canary: CanaryReport | null;
  readonly watchedFolders: number;
  /** Folder hints since the start, by cause. */
  readonly rescans: Readonly<Partial<Record<RescanCause, number>>>;
}

/** What became of the canary files: small files that the watcher writes to see whether they come back as events. */
export interface CanaryReport {
  /** When one came back last, ISO 8601; `null`: none yet. */
  readonly at: string | null;
  /** Did the last one come back? */
  readonly ok: boolean;
}

export interface ChangeSource {
  /** Resolves when events are really delivered (or when it is known that they are not: see `health`). */
  start(bases: readonly WatchBase[], onHint: (hint: ChangeHint) => void): Promise<void>;
  /** Other definitions, other bases: what stays is not interrupted. */
  update(bases: readonly WatchBase[]): Promise<void>;
  health(): WatchHealth;
  close(): Promise<void>;
}

/** What a scan could not look at. Below an `unreadable` folder nothing is known: it is not gone. */
export interface ScanProblem {
  readonly kind: "unreadable" | "bad-name" | "link-outside";
  /** Relative to the root; bytes of a bad name that are no printable ASCII are written `\xHH`. */
  readonly path: RelPath;
  readonly reason: string;
}

/** Everything at and below some bases that is not ignored, each path once, in columns: row `i` of each belongs to `paths[i]`. */
export interface Scan {
  /** Folders without a final slash. What is below a symlinked folder has the link's path in front. */
  readonly paths: readonly RelPath[];
  /** Of the thing itself, links not followed: 0 file, 1 folder, 2 symlink, 3 other. */
  readonly kinds: Uint8Array;
  /** Five numbers a row: size in bytes, mtimeMs, ctimeMs, ino, dev. */
  readonly stats: Float64Array;
  readonly problems: readonly ScanProblem[];
  /** Bases that do not exist. */
  readonly missing: readonly RelPath[];
}

/** Looks at whole subtrees of one root at once. */
export interface Scanner {
  /** Starts the second thread, so that it is there when `scan` wants it; optional. */
  warmUp(): void;
  /** Rows in no particular order; lets others run in between. Descends into symlinked folders that lead inside the root, never in circles. */
  scan(bases: readonly WatchBase[]): Promise<Scan>;
  /** Frees the second thread; a later large scan starts it again. */
  close(): Promise<void>;
}

// ---------------------------------------------------------------- the store

/** Reads and writes the manifests of one root. */
export interface ManifestStore {
  /** `undefined`: none yet. A corrupt file is set aside (a warning goes to `onProblem`) and counts as none; a newer version is a failure. */
  read(id: EntityId): Result<Manifest | undefined>;
  /** Atomic; nothing is written when the bytes are equal. A manifest without states and failures is removed. */
  write(manifest: Manifest, options?: { readonly sync?: boolean }): void;
  /** Every entity that has a manifest, sorted by code units. */
  ids(): EntityId[];
  /** Where it is (or would be), relative to the root. */
  fileOf(id: EntityId): RelPath;
  /** Removes what a refused write left in `tmp`; `false` while the disk refuses that. */
  tidy(): boolean;
}

/** One state that a commit is about to put in place or to retract, or a source that it is about to record. */
export interface IntentRecord {
  readonly taskKey: TaskKey;
  readonly entityId: EntityId;
  /** The text of the stage's pattern: the key of the state in its manifest. */
  readonly pattern: string;
  /** Where the state goes, relative to the root; a folder state ends with `/`. */
  readonly path: RelPath;
  /** Where it waits, relative to the batch folder; empty for a retraction and for a source. */
  readonly staged: RelPath;
  /** What the manifest will say; `null` retracts the state. */
  readonly record: StateRecord | null;
  /** Which try made it; left out for a source and for what was not run. */
  readonly attempt?: number;
}
/**
 * `.millrace/tmp/<batchId>/intent.json`: what a batch of commits is about to do. Version 1, JSON on one line with a final newline.
 *
 * It is written before the first rename of its batch and removed, with its folder, after the last manifest. At a start, an
 * output whose hash is in an intent is ours. It does not outlive a change of release: another version is unreadable, and
 * its outputs are then told by their bytes alone.
 */
export interface Intent {
  readonly version: 1;
  readonly batchId: string;
  readonly records: readonly IntentRecord[];
}
export interface IntentStore {
  /** Makes the batch's folder and returns it. */
  makeBatch(batchId: string): AbsPath;
  /** Writes or replaces the batch's intent; whole or not at all. */
  write(intent: Intent, options?: { readonly sync?: boolean }): void;
  /** What other processes announced: a dead one, or the owner of the root where this one only looks. */
  readAll(): {
    readonly intents: readonly Intent[];
    /** Warnings for intents that cannot be read, with their folders. */
    readonly unreadable: readonly { readonly folder: AbsPath; readonly problem: Problem }[];
  };
  /** Removes the batch's folder with everything in it, or one of the `leftovers`. */
  remove(name: string): void;
  /** Removes everything from `tmp` but batches of this process and those with a readable intent; returns the names of what was removed. */
  clear(): string[];
  /** The names in `tmp` that are no batch of this process and none with a readable intent: what `clear` could not remove. */
  leftovers(): string[];
}

/** `.millrace/index.db`: derived, may be deleted. Blobs by name, replaced in one transaction; a small JSON document beside them. */
export interface IndexStore {
  /** `undefined` when there is none or it cannot be used (damaged, other format): it is rebuilt from disk and manifests. */
  load():
    { readonly meta: Readonly<Record<string, unknown>>; readonly blobs: ReadonlyMap<string, Uint8Array> } | undefined;
  /** Only the document: cheap, for `status`. */
  loadMeta(): Readonly<Record<string, unknown>> | undefined;
  /** Blobs not named stay as they are; `null` removes one. */
  save(meta: Readonly<Record<string, unknown>>, blobs: ReadonlyMap<string, Uint8Array | null>): void;
  saveMeta(meta: Readonly<Record<string, unknown>>): void;
  /** Removes it: it is made again from disk and manifests. */
  discard(): void;
  close(): void;
}

/** `.millrace/controls.json`: what people told us about stages and tasks. Version 1. */
export interface Controls {
  readonly version: 1;
  /** Held stages and tasks, key to when (ISO 8601). */
  readonly held: Readonly<Record<string, string>>;
  /** Tasks to run though nothing changed, key to when. */
  readonly forced: Readonly<Record<TaskKey, string>>;
  /**
   * Products that are orphaned and not simply taken away: `frozen` by the guard against large deletions, or `accepted`
   * by a person and not taken away yet; `at` is when (ISO 8601). Left out when there are none.
   */
  readonly retractions?: Readonly<Record<TaskKey, { readonly at: string; readonly is: "frozen" | "accepted" }>>;
}
export interface ControlsStore {
  read(): Controls;
  write(controls: Controls): void;
  /** Removes what a refused write left in `tmp`; `false` while the disk refuses that. */
  tidy(): boolean;
}

/** What a retracted result was the result of, and what its manifest said of it. */
export interface TrashedResult {
  readonly taskKey: TaskKey;
  readonly entityId: EntityId;
  /** The text of the stage's pattern: the key of the record in its manifest. */
  readonly pattern: string;
  readonly record: StateRecord;
}
/** One thing that was moved aside. */
export interface TrashEntry {
  /** Its folder in `.millrace/trash/`. */
  readonly name: string;
  /** Where it was; empty when its note is damaged or the thing is no longer in it (`why` says which). */
  readonly path: RelPath;
  /** Where it is now. Both are relative to the root; a folder state ends with `/`. */
  readonly kept: RelPath;
  readonly why: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** `null` for everything but a retracted result. */
  readonly of: TrashedResult | null;
}
/** What was moved aside: `.millrace/trash/`. */
export interface Trash {
  /** Moves a state there with a note; returns where it is now, relative to the root. */
  put(path: RelPath, why: string, of?: TrashedResult): RelPath;
  /** Newest first. A note is read once, so it may be asked often. */
  entries(): TrashEntry[];
  /**
   * The retracted results of a path, newest first, as `entries` and what happened through this object since have it: only
   * the first question looks at the disk. What it names may be gone or changed by now.
   */
  retracted(path: RelPath): readonly TrashEntry[];
  /** Moves the thing back to its path and forgets the entry; says what it was. Fails when something is at the path, and when nothing usable is in the trash. */
  restore(name: string): Result<TrashEntry>;
  /** Removes an entry for ever, if there. */
  remove(name: string): void;
}

export interface Owner {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601. */
  readonly since: string;
  /** Where its control door is; empty for a one-shot run. */
  readonly door: string;
}
/** `.millrace/owner`: an operating-system lock, free at once when its process dies. */
export interface OwnerLock {
  /** Fails with M110, naming the owner, when another process holds the root. */
  acquire(owner: Owner): Result<void>;
  /** Who holds it now; `undefined` when nobody does. */
  current(): Owner | undefined;
  release(): void;
}

// ---------------------------------------------------------------- the ledger

export interface AttemptRow {
  readonly runId: string;
  readonly taskKey: TaskKey;
  readonly pipeline: string;
  readonly stage: string;
  readonly entity: EntityId;
  readonly path: RelPath;
  /** 1 for the first try under a signature. */
  readonly attempt: number;
  readonly result: "ran" | "unchanged" | "restored" | "skipped" | "failed" | "interrupted" | "dropped";
  /** Why it ran: reason codes joined by spaces. */
  readonly reasons: string;
  readonly startedAt: WallMs;
  readonly durationMs: number;
  readonly contentHash: ContentHash | null;
  readonly error: string | null;
  readonly category: ErrorCategory | null;
  /** The end of what it printed and logged; empty when nothing. */
  readonly log: string;
}
export interface AttemptFilter {
  readonly pipeline?: string;
  readonly stage?: string;
  readonly entity?: EntityId;
  readonly result?: AttemptRow["result"];
  readonly runId?: string;
  readonly sinceMs?: WallMs;
  /** Newest first, at most so many; default 100. */
  readonly limit?: number;
}
/** `.millrace/ledger.db`: the history of runs. */
export interface Ledger {
  /** One transaction. */
  add(rows: readonly AttemptRow[]): void;
  attempts(filter: AttemptFilter): AttemptRow[];
  /** Reads all of it: what is damaged, for people; `undefined` when nothing is. The owner of the root then begins a new one. */
  check(): string | undefined;
  close(): void;
}

// ---------------------------------------------------------------- queue

/** One unfinished piece of work; at most one per task. */
export interface Job {
  readonly taskKey: TaskKey;
  readonly stageKey: StageKey;
  readonly pipeline: string;
  /** Higher first. */
  readonly priority: number;
  /** Within a priority: smaller first (when its input arrived). */
  readonly order: number;
  /** When it may start, monotonic; 0 for at once. */
  readonly dueAt: MonoMs;
  /** Jobs of one lane `batch` may be handed out many at a time; each of the others alone. */
  readonly lane: "batch" | "single";
}
export interface LaneLimits {
  /** Attempts of one pipeline at one time. */
  pipeline(name: string): number;
  /** Attempts of one stage at one time. */
  stage(key: StageKey): number;
}
export interface JobQueue {
  /** Adds, or replaces the waiting job of this task. A running task's new job waits until it has ended. */
  put(job: Job): void;
  /** Forgets a waiting job; says whether there was one. */
  drop(taskKey: TaskKey): boolean;
  isRunning(taskKey: TaskKey): boolean;
  isWaiting(taskKey: TaskKey): boolean;
  counts(): { readonly waiting: number; readonly due: number; readonly running: number };
  /** The earliest due time of a waiting job; `undefined` when none waits. */
  nextDue(): MonoMs | undefined;
  /** Starts nothing new (true) or goes on (false). */
  pause(paused: boolean): void;
  /** Resolves when nothing runs and nothing is due (waiting for later is idle, and so is all that waits while paused). */
  onIdle(): Promise<void>;
}

// ---------------------------------------------------------------- running nodes

/** What the node of a stage is today. */
export interface NodeCode {
  readonly codeHash: CodeHash;
  readonly paramsHash: string;
  /** Tool name to the hash of what its version command printed. */
  readonly toolHashes: Readonly<Record<string, string>>;
  /** Files whose change changes the code, absolute, sorted: what to watch. */
  readonly files: readonly AbsPath[];
  /** The compiled modules that run, by the node's place in the stage: `node`, `then`, `else`. */
  readonly modules: Readonly<Record<string, AbsPath>>;
}

/** The nodes of a stage as the runner needs them; one object per stage, shared by its requests. */
export interface StageWork {
  readonly stageKey: StageKey;
  readonly node: NodeSpec;
  readonly then: NodeSpec | undefined;
  readonly else: NodeSpec | undefined;
  readonly validation: Validation;
  readonly timeoutMs: number;
  readonly env: readonly string[];
  readonly code: NodeCode;
  /** The folder that relative module and command paths start from. */
  readonly pipelinesFolder: AbsPath;
}

/** One state an attempt may read. */
export interface InputItem {
  readonly id: EntityId;
  readonly vars: Vars;
  readonly path: RelPath;
}
/** A named set of states: `list` tells whether it is a group (then `.items`) or exactly one. */
export interface InputSet {
  readonly name: string;
  readonly list: boolean;
  readonly items: readonly InputItem[];
}

export interface AttemptRequest {
  readonly attemptId: string;
  readonly work: StageWork;
  readonly taskKey: TaskKey;
  readonly entity: { readonly id: EntityId; readonly vars: Vars };
  readonly root: AbsPath;
  /** The declared inputs in order; the names are their aliases. */
  readonly inputs: readonly InputSet[];
  /** Everything else `$` can reach: every ancestor stage by id. */
  readonly ancestors: readonly InputSet[];
  /** Final path (folder states end with `/`) and where the result is staged; its parent folder exists. */
  readonly output: { readonly path: RelPath; readonly staged: AbsPath };
  /** 1 for the first try. */
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** It gets a thread of its own: the shared one gave it back. */
  readonly alone: boolean;
}

/** Something an attempt read: a declared input, or a read that was recorded. `null` hash: it was looked for and absent. */
export interface ReadRecord {
  readonly path: RelPath;
  readonly hash: ContentHash | null;
  readonly stat: FileStat | undefined;
}

interface OutcomeCommon {
  readonly attemptId: string;
  /** Every declared input, and every other state the run really read. */
  readonly reads: readonly ReadRecord[];
  /** Names read by `$env`, beside those declared. */
  readonly envReads: readonly string[];
  readonly durationMs: number;
  /** The end of what it printed and logged, at most 64 KiB. */
  readonly log: string;
}
export type AttemptOutcome = OutcomeCommon &
  (
    | {
        readonly kind: "produced";
        readonly hash: ContentHash;
        readonly size: number;
        /** Nothing ran: it was taken back from the trash, and this is what its manifest said of it. */
        readonly restored?: StateRecord;
      }
    /** It chose to make nothing. */
    | { readonly kind: "skipped" }
    | {
        readonly kind: "failed";
        readonly error: string;
        readonly category: ErrorCategory;
        /** The service asked us to wait at least so long. */
        readonly retryAfterMs?: number;
      }
    /** An input changed or vanished under it: to be planned anew, no failure. */
    | { readonly kind: "overtaken"; readonly path: RelPath }
    /** Cancelled or cut off by a stop. */
    | { readonly kind: "interrupted" }
    /** Too slow or too large for a thread that others wait for; nothing was done: ask again with `alone`, in lane `single`. */
    | { readonly kind: "alone"; readonly because: "slow" | "large" }
  );

/** Runs attempts; knows the types of nodes. */
export interface NodeRunner {
  readonly nodeTypes: ReadonlyMap<string, NodeTypeInfo>;
  /** Hashes (and where needed compiles) the nodes of a stage; problems name the place in the definition or in the code. */
  inspect(stage: InspectRequest): Promise<Result<NodeCode>>;
  /** Which lane a stage's attempts take; `batch` becomes `single` once a stage was found too slow to share a thread. */
  laneOf(work: StageWork): Job["lane"];
  /** Runs every request; emits each outcome once, in any order, then resolves. Never rejects for what a node does. */
  run(requests: readonly AttemptRequest[], emit: (outcomes: readonly AttemptOutcome[]) => void): Promise<void>;
  /** One line for a shell that does by hand what an attempt would do; `undefined` where no such line can be written. */
  byHand?(request: AttemptRequest): string | undefined;
  /** Stops one attempt; its outcome is `interrupted`. */
  cancel(attemptId: string): void;
  /** Stops everything and frees workers. */
  close(): Promise<void>;
}
export interface InspectRequest {
  readonly node: NodeSpec;
  readonly then: NodeSpec | undefined;
  readonly else: NodeSpec | undefined;
  readonly tools: Readonly<Record<string, string>>;
  readonly pipelinesFolder: AbsPath;
  /** Where compiled modules may be kept: `.millrace/cache`. */
  readonly cacheFolder: AbsPath;
}

// ---------------------------------------------------------------- the door

/** Answers one call; never rejects. */
export type DoorHandler = (call: string, query: Readonly<Record<string, unknown>>) => Promise<Result<unknown>>;
/** Where other processes reach a daemon. */
export interface Door {
  readonly address: string;
  close(): Promise<void>;
}

// ---------------------------------------------------------------- telling

export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  /** A problem once, at its severity. */
  problem(problem: Problem): void;
  flush(): void;
}
