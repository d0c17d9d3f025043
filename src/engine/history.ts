import type { AttemptRow } from "../ports.ts";
import type { Attempted, Committed } from "./commit.ts";

/** An attempt's whole story: what ran, why, and how it ended. */
export interface Ending extends Attempted {
  readonly reasons: string;
  /** The place of its chain in the order of arrival. */
  readonly order: number;
  /** Wall time. */
  readonly startedAt: number;
  readonly result: Committed;
}

/** The ledger's row of an ending. */
export function rowOf(ending: Ending): AttemptRow {
  const { task, outcome, result, runId, request, reasons, startedAt } = ending;
  const failed = result.is === "failed" ? result : undefined;
  const made = result.is === "failed" || result.is === "dropped" ? null : result.hash;
  return {
    runId,
    taskKey: task.key,
    pipeline: task.stage.pipeline,
    stage: task.stage.id,
    entity: task.entity.id,
    path: task.path,
    attempt: request.attempt,
    result: outcome.kind === "interrupted" ? "interrupted" : result.is,
    reasons,
    startedAt,
    durationMs: Math.round(outcome.durationMs * 10) / 10,
    contentHash: made,
    error: failed?.error ?? null,
    category: failed?.category ?? null,
    log: outcome.log,
  };
}
