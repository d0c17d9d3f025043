import type { CleanReport } from "../../engine/control.ts";
import type { Screen } from "../context.ts";
import { alignRows, type Cell } from "../table.ts";
import { sizeWords } from "./task-lines.ts";

/** `millrace clean`: what stages that are gone have made, and what of it is left alone. */
export function cleanScreen(report: CleanReport, { style, width }: Screen): string[] {
  const { dead, left, records, removed } = report;
  const lines: string[] = [];
  if (dead.length + records === 0) lines.push("nothing to clean: every product has its stage");
  if (dead.length > 0) {
    const many = `${dead.length} ${dead.length === 1 ? "product" : "products"} of stages that are gone`;
    lines.push(removed ? `${many}: moved to the trash` : `${many}:`);
    const rows = dead.map(({ path, bytes, stage }): Cell[] => [
      { text: path, paint: style.bold },
      { text: sizeWords(bytes), right: true },
      { text: stage, paint: style.name },
    ]);
    lines.push(...alignRows(rows, "  ", width));
  }
  if (records > 0)
    lines.push(`${records} ${records === 1 ? "record" : "records"} without a product${removed ? ": forgotten" : ""}`);
  if (left.length > 0) {
    lines.push("left alone:");
    const rows = left.map(({ path, why }): Cell[] => [
      { text: path, paint: style.bold },
      { text: why, paint: style.dim },
    ]);
    lines.push(...alignRows(rows, "  ", width));
  }
  if (!removed && dead.length + records > 0) lines.push(style.dim("move them to the trash with: millrace clean --yes"));
  return lines;
}
