/** Times and sizes as people write them in definitions. Pure text; no schema library. */

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** A time with its unit: `500ms`, `5s`, `1.5m`, `1h`, `2d`. */
export const DURATION_TEXT: RegExp = /^[0-9]{1,12}(\.[0-9]{1,6})?(ms|s|m|h|d)$/;
/** A size with its unit: `100B`, `1KB` (1024 bytes), `1.5MB`, `2GB`. */
export const SIZE_TEXT: RegExp = /^[0-9]{1,15}(\.[0-9]{1,6})?(B|KB|MB|GB)$/;

/** Milliseconds: numbers are seconds, text carries a unit. `NaN` for text that is no time. */
export function durationMs(value: number | string): number {
  if (typeof value === "number") return Math.round(value * 1e6) / 1000;
  return DURATION_TEXT.test(value) ? withUnit(value, DURATION_UNITS_MS) : NaN;
}

/** Whole bytes, rounded up: numbers are bytes, text carries a unit. `NaN` for text that is no size. */
export function sizeBytes(value: number | string): number {
  if (typeof value === "number") return value;
  return SIZE_TEXT.test(value) ? Math.ceil(withUnit(value, SIZE_UNITS)) : NaN;
}

function withUnit(text: string, units: Readonly<Record<string, number>>): number {
  const digits = /^[0-9.]+/.exec(text)?.[0] ?? "";
  return Number(digits) * (units[text.slice(digits.length)] ?? NaN);
}
