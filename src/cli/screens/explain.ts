import { ACCEPTED } from "../../core/model/manifest.ts";
import type { ExplainReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { alignRows, type Cell } from "../table.ts";
import { agoWords, timeWords } from "../time-words.ts";
import { attemptWords, changeWords, errorLines, evidenceWords, hashWords } from "./task-lines.ts";

/** `millrace explain`: a sentence, then the evidence, then what it was made from. */
export function explainScreen(report: ExplainReport, screen: Screen): string[] {
  const { style } = screen;
  return [
    style.bold(report.summary),
    ...evidencePart(report, screen),
    ...waitingPart(report),
    ...failurePart(report, screen),
    "",
    ...madeFrom(report, screen),
  ];
}

function evidencePart(report: ExplainReport, { style, width, verbose }: Screen): string[] {
  const rows = report.task.evidence.map((evidence): Cell[] => [
    { text: evidence.code, paint: style.warn },
    evidence.subject,
    evidenceWords(evidence, verbose),
  ]);
  return rows.length === 0 ? [] : ["", ...alignRows(rows, "  ", width)];
}

function waitingPart(report: ExplainReport): string[] {
  // The summary tells it already where it is short.
  const untold = report.task.waitingFor.filter((what) => !report.summary.includes(what));
  return untold.length === 0 ? [] : ["", ...untold.map((what) => `  ${what}`)];
}

function failurePart(report: ExplainReport, screen: Screen): string[] {
  const { failure } = report.task;
  if (failure === null) return [];
  const tries = attemptWords(failure, screen.nowMs);
  const head = `  failed (${failure.category})${tries === "" ? "" : `: ${tries}`}`;
  const whole = { ...screen, verbose: true };
  return [
    "",
    screen.style.bad(head),
    ...errorLines(failure.error, "    ", whole),
    ...(report.log === "" ? [] : ["  printed", ...errorLines(report.log, "    ", whole)]),
    // Never cut: it is to be copied.
    ...(report.byHand === null ? [] : ["  try it by hand", `    ${report.byHand}`]),
  ];
}

function madeFrom(report: ExplainReport, { style, width, verbose, nowMs }: Screen): string[] {
  const isMade = report.producedAt !== null;
  const compare = (recorded: string | null, now: string | null): Cell =>
    recorded === now || (recorded === null && !isMade)
      ? { text: hashWords(now, verbose), paint: style.dim }
      : { text: changeWords(recorded, now, verbose), paint: style.warn };
  const rows: Cell[][] = [
    ...report.inputs.map((input): Cell[] => [
      input.declared ? "input" : "read",
      input.path,
      compare(input.recorded, input.now),
    ]),
    ["code", "", compare(report.code.recorded, report.code.now)],
    ["output", report.output.path, compare(report.output.recorded, report.output.now)],
  ];
  const lines = alignRows(rows, "  ", width);
  if (!isMade || report.producedAt === null) return [...lines, "  never made"];
  const when = `${timeWords(report.producedAt)} (${agoWords(report.producedAt, nowMs)})`;
  if (report.runId === ACCEPTED) return [...lines, `  accepted ${when}`];
  const run = report.runId === null ? "" : ` by run ${report.runId}`;
  return [...lines, `  made ${when}${run}`];
}
