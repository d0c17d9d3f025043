import { parseTarget } from "../../core/plan/targets.ts";
import type { AttemptFilter, AttemptRow } from "../../ports.ts";
import type { HistoryReport, LogsReport } from "../control.ts";
import type { Root } from "../root.ts";

/** A row of a root's ledger. */
interface Past {
  readonly root: string;
  readonly row: AttemptRow;
}

/** The attempts that a target names (all without one), newest first, at most `limit`. */
export function pastAttempts(
  roots: readonly Root[],
  query: { readonly target: string | undefined; readonly limit: number; readonly filter: AttemptFilter },
): Past[] {
  const { limit, filter } = query;
  const target = query.target === undefined ? undefined : parseTarget(query.target);
  const rows: Past[] = [];
  for (const root of roots) {
    // What a ledger cannot tell by itself is told here, from more rows than are shown.
    const failed = target?.incident === undefined ? undefined : keysOf(root, target.incident);
    const isMeant = (row: AttemptRow): boolean =>
      failed ? failed.has(row.taskKey) : !target || namesOf(row).some(target.matches);
    const narrowed = { ...filter, ...narrow(root, query.target), limit: target ? limit * 20 : limit };
    for (const row of root.ports.ledger.attempts(narrowed)) if (isMeant(row)) rows.push({ root: root.ports.name, row });
  }
  return rows.toSorted((a, b) => b.row.startedAt - a.row.startedAt).slice(0, limit);
}

/** The tasks that fail as one incident now. */
function keysOf(root: Root, incident: string): ReadonlySet<string> {
  return new Set(root.incidents.tasksOf(incident).map((task) => task.key));
}

function namesOf({ path, pipeline, stage, entity, taskKey }: AttemptRow): string[] {
  return [path, pipeline, stage, `${pipeline}#${stage}`, `${stage}@${entity}`, taskKey, entity];
}

export function historyOf(past: readonly Past[]): HistoryReport {
  const attempts = past.map(({ root, row: { startedAt, log: _log, ...row } }) => ({
    ...row,
    root,
    startedAt: new Date(startedAt).toISOString(),
  }));
  return { version: 1, attempts };
}

/** What attempts printed, oldest first; those that said nothing are left out. */
export function logsOf(past: readonly Past[]): LogsReport {
  const entries = past
    .filter(({ row }) => row.log !== "" || row.error !== null)
    .map(({ row: { stage, entity, runId, attempt, result, startedAt, error, log } }) => ({
      task: `${stage}@${entity}`,
      runId,
      attempt,
      result,
      startedAt: new Date(startedAt).toISOString(),
      error,
      log,
    }));
  return { version: 1, entries: entries.toReversed() };
}

/** Parts of a target that the ledger can look up by itself. */
function narrow(root: Root, text: string | undefined): { entity?: string; stage?: string; pipeline?: string } {
  if (text === undefined || /[*?]/.test(text)) return {};
  const task = root.stages.topology.producerTask(text);
  if (task) return { entity: task.entity.id, stage: task.stage.id };
  const at = text.indexOf("@");
  if (at > 0) return { entity: text.slice(at + 1) };
  return {};
}
