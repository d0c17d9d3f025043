/** The wiring of the library's work: a root opened for one call. Loaded by the calls that scan or run, and by no other. */
import { loadHasher } from "../core/hash/hash.ts";
import type { Pipeline } from "../core/model/pipeline.ts";
import type { Result } from "../core/model/result.ts";
import { ok } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { IndexStore, Log, NodeRunner } from "../ports.ts";
import type { LibraryPorts } from "./compose-library.ts";
import { createRunner, openRoot } from "./compose-root.ts";
import type { Root, RootPorts } from "./root.ts";

/** How long the workers stay for a next call, in milliseconds: a process that has no other work ends so much later. */
const IDLE_MS = 200;

/** The runner that all calls of this process share, with how many use it now. */
let shared: { readonly runner: NodeRunner; users: number; idle: NodeJS.Timeout | undefined } | undefined;

/** A runner for one call; the last one to leave closes it after a while. */
export function borrowRunner(): { readonly runner: NodeRunner; readonly release: () => void } {
  const mine = (shared ??= { runner: createRunner(), users: 0, idle: undefined });
  mine.users++;
  clearTimeout(mine.idle);
  return {
    runner: mine.runner,
    release: () => {
      if (--mine.users > 0) return;
      mine.idle = setTimeout(() => {
        shared = undefined;
        void mine.runner.close();
      }, IDLE_MS);
    },
  };
}

export interface LibraryRootOptions {
  readonly ports: LibraryPorts;
  readonly projectFolder: AbsPath;
  readonly pipeline: Pipeline;
  readonly runner: NodeRunner;
  /** The caller owns the root and work goes here; left out: the root is only looked at. */
  readonly makeQueue?: RootPorts["makeQueue"];
}

/** A root with one pipeline in force, not looked at yet. */
export async function openLibraryRoot(
  options: LibraryRootOptions,
): Promise<Result<{ readonly root: Root; close(): Promise<void> }>> {
  await loadHasher();
  const { ports, projectFolder, pipeline, runner, makeQueue } = options;
  const opened = openRoot({
    root: ports.root,
    projectFolder,
    pipelines: [pipeline],
    runner,
    log: logTo(ports),
    mode: makeQueue ? "run" : "look",
    instead: { clock: ports.clock, index: NO_INDEX, makeQueue, defaultSettleMs: 0, racyMs: 0 },
  });
  if (!opened.ok) return opened;
  const { root, release } = opened.value;
  await root.open([withoutSettling(pipeline)], []);
  const close = async (): Promise<void> => {
    root.finish();
    await release();
  };
  return ok({ root, close });
}

/** Who calls says by calling that the sources are complete; a daemon has to wait and see. */
function withoutSettling(pipeline: Pipeline): Pipeline {
  return {
    ...pipeline,
    stages: pipeline.stages.map((stage) => (stage.type === "source" ? { ...stage, settleMs: 0 } : stage)),
  };
}

// A call sees the files and manifests themselves; the daemon's index is the daemon's.
const NO_INDEX: IndexStore = {
  load: () => undefined,
  loadMeta: () => undefined,
  save: () => {},
  saveMeta: () => {},
  discard: () => {},
  close: () => {},
};

/** Problems go to the caller; what a daemon would log of attempts is in their results. */
function logTo({ onProblem }: LibraryPorts): Log {
  const quiet = (): void => {};
  return { debug: quiet, info: quiet, warn: quiet, error: quiet, problem: onProblem, flush: quiet };
}
