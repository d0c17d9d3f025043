import type { Problem } from "../../core/model/problem.ts";
import type { Task } from "../../core/plan/topology.ts";
import { hasNoPath } from "../../core/plan/topology.ts";
import type { Status } from "../../core/model/words.ts";
import { reasonsOf, type Verdict } from "../../core/plan/verdict.ts";
import type { ExplainReport, TaskReport } from "../control.ts";
import { judgeTask } from "../facts.ts";
import { learnHash } from "../look.ts";
import { byHand, failureOf } from "./quarantine.ts";
import type { Root } from "../root.ts";

/** A task with its verdict now; hashes what the verdict depends on. */
export async function verdictOf(root: Root, task: Task): Promise<Verdict> {
  for (;;) {
    const judged = judgeTask(task, root.facts);
    if ("verdict" in judged) return judged.verdict;
    for (const path of judged.unknown) await learnHash(path, root.lookFrom);
  }
}

/** What a daemon is doing with a task right now; verdicts do not know it. */
const LIVE: ReadonlySet<Status> = new Set(["queued", "running"]);

export async function taskReport(root: Root, task: Task): Promise<TaskReport> {
  const verdict = await verdictOf(root, task);
  const row = root.table.find(task.path);
  const inTable = row === undefined ? undefined : root.table.statusOf(row);
  const live = inTable !== undefined && LIVE.has(inTable) ? inTable : undefined;
  const pattern = task.stage.pattern.text;
  const { failures } = root.book.get(task.entity.id);
  const failure = Object.hasOwn(failures, pattern) ? failures[pattern] : undefined;
  const failing = verdict.status === "retrying" || verdict.status === "quarantined" || verdict.status === "failed";
  return {
    root: root.ports.name,
    pipeline: task.stage.pipeline,
    stage: task.stage.id,
    entity: task.entity.id,
    task: `${task.stage.id}@${task.entity.id}`,
    path: hasNoPath(task.path) ? "" : task.path,
    status: live ?? (verdict.status === "none" ? "waiting" : verdict.status),
    reasons: reasonsOf(verdict),
    evidence: verdict.evidence,
    waitingFor: verdict.waitingFor,
    failure:
      failure && failing
        ? {
            error: failure.error,
            category: failure.category,
            attempts: failure.attempts,
            maxAttempts: task.stage.retryPolicy.maxAttempts,
            nextRetryAt: failure.nextRetryAt,
          }
        : null,
  };
}

export async function explainTask(root: Root, task: Task): Promise<ExplainReport> {
  const report = await taskReport(root, task);
  const pattern = task.stage.pattern.text;
  const { states } = root.book.get(task.entity.id);
  const record = Object.hasOwn(states, pattern) ? states[pattern] : undefined;
  const declared = new Set(task.inputs.map((input) => input.path));
  const paths = [...new Set([...declared, ...Object.keys(record?.inputHashes ?? {})])];
  const inputs = [];
  for (const path of paths) {
    const recorded = record && Object.hasOwn(record.inputHashes, path) ? record.inputHashes[path]! : null;
    inputs.push({ path, declared: declared.has(path), recorded, now: await hashNow(root, path) });
  }
  return {
    version: 1,
    task: report,
    summary: summaryOf(report) + pausedWords(root, report),
    inputs,
    output: {
      path: report.path,
      recorded: record?.contentHash ?? null,
      now: report.path === "" ? null : await hashNow(root, task.path),
    },
    log: report.failure === null ? "" : (failureOf(root, task)?.log ?? ""),
    byHand: report.failure === null || report.path === "" ? null : byHand(root, task),
    code: { recorded: record?.codeHash ?? null, now: root.stages.of(task.stage).code?.codeHash ?? null },
    producedAt: record?.producedAt ?? null,
    runId: record?.runId ?? null,
  };
}

async function hashNow(root: Root, path: string): Promise<string | null> {
  const row = root.table.find(path);
  if (row === undefined || !root.table.isPresent(row)) return null;
  if (root.table.hashOf(row) === undefined) await learnHash(path, root.lookFrom);
  return root.table.hashOf(row) ?? null;
}

const REASON_WORDS: Readonly<Record<string, string>> = {
  "output-missing": "its output is missing",
  "output-modified": "its output was changed by someone else",
  "input-changed": "an input changed",
  "input-added": "an input was added",
  "input-removed": "an input is gone",
  "code-changed": "its code changed",
  "params-changed": "its params changed",
  "env-changed": "an environment variable changed",
  "tool-changed": "a tool changed",
  "upstream-stale": "what it is made from is not done",
  forced: "it was invalidated",
  "foreign-file": "there is a file in its output's place that Millrace did not write",
  "ambiguous-name": "its name does not lead back to the entity",
};

/** Statuses of work that would start if work were started. */
const WOULD_START: ReadonlySet<Status> = new Set(["missing", "stale", "queued", "waiting", "retrying"]);

function pausedWords(root: Root, { status }: TaskReport): string {
  const paused = WOULD_START.has(status) ? root.pauses.current : null;
  return paused === null ? "" : `; but ${paused.message}`;
}

/** Why nothing can be said about the tasks of a root: it is not there. `undefined` when it is. */
export function awayProblem(root: Root): Problem | undefined {
  const { current } = root.pauses;
  return current?.code === "M512" ? current : undefined;
}

/** One sentence for people. */
export function summaryOf(report: TaskReport): string {
  const why = report.reasons.map((reason) => REASON_WORDS[reason] ?? reason).join(", and ");
  const { task, status, failure, waitingFor } = report;
  switch (status) {
    case "fresh":
      return `${task} is fresh: its inputs, its code and its output are as they were when it was made`;
    case "skipped":
      return `${task} is skipped: it ran and chose to make nothing of its input`;
    case "missing":
    case "stale":
      return `${task} is ${status}: ${why}; it runs next`;
    case "queued":
    case "running":
      return `${task} is ${status}${why ? `: ${why}` : ""}`;
    case "settling":
      return `${task} is settling: ${waitingFor.join("; ") || "its input is still being written"}`;
    case "waiting":
      return `${task} is waiting: ${waitingFor.join("; ") || why}`;
    case "blocked":
      return `${task} is blocked: ${waitingFor.join("; ")}`;
    case "retrying":
      return `${task} is retrying: attempt ${failure?.attempts ?? 0} of ${failure?.maxAttempts ?? 0} failed; the next is due ${failure?.nextRetryAt ?? "now"}`;
    case "quarantined":
      return `${task} is quarantined: ${triesWords(failure?.attempts ?? 0)} failed; "retry" or any change of its inputs or code frees it`;
    case "failed":
      return `${task} failed and will not be tried again by itself: ${failure?.error ?? (waitingFor.join("; ") || why)}`;
    case "orphaned":
      return `${task} is orphaned: ${waitingFor.join("; ")}`;
    case "held":
      return `${task} is held: ${[why, ...waitingFor].filter((words) => words !== "").join("; ")}`;
  }
}

function triesWords(attempts: number): string {
  return attempts === 1 ? "its only attempt" : `all ${attempts} attempts`;
}
