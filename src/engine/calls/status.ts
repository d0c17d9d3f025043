import type { Stage } from "../../core/model/pipeline.ts";
import type { Problem } from "../../core/model/problem.ts";
import type { Status } from "../../core/model/words.ts";
import { STATUSES } from "../../core/model/words.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { Controls } from "../../ports.ts";
import type { RootReport, StageReport, StatusCounts, TroubleReport } from "../control.ts";
import { judgeTask } from "../facts.ts";
import type { Root } from "../root.ts";

/** How many troubled tasks a report names. */
const TROUBLE_SHOWN = 20;
const TROUBLE: ReadonlySet<Status> = new Set(["retrying", "failed", "quarantined", "blocked"]);

/** The status of a root as its table has it: counters, not a look at the disk. */
export function statusOfRoot(root: Root): Omit<RootReport, "daemon"> {
  const { tasks, total } = troubledTasks(root);
  const trouble = tasks.map((task) => troubleOf(root, task));
  const { name } = root.ports;
  return {
    root: name,
    asOf:
      root.lastLookAt === undefined
        ? null
        : new Date(root.ports.makeQueue ? root.ports.clock.wallMs() : root.lastLookAt).toISOString(),
    watcher: root.watchHealth,
    scanIntervalSeconds: Math.round(root.scanIntervalMs / 100) / 10,
    stages: root.stages.topology.stages.map((stage) => stageReport(root, stage)),
    trouble,
    troubleTotal: total,
    incidents: root.incidents.reports(),
    nextRetryAt: root.incidents.nextRetryAt,
    problems: root.problems,
    paused: root.pauses.current,
    frozen: root.retractions.report(),
  };
}

type SavedReport = Omit<RootReport, "daemon">;

/**
 * The status as it was last saved with the index, for the definitions of today: stages that are new have no counters yet.
 *
 * @param saved the document's `status`: derived, so what is not there counts as nothing known
 */
export function savedStatus(
  saved: unknown,
  today: {
    readonly root: string;
    readonly stages: readonly Stage[];
    readonly controls: Controls;
    readonly problems: readonly Problem[];
  },
): SavedReport {
  const known = saved as SavedReport | undefined;
  const counted = new Map(known?.stages.map((report) => [`${report.pipeline}#${report.stage}`, report.counts]));
  return {
    root: today.root,
    asOf: known?.asOf ?? null,
    // Who watched then is not there now.
    watcher: null,
    scanIntervalSeconds: known?.scanIntervalSeconds ?? 0,
    stages: today.stages.map((stage) => reportOf(stage, counted.get(stage.key) ?? {}, today.controls)),
    trouble: known?.trouble ?? [],
    troubleTotal: known?.troubleTotal ?? 0,
    incidents: known?.incidents ?? [],
    nextRetryAt: known?.nextRetryAt ?? null,
    problems: today.problems,
    // Whoever looks next finds out for himself.
    paused: null,
    frozen: known?.frozen ?? null,
  };
}

function stageReport(root: Root, stage: Stage): StageReport {
  return reportOf(stage, countsOf(root, stage), root.controls);
}

function reportOf(stage: Stage, counts: StatusCounts, { held }: Controls): StageReport {
  return {
    pipeline: stage.pipeline,
    stage: stage.id,
    type: stage.type,
    pattern: stage.pattern.text,
    counts,
    held: Object.hasOwn(held, stage.key),
  };
}

function countsOf(root: Root, stage: Stage): StatusCounts {
  const counts: Partial<Record<Status, number>> = {};
  for (const [number, role] of root.stages.topology.roles().entries()) {
    const own = stage.type === "source" ? role.sources.includes(stage) : role.producer === stage;
    if (!own) continue;
    for (const status of STATUSES) {
      const count = root.table.count(number, status);
      // To a source stage, what another pipeline has yet to make is not there.
      if (count === 0 || (stage.type === "source" && role.producer && status !== "fresh" && status !== "orphaned"))
        continue;
      counts[status] = (counts[status] ?? 0) + count;
    }
  }
  return counts;
}

/** The statuses of every task of a root, added up. */
export function taskCounts(root: Root): StatusCounts {
  const counts: Partial<Record<Status, number>> = {};
  for (const [number, role] of root.stages.topology.roles().entries()) {
    if (!role.producer) continue;
    for (const status of STATUSES) {
      const count = root.table.count(number, status);
      if (count > 0) counts[status] = (counts[status] ?? 0) + count;
    }
  }
  return counts;
}

/** Tasks that failed or are blocked, and how many there are: blocked ones last, since their cause is listed before them. */
export function troubledTasks(root: Root): { readonly tasks: readonly Task[]; readonly total: number } {
  const counts = taskCounts(root);
  const total = [...TROUBLE].reduce((sum, status) => sum + (counts[status] ?? 0), 0);
  return { tasks: total === 0 ? [] : root.incidents.troubled(TROUBLE_SHOWN), total };
}

export function troubleOf(root: Root, task: Task): TroubleReport {
  const row = root.table.find(task.path);
  const status = (row === undefined ? undefined : root.table.statusOf(row)) ?? "failed";
  const pattern = task.stage.pattern.text;
  const { failures } = root.book.get(task.entity.id);
  const failure = status !== "blocked" && Object.hasOwn(failures, pattern) ? failures[pattern] : undefined;
  return {
    task: `${task.stage.id}@${task.entity.id}`,
    incident: root.incidents.of(task)?.id ?? null,
    pipeline: task.stage.pipeline,
    status,
    error: failure?.error ?? task.ambiguous ?? standingError(root, task, status),
    attempts: failure?.attempts ?? 0,
    maxAttempts: task.stage.retryPolicy.maxAttempts,
    nextRetryAt: status === "retrying" ? (failure?.nextRetryAt ?? null) : null,
  };
}

function standingError(root: Root, task: Task, status: Status): string {
  if (status === "blocked") return blockedBy(root, task);
  const [problem] = root.book.refusal(task.entity.id) ?? root.stages.problems;
  return problem?.message ?? "the node cannot run as it is written";
}

function blockedBy(root: Root, task: Task): string {
  const judged = judgeTask(task, root.facts);
  if ("verdict" in judged && judged.verdict.waitingFor.length > 0) return judged.verdict.waitingFor.join("; ");
  return `an input failed: ${task.inputs.map((input) => input.path).join(", ")}`;
}

/** Counts of several roots together. */
export function addUp(all: readonly StatusCounts[]): StatusCounts {
  const sum: Partial<Record<Status, number>> = {};
  for (const counts of all)
    for (const [status, count] of Object.entries(counts)) sum[status as Status] = (sum[status as Status] ?? 0) + count;
  return sum;
}
