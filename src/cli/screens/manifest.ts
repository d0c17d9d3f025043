import type { FailureRecord, StateRecord } from "../../core/model/manifest.ts";
import type { ShowReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { alignRows, type Cell } from "../table.ts";
import { timeWords, tookWords } from "../time-words.ts";
import { errorLines, hashWords } from "./task-lines.ts";

/** `millrace show`: one entity's manifest, one block per state. */
export function manifestScreen(report: ShowReport, screen: Screen): string[] {
  const { style } = screen;
  const { manifest } = report;
  const entity = report.entity === "" ? "(the one entity of patterns without variables)" : report.entity;
  return [
    `${style.bold(entity)}  ${style.dim(report.root + report.file)}`,
    ...Object.entries(manifest.states).flatMap(([pattern, state]) => ["", ...stateLines(pattern, state, screen)]),
    ...Object.entries(manifest.failures).flatMap(([pattern, failure]) => [
      "",
      ...failureLines(pattern, failure, screen),
    ]),
  ];
}

function stateLines(pattern: string, state: StateRecord, { style, width, verbose }: Screen): string[] {
  const hash = state.contentHash === null ? "skipped: it chose to make nothing" : hashWords(state.contentHash, verbose);
  const rows: Cell[][] = [
    ["path", state.path, hash],
    ...(state.leftover === undefined ? [] : [["left", state.path, hashWords(state.leftover, verbose)]]),
    ...Object.entries(state.inputHashes).map(([path, input]): Cell[] => ["from", path, hashWords(input, verbose)]),
    ...Object.entries(state.envHashes ?? {}).map(([name, value]): Cell[] => ["env", name, hashWords(value, verbose)]),
    ...Object.entries(state.toolHashes ?? {}).map(([name, value]): Cell[] => ["tool", name, hashWords(value, verbose)]),
  ];
  const params = state.paramsHash === "" ? "" : `, params ${hashWords(state.paramsHash, verbose)}`;
  const code = hashWords(state.codeHash, verbose) + params;
  const took = tookWords(state.durationMs);
  return [
    style.name(pattern),
    ...alignRows(rows, "  ", width),
    `  code  ${code}`,
    `  made  ${timeWords(state.producedAt)} in ${took} by ${state.producedBy}, run ${state.runId}`,
  ];
}

function failureLines(pattern: string, failure: FailureRecord, screen: Screen): string[] {
  const next = failure.nextRetryAt === null ? "no retry by itself" : `next retry ${timeWords(failure.nextRetryAt)}`;
  const times = failure.attempts === 1 ? "once" : `${failure.attempts} times`;
  return [
    screen.style.bad(`${pattern} failed (${failure.category})`),
    `  ${times} since ${timeWords(failure.firstFailedAt)}, last ${timeWords(failure.lastFailedAt)}, ${next}`,
    ...errorLines(failure.error, "    ", { ...screen, verbose: true }),
  ];
}
