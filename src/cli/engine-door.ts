import type { Control, DoctorReport, RunReport, VerifyReport } from "../engine/control.ts";
import type { Pipeline } from "../core/model/pipeline.ts";
import type { Problem } from "../core/model/problem.ts";
import type { Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";

/** A project opened for one command. */
export interface OpenProject {
  readonly control: Control;
  /** Problems of definitions, and warnings, for the person at the terminal. */
  readonly problems: readonly Problem[];
  close(): Promise<void>;
}

/** A daemon in the foreground. */
export interface RunningDaemon {
  /** Resolves when it has stopped, with its exit code. */
  readonly stopped: Promise<number>;
  stop(reason: string): Promise<void>;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

/** How far a `run` is. */
export interface RunProgress {
  readonly done: number;
  readonly total: number;
  /** Tasks, as people type them. */
  readonly running: readonly string[];
}

/**
 * Everything the command line needs of the engine, so that a test can put something else in its place.
 * The real one is `main.ts`; it is loaded by the commands that need it and by no other.
 */
export interface EngineDoor {
  /** `read` asks a running daemon where there is one; `write` takes the root's lock where there is none. */
  openProject(options: {
    readonly projectFolder: AbsPath;
    readonly mode: "read" | "write";
  }): Promise<Result<OpenProject>>;
  /** Logs to stdout, `ready` included: JSON lines, or text for people with `pretty`. */
  startDaemon(options: {
    readonly projectFolder: AbsPath;
    readonly pretty: boolean;
    readonly level: LogLevel;
    readonly graceMs: number;
  }): Promise<Result<RunningDaemon>>;
  runOnce(options: {
    readonly projectFolder: AbsPath;
    readonly settleTimeoutMs: number;
    readonly wait: boolean;
    readonly onProgress: (progress: RunProgress) => void;
    /** Told what is wrong beside the attempts. */
    readonly onProblem?: (problem: Problem) => void;
    readonly signal: AbortSignal;
  }): Promise<Result<RunReport>>;
  validateProject(options: {
    readonly projectFolder: AbsPath;
  }): Promise<{ readonly pipelines: readonly Pipeline[]; readonly problems: readonly Problem[] }>;
  /** Looks at every root for itself; with `repair` also does what is safe, as the owner or through the daemon. */
  verifyProject(options: {
    readonly projectFolder: AbsPath;
    /** Findings that concern these; all when left out. */
    readonly targets: readonly string[];
    readonly repair: boolean;
    /** Makes outputs again, beside the roots, and compares them; called before the first one, for a signal that ends it. */
    readonly rebuild?: (() => AbortSignal) | undefined;
  }): Promise<Result<VerifyReport>>;
  examineProject(options: { readonly projectFolder: AbsPath }): Promise<DoctorReport>;
}
