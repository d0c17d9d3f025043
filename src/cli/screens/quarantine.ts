import type { QuarantinedTask, QuarantineReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { alignRows, type Cell } from "../table.ts";
import { agoWords } from "../time-words.ts";
import { changeWords, errorLines, hashWords, nameTasks } from "./task-lines.ts";

/** `millrace quarantine`: one line per task that is set aside. */
export function quarantineScreen(report: QuarantineReport, screen: Screen): string[] {
  if (report.total === 0) return ["nothing is quarantined"];
  const { style, width, nowMs } = screen;
  const nameOf = nameTasks(report.quarantined);
  const rows = report.quarantined.map((task): Cell[] => [
    { text: nameOf(task), paint: style.bold },
    { text: `incident:${task.incident}`, paint: style.name },
    { text: agoWords(task.lastFailedAt, nowMs), paint: style.dim },
    task.error.split("\n")[0] ?? "",
  ]);
  const more = report.total - report.quarantined.length;
  return [
    ...alignRows(rows, "  ", width),
    ...(more > 0 ? [style.dim(`  and ${more} more: raise --limit`)] : []),
    style.dim("  all about one: millrace quarantine show <task>"),
  ];
}

/** `millrace quarantine show`: the error, what it printed, what it was made from, and how to try it by hand. */
export function quarantinedTaskScreen(report: QuarantineReport, screen: Screen): string[] {
  const nameOf = nameTasks(report.quarantined);
  return report.quarantined.flatMap((task, at) => [
    ...(at === 0 ? [] : [""]),
    ...taskLines(task, nameOf(task), screen),
  ]);
}

function taskLines(task: QuarantinedTask, name: string, screen: Screen): string[] {
  const { style, width, verbose, nowMs } = screen;
  const whole = { ...screen, verbose: true };
  const tries = task.attempts === 1 ? "its only attempt failed" : `all ${task.attempts} attempts failed`;
  const rows = task.inputs.map(({ path, then, now }): Cell[] => [
    "input",
    `${task.root}${path}`,
    then === now
      ? { text: hashWords(now, verbose), paint: style.dim }
      : { text: changeWords(then, now, verbose), paint: style.warn },
  ]);
  return [
    `${style.bold(name)} is quarantined: ${tries}, the last ${agoWords(task.lastFailedAt, nowMs)}`,
    style.bad(`  failed (${task.category})`),
    ...errorLines(task.error, "    ", whole),
    ...(task.log === "" ? [] : ["  printed", ...errorLines(task.log, "    ", whole)]),
    ...alignRows(rows, "  ", width),
    "  try it by hand",
    // Never cut: it is to be copied.
    `    ${task.byHand}`,
    "  when it is mended",
    `    millrace retry incident:${task.incident}`,
  ];
}
