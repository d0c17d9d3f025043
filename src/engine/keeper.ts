import type { AbsPath, EntityId, StageKey, TaskKey } from "../core/model/words.ts";
import type { StateTable } from "../core/plan/state-table.ts";
import type { Task } from "../core/plan/topology.ts";
import type { AttemptRow, Controls, ControlsStore, Disk, IndexStore, IntentStore, Ledger, Log } from "../ports.ts";
import { isDiskError } from "./disk-error.ts";
import { type Ending, rowOf } from "./history.ts";
import type { MachineTrouble } from "./health/machine-trouble.ts";
import type { ManifestBook } from "./manifest-book.ts";
import type { NamedTimers } from "./named-timers.ts";
import { loadSnapshot, saveSnapshot, type SnapshotMeta } from "./snapshot.ts";
import type { StagesInForce } from "./stages.ts";

/** How long a manifest may wait for the next stage of its entity, in milliseconds. */
const MANIFEST_DELAY_MS = 100;
/** How long a root must be quiet before its index is saved, in milliseconds. */
const SAVE_DELAY_MS = 2000;
/** How often the counters for `status` are saved while things change, in milliseconds. */
const STATUS_DELAY_MS = 1000;
/** How many ended attempts are kept for the ledger while it cannot be written. */
const HISTORY_KEPT = 10_000;
/** Of how many of them the printed text is kept; it may be 64 KiB each. */
const LOGS_KEPT = 200;
const LEDGER = "the ledger";

export interface KeeperSources {
  readonly root: AbsPath;
  readonly disk: Disk;
  readonly ledger: Ledger;
  readonly index: IndexStore;
  readonly controls: ControlsStore;
  readonly intents: IntentStore;
  readonly log: Log;
  /** Told of what the disk refuses: a full disk stops work, and is told once. */
  readonly trouble: MachineTrouble;
  readonly timers: NamedTimers;
  readonly table: StateTable;
  readonly book: () => ManifestBook;
  readonly stages: () => StagesInForce;
  readonly isQuiet: () => boolean;
  /** The report that `status` shows while no daemon runs. */
  readonly status: () => unknown;
  /** On which devices the folders of sources are. */
  readonly devices: () => Readonly<Record<string, number>>;
  readonly envHash: (name: string) => string;
  /** A root that is only looked at is not written to. */
  readonly writes: boolean;
}

/**
 * What of a root survives its process, beside outputs: manifests, history, controls and the index. What the disk refuses
 * now is kept and written later; a full disk must not end a daemon.
 */
export class Keeper {
  readonly #from: KeeperSources;
  #controls: Controls;
  readonly #envSeen: Record<string, string> = Object.create(null);
  /** Ended attempts that the ledger could not take yet. */
  #history: AttemptRow[] = [];
  #saved: SnapshotMeta | undefined;
  #isSaveFailed = false;
  #dirty = false;
  /** Folders in tmp that are to go. */
  readonly #leftovers = new Set<string>();
  /** What could not be written when it was last tried: told once, however long it lasts. */
  readonly #refused = new Set<string>();

  constructor(from: KeeperSources) {
    this.#from = from;
    this.#controls = from.controls.read();
  }

  // ------------------------------------------------------------ controls

  get controls(): Controls {
    return this.#controls;
  }

  /** Replaces the controls, on disk first. */
  setControls(controls: Controls): void {
    try {
      this.#from.controls.write(controls);
    } finally {
      this.#tidyUp();
    }
    this.#controls = controls;
  }

  /** Replaces the word on what is to be taken away; with `durable` on disk first, or it throws. */
  setRetractions(retractions: NonNullable<Controls["retractions"]>, durable: boolean): void {
    const { retractions: _before, ...rest } = this.#controls;
    const controls = Object.keys(retractions).length === 0 ? rest : { ...rest, retractions };
    if (durable) return this.setControls(controls);
    this.#controls = controls;
    this.#saveControlsLater();
  }

  /** The devices of source folders that an earlier process knew; `undefined` when there was no index. */
  get savedDevices(): Readonly<Record<string, number>> | undefined {
    return this.#saved && (this.#saved.devices ?? {});
  }

  /** A task is done: what forced it is used up. */
  unforce(key: TaskKey): void {
    if (!Object.hasOwn(this.#controls.forced, key)) return;
    const { [key]: _used, ...forced } = this.#controls.forced;
    this.#controls = { ...this.#controls, forced };
    this.#saveControlsLater();
  }

  /** A forced task has failed: the mark stays until it succeeds, but is not newer than the failure even where the clock was set back. */
  #forceNoMore({ key, entity, stage }: Task): void {
    const { forced } = this.#controls;
    const failedAt = this.#from.book().get(entity.id).failures[stage.pattern.text]?.lastFailedAt;
    if (failedAt === undefined || !Object.hasOwn(forced, key) || Date.parse(forced[key]!) <= Date.parse(failedAt))
      return;
    this.#controls = { ...this.#controls, forced: { ...forced, [key]: failedAt } };
    this.#saveControlsLater();
  }

  /** Until they are written a restart runs a forced task once more. */
  #saveControlsLater(): void {
    this.#from.timers.once("controls", STATUS_DELAY_MS, () => {
      if (!this.tryToWrite("the controls", () => this.#from.controls.write(this.#controls))) this.#saveControlsLater();
    });
  }

  /** The HMAC of a variable's value; which were asked for is remembered, so that a restart notices other values. */
  readonly envHash = (name: string): string => {
    const hash = this.#from.envHash(name);
    this.#envSeen[name] = hash;
    return hash;
  };

  // ------------------------------------------------------------ history and manifests

  /** Writes ended attempts to the ledger and to the log. */
  tell(endings: readonly Ending[]): void {
    const { log } = this.#from;
    for (const ending of endings) this.#history.push(rowOf(ending));
    // While the ledger refuses, only the timer tries it: not each ending again.
    if (this.#refused.has(LEDGER)) this.#trimHistory();
    else this.#saveHistory();
    for (const { task, runId, result, reasons } of endings) {
      const fields = { task: `${task.stage.id}@${task.entity.id}`, pipeline: task.stage.pipeline, runId };
      if (result.is === "failed") {
        this.#forceNoMore(task);
        const { error, category, retryAt } = result;
        log.warn({ ...fields, error, category, retryAt }, "attempt failed");
      } else log.debug({ ...fields, result: result.is, path: task.path, reasons }, "attempt ended");
    }
  }

  /** Writes attempts of a dead process to the ledger. */
  tellLate(rows: readonly AttemptRow[]): void {
    this.#history.push(...rows);
    this.#saveHistory();
  }

  #saveHistory(): void {
    if (this.#history.length === 0) return;
    const rows = this.#history;
    if (this.tryToWrite(LEDGER, () => this.#from.ledger.add(rows))) {
      this.#history = [];
      return;
    }
    this.#trimHistory();
    this.#from.timers.once("history", STATUS_DELAY_MS, () => this.#saveHistory());
  }

  /** What waits for the ledger stays small however long that takes: the newest rows, and what only the last of them printed. */
  #trimHistory(): void {
    const rows = this.#history;
    if (rows.length > HISTORY_KEPT) rows.splice(0, rows.length - HISTORY_KEPT);
    for (let i = rows.length - LOGS_KEPT - 1; i >= 0; i--) if (rows[i]!.log !== "") rows[i] = { ...rows[i]!, log: "" };
  }

  /** Writes one entity's manifest now; the intents keep what cannot be written yet. */
  flush(id: EntityId): void {
    if (!this.tryToWrite("a manifest", () => this.#from.book().flush(id))) this.#flushLater(STATUS_DELAY_MS);
  }

  flushAll(): void {
    if (!this.tryToWrite("a manifest", () => this.#from.book().flushAll())) this.#flushLater(STATUS_DELAY_MS);
  }

  #flushLater(delayMs: number): void {
    this.#from.timers.once("flush", delayMs, () => this.flushAll());
  }

  /** A batch is over: what is left of it in tmp goes. What the disk refuses is tried again. */
  removeBatch(batchId: string): void {
    this.#leftovers.add(batchId);
    this.#removeLeftovers();
  }

  /** Removes what dead processes left in tmp; what the disk refuses is tried again. */
  removeLeft(): void {
    const { intents, timers } = this.#from;
    const isSeen = this.tryToWrite("what is left in tmp", () =>
      intents.leftovers().forEach((name) => this.#leftovers.add(name)),
    );
    if (!isSeen) timers.once("left", STATUS_DELAY_MS, () => this.removeLeft());
    this.#removeLeftovers();
  }

  #removeLeftovers(): void {
    for (const batchId of this.#leftovers) {
      if (!this.tryToWrite("what an attempt left in tmp", () => this.#from.intents.remove(batchId))) break;
      this.#leftovers.delete(batchId);
    }
    if (this.#leftovers.size > 0) this.#from.timers.once("leftovers", STATUS_DELAY_MS, () => this.#removeLeftovers());
  }

  /** What refused writes left in tmp goes as soon as the disk lets it. */
  #tidyUp(): void {
    const isTidy = [this.#from.controls.tidy(), this.#from.book().tidy()].every(Boolean);
    if (!isTidy) this.#from.timers.once("tidy", STATUS_DELAY_MS, () => this.#tidyUp());
  }

  // ------------------------------------------------------------ the index

  /** Fills the table from the index; which stages' tasks must be judged again. */
  load(): ReadonlySet<StageKey> | "all" {
    const { index, table, stages } = this.#from;
    const today = { stamps: stages().stamps(), manifestsMtimeMs: this.#manifestsMtimeMs() };
    const loaded = loadSnapshot(index, table, stages().topology, today);
    if (!loaded) return new Set();
    this.#saved = loaded.meta;
    Object.assign(this.#envSeen, loaded.envSeen);
    const envChanged = Object.entries(loaded.envSeen).some(([name, hash]) => this.#from.envHash(name) !== hash);
    return envChanged ? "all" : loaded.changed;
  }

  /** Something changed: it is written after a while. */
  changed(): void {
    this.#dirty = true;
    const { timers, writes } = this.#from;
    if (!writes) return;
    if (this.#from.book().waiting > 0) this.#flushLater(MANIFEST_DELAY_MS);
    timers.once("status", STATUS_DELAY_MS, () => this.#saveStatus());
    timers.once("save", SAVE_DELAY_MS, () => this.#saveWhenQuiet());
  }

  #saveStatus(): void {
    this.#tidyUp();
    const meta = { ...(this.#saved ? { snapshot: this.#saved } : {}), status: this.#from.status() };
    this.tryToWrite("the status", () => this.#from.index.saveMeta(meta));
  }

  #saveWhenQuiet(): void {
    if (!this.#dirty) return;
    if (this.#from.isQuiet()) this.save();
    else this.#from.timers.once("save", SAVE_DELAY_MS, () => this.#saveWhenQuiet());
  }

  /** Saves the index: derived, but it makes the next start fast. `false` when the disk refuses now; then it is tried again. */
  save(): boolean {
    const { writes, index, table, stages, controls, status, timers } = this.#from;
    if (!writes) return false;
    this.#dirty = false;
    this.#saveHistory();
    const isSaved = this.tryToWrite("the index", () => {
      controls.write(this.#controls);
      this.#saved = saveSnapshot(index, table, stages().topology, {
        stamps: stages().stamps(),
        envSeen: this.#envSeen,
        manifestsMtimeMs: this.#manifestsMtimeMs(),
        devices: this.#from.devices(),
        status: status(),
        all: this.#isSaveFailed,
      });
    });
    this.#isSaveFailed = !isSaved;
    this.#dirty = !isSaved;
    if (!isSaved) timers.once("save", SAVE_DELAY_MS, () => this.#saveWhenQuiet());
    return isSaved;
  }

  #manifestsMtimeMs(): number {
    return this.#from.disk.stat(`${this.#from.root}/.millrace/manifests`)?.mtimeMs ?? 0;
  }

  close(): void {
    this.#from.ledger.close();
    this.#from.index.close();
  }

  /** Writes what can be written again later; `false` when the disk refuses now. */
  tryToWrite(what: string, write: () => void): boolean {
    try {
      write();
      this.#refused.delete(what);
      return true;
    } catch (error) {
      if (!isDiskError(error)) throw error;
      this.#tidyUp();
      const isTold = this.#from.trouble.confirms(error) || this.#refused.has(what);
      this.#refused.add(what);
      if (!isTold) this.#from.log.error({ error: error.message }, `${what} cannot be written now`);
      return false;
    }
  }
}
