import type { ErrorCategory } from "../../core/model/manifest.ts";
import type { Pipeline } from "../../core/model/pipeline.ts";
import { problem } from "../../core/model/problem.ts";
import type { ContentHash, EntityId, RelPath } from "../../core/model/words.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { Verdict } from "../../core/plan/verdict.ts";
import { type Ending, rowOf } from "../history.ts";
import { verdictOf } from "../calls/reports.ts";
import type { Root } from "../root.ts";
import { checkedPipeline, type PipelineLike } from "./definition.ts";
import { MillraceError, unwrap } from "./error.ts";
import { pathOf } from "./names.ts";
import { OneTaskQueue } from "./one-task-queue.ts";
import type { StateStore } from "./state-store.ts";

/** How an execution ended. */
export interface ExecutionResult {
  /** The result is there and right; for `skipped`, it is right that there is none. */
  readonly success: boolean;
  /**
   * `ran`: new bytes. `unchanged`: it ran, the same bytes. `restored`: it did not run, its result was in the trash. `skipped`: it ran and chose to make nothing. `fresh`: it did not
   * run, its result is right already. `failed`: an attempt failed. `not-ready`: it did not run; `error` says what it waits for.
   */
  readonly result: "ran" | "unchanged" | "restored" | "skipped" | "fresh" | "failed" | "not-ready";
  /** Relative to the root. */
  readonly outputPath: RelPath;
  /** Of the result; `null` when there is none. */
  readonly contentHash: ContentHash | null;
  readonly error: string | null;
  readonly category: ErrorCategory | null;
  /** When a failed task may be tried again, ISO 8601; `null` when it did not fail, or when no further try will come. */
  readonly nextRetryAt: string | null;
  /** 1 for the first try; 0 when it did not run. */
  readonly attempt: number;
  /** The attempt's id in the history; `null` when it did not run. */
  readonly runId: string | null;
  readonly durationMs: number;
  /** The end of what it printed and logged. */
  readonly log: string;
}

export interface ExecuteOptions {
  /** Runs the task though its result is fresh. */
  readonly force?: boolean;
}

/**
 * Runs one stage for one entity now: the same look, verdict, attempt, commit and history as a daemon's.
 *
 * A fresh result is left alone unless forced; a failed task runs though its backoff is not over. This process owns the root
 * meanwhile; calls may overlap. What can happen is in the result; throws `MillraceError` for a wrong definition, a stage or id
 * that is none of it (M206, M133), and while another process owns the root (M110).
 */
export async function executeStage(
  store: StateStore,
  entityId: EntityId,
  stage: string | { readonly id: string },
  pipeline: PipelineLike,
  options: ExecuteOptions = {},
): Promise<ExecutionResult> {
  const { borrowRunner, openLibraryRoot } = await import("../compose-library-root.ts");
  const { runner, release } = borrowRunner();
  try {
    const one = await checkedPipeline(pipeline, runner.nodeTypes);
    const stageId = typeof stage === "string" ? stage : stage.id;
    const stageKey = keyOf(one, stageId, entityId);
    store.init();
    const letGo = unwrap(store.ports.hold());
    try {
      const { ports, projectFolder } = store;
      const queues: OneTaskQueue[] = [];
      const makeQueue = (_limits: unknown, run: ConstructorParameters<typeof OneTaskQueue>[1]): OneTaskQueue => {
        const queue = new OneTaskQueue(`${stageKey}@${entityId}`, run);
        queues.push(queue);
        return queue;
      };
      const opened = unwrap(await openLibraryRoot({ ports, projectFolder, pipeline: one, runner, makeQueue }));
      try {
        const found = opened.root.stages.topology.stage(stageKey);
        const task =
          found && found.type !== "source" ? opened.root.stages.topology.taskOfEntity(found, entityId) : undefined;
        if (!task) throw notOf(stageId, one);
        return await runTask(opened.root, task, queues[0]!, options);
      } finally {
        await opened.close();
      }
    } finally {
      letGo();
    }
  } finally {
    release();
  }
}

function keyOf(pipeline: Pipeline, stageId: string, entityId: EntityId): string {
  const stage = pipeline.stages.find((one) => one.id === stageId);
  if (!stage || stage.type === "source") throw notOf(stageId, pipeline);
  pathOf(stage.pattern.text, entityId);
  return stage.key;
}

function notOf(stageId: string, pipeline: Pipeline): MillraceError {
  const ids = pipeline.stages.filter((one) => one.type !== "source").map((one) => `"${one.id}"`);
  const message = `"${stageId}" is no stage of "${pipeline.name}" that can be executed`;
  return new MillraceError([problem("M206", message, `name one of ${ids.join(", ")}`)]);
}

/** Lets the journey see the task and all it is made from, and waits for what comes of it. */
async function runTask(
  root: Root,
  task: Task,
  queue: OneTaskQueue,
  { force = false }: ExecuteOptions,
): Promise<ExecutionResult> {
  let last: Ending | undefined;
  root.endings.add((ending) => {
    if (ending.result.is === "dropped") return;
    last = ending;
    queue.markDone();
    // At once, so that nobody who changes this manifest next overwrites it or is overwritten.
    root.flushManifests();
  });
  const upstream = root.stages.topology.ancestorsOf(task).map(({ path }) => path);
  root.journey.hint([...upstream, ...task.inputs.map(({ path }) => path), task.path]);
  await settle(root, queue);
  if (!last) {
    const verdict = await verdictOf(root, task);
    const rightAlready = verdict.status === "fresh" || verdict.status === "skipped";
    const failedBefore = verdict.status === "failed" || verdict.status === "quarantined";
    if (rightAlready ? force : failedBefore && verdict.evidence.length > 0) {
      const now = new Date(root.ports.clock.wallMs()).toISOString();
      root.setControls({ ...root.controls, forced: { ...root.controls.forced, [task.key]: now } }, [task]);
      await settle(root, queue);
      // The mark is used up, however it ended.
      const { [task.key]: _mark, ...forced } = root.controls.forced;
      root.setControls({ ...root.controls, forced }, []);
    }
    if (!last) return rightAlready ? freshResult(root, task) : notReady(task, verdict, root);
  }
  return resultOf(last);
}

async function settle(root: Root, queue: OneTaskQueue): Promise<void> {
  do {
    await root.whenQuiet();
    await queue.onIdle();
  } while (!root.isQuiet);
}

const DID_NOT_RUN = {
  error: null,
  category: null,
  nextRetryAt: null,
  attempt: 0,
  runId: null,
  durationMs: 0,
  log: "",
} as const;

function freshResult(root: Root, task: Task): ExecutionResult {
  const record = root.book.get(task.entity.id).states[task.stage.pattern.text];
  return {
    success: true,
    result: "fresh",
    outputPath: task.path,
    contentHash: record?.contentHash ?? null,
    ...DID_NOT_RUN,
  };
}

function notReady(task: Task, verdict: Verdict, root: Root): ExecutionResult {
  const [fault] = root.problems;
  const error = verdict.status === "failed" && fault ? fault.message : whatItWaitsFor(task, verdict).join("; ");
  const category = verdict.status === "failed" ? "definition" : null;
  return {
    success: false,
    result: "not-ready",
    outputPath: task.path,
    contentHash: null,
    ...DID_NOT_RUN,
    error,
    category,
  };
}

function whatItWaitsFor(task: Task, { status, evidence, waitingFor }: Verdict): readonly string[] {
  if (status === "waiting")
    return evidence.flatMap(({ code, subject }) =>
      code === "upstream-stale" ? [`${subject} must be made first`] : [],
    );
  return waitingFor.length > 0 ? waitingFor : task.inputs.map(({ path }) => `${path} is not there`);
}

function resultOf(ending: Ending): ExecutionResult {
  const { task, result, request, runId, outcome } = ending;
  const row = rowOf(ending);
  const isDone = result.is !== "failed" && result.is !== "dropped";
  return {
    success: isDone,
    result: isDone ? result.is : "failed",
    outputPath: task.path,
    contentHash: row.contentHash,
    error: row.error,
    category: row.category,
    nextRetryAt: result.is === "failed" ? result.retryAt : null,
    attempt: request.attempt,
    runId,
    durationMs: row.durationMs,
    log: outcome.log,
  };
}
