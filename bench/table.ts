/** The rows a bench run ends with. */

/** One figure. Without a target it is printed for information. */
export interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: "s" | "ms" | "x" | "MB" | "KB" | "per s" | "files";
  /** `most`: the value may be at most so much; `least`: at least. */
  readonly target?: { readonly most: number } | { readonly least: number };
  readonly note?: string;
}

/** The median of some figures. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which this share of the figures lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function printTable(rows: readonly Row[]): void {
  console.log("| what | value | target | | note |\n|---|---|---|---|---|");
  for (const row of rows) {
    const { what, value, unit, target, note = "" } = row;
    const wanted =
      target === undefined ? "" : "most" in target ? `<= ${target.most} ${unit}` : `>= ${target.least} ${unit}`;
    console.log(`| ${what} | ${figure(value)} ${unit} | ${wanted} | ${verdict(row)} | ${note} |`);
  }
}

function verdict({ value, target }: Row): string {
  if (target === undefined) return "";
  return ("most" in target ? value <= target.most : value >= target.least) ? "pass" : "**short**";
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}
