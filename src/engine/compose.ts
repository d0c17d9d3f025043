/**
 * The wiring: the only place that joins adapters with the engine. Each function is what one kind of command needs.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { join, relative } from "node:path";
import { callDoor, doorAddress, openDoor } from "../adapters/door/socket.ts";
import { createPlainLog } from "../adapters/observe/plain-log.ts";
import { FileOwnerLock } from "../adapters/store/owner.ts";
import { SystemClock } from "../adapters/system/clock.ts";
import { NodeDisk } from "../adapters/system/disk.ts";
import { SystemRandom } from "../adapters/system/random.ts";
import { NodeSpaceProbe } from "../adapters/system/space.ts";
import { hashBytes, loadHasher } from "../core/hash/hash.ts";
import type { Pipeline } from "../core/model/pipeline.ts";
import { type Problem, problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Log, NodeRunner, Owner, OwnerLock } from "../ports.ts";
import { loadProject, type Project, type ProjectSources } from "./config.ts";
import type { Control, DoctorReport, RunReport } from "./control.ts";
import { remoteControl } from "./control-remote.ts";
import { type Depth, lazyControl } from "./control-lazy.ts";
import { RootsControl } from "./control-roots.ts";
import { Daemon } from "./daemon.ts";
import { examine } from "./doctor.ts";
import {
  createRunner,
  type OpenedRoot,
  openRoot,
  type OpenRootOptions,
  projectSources,
  startScanThreadEarly,
} from "./compose-root.ts";
import type { Root } from "./root.ts";
import { runRoots } from "./run.ts";
import { savedStatus } from "./status.ts";

/** A project opened for one command. */
export interface ProjectHandle {
  readonly control: Control;
  /** Problems of definitions, and warnings, for the person at the terminal. */
  readonly problems: readonly Problem[];
  close(): Promise<void>;
}

const disk: NodeDisk = new NodeDisk();
const writeError = (line: string): void => void process.stderr.write(line);
/** How often the progress of a run is told, in milliseconds. */
const PROGRESS_MS = 50;

/** A log on stdout: JSON lines, or text for people. */
export async function createDaemonLog(options: {
  readonly pretty: boolean;
  readonly level: "debug" | "info" | "warn" | "error";
}): Promise<Log> {
  const { createLog } = await import("../adapters/observe/log.ts");
  return createLog({ ...options, colour: options.pretty && process.env["NO_COLOR"] === undefined, destination: 1 });
}

/** Definitions, checked, for `validate`. */
export async function validateProject(options: {
  readonly projectFolder: AbsPath;
}): Promise<{ readonly pipelines: readonly Pipeline[]; readonly problems: readonly Problem[] }> {
  await loadHasher();
  const runner = createRunner();
  try {
    const sources = projectSources(options.projectFolder, runner, disk);
    const project = await loadProject(sources);
    return {
      pipelines: project.pipelines,
      problems: [...project.problems, ...(await codeProblems(project, sources, runner))],
    };
  } finally {
    await runner.close();
  }
}

/** What is wrong with the code that the stages name. */
async function codeProblems(project: Project, sources: ProjectSources, runner: NodeRunner): Promise<Problem[]> {
  const pipelinesFolder = join(sources.projectFolder, "pipelines");
  const problems: Problem[] = [];
  for (const pipeline of project.pipelines) {
    for (const stage of pipeline.stages) {
      if (stage.type === "source") continue;
      const cacheFolder = join(sources.projectFolder, pipeline.stateRoot, ".millrace/cache");
      const inspected = await runner.inspect({ ...stage, pipelinesFolder, cacheFolder });
      if (!inspected.ok) problems.push(...inspected.problems);
    }
  }
  return problems.filter((p, i) => problems.findIndex((q) => q.message === p.message) === i);
}

// ---------------------------------------------------------------- one command

/**
 * Opens a project for one command. Where a daemon owns a root, the daemon answers. Else the roots are opened here: for
 * reading without a lock, looking at the disk; for writing as their owner.
 */
export async function openProject(options: {
  readonly projectFolder: AbsPath;
  readonly mode: "read" | "write";
}): Promise<Result<ProjectHandle>> {
  await loadHasher();
  const { projectFolder, mode } = options;
  const runner = createRunner();
  const project = await loadProject(projectSources(projectFolder, runner, disk));
  const daemon = findDaemon(project, projectFolder);
  if (daemon?.owner.door) {
    await runner.close();
    const control = remoteControl((call, query) => callDoor(daemon.owner.door, call, query));
    return ok({ control, problems: project.problems, close: async () => {} });
  }
  if (project.pipelines.length === 0) {
    await runner.close();
    return fail(...project.problems);
  }
  return openHere(project, options, runner, mode);
}

async function openHere(
  project: Project,
  { projectFolder }: { readonly projectFolder: AbsPath },
  runner: NodeRunner,
  mode: "read" | "write",
): Promise<Result<ProjectHandle>> {
  const log = createPlainLog(writeError);
  const claimed = mode === "write" ? claimRoots(project, "") : ok([]);
  if (!claimed.ok) {
    await runner.close();
    return claimed;
  }
  const roots: OpenedRoot[] = [];
  for (const { root, pipelines } of project.roots) {
    const opened = openRoot({
      root,
      projectFolder,
      pipelines,
      runner,
      log,
      mode: mode === "write" ? "control" : "look",
    });
    if (!opened.ok) return opened;
    roots.push(opened.value);
    if (mode === "write") await openToDisk(opened.value.root, pipelines, project);
  }
  const owners = new Map(project.roots.map(({ root }) => [root, new FileOwnerLock(root, disk)]));
  const ownerOf = (root: Root): Owner | null =>
    mode === "read" ? (owners.get(root.ports.root)?.current() ?? null) : null;
  const full = new RootsControl(
    roots.map((opened) => opened.root),
    { owner: ownerOf, ignored: (root) => roots.find((opened) => opened.root === root)!.ignored },
  );
  const control = mode === "write" ? full : readingControl(full, roots, project, ownerOf);
  const close = async (): Promise<void> => {
    for (const { root, release } of roots) {
      root.finish();
      await release();
    }
    for (const lock of claimed.value) lock.release();
    await runner.close();
  };
  return ok({ control, problems: project.problems, close });
}

async function openToDisk(root: Root, pipelines: readonly Pipeline[], project: Project): Promise<void> {
  await root.open(enabled(pipelines), project.problems);
  await root.look();
}

/** A control that opens roots as far as the calls made need it; each root once. */
function readingControl(
  control: Control,
  roots: readonly OpenedRoot[],
  project: Project,
  ownerOf: (root: Root) => Owner | null,
): Control {
  const each = roots.map(({ root }, at) => ({ root, pipelines: project.roots[at]!.pipelines }));
  const opened = new Map<Depth, Promise<unknown>>();
  const openAll = (depth: Depth): Promise<unknown> =>
    Promise.all(
      each.map(({ root, pipelines }) =>
        depth === "disk"
          ? openToDisk(root, pipelines, project)
          : root.openDefinitions(enabled(pipelines), project.problems),
      ),
    );
  return lazyControl({
    control,
    open: async (depth) => {
      if (!opened.has(depth)) opened.set(depth, openAll(depth));
      await opened.get(depth);
    },
    saved: () =>
      each.map(({ root, pipelines }) => {
        const stages = enabled(pipelines).flatMap((pipeline) => pipeline.stages);
        const today = { root: root.ports.name, stages, controls: root.controls, problems: project.problems };
        return { ...savedStatus(root.ports.index.loadMeta()?.["status"], today), daemon: ownerOf(root) };
      }),
  });
}

function enabled(pipelines: readonly Pipeline[]): Pipeline[] {
  return pipelines.filter((pipeline) => pipeline.enabled);
}

/**
 * The first root with a living owner. Where a definition cannot be read, its root is not known; a daemon that runs the last
 * good one is then looked for in the folders of the project.
 */
function findDaemon(project: Project, projectFolder: AbsPath): { owner: Owner } | undefined {
  const known = project.roots.map(({ root }) => root);
  const isComplete = project.files.every((file) => file.newest);
  for (const root of isComplete ? known : new Set([...known, ...likelyRoots(projectFolder)])) {
    const owner = new FileOwnerLock(root, disk).current();
    if (owner) return { owner };
  }
  return undefined;
}

/** The folders directly in the project folder that Millrace keeps something in. */
function likelyRoots(projectFolder: AbsPath): AbsPath[] {
  const folders = (disk.list(projectFolder) ?? []).map((name) => join(projectFolder, name));
  return folders.filter((folder) => disk.lstat(join(folder, ".millrace"))?.kind === "folder");
}

/** Takes every root of the project or none; fails with M110 for the first that somebody holds. */
function claimRoots(project: Project, door: string): Result<OwnerLock[]> {
  const locks: OwnerLock[] = [];
  const owner: Owner = { pid: process.pid, host: hostname(), since: new Date().toISOString(), door };
  for (const { root } of project.roots) {
    const prepared = prepareRoot(root);
    const lock = new FileOwnerLock(root, disk);
    const acquired = prepared.ok ? lock.acquire(owner) : prepared;
    if (!acquired.ok) {
      for (const held of locks) held.release();
      return acquired;
    }
    locks.push(lock);
  }
  return ok(locks);
}

/** A root is made when the folder it lies in is there; a missing parent is more likely a disk that is not mounted. */
function prepareRoot(root: AbsPath): Result<void> {
  if (disk.stat(root) === undefined && disk.stat(join(root, "..")) === undefined)
    return fail(
      problem(
        "M113",
        `the state root "${root}" is not there, nor the folder it lies in`,
        `make it (mkdir -p "${root}"), mount its disk, or correct "stateRoot"`,
      ),
    );
  try {
    disk.makeFolders(join(root, ".millrace"));
    return ok(undefined);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return fail(
      problem(
        "M113",
        `the state root "${root}" cannot be used: ${message}`,
        "let the user that runs Millrace write there",
      ),
    );
  }
}

// ---------------------------------------------------------------- run

/** One shot: looks, works until quiet, and says what happened. Where a daemon owns the root, the daemon does it. */
export async function runOnce(options: {
  readonly projectFolder: AbsPath;
  readonly settleTimeoutMs: number;
  readonly wait: boolean;
  readonly onProgress: (progress: {
    readonly done: number;
    readonly total: number;
    readonly running: readonly string[];
  }) => void;
  /** Told what is wrong beside the attempts: a damaged manifest, a file that cannot be looked at. */
  readonly onProblem?: (problem: Problem) => void;
  readonly signal: AbortSignal;
}): Promise<Result<RunReport>> {
  const scanThread = startScanThreadEarly();
  await loadHasher();
  const { projectFolder, settleTimeoutMs, wait, signal } = options;
  const runner = createRunner();
  const project = await loadProject(projectSources(projectFolder, runner, disk));
  const daemon = findDaemon(project, projectFolder);
  if (daemon?.owner.door) {
    await runner.close();
    return (await callDoor(daemon.owner.door, "run", { settleTimeoutMs, wait })) as Result<RunReport>;
  }
  if (project.problems.some((p) => p.severity === "error")) {
    await runner.close();
    return fail(...project.problems);
  }
  const claimed = claimRoots(project, "");
  if (!claimed.ok) {
    await runner.close();
    return claimed;
  }
  const opened = await openForWork(project, { projectFolder, runner, scanThread, onProblem: options.onProblem });
  if (!opened.ok) return opened;
  const roots = opened.value.map(({ root }) => root);
  let done = 0;
  const clock = new SystemClock();
  let toldAt = -PROGRESS_MS;
  const tellProgress = (): void => {
    toldAt = clock.monoMs();
    const waiting = roots.reduce((sum, root) => sum + (root.journey.queue?.counts().due ?? 0), 0);
    const running = roots.flatMap((root) => root.journey.running());
    options.onProgress({ done, total: done + waiting + running.length, running: running.slice(0, 5) });
  };
  const report = await runRoots(roots, {
    settleTimeoutMs,
    wait,
    scan: false,
    signal,
    onEnding: () => {
      done++;
      if (clock.monoMs() - toldAt >= PROGRESS_MS) tellProgress();
    },
    start: async () => {
      for (const root of roots) await root.start();
    },
  });
  if (done > 0) tellProgress();
  for (const { root, release } of opened.value) {
    await root.stop(signal.aborted ? 0 : 5000);
    await release();
  }
  for (const lock of claimed.value) lock.release();
  await runner.close();
  return report;
}

async function openForWork(
  project: Project,
  options: Pick<OpenRootOptions, "projectFolder" | "runner" | "scanThread"> & {
    readonly onProblem: ((problem: Problem) => void) | undefined;
  },
): Promise<Result<OpenedRoot[]>> {
  const { onProblem = () => {}, ...shared } = options;
  const log = createPlainLog(writeError, onProblem);
  const opened: OpenedRoot[] = [];
  for (const { root, pipelines } of project.roots) {
    const one = openRoot({ ...shared, root, pipelines, log, mode: "run" });
    if (!one.ok) return one;
    await one.value.root.open(enabled(pipelines), project.problems);
    for (const found of one.value.root.stages.problems) onProblem(found);
    opened.push(one.value);
  }
  return ok(opened);
}

// ---------------------------------------------------------------- daemon

/** The daemon in the foreground: owns all roots of the project or none. Resolves when everything was looked at once. */
export async function startDaemon(options: {
  readonly projectFolder: AbsPath;
  readonly log: Log;
  readonly graceMs: number;
  readonly onReady: (line: string) => void;
}): Promise<Result<Daemon>> {
  await loadHasher();
  const { projectFolder, log } = options;
  const runner = createRunner();
  const sources = projectSources(projectFolder, runner, disk);
  // Only the daemon watches.
  const { createChangeSource } = await import("../adapters/watch/change-source.ts");
  const project = await loadProject(sources);
  if (project.pipelines.length === 0) {
    await runner.close();
    return fail(...project.problems);
  }
  for (const found of project.problems) log.problem(found);
  const door = doorName(projectFolder);
  const claimed = claimRoots(project, door.address);
  if (!claimed.ok) {
    await runner.close();
    return claimed;
  }
  const daemon = new Daemon({
    ...options,
    clock: new SystemClock(),
    openDoor: (handle) => openDoor(door.id, handle),
    edits: createChangeSource({ root: projectFolder, disk, clock: new SystemClock(), isIgnored: isNoCode }),
    project,
    sources,
    runner,
    locks: claimed.value,
    relativePath: (path) => relative(projectFolder, path),
    openRoot: ({ root, pipelines }) =>
      openRoot({
        root,
        projectFolder,
        pipelines,
        runner,
        log,
        mode: "daemon",
        watch: createChangeSource,
        instead: { onReconcile: () => daemon.reload() },
      }),
  });
  const started = await daemon.start();
  return started.ok ? ok(daemon) : started;
}

/** Editors' own files and installed packages are no edits of definitions or code. */
function isNoCode(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return name === "node_modules" || name.startsWith(".") || name.endsWith("~");
}

/** A door of its own for each start, so that a dead daemon's socket is in nobody's way. */
function doorName(projectFolder: AbsPath): { id: string; address: string } {
  const id = `${hashBytes(projectFolder)}-${randomBytes(4).toString("hex")}`;
  return { id, address: doorAddress(id) };
}

// ---------------------------------------------------------------- doctor

/** Examines the machine and the project. */
export async function examineProject({ projectFolder }: { readonly projectFolder: AbsPath }): Promise<DoctorReport> {
  return examine({
    projectFolder,
    nodeVersion: process.versions.node,
    disk,
    clock: new SystemClock(),
    random: new SystemRandom(),
    space: new NodeSpaceProbe(),
    validate: () => validateProject({ projectFolder }),
    ownerOf: (root) => new FileOwnerLock(root, disk).current(),
    answers: async (owner) => owner.door !== "" && (await callDoor(owner.door, "status", {})).ok,
  });
}
