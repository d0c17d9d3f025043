import { STATUSES } from "../../core/model/words.ts";
import type { RootReport, StatusReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { displayWidth } from "../safe-text.ts";
import { alignRows, type Cell } from "../table.ts";
import { agoWords, inWords, spanWords } from "../time-words.ts";
import { countWords, frozenLines } from "./task-lines.ts";
import { troublePart } from "./trouble.ts";

/** `millrace status`: one block per root. */
export function statusScreen(report: StatusReport, screen: Screen): string[] {
  if (report.roots.length === 0) return ["no pipelines here (start a project with: millrace init)"];
  return report.roots.flatMap((root, at) => [...(at === 0 ? [] : [""]), ...rootLines(root, screen)]);
}

function rootLines(root: RootReport, screen: Screen): string[] {
  const frozen = frozenLines(root.frozen, screen);
  return [
    ...frozen,
    ...(frozen.length > 0 ? [""] : []),
    ...headLines(root, screen),
    "",
    ...stageLines(root, screen),
    "",
    ...(root.troubleTotal === 0 ? [screen.style.dim("  nothing needs attention")] : troublePart(root, screen)),
  ];
}

function headLines(root: RootReport, screen: Screen): string[] {
  const { style, nowMs } = screen;
  const age =
    root.asOf === null ? "never looked (look with: millrace status --scan)" : `as of ${agoWords(root.asOf, nowMs)}`;
  // Whoever holds the root looks all the time.
  const isLive = root.daemon !== null && root.asOf !== null;
  const head = `${style.bold(root.root)}  ${ownerWords(root, screen)}${isLive ? "" : `, ${age}`}`;
  const second: string[] = [];
  if (root.watcher !== null) {
    // The watcher has a line of its own.
    second.push(`scan every ${spanWords(root.scanIntervalSeconds * 1000)}`);
  }
  if (root.nextRetryAt !== null) second.push(`next retry ${inWords(root.nextRetryAt, nowMs)}`);
  const indent = " ".repeat(displayWidth(root.root) + 2);
  const lines = [head];
  if (root.watcher !== null) lines.push(indent + watcherWords(root.watcher, screen));
  if (second.length > 0) lines.push(indent + second.join("; "));
  const rescans = Object.entries(root.watcher?.rescans ?? {}).filter(([, times]) => times > 0);
  if (rescans.length > 0)
    lines.push(`${indent}rescans: ${rescans.map(([cause, times]) => `${times} ${cause}`).join(", ")}`);
  if (root.paused !== null)
    lines.push(style.bad(`paused ${root.paused.code}  ${root.paused.message}`), `  do: ${root.paused.hint}`);
  return lines;
}

/** How it watches, and when that was last proved. */
function watcherWords(watcher: NonNullable<RootReport["watcher"]>, { style, nowMs }: Screen): string {
  const { mode, reason, watchedFolders, canary } = watcher;
  const parts = [`watcher ${mode}`, `${watchedFolders} ${watchedFolders === 1 ? "folder" : "folders"}`];
  if (canary !== null) {
    const when = canary.at === null ? "none yet" : agoWords(canary.at, nowMs);
    parts.push(canary.ok ? `canary ${when}` : `canary lost (last ${when})`);
  }
  const words = parts.join(", ");
  return mode === "live" ? words : style.warn(`${words}: ${reason}`);
}

function ownerWords(root: RootReport, { style, nowMs }: Screen): string {
  if (root.daemon === null) return style.dim("no daemon");
  const up = spanWords(nowMs - Date.parse(root.daemon.since), Math.floor);
  const kind = root.daemon.door === "" ? "run" : "daemon";
  return style.good(`${kind} pid ${root.daemon.pid} on ${root.daemon.host}, up ${up}`);
}

/** A column per status that occurs; where they do not fit the screen, counts as words. */
function stageLines(root: RootReport, screen: Screen): string[] {
  const { style } = screen;
  const statuses = STATUSES.filter((status) => root.stages.some((stage) => (stage.counts[status] ?? 0) > 0));
  const names = root.stages.map((stage) => `${stage.pipeline}#${stage.stage}${stage.held ? " (held)" : ""}`);
  const head: Cell[] = ["stage", ...statuses.map((text) => ({ text, right: true, paint: style.status(text) }))];
  const rows = root.stages.map((stage, at): Cell[] => [
    { text: names[at] ?? "", paint: style.name },
    ...statuses.map((status): Cell => {
      const count = stage.counts[status] ?? 0;
      return count === 0 ? { text: "-", right: true, paint: style.dim } : { text: `${count}`, right: true };
    }),
  ]);
  const lines = alignRows([head, ...rows], "  ", Infinity);
  const longest = Math.max(
    ...alignRows([head.map(plain), ...rows.map((row) => row.map(plain))], "  ", Infinity).map(displayWidth),
  );
  if (longest <= screen.width) return lines;
  return alignRows(
    root.stages.map((stage, at) => [{ text: names[at] ?? "", paint: style.name }, countWords(stage.counts)]),
    "  ",
    screen.width,
  );
}

function plain(cell: Cell): Cell {
  return typeof cell === "string" ? cell : { text: cell.text, right: cell.right ?? false };
}
