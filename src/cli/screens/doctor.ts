import type { DoctorCheck, DoctorReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";

/** `millrace doctor`: one line per check, with what to do under those that are not ok. */
export function doctorScreen(report: DoctorReport, { style }: Screen): string[] {
  const paint = { ok: style.good, warn: style.warn, fail: style.bad };
  const width = Math.max(...report.checks.map(({ check }) => check.length));
  const line = ({ result, check, finding, advice }: DoctorCheck): string[] => [
    `${paint[result](result.padEnd(4))}  ${check.padEnd(width)}  ${finding}`,
    ...(advice === null ? [] : [`${" ".repeat(width + 8)}${style.bold("do:")} ${advice}`]),
  ];
  const failed = report.checks.filter((check) => check.result === "fail").length;
  const warned = report.checks.filter((check) => check.result === "warn").length;
  const summary = failed + warned === 0 ? "all is well" : `${failed} failed, ${warned} to look at`;
  return [...report.checks.flatMap(line), "", summary];
}
