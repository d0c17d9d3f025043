import type { PlanReport, TaskReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { alignRows, type Cell } from "../table.ts";
import { attemptWords, countWords, evidenceWords, nameTasks } from "./task-lines.ts";

/** Tasks on one screen; `-v` and `--json` show all. */
const MOST_TASKS = 100;
/** Pieces of evidence per task; `-v` shows all. */
const MOST_EVIDENCE = 3;

/** `millrace plan`: what would run, in order, each with its reasons and its evidence. */
export function planScreen(report: PlanReport, screen: Screen): string[] {
  const total = report.tasks.length;
  if (total === 0) return [`nothing to do: ${countWords(report.counts)}`];
  const shown = screen.verbose ? report.tasks : report.tasks.slice(0, MOST_TASKS);
  const nameOf = nameTasks(report.tasks);
  const rows = shown.flatMap((task) => taskRows(task, nameOf(task), screen));
  const more = total - shown.length;
  return [
    `${total} ${total === 1 ? "task" : "tasks"} would run`,
    "",
    ...alignRows(rows, "  ", screen.width),
    ...(more > 0 ? [screen.style.dim(`  and ${more} more: millrace plan -v`)] : []),
  ];
}

/** What keeps a task that would run from running at once. */
function notNow({ status, failure, waitingFor }: TaskReport, nowMs: number): string[] {
  if (failure !== null) return [`${status}: ${attemptWords(failure, nowMs)}`];
  return status === "settling" ? waitingFor.map((what) => `${status}: ${what}`) : [];
}

function taskRows(task: TaskReport, name: string, screen: Screen): Cell[][] {
  const { style, verbose, nowMs } = screen;
  const told = task.evidence.filter((evidence) => evidence.subject !== task.path || evidence.before !== undefined);
  const shown = verbose ? told : told.slice(0, MOST_EVIDENCE);
  const lines = [
    ...notNow(task, nowMs),
    ...shown.map((evidence) => `${evidence.subject}  ${evidenceWords(evidence, verbose)}`.trimEnd()),
  ];
  if (told.length > shown.length) lines.push(`and ${told.length - shown.length} more`);
  const first: Cell[] = [
    { text: name, paint: style.bold },
    { text: task.reasons.join(" ") || task.status, paint: style.status(task.status) },
    { text: lines[0] ?? "", paint: style.dim },
  ];
  return [first, ...lines.slice(1).map((text): Cell[] => ["", "", { text, paint: style.dim }])];
}
