/**
 * The wiring: these files alone join adapters with the engine. Each function is what one kind of command needs.
 */
import { randomBytes } from "node:crypto";
import { join, relative } from "node:path";
import { callDoor, doorAddress, openDoor } from "../adapters/door/socket.ts";
import { FileOwnerLock } from "../adapters/store/owner.ts";
import { SystemClock } from "../adapters/system/clock.ts";
import { NodeDisk } from "../adapters/system/disk.ts";
import { SystemRandom } from "../adapters/system/random.ts";
import { NodeSpaceProbe } from "../adapters/system/space.ts";
import { hashBytes, loadHasher } from "../core/hash/hash.ts";
import type { Pipeline } from "../core/model/pipeline.ts";
import type { Problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Log, NodeRunner } from "../ports.ts";
import { claimRoots, refuseSecondDaemon } from "./compose-claim.ts";
import { createRunner, openRoot, projectSources } from "./compose-root.ts";
import { loadProject, type Project, type ProjectSources } from "./config.ts";
import type { DoctorReport } from "./control.ts";
import { Daemon } from "./daemon.ts";
import { examine } from "./doctor.ts";

export { openProject } from "./compose-open.ts";
export { runOnce } from "./compose-run.ts";
export { verifyProject } from "./compose-verify.ts";

const disk: NodeDisk = new NodeDisk();

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
  const alone = refuseSecondDaemon(project, projectFolder);
  const claimed = alone.ok ? claimRoots(project, door.address) : alone;
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
