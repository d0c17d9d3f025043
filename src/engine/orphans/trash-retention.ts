import type { AbsPath, WallMs } from "../../core/model/words.ts";
import type { Clock, Disk, Trash } from "../../ports.ts";
import type { NamedTimers } from "../named-timers.ts";

/** How long the trash keeps what was moved aside, in days. */
const TRASH_DAYS = 7 as const;
const DAY_MS = 86_400_000;
/** How often a root at work looks for what is older, in milliseconds. */
const SWEEP_MS = 3_600_000;
/** How soon it goes on when there was more than it removes at one time, in milliseconds. */
const SWEEP_ON_MS = 1000;
/** How many entries are removed at one time: others get their turn in between. */
const AT_ONCE = 200;
/** How far the clock may have gone between two looks and still be believed, and how long it is doubted then, in milliseconds. */
const BELIEVED_STEP_MS = DAY_MS;

/**
 * `.millrace/clock.json`: how far the wall clock is believed when it says that something is old. Written with each look at a
 * trash that is not empty; a missing or damaged one counts as doubt.
 */
interface ClockDocument {
  readonly version: 1;
  /** When the last look was, by the wall clock then, ISO 8601. */
  readonly seenAt: string;
  /** Since when the clock is doubted, by itself; `null` when it is believed. */
  readonly doubtedAt: string | null;
}

export interface RetentionPorts {
  readonly trash: Trash;
  readonly clock: Clock;
  readonly timers: NamedTimers;
  readonly disk: Disk;
  readonly root: AbsPath;
  /** Whether things may be removed now: not while the root looks away. */
  readonly mayRemove: () => boolean;
  /** Acts; what the disk refuses is logged and tried again the next time. */
  readonly tryTo: (act: () => void) => void;
}

/**
 * Removes what has been in the trash long enough, now and about every hour.
 *
 * A clock that was set forward makes everything look old. So nothing is removed while the clock is doubted: when it has
 * gone more than a day since the last look, in this process or between two, it is believed again after a day in which it
 * was looked at and did not jump. What cannot be told apart is a clock that is wrong for longer than that day. Where more
 * than a day lies between any two runs, nothing goes by itself.
 */
export function keepTrashShort(ports: RetentionPorts): void {
  const { trash, clock, timers, mayRemove, tryTo } = ports;
  let isMore = false;
  const sweep = (): void => {
    if (trash.entries().length > 0 && believesClock(ports)) isMore = sweepTrash(trash, clock.wallMs());
  };
  if (mayRemove()) tryTo(sweep);
  timers.once("trash", isMore ? SWEEP_ON_MS : SWEEP_MS, () => keepTrashShort(ports));
}

/** Removes entries older than `TRASH_DAYS`, the oldest first; says whether older ones are left for the next time. Throws what the disk throws. */
export function sweepTrash(trash: Trash, nowMs: WallMs): boolean {
  const bound = nowMs - TRASH_DAYS * DAY_MS;
  const old = trash.entries().filter(({ at }) => Date.parse(at) < bound);
  for (const { name } of old.toReversed().slice(0, AT_ONCE)) trash.remove(name);
  return old.length > AT_ONCE;
}

// ---------------------------------------------------------------- is the clock believed?

/** Whether the clock may say what is old; remembers this look for the next one. */
function believesClock({ disk, root, clock }: RetentionPorts): boolean {
  const now = clock.wallMs();
  const doubtedAt = doubtedSince(readClock(disk, root), now);
  const document: ClockDocument = {
    version: 1,
    seenAt: isoOf(now),
    doubtedAt: doubtedAt === null ? null : isoOf(doubtedAt),
  };
  disk.write(clockFile(root), `${JSON.stringify(document)}\n`);
  return doubtedAt === null;
}

function doubtedSince(before: ClockDocument | undefined, now: WallMs): WallMs | null {
  if (before === undefined || now - Date.parse(before.seenAt) > BELIEVED_STEP_MS) return now;
  const doubtedAt = before.doubtedAt === null ? now : Date.parse(before.doubtedAt);
  // Set back before the doubt began: what was doubted is no more, and nothing looks older than it is.
  const isOver = before.doubtedAt === null || now < doubtedAt || now - doubtedAt >= BELIEVED_STEP_MS;
  return isOver ? null : doubtedAt;
}

function readClock(disk: Disk, root: AbsPath): ClockDocument | undefined {
  const bytes = disk.read(clockFile(root));
  try {
    const document = JSON.parse(new TextDecoder().decode(bytes)) as Partial<ClockDocument> | null;
    const { version, seenAt, doubtedAt } = document ?? {};
    const isWhole = version === 1 && isTime(seenAt) && (doubtedAt === null || isTime(doubtedAt));
    return isWhole ? (document as ClockDocument) : undefined;
  } catch {
    // Torn by a crash: as if it had never been seen, which keeps most.
    return undefined;
  }
}

function isTime(text: unknown): text is string {
  return typeof text === "string" && !Number.isNaN(Date.parse(text));
}

function clockFile(root: AbsPath): AbsPath {
  return `${root}/.millrace/clock.json`;
}

function isoOf(time: WallMs): string {
  return new Date(time).toISOString();
}
