const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time in one unit: `42 s`, `5 min`, `3 h`, `2 d`. Rounded up where it is still to come, down where it is past. */
export function spanWords(ms: number, round: (value: number) => number = Math.ceil): string {
  if (ms <= 90 * SECOND) return `${Math.max(0, round(ms / SECOND))} s`;
  if (ms <= 90 * MINUTE) return `${round(ms / MINUTE)} min`;
  if (ms <= 48 * HOUR) return `${round(ms / HOUR)} h`;
  return `${round(ms / DAY)} d`;
}

/** How long something took: `12 ms`, `1.5 s`, `2 min 5 s`. */
export function tookWords(ms: number): string {
  if (ms < SECOND - 0.5) return `${Math.round(ms)} ms`;
  if (ms < MINUTE - 50) return `${(ms / SECOND).toFixed(1)} s`;
  const seconds = Math.round(ms / SECOND);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** When something comes, seen from now: `in 42 s`, or `now` when it is due. */
export function inWords(iso: string, nowMs: number): string {
  const ms = Date.parse(iso) - nowMs;
  return ms > 0 ? `in ${spanWords(ms)}` : "now";
}

/** How long ago something was: `now` within two seconds, else `42 s ago`. */
export function agoWords(iso: string, nowMs: number): string {
  const ms = nowMs - Date.parse(iso);
  return ms < 2 * SECOND ? "now" : `${spanWords(ms, Math.floor)} ago`;
}

/** A time as people read it, to the second, in UTC: `2026-11-20 13:00:00Z`. */
export function timeWords(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}Z`;
}
