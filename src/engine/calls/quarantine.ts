import { basename } from "node:path/posix";
import { type Problem, problem } from "../../core/model/problem.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import { shellWord } from "../../core/plan/shell-line.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { FailureRecord } from "../../core/model/manifest.ts";
import type { QuarantinedTask, QuarantineReport } from "../control.ts";
import { requestOf } from "../request.ts";
import type { Root } from "../root.ts";
import { type Found, nameOf, type TaskFinder } from "./task-finder.ts";

/** Where a command that is tried by hand puts its result: never into the root. */
const TRY_FOLDER = "/tmp/millrace-try";

/** The tasks that are set aside after their last attempt, with all that is known of why. M143 for a task that is named and is none of them. */
export function quarantined(
  finder: TaskFinder,
  { targets = [], limit = 1000 }: { readonly targets?: readonly string[] | undefined; readonly limit?: number },
): Result<QuarantineReport> {
  const found = finder.find(targets, (status) => status === "quarantined");
  if (!found.ok) return found;
  if (found.value.length === 0 && targets.length > 0) return fail(notQuarantined(targets));
  const tasks = found.value.slice(0, limit).flatMap((one) => reportOf(one) ?? []);
  return ok({ version: 1, total: found.value.length, quarantined: tasks });
}

/** What was named is not set aside. */
export function notQuarantined(targets: readonly string[]): Problem {
  const message = `nothing of "${targets.join('", "')}" is quarantined`;
  return problem("M143", message, `see how it stands with millrace list ${targets.map(shellWord).join(" ")}`);
}

function reportOf({ root, task }: Found): QuarantinedTask | undefined {
  const failure = failureOf(root, task);
  if (!failure) return undefined;
  const { error, category, attempts, firstFailedAt, lastFailedAt, log = "", inputHashes } = failure;
  return {
    root: root.ports.name,
    pipeline: task.stage.pipeline,
    stage: task.stage.id,
    entity: task.entity.id,
    task: `${task.stage.id}@${task.entity.id}`,
    path: task.path,
    incident: root.incidents.of(task)?.id ?? "",
    error,
    category,
    attempts,
    firstFailedAt,
    lastFailedAt,
    log,
    inputs: Object.entries(inputHashes).map(([path, then]) => ({ path, then, now: hashNow(root, path) })),
    byHand: byHand(root, task),
  };
}

/** A task's failure as its manifest keeps it. */
export function failureOf(root: Root, task: Task): FailureRecord | undefined {
  const { failures } = root.book.get(task.entity.id);
  const pattern = task.stage.pattern.text;
  return Object.hasOwn(failures, pattern) ? failures[pattern] : undefined;
}

/**
 * One line for a shell that tries a task by hand: for a command the command itself with its environment, writing its result
 * outside the root; for every other node the command that runs it again.
 */
export function byHand(root: Root, task: Task): string {
  const { runner } = root.ports;
  const inForce = root.stages.of(task.stage);
  if (inForce?.work && runner.byHand) {
    const staged = `${TRY_FOLDER}/${basename(task.path) || "output"}`;
    const place = { attemptId: "by-hand", staged, root: root.ports.root, alone: true };
    const line = runner.byHand(requestOf(task, inForce.work, place, failureOf(root, task), root.facts));
    if (line !== undefined) return line;
  }
  return `millrace retry ${shellWord(nameOf(task))}`;
}

function hashNow(root: Root, path: string): string | null {
  const row = root.table.find(path);
  return (row === undefined ? undefined : root.table.lastHashOf(row)) ?? null;
}
