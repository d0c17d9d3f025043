/**
 * All that a door (command line, API, page) may ask of a project. Plain data in and out: every report is JSON as it is,
 * the shapes are the contract of `docs/cli-json.md`. The same interface is served by a running daemon through its door
 * and by an engine opened for one command.
 *
 * Targets are what people type: a path (`output/001.json`), a stage (`output` or `echo#output`), a task
 * (`output@001`, `echo#output@001`), a pipeline (`echo`), an incident (`incident:ab12cd34`) or a glob over any of these
 * but the incident (`output@0*`). All times are ISO 8601 UTC.
 */
import type { ErrorCategory, Manifest } from "../core/model/manifest.ts";
import type { Problem } from "../core/model/problem.ts";
import type { ProblemCode } from "../core/model/problems.ts";
import type { Result } from "../core/model/result.ts";
import type {
  ContentHash,
  EntityId,
  Evidence,
  ReasonCode,
  RelPath,
  StageKey,
  Status,
  TaskKey,
} from "../core/model/words.ts";
import type { AttemptRow, Owner, WatchHealth } from "../ports.ts";

/** Status word to how many; words with zero are left out. */
export type StatusCounts = Readonly<Partial<Record<Status, number>>>;

export interface StageReport {
  readonly pipeline: string;
  readonly stage: string;
  readonly type: "source" | "transform" | "sink";
  readonly pattern: string;
  readonly counts: StatusCounts;
  readonly held: boolean;
}

/** A task that needs eyes. */
export interface TroubleReport {
  /** `stage@entity`. */
  readonly task: string;
  /** The incident it belongs to; `null` for a blocked one. */
  readonly incident: string | null;
  readonly pipeline: string;
  readonly status: Status;
  readonly error: string;
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly nextRetryAt: string | null;
}

/** Failures of one stage that say the same once ids, names, paths and numbers are taken out: most likely one cause. */
export interface IncidentReport {
  /** 8 hex digits; `incident:<id>` names its tasks wherever targets are taken. */
  readonly id: string;
  /** `pipeline#stage`. */
  readonly stage: string;
  readonly category: ErrorCategory;
  /** The error of one of them. */
  readonly error: string;
  /** How many tasks failed so. */
  readonly tasks: number;
  /** At most three of them, as `stage@entity`. */
  readonly examples: readonly string[];
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
  /** When the first of them is tried again; `null` when none is by itself. */
  readonly nextRetryAt: string | null;
  /** How many of them are set aside after their last attempt. */
  readonly quarantined: number;
}

/** Products that have lost their sources and are kept because too much would go at once; until a person decides or the files return. */
export interface FrozenReport {
  /** How many results, with or without a file. */
  readonly total: number;
  /** When the first of them was frozen. */
  readonly since: string;
  /** One sentence for each reason: what, how many of how many. */
  readonly why: readonly string[];
  /** Some of them, `stage@entity`. */
  readonly examples: readonly string[];
}

export interface RootReport {
  /** As the definition says it, relative to the project folder. */
  readonly root: string;
  readonly daemon: Owner | null;
  /** When the counters were last true: now for a daemon, else the time of the last look; `null` when never looked. */
  readonly asOf: string | null;
  readonly watcher: WatchHealth | null;
  /** How often the reconcile scan comes, in seconds, as stretched by its own cost. */
  readonly scanIntervalSeconds: number;
  readonly stages: readonly StageReport[];
  /** At most 20: tasks of small incidents first, blocked ones last. */
  readonly trouble: readonly TroubleReport[];
  readonly troubleTotal: number;
  /** Failed tasks by what they have in common, most tasks first, at most 20. Blocked tasks follow from them and are not counted. */
  readonly incidents: readonly IncidentReport[];
  readonly nextRetryAt: string | null;
  /** Definitions that do not load now (their last good version runs), and other standing warnings. */
  readonly problems: readonly Problem[];
  /** Why no work is started now (the disk is full, the root is away ...); `null` while it is. It goes on by itself. */
  readonly paused: Problem | null;
  /** Deletions that wait for a person; `null` when none do. */
  readonly frozen: FrozenReport | null;
}
export interface StatusReport {
  readonly version: 1;
  readonly roots: readonly RootReport[];
}

/** A task with its verdict. */
export interface TaskReport {
  readonly root: string;
  readonly pipeline: string;
  readonly stage: string;
  readonly entity: EntityId;
  /** `stage@entity`. */
  readonly task: string;
  readonly path: RelPath;
  readonly status: Status;
  readonly reasons: readonly ReasonCode[];
  readonly evidence: readonly Evidence[];
  /** What it waits for or is blocked by: paths or tasks, each with why. */
  readonly waitingFor: readonly string[];
  readonly failure: {
    readonly error: string;
    readonly category: ErrorCategory;
    readonly attempts: number;
    readonly maxAttempts: number;
    readonly nextRetryAt: string | null;
  } | null;
}
export interface PlanReport {
  readonly version: 1;
  /** What would run, in order, then what follows from it (`upstream-stale`). */
  readonly tasks: readonly TaskReport[];
  /** Of all tasks, whatever the targets. */
  readonly counts: StatusCounts;
}
export interface ExplainReport {
  readonly version: 1;
  readonly task: TaskReport;
  /** One sentence: what it is and why. */
  readonly summary: string;
  /** Declared inputs and recorded reads: what the output was made from and what is there now. */
  readonly inputs: readonly {
    readonly path: RelPath;
    readonly declared: boolean;
    readonly recorded: string | null;
    readonly now: string | null;
  }[];
  readonly output: { readonly path: RelPath; readonly recorded: string | null; readonly now: string | null };
  readonly code: { readonly recorded: string | null; readonly now: string | null };
  /** The end of what its last, failed attempt printed; empty when it printed nothing or did not fail. */
  readonly log: string;
  /** One line for a shell that tries a failing task by hand; `null` for every other task. */
  readonly byHand: string | null;
  readonly producedAt: string | null;
  readonly runId: string | null;
}
/** Why nothing happened to a path. */
export interface WhyNotReport {
  readonly version: 1;
  readonly path: string;
  /** Each line one fact, the deciding one last. */
  readonly reasons: readonly string[];
  /** Tasks of this path, if it matches. */
  readonly tasks: readonly TaskReport[];
}
export interface ListReport {
  readonly version: 1;
  readonly total: number;
  readonly tasks: readonly TaskReport[];
}
export interface ShowReport {
  readonly version: 1;
  readonly root: string;
  readonly entity: EntityId;
  /** Where the manifest is, relative to the root. */
  readonly file: RelPath;
  readonly manifest: Manifest;
}
export interface HistoryReport {
  readonly version: 1;
  readonly attempts: readonly (Omit<AttemptRow, "startedAt" | "log"> & {
    readonly root: string;
    readonly startedAt: string;
  })[];
}
export interface LogsReport {
  readonly version: 1;
  /** Oldest first. */
  readonly entries: readonly {
    readonly task: string;
    readonly runId: string;
    readonly attempt: number;
    readonly result: AttemptRow["result"];
    readonly startedAt: string;
    readonly error: string | null;
    readonly log: string;
  }[];
}
/** What a command changed. */
export interface ActionReport {
  readonly version: 1;
  /** Tasks or stages, as people type them. */
  readonly changed: readonly string[];
  /** What was left alone, and why. */
  readonly refused: readonly { readonly target: string; readonly why: string }[];
}
/** What was moved aside, newest first. */
export interface TrashReport {
  readonly version: 1;
  /** How many there are; `entries` may be cut by the limit. */
  readonly total: number;
  readonly entries: readonly {
    readonly root: string;
    /** Its folder in `.millrace/trash/`; names it in every `trash` command. */
    readonly name: string;
    /** Where it was; empty when its note is damaged. */
    readonly path: RelPath;
    /** Where it is now. */
    readonly kept: RelPath;
    readonly why: string;
    readonly at: string;
    readonly bytes: number;
    /** The task whose result it was (`pipeline#stage@entity`); `null` for what was no retracted result. */
    readonly task: string | null;
  }[];
}
export interface RestoreReport {
  readonly version: 1;
  readonly restored: readonly {
    readonly path: RelPath;
    readonly name: string;
    /** What it is now that it is back, as a sentence. */
    readonly what: string;
  }[];
  /** What was left in the trash, and why. */
  readonly refused: readonly { readonly target: string; readonly why: string }[];
}
/** Products of stages that no definition has any more. */
export interface CleanReport {
  readonly version: 1;
  /** Whether they were moved to the trash; else they are only listed. */
  readonly removed: boolean;
  /** Unchanged since we wrote them. */
  readonly dead: readonly {
    readonly root: string;
    readonly path: RelPath;
    /** The stage that made it (`pipeline#stage`). */
    readonly stage: string;
    readonly entity: EntityId;
    readonly bytes: number;
    readonly producedAt: string;
  }[];
  /** Records of such stages without a file of ours: of sources, of results that are gone, of failures. They are forgotten, too. */
  readonly records: number;
  /** What is left alone, and why. */
  readonly left: readonly { readonly root: string; readonly path: RelPath; readonly why: string }[];
}
/** Tasks that were set aside after their last attempt. */
export interface QuarantineReport {
  readonly version: 1;
  readonly total: number;
  readonly quarantined: readonly QuarantinedTask[];
}
export interface QuarantinedTask {
  readonly root: string;
  readonly pipeline: string;
  readonly stage: string;
  readonly entity: EntityId;
  /** `stage@entity`. */
  readonly task: string;
  readonly path: RelPath;
  /** The incident it belongs to. */
  readonly incident: string;
  readonly error: string;
  readonly category: ErrorCategory;
  readonly attempts: number;
  readonly firstFailedAt: string;
  readonly lastFailedAt: string;
  /** The end of what its last attempt printed; empty when nothing. */
  readonly log: string;
  /** What the last attempt read: the hash then and now; `null` where there was, or is, nothing. */
  readonly inputs: readonly { readonly path: RelPath; readonly then: string | null; readonly now: string | null }[];
  /** One line for a shell that tries it by hand. */
  readonly byHand: string;
}
export interface GraphReport {
  readonly version: 1;
  readonly stages: readonly {
    readonly root: string;
    readonly pipeline: string;
    readonly stage: string;
    readonly type: string;
    readonly pattern: string;
    readonly node: string | null;
  }[];
  /** `by` is `input` inside a pipeline, `pattern` where pipelines chain. Ends are `pipeline#stage`. */
  readonly edges: readonly { readonly from: string; readonly to: string; readonly by: "input" | "pattern" }[];
}
export interface RunReport {
  readonly version: 1;
  /** Attempts by result word. */
  readonly results: Readonly<Partial<Record<AttemptRow["result"], number>>>;
  /** Statuses of all tasks at the end. */
  readonly counts: StatusCounts;
  /** Results taken away because what they were made from is gone. */
  readonly retracted: number;
  /** Deletions that wait for a person, of all roots together; `null` when none do. */
  readonly frozen: FrozenReport | null;
  /** Files that did not settle in time. */
  readonly unsettled: readonly RelPath[];
  readonly trouble: readonly TroubleReport[];
  /** How many tasks need eyes in all. */
  readonly troubleTotal: number;
  /** As `status` has them, of all roots together. */
  readonly incidents: readonly IncidentReport[];
  readonly durationMs: number;
  /** Whether work failed, is retrying, blocked or quarantined, deletions are frozen, or files did not settle: exit code 1. */
  readonly failed: boolean;
}

/** One check of the machine and the project. */
export interface DoctorCheck {
  /** Short and stable, such as `inotify-watches`; several lines may share it, one per root. */
  readonly check: string;
  readonly result: "ok" | "warn" | "fail";
  /** What was found, values in it. */
  readonly finding: string;
  /** What to do about it; `null` when it is ok. */
  readonly advice: string | null;
}
export interface DoctorReport {
  readonly version: 1;
  /** No check failed. */
  readonly healthy: boolean;
  readonly checks: readonly DoctorCheck[];
}

/** Where an entry below a source pattern's folder stands; each is in exactly one of these. */
export type SourceState =
  /** Everything that is made of it is made. */
  | "done"
  /** Work on it is due or underway. */
  | "due"
  | "settling"
  /** For a partner, a done-file, or a stage before it. */
  | "waiting"
  | "retrying"
  | "quarantined"
  | "failed"
  | "blocked"
  | "held"
  | "ignored"
  /** It cannot be a state: a special file, unreadable, a bad name, a link that leads outside. */
  | "refused"
  | "filtered"
  /** No stage takes it. */
  | "unused"
  /** A stage of another pipeline made it. */
  | "product"
  /** The done-file of another file. */
  | "marker"
  | "unmatched";

/** One thing that `verify` found. */
export interface VerifyFinding {
  readonly code: ProblemCode;
  /** The rule that it breaks; docs/verify.md lists them. */
  readonly rule: string;
  /** Relative to the root. */
  readonly path: RelPath;
  readonly entity: EntityId | null;
  readonly message: string;
  readonly hint: string;
  /** `--repair` has done its part. */
  readonly repaired: boolean;
  /** Only of the rule `not-repeated`. */
  readonly rebuild?: RebuildFinding;
}
/** A result that did not come out the same when it was made again. */
export interface RebuildFinding {
  readonly task: TaskKey;
  readonly stage: StageKey;
  /** The type of the node, and the file of a module. */
  readonly node: string;
  /** `null`: nothing was made. */
  readonly recorded: ContentHash | null;
  readonly now: ContentHash | null;
  /** How it fails now; `null`: it does not. */
  readonly error: string | null;
}
/** What `verify --rebuild` did in one root. */
export interface RebuildReport {
  /** Tasks among the targets: those made again and those left out. */
  readonly outputs: number;
  /** Those made again: the sum of the next three. */
  readonly rebuilt: number;
  readonly same: number;
  readonly differ: number;
  readonly failed: number;
  /** The others, by why: `sink`, `accepted`, `overtaken` (an input changed meanwhile), `interrupted`, or the task's status. */
  readonly leftOut: Readonly<Record<string, number>>;
}
export interface VerifiedRoot {
  readonly root: string;
  readonly findings: readonly VerifyFinding[];
  /** What is as it is for a known reason: leftovers that stay. They fail nothing. */
  readonly notes: readonly VerifyFinding[];
  readonly checked: {
    readonly outputs: number;
    readonly manifests: number;
    /** Entries below the source patterns' folders, counted by bytes: the sum of `states`. */
    readonly sources: number;
    /** Files elsewhere that belong to no pattern. */
    readonly notOurs: number;
    /** Only with `--rebuild`. */
    readonly rebuilt?: RebuildReport;
  };
  readonly states: Readonly<Partial<Record<SourceState, number>>>;
  /** Entries that are not done, each with its reason; at most 100. */
  readonly explained: readonly { readonly path: RelPath; readonly state: SourceState; readonly reason: string }[];
}
export interface VerifyReport {
  readonly version: 1;
  readonly roots: readonly VerifiedRoot[];
  /** Nothing is off, or all of it was repaired. */
  readonly ok: boolean;
}
/** Which of the findings handed in were repaired, by their place in the list. */
export interface RepairReport {
  readonly version: 1;
  readonly repaired: readonly number[];
}

export interface ListQuery {
  readonly targets?: readonly string[];
  readonly status?: readonly Status[];
  /** Default 1000; `total` counts all. */
  readonly limit?: number;
}

export interface Control {
  /** From the counters (a daemon's are live); with `scan` the disk is looked at first. */
  status(query: { readonly scan?: boolean }): Promise<Result<StatusReport>>;
  plan(query: { readonly targets?: readonly string[] }): Promise<Result<PlanReport>>;
  explain(query: { readonly target: string }): Promise<Result<ExplainReport>>;
  whyNot(query: { readonly path: string }): Promise<Result<WhyNotReport>>;
  list(query: ListQuery): Promise<Result<ListReport>>;
  show(query: { readonly entity: string }): Promise<Result<ShowReport>>;
  history(query: {
    readonly target?: string;
    readonly limit?: number;
    readonly result?: AttemptRow["result"];
  }): Promise<Result<HistoryReport>>;
  logs(query: {
    readonly target?: string;
    readonly limit?: number;
    readonly sinceMs?: number;
  }): Promise<Result<LogsReport>>;
  graph(query: { readonly targets?: readonly string[] }): Promise<Result<GraphReport>>;
  /** Clears failures and runs again now. */
  retry(query: { readonly targets: readonly string[]; readonly only?: "quarantined" }): Promise<Result<ActionReport>>;
  /** Runs though nothing changed. */
  invalidate(query: { readonly targets: readonly string[] }): Promise<Result<ActionReport>>;
  /** Takes outputs as they are now for the right ones: edited, foreign or made by older code. */
  accept(query: { readonly targets: readonly string[] }): Promise<Result<ActionReport>>;
  /** Lets go what the guard against large deletions froze. */
  acceptDeletions(query: object): Promise<Result<ActionReport>>;
  /** Stops stages or tasks from starting. */
  hold(query: { readonly targets: readonly string[] }): Promise<Result<ActionReport>>;
  release(query: { readonly targets: readonly string[] }): Promise<Result<ActionReport>>;
  /** What is in the trash: paths, entries' names, tasks and stages of retracted results name it. Default limit 1000. */
  trash(query: { readonly targets?: readonly string[]; readonly limit?: number }): Promise<Result<TrashReport>>;
  /** Puts things from the trash back where they were; nothing is overwritten. */
  restore(query: { readonly targets: readonly string[] }): Promise<Result<RestoreReport>>;
  /** Lists what stages that are gone have made; with `remove` it goes to the trash. */
  clean(query: { readonly remove?: boolean }): Promise<Result<CleanReport>>;
  /** Tasks that are set aside. Default limit 1000. */
  quarantine(query: {
    readonly targets?: readonly string[];
    readonly limit?: number;
  }): Promise<Result<QuarantineReport>>;
  /** Removes from the trash for ever what has been there for so long (0: everything). */
  emptyTrash(query: { readonly olderThanMs: number }): Promise<Result<ActionReport>>;
  /** Looks at everything, works until quiet and says what happened: `run`. `wait` waits for retries too. */
  run(query: { readonly settleTimeoutMs?: number; readonly wait?: boolean }): Promise<Result<RunReport>>;
  /** Does what is safe about findings of one root: the second half of `verify --repair`. */
  repair(query: { readonly root: string; readonly findings: readonly VerifyFinding[] }): Promise<Result<RepairReport>>;
}
