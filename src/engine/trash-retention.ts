import type { WallMs } from "../core/model/words.ts";
import type { Clock, Trash } from "../ports.ts";
import type { NamedTimers } from "./named-timers.ts";

/** How long the trash keeps what was moved aside, in days. */
export const TRASH_DAYS = 7 as const;
/** How often a root at work looks for what is older, in milliseconds. */
const SWEEP_MS = 3_600_000;
/** How soon it goes on when there was more than it removes at one time, in milliseconds. */
const SWEEP_ON_MS = 1000;
/** How many entries are removed at one time: others get their turn in between. */
const AT_ONCE = 200;

export interface RetentionPorts {
  readonly trash: Trash;
  readonly clock: Clock;
  readonly timers: NamedTimers;
  /** Whether things may be removed now: not while the root looks away. */
  readonly mayRemove: () => boolean;
  /** Acts; what the disk refuses is logged and tried again the next time. */
  readonly tryTo: (act: () => void) => void;
}

/** Removes what has been in the trash long enough, now and about every hour. */
export function keepTrashShort(ports: RetentionPorts): void {
  const { trash, clock, timers, mayRemove, tryTo } = ports;
  let isMore = false;
  if (mayRemove()) tryTo(() => (isMore = sweepTrash(trash, clock.wallMs())));
  timers.once("trash", isMore ? SWEEP_ON_MS : SWEEP_MS, () => keepTrashShort(ports));
}

/** Removes entries older than `TRASH_DAYS`, the oldest first; says whether older ones are left for the next time. Throws what the disk throws. */
export function sweepTrash(trash: Trash, nowMs: WallMs): boolean {
  const bound = nowMs - TRASH_DAYS * 86_400_000;
  const old = trash.entries().filter(({ at }) => Date.parse(at) < bound);
  for (const { name } of old.toReversed().slice(0, AT_ONCE)) trash.remove(name);
  return old.length > AT_ONCE;
}
