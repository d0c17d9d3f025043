import type { RelPath } from "../../core/model/words.ts";
import type { Clock, RescanCause, Timer } from "../../ports.ts";
import { folderOf, type OnHint } from "./scope.ts";

/** When single hints stop being worth their name; times in milliseconds. */
export interface GateLimits {
  /** Events in `windowMs` that may have filled the kernel's queue; beyond, every busy folder is in a storm. */
  readonly eventsOfAll: number;
  /** Events of one folder in `quietMs`; beyond, it is in a storm. */
  readonly eventsOfFolder: number;
  /** A folder with so many events since it was quiet is looked through once when it is quiet again. */
  readonly eventsToRelist: number;
}

const TICK_MS = 100;
const QUIET_MS = 200;
const WINDOW_MS = 1_000;
/** chokidar's conclusions come this much later at most. */
const AFTER_STORM_MS = 2_000;

interface Activity {
  /** Since it was last quiet. */
  events: number;
  windowAt: number;
  eventsInWindow: number;
  lastAt: number;
  /** When the last storm hint went out; `undefined` when it is not in a storm. */
  stormHintAt: number | undefined;
  lostName: boolean;
  readonly hinted: Set<RelPath>;
}

/**
 * What stands between the engines and the reader of hints. In quiet, hints pass at once. In a storm, where events are lost in silence
 * (the kernel's queue is bounded, and an overflow is not reported), the folder gets one hint at once, one every second
 * while it goes on, and one when it has been quiet for 200 ms. A new folder gets a second hint 200 ms later: files may
 * have come before it was watched.
 */
export class HintGate {
  readonly #clock: Clock;
  readonly #limits: GateLimits;
  readonly #onHint: OnHint;
  readonly #active = new Map<RelPath, Activity>();
  readonly #again = new Map<RelPath, number>();
  /** Until when conclusions about a folder are about what its storm's last hint covered. */
  readonly #afterStorm = new Map<RelPath, number>();
  readonly #rescans: Partial<Record<RescanCause, number>>;
  #timer: Timer | undefined;
  #windowAt = 0;
  #eventsInWindow = 0;
  #totalEvents = 0;
  #isClosed = false;

  /** `rescans`: what is counted on, and told. */
  constructor(clock: Clock, limits: GateLimits, onHint: OnHint, rescans: Partial<Record<RescanCause, number>> = {}) {
    this.#rescans = rescans;
    this.#clock = clock;
    this.#limits = limits;
    this.#onHint = onHint;
  }

  get rescans(): Readonly<Partial<Record<RescanCause, number>>> {
    return { ...this.#rescans };
  }

  /** Events since the start. */
  get totalEvents(): number {
    return this.#totalEvents;
  }

  /** Counts an event of a folder; says whether hints of single paths in it are wanted. */
  arrived(folder: RelPath): boolean {
    const now = this.#clock.monoMs();
    const activity = this.#activityOf(folder, now);
    this.#totalEvents++;
    activity.events++;
    activity.lastAt = now;
    if (now - activity.windowAt > QUIET_MS) {
      activity.windowAt = now;
      activity.eventsInWindow = 0;
    }
    if (now - this.#windowAt > WINDOW_MS) {
      this.#windowAt = now;
      this.#eventsInWindow = 0;
    }
    const wasRisky = this.#eventsInWindow > this.#limits.eventsOfAll;
    const isRisky = ++this.#eventsInWindow > this.#limits.eventsOfAll;
    if (isRisky && !wasRisky) for (const [path, other] of this.#active) this.#storm(path, other, now);
    if (isRisky || ++activity.eventsInWindow > this.#limits.eventsOfFolder) this.#storm(folder, activity, now);
    return activity.stormHintAt === undefined;
  }

  path(path: RelPath): void {
    const activity = this.#activityOf(folderOf(path), this.#clock.monoMs());
    if (activity.stormHintAt !== undefined || this.#isClosed) return;
    activity.hinted.add(path);
    this.#onHint({ kind: "path", path });
  }

  repeatedPath(path: RelPath): void {
    const folder = folderOf(path);
    const now = this.#clock.monoMs();
    if (now < (this.#afterStorm.get(folder) ?? 0)) {
      this.#afterStorm.set(folder, now + AFTER_STORM_MS);
      return;
    }
    if (this.#active.get(folder)?.hinted.has(path) !== true) this.path(path);
  }

  newFolder(folder: RelPath): void {
    if (this.#active.get(folderOf(folder))?.stormHintAt !== undefined) return;
    this.#again.set(folder, this.#clock.monoMs() + QUIET_MS);
    this.#wake();
    this.folder(folder, "new-folder");
  }

  lostName(folder: RelPath): void {
    const activity = this.#activityOf(folder, this.#clock.monoMs());
    if (activity.lostName || activity.stormHintAt !== undefined) return;
    activity.lostName = true;
    this.folder(folder, "folder-event");
  }

  folder(path: RelPath, cause: RescanCause): void {
    if (this.#isClosed) return;
    this.#rescans[cause] = (this.#rescans[cause] ?? 0) + 1;
    this.#onHint({ kind: "folder", path, cause });
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#active.clear();
    this.#again.clear();
    this.#afterStorm.clear();
  }

  #activityOf(folder: RelPath, now: number): Activity {
    let activity = this.#active.get(folder);
    if (activity === undefined) {
      activity = {
        events: 0,
        windowAt: now,
        eventsInWindow: 0,
        lastAt: now,
        stormHintAt: undefined,
        lostName: false,
        hinted: new Set(),
      };
      this.#active.set(folder, activity);
      this.#wake();
    }
    return activity;
  }

  #storm(folder: RelPath, activity: Activity, now: number): void {
    if (activity.stormHintAt !== undefined) return;
    activity.stormHintAt = now;
    activity.hinted.clear();
    this.folder(folder, "storm");
  }

  #wake(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = this.#clock.after(TICK_MS, () => {
      this.#timer = undefined;
      this.#tick(this.#clock.monoMs());
      if (this.#active.size + this.#again.size + this.#afterStorm.size > 0) this.#wake();
    });
  }

  #tick(now: number): void {
    for (const [folder, dueAt] of this.#again) {
      if (now < dueAt) continue;
      this.#again.delete(folder);
      this.folder(folder, "new-folder");
    }
    for (const [folder, until] of this.#afterStorm) if (now >= until) this.#afterStorm.delete(folder);
    for (const [folder, activity] of this.#active) {
      if (now - activity.lastAt >= QUIET_MS) {
        this.#active.delete(folder);
        if (activity.stormHintAt !== undefined) {
          this.#afterStorm.set(folder, now + AFTER_STORM_MS);
          this.folder(folder, "storm");
        } else if (activity.lostName || activity.events >= this.#limits.eventsToRelist) {
          this.folder(folder, "folder-event");
        }
      } else if (activity.stormHintAt !== undefined && now - activity.stormHintAt >= WINDOW_MS) {
        activity.stormHintAt = now;
        this.folder(folder, "storm");
      }
    }
  }
}
