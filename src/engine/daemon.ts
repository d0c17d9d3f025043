import { isAbsolute } from "node:path";
import type { Pipeline } from "../core/model/pipeline.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import { problem } from "../core/model/problem.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { ChangeSource, Clock, Door, DoorHandler, Log, NodeRunner, OwnerLock, Timer } from "../ports.ts";
import { type Project, type ProjectRoot, type ProjectSources, reloadProject } from "./config.ts";
import type { Control } from "./control.ts";
import { CALLS } from "./control-remote.ts";
import { RootsControl } from "./control-roots.ts";
import type { Root } from "./root.ts";
import type { IgnoreTest } from "./calls/why-not.ts";

/** How long definitions and code must be quiet before an edit is taken, in milliseconds. */
const EDIT_QUIET_MS = 60;

export interface DaemonRoot {
  readonly root: Root;
  readonly ignored: IgnoreTest;
  readonly release: () => Promise<void>;
}

export interface DaemonOptions {
  readonly projectFolder: AbsPath;
  readonly log: Log;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly onReady: (line: string) => void;
  readonly project: Project;
  readonly sources: ProjectSources;
  readonly runner: NodeRunner;
  /** Held already, one per root. */
  readonly locks: readonly OwnerLock[];
  readonly openRoot: (root: ProjectRoot) => Result<DaemonRoot>;
  readonly openDoor: (handle: DoorHandler) => Promise<Door>;
  /** Watches the project folder for edits of definitions and code. */
  readonly edits: ChangeSource;
  /** A path relative to the project folder; absolute for what lies outside. */
  readonly relativePath: (path: AbsPath) => string;
}

/** All roots of a project at work until told to stop. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #roots = new Map<AbsPath, DaemonRoot>();
  #project: Project;
  #door: Door | undefined;
  #editTimer: Timer | undefined;
  #reloading: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #resolveStopped: (code: number) => void = () => {};
  /** Resolves when it has stopped, with the exit code. */
  readonly stopped: Promise<number>;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#project = options.project;
    this.stopped = new Promise((resolve) => (this.#resolveStopped = resolve));
  }

  /** Starts every root; `ready` once each was looked at and its watcher lives. */
  async start(): Promise<Result<void>> {
    const { project, openRoot, openDoor, onReady, log } = this.#options;
    for (const projectRoot of project.roots) {
      const opened = openRoot(projectRoot);
      if (!opened.ok) {
        await this.#release();
        return opened;
      }
      this.#roots.set(projectRoot.root, opened.value);
    }
    this.#door = await openDoor((call, query) => this.#answer(call, query));
    for (const projectRoot of project.roots) {
      const { root } = this.#roots.get(projectRoot.root)!;
      await root.open(enabled(projectRoot), this.#problemsOf());
      for (const found of root.stages.problems) log.problem(found);
      await root.start();
    }
    await this.#options.edits.start(this.#editBases(), () => this.reload());
    onReady(this.#readyLine());
    return ok(undefined);
  }

  #readyLine(): string {
    const pipelines = this.#project.pipelines.filter((pipeline) => pipeline.enabled).length;
    const folders = [...this.#roots.values()].map(({ root }) => root.ports.name).join(", ");
    return `ready: ${pipelines} ${pipelines === 1 ? "pipeline" : "pipelines"} on ${folders}`;
  }

  // ------------------------------------------------------------ calls

  async #answer(call: string, query: Readonly<Record<string, unknown>>): Promise<Result<unknown>> {
    const name = CALLS.find((known) => known === call);
    if (!name)
      return fail(
        problem("M101", `the daemon knows no call "${call}"`, "use the same release for the daemon and the command"),
      );
    if (this.#stopping)
      return fail(problem("M112", "the daemon is stopping", "start it again, then repeat the command"));
    try {
      const control: Control = new RootsControl(
        [...this.#roots.values()].map(({ root }) => root),
        {
          owner: (root) => this.#lockOf(root).current() ?? null,
          ignored: (root) => this.#roots.get(root.ports.root)!.ignored,
          defined: (root) => this.#project.roots.find((of) => of.root === root.ports.root)?.pipelines ?? [],
        },
      );
      return await (control[name] as (query: unknown) => Promise<Result<unknown>>).call(control, query);
    } catch (error) {
      // A call must not take the daemon down; the caller gets the fault, the log its stack.
      this.#options.log.error(
        { call, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
        "a call failed",
      );
      const message = error instanceof Error ? error.message : String(error);
      return fail(problem("M199", `the call "${call}" failed: ${message}`, "see the daemon's log, and report it"));
    }
  }

  #lockOf(root: Root): OwnerLock {
    return this.#options.locks[[...this.#roots.keys()].indexOf(root.ports.root)]!;
  }

  // ------------------------------------------------------------ edits

  /** Definitions and node code: the pipelines folder, and the folders of code outside it that stages import. */
  #editBases(): { path: string; depth: number }[] {
    const folders = new Set<string>(["pipelines"]);
    for (const { root } of this.#roots.values()) {
      for (const file of root.stages.codeFiles()) {
        const path = this.#options.relativePath(file);
        if (path.startsWith("..") || isAbsolute(path) || path.startsWith("pipelines/")) continue;
        folders.add(path.split("/").slice(0, -1).join("/"));
      }
    }
    return [...folders].map((path) => ({ path, depth: path === "pipelines" ? Infinity : 1 }));
  }

  /** Takes definitions and code anew, once they are quiet; only what they make stale runs. */
  reload(): void {
    this.#editTimer?.cancel();
    this.#editTimer = this.#options.clock.after(EDIT_QUIET_MS, () => {
      this.#reloading = this.#reloading.then(() => this.#reload());
    });
  }

  async #reload(): Promise<void> {
    if (this.#stopping) return;
    const { log, sources, edits } = this.#options;
    const after = await reloadProject(this.#project, sources);
    for (const found of after.newProblems) log.problem(found);
    this.#project = after;
    for (const [path, { root }] of this.#roots) {
      const known = new Set(root.problems.map((p) => p.message));
      const pipelines = after.roots.find((r) => r.root === path);
      const changed = await root.replaceDefinitions(pipelines ? enabled(pipelines) : [], this.#problemsOf());
      for (const found of root.stages.problems) if (!known.has(found.message)) log.problem(found);
      if (changed > 0) log.info({ root: root.ports.name, stages: changed }, "definitions or code changed");
    }
    const strange = after.roots.filter((r) => !this.#roots.has(r.root));
    for (const { root } of strange)
      log.problem(
        problem(
          "M114",
          `a definition names the new state root "${root}"`,
          "restart the daemon: it takes all its roots at its start",
        ),
      );
    await edits.update(this.#editBases());
  }

  #problemsOf(): Project["problems"] {
    return this.#project.problems;
  }

  // ------------------------------------------------------------ stop

  /** Starts nothing new, gives running attempts the grace time, saves and lets go of the roots. A second call cuts them off. */
  stop(reason: string): Promise<void> {
    if (this.#stopping) {
      for (const { root } of this.#roots.values()) root.journey.cancelRunning();
      return this.#stopping;
    }
    this.#options.log.info({ reason }, "stopping");
    this.#stopping = this.#shutDown();
    return this.#stopping;
  }

  async #shutDown(): Promise<void> {
    const { edits, graceMs, log } = this.#options;
    this.#editTimer?.cancel();
    await edits.close();
    await this.#reloading;
    await Promise.all([...this.#roots.values()].map(({ root }) => root.stop(graceMs)));
    await this.#release();
    log.info({}, "stopped");
    log.flush();
    this.#resolveStopped(0);
  }

  async #release(): Promise<void> {
    await this.#door?.close();
    for (const { release } of this.#roots.values()) await release();
    await this.#options.runner.close();
    for (const lock of this.#options.locks) lock.release();
  }
}

function enabled(root: ProjectRoot): Pipeline[] {
  return root.pipelines.filter((pipeline) => pipeline.enabled);
}
