import { callDoor } from "../adapters/door/socket.ts";
import { createPlainLog } from "../adapters/observe/plain-log.ts";
import { FileOwnerLock } from "../adapters/store/owner.ts";
import { NodeDisk } from "../adapters/system/disk.ts";
import { loadHasher } from "../core/hash/hash.ts";
import type { Pipeline } from "../core/model/pipeline.ts";
import type { Problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { NodeRunner, Owner } from "../ports.ts";
import { claimRoots, enabled, findDaemon } from "./compose-claim.ts";
import { createRunner, type OpenedRoot, openRoot, projectSources } from "./compose-root.ts";
import { loadProject, type Project } from "./config.ts";
import type { Control } from "./control.ts";
import { type Depth, lazyControl } from "./control-lazy.ts";
import { remoteControl } from "./control-remote.ts";
import { RootsControl } from "./control-roots.ts";
import type { Root } from "./root.ts";
import { savedStatus } from "./calls/status.ts";

/** A project opened for one command. */
export interface ProjectHandle {
  readonly control: Control;
  /** Problems of definitions, and warnings, for the person at the terminal. */
  readonly problems: readonly Problem[];
  close(): Promise<void>;
}

const disk: NodeDisk = new NodeDisk();

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
  const log = createPlainLog((line) => void process.stderr.write(line));
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
    {
      owner: ownerOf,
      ignored: (root) => roots.find((opened) => opened.root === root)!.ignored,
      defined: (root) => project.roots.find((of) => of.root === root.ports.root)?.pipelines ?? [],
    },
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
