import { cut, displayWidth } from "./safe-text.ts";
import type { Paint } from "./style.ts";

/** One cell: its text, and how it looks. */
export type Cell = string | { readonly text: string; readonly paint?: Paint; readonly right?: boolean };

/**
 * Rows as lines with aligned columns, two spaces between them, nothing after the last word of a line.
 * The last column is cut where a line would be longer than `width`.
 */
export function alignRows(rows: readonly (readonly Cell[])[], indent: string, width: number): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, displayWidth(textOf(cell)))));
  return rows.map((row) => {
    const filled = row.findLastIndex((cell) => textOf(cell) !== "") + 1;
    let left = width - indent.length;
    const cells = row.slice(0, filled).map((cell, at) => {
      const isLast = at === filled - 1;
      const text = isLast ? cut(textOf(cell), Math.max(8, left)) : textOf(cell);
      left -= (widths[at] ?? 0) + 2;
      return draw(cell, text, widths[at] ?? 0, isLast);
    });
    return indent + cells.join("  ");
  });
}

function draw(cell: Cell, text: string, width: number, isLast: boolean): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(text)));
  if (typeof cell === "string") return isLast ? text : text + space;
  const painted = cell.paint === undefined ? text : cell.paint(text);
  if (cell.right === true) return space + painted;
  return isLast ? painted : painted + space;
}

function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : cell.text;
}
