import { callDoor } from "../adapters/door/socket.ts";
import { createPlainLog } from "../adapters/observe/plain-log.ts";
import { SystemClock } from "../adapters/system/clock.ts";
import { NodeDisk } from "../adapters/system/disk.ts";
import { loadHasher } from "../core/hash/hash.ts";
import type { Problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import { claimRoots, enabled, findDaemon } from "./compose-claim.ts";
import {
  createRunner,
  type OpenedRoot,
  openRoot,
  type OpenRootOptions,
  projectSources,
  startScanThreadEarly,
} from "./compose-root.ts";
import { loadProject, type Project } from "./config.ts";
import type { RunReport } from "./control.ts";
import { runRoots } from "./run.ts";

/** How often the progress of a run is told, in milliseconds. */
const PROGRESS_MS = 50;

const disk: NodeDisk = new NodeDisk();

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
  const log = createPlainLog((line) => void process.stderr.write(line), onProblem);
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
