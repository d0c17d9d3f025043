import type { EntityId, Evidence, ReasonCode, RelPath, StageKey } from "../../core/model/words.ts";
import type { Task } from "../../core/plan/topology.ts";
import { reasonsOf, type Verdict } from "../../core/plan/verdict.ts";
import { remainingMs } from "../../core/resilience/retry.ts";
import { verdictOf } from "../calls/reports.ts";
import type { Root } from "../root.ts";
import { checkedPipeline, type PipelineLike } from "./definition.ts";
import { unwrap } from "./error.ts";
import { type ReasonWord, reasonWord } from "./reason-word.ts";
import type { StateStore } from "./state-store.ts";

/** One task that may run now. */
export interface WorkItem {
  readonly entityId: EntityId;
  readonly stageId: string;
  readonly stagePattern: string;
  /** `pipeline#stage`. */
  readonly stageKey: StageKey;
  /** Where its result will be, relative to the root. */
  readonly outputPath: RelPath;
  /** The first of the reasons why it must run, written as `output_missing`. */
  readonly reason: ReasonWord;
  /** All of them. */
  readonly reasons: readonly ReasonCode[];
  readonly evidence: readonly Evidence[];
  /** Whether it has failed since its last success. */
  readonly failedBefore: boolean;
}

/**
 * Every task of the pipeline that may run now, by priority, then entity id, then the order of the stages.
 *
 * Looks at all files of the pipeline's patterns and writes nothing. What waits for an earlier stage, is held, is backing off
 * or is fresh is not in the list, so scanning after each execution walks an entity through its stages. Files count as
 * complete: `settle` is for daemons. Throws `MillraceError` for a wrong definition.
 */
export async function scanForWork(store: StateStore, pipeline: PipelineLike): Promise<WorkItem[]> {
  const { borrowRunner, openLibraryRoot } = await import("../compose-library-root.ts");
  const { runner, release } = borrowRunner();
  try {
    const { ports, projectFolder } = store;
    const one = await checkedPipeline(pipeline, runner.nodeTypes);
    if (!one.enabled) return [];
    const opened = unwrap(await openLibraryRoot({ ports, projectFolder, pipeline: one, runner }));
    try {
      await opened.root.look();
      for (const found of opened.root.problems) ports.onProblem(found);
      return await findWork(opened.root);
    } finally {
      await opened.close();
    }
  } finally {
    release();
  }
}

async function findWork(root: Root): Promise<WorkItem[]> {
  const found: { readonly task: Task; readonly verdict: Verdict }[] = [];
  for (const task of unfinishedTasks(root)) {
    const verdict = await verdictOf(root, task);
    if (verdict.due && !isBackingOff(root, task, verdict)) found.push({ task, verdict });
  }
  const order = new Map(root.stages.topology.stages.map((stage, i) => [stage.key, i]));
  found.sort(
    ({ task: a }, { task: b }) =>
      b.stage.priority - a.stage.priority ||
      (a.entity.id < b.entity.id ? -1 : a.entity.id > b.entity.id ? 1 : 0) ||
      order.get(a.stage.key)! - order.get(b.stage.key)!,
  );
  return found.map(({ task, verdict }) => workItem(root, task, verdict));
}

function unfinishedTasks(root: Root): Task[] {
  const { table, stages } = root;
  const tasks: Task[] = [];
  for (let row = 0; row < table.end; row++) {
    const path = table.pathOf(row);
    const status = table.statusOf(row);
    if (path === undefined || (status !== "missing" && status !== "stale" && status !== "retrying")) continue;
    const task = stages.topology.producerTask(path);
    if (task) tasks.push(task);
  }
  return tasks;
}

function isBackingOff(root: Root, task: Task, { retryAt }: Verdict): boolean {
  if (retryAt === undefined) return false;
  const failure = root.book.get(task.entity.id).failures[task.stage.pattern.text];
  return remainingMs(retryAt, failure?.delayMs ?? 0, root.ports.clock.wallMs()) > 0;
}

function workItem(root: Root, task: Task, verdict: Verdict): WorkItem {
  const reasons = reasonsOf(verdict);
  return {
    entityId: task.entity.id,
    stageId: task.stage.id,
    stagePattern: task.stage.pattern.text,
    stageKey: task.stage.key,
    outputPath: task.path,
    reason: reasonWord(reasons[0]!),
    reasons,
    evidence: verdict.evidence,
    failedBefore: Object.hasOwn(root.book.get(task.entity.id).failures, task.stage.pattern.text),
  };
}
