import type { ListReport, TaskReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { alignRows, type Cell } from "../table.ts";
import { attemptWords, nameTasks } from "./task-lines.ts";

/** `millrace list`: one line per task. */
export function listScreen(report: ListReport, screen: Screen): string[] {
  if (report.total === 0) return ["no tasks match"];
  const lines = taskTable(report.tasks, screen);
  const more = report.total - report.tasks.length;
  return more > 0 ? [...lines, screen.style.dim(`  and ${more} more: raise --limit`)] : lines;
}

/** Status, task, path and why, one line per task. */
export function taskTable(tasks: readonly TaskReport[], screen: Screen): string[] {
  const { style, width } = screen;
  const nameOf = nameTasks(tasks);
  const rows = tasks.map((task): Cell[] => [
    { text: task.status, paint: style.status(task.status) },
    { text: nameOf(task), paint: style.bold },
    task.path,
    { text: whyWords(task, screen.nowMs), paint: style.dim },
  ]);
  return alignRows(rows, "  ", width);
}

function whyWords(task: TaskReport, nowMs: number): string {
  if (task.failure !== null) {
    const error = task.failure.error.split("\n")[0] ?? "";
    const tries = attemptWords(task.failure, nowMs);
    return tries === "" ? error : `${tries}: ${error}`;
  }
  if (task.waitingFor.length > 0) return task.waitingFor.join(", ");
  return task.reasons.join(" ");
}
