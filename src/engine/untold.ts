import type { AttemptRow, Intent, IntentRecord, Ledger, StateReader } from "../ports.ts";

/**
 * Attempts whose results a dead process put in place and did not live to write into the history: the ledger comes last in a
 * commit. Why they ran and what they printed died with it, so `reasons` and `log` are empty.
 */
export function untoldAttempts(intents: readonly Intent[], ledger: Ledger, reader: StateReader): AttemptRow[] {
  return intents.flatMap(({ records }) =>
    records.flatMap((intent) => {
      if (intent.attempt === undefined || !isInPlace(intent, reader)) return [];
      const { entityId: entity, record } = intent;
      if (ledger.attempts({ entity, runId: record!.runId, limit: 1 }).length > 0) return [];
      return [rowOf(intent, intent.attempt)];
    }),
  );
}

function isInPlace({ path, record }: IntentRecord, reader: StateReader): boolean {
  if (record === null || record.contentHash === null) return false;
  const there = reader.hashNow(path);
  return there.is === "hashed" && there.hash === record.contentHash;
}

function rowOf({ taskKey, entityId, path, record }: IntentRecord, attempt: number): AttemptRow {
  const [pipeline = "", stage = ""] = taskKey.slice(0, taskKey.indexOf("@")).split("#");
  const { runId, durationMs, producedAt, contentHash } = record!;
  return {
    runId,
    taskKey,
    pipeline,
    stage,
    entity: entityId,
    path,
    attempt,
    result: "ran",
    reasons: "",
    startedAt: Date.parse(producedAt) - durationMs,
    durationMs,
    contentHash,
    error: null,
    category: null,
    log: "",
  };
}
