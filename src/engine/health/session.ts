import { type Problem, problem } from "../../core/model/problem.ts";
import type { AbsPath, RelPath, WallMs } from "../../core/model/words.ts";
import type { StateTable } from "../../core/plan/state-table.ts";
import type { Clock, Disk, Machine, Timer, Trash } from "../../ports.ts";
import { isDiskError } from "../disk-error.ts";
import type { NamedTimers } from "../named-timers.ts";

/** How long a root must be quiet before everything is forced to the medium, in milliseconds. */
const QUIET_MS = 2000;
/** How often that is done at most while it is never quiet, in milliseconds. */
const BUSY_MS = 30_000;
/** How far the clock of a file's times may be from ours, in milliseconds. */
const MARGIN_MS = 60_000;
/** How long a stop waits for the medium, in milliseconds. */
const STOP_MS = 10_000;
/** How many times of earlier boots are remembered. */
const MOST_SPANS = 16;

/**
 * `.millrace/session.json`: who works on the root since when, and up to when everything is known to be on the medium.
 *
 * Written whole and forced to the medium when a daemon or a `run` starts. A start under another boot id than the one that
 * is written (or where one of them is not known) asks what a power cut may have taken: everything that changed since
 * `checkpointAt`, a minute more, is verified by its hash instead of its stat, and every task is judged by its manifest.
 *
 * A daemon forces everything to the medium when it has become quiet after work, at most every 30 s while it is busy, and
 * when it stops; then `checkpointAt` advances. A `run` does not pay for that: its window stays open, and what it wrote is
 * verified once after the next boot. Where the machine cannot force a file system to the medium, it never advances.
 *
 * Version 1. A missing, damaged or other document counts as one of an unknown boot without checkpoint: all is verified.
 */
export interface SessionDocument {
  readonly version: 1;
  /** Of the boot in which it was written; `null` where that is not known. */
  readonly bootId: string | null;
  /** When the last start was, ISO 8601. */
  readonly startedAt: string;
  /** Everything written before this moment is on the medium, ISO 8601; `null`: nothing is known to be. */
  readonly checkpointAt: string | null;
  /** It was stopped, not killed. */
  readonly clean: boolean;
  /** When it was stopped, ISO 8601; left out while it is not. */
  readonly endedAt?: string;
  /** What the last boot may have torn; left out when there was none since the root is worked on. */
  readonly unsure?: Unsure;
}

/**
 * The files that a boot may have torn or may have taken the records of: those that changed between two moments.
 *
 * What lies in a result's place and is not what its record says, or has none, is set aside in the trash and made again if it
 * changed in that time: nobody can tell a torn result from an edit or from somebody's own file then, and a start must not need
 * a person for it. What changed before or since is an edit or a foreign file as ever.
 */
export interface Unsure {
  /** The checkpoint before the boot, a minute less, ISO 8601; `null`: there was none. */
  readonly since: string | null;
  /** The start after the boot, or the clean end before it; ISO 8601. */
  readonly until: string;
  /** All of it has been looked at; until then a start does so again. */
  readonly verified: boolean;
  /**
   * The same times of boots before that one, oldest first, each verified or overtaken by a later boot: a task that is held or
   * blocked still has what they left in its result's place. At most 16; two of more are told as one. Left out when there is none.
   */
  readonly before?: readonly { readonly since: string | null; readonly until: string }[];
}

/** A time in which files may have been torn, in milliseconds. */
interface Span {
  readonly since: number;
  readonly until: number;
}

interface UnsureTimes extends Span {
  readonly verified: boolean;
  readonly before: readonly Span[];
}

export interface SessionSources {
  readonly root: AbsPath;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly machine: Machine;
  readonly timers: NamedTimers;
  readonly isQuiet: () => boolean;
  /** Folders that results are written to: some may be on other file systems. */
  readonly folders: () => readonly AbsPath[];
  /** A daemon: it forces its work to the medium now and then. */
  readonly checkpoints: boolean;
  /** Tries a write that may be tried again later; `false` when the disk refuses. */
  readonly tryToWrite: (what: string, write: () => void) => boolean;
}

/** One life of a root between its start and its stop, and what of the lives before it may not be on the medium. */
export class Session {
  readonly #from: SessionSources;
  #document: SessionDocument | undefined;
  #checkpointAt: WallMs | undefined;
  #lastSyncMs = -Infinity;
  #worked = false;
  #syncing: Promise<void> | undefined;
  #problem: Problem | undefined;
  #table: StateTable | undefined;
  #unsure: UnsureTimes | undefined;

  constructor(from: SessionSources) {
    this.#from = from;
  }

  /** The machine went down in the middle of work: told until what it may have lost has been looked at. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  /** Marks what a power cut may have changed behind the table; `true` when there was a boot since, and all has to be judged again. */
  open(table: StateTable): boolean {
    this.#table = table;
    const { disk, root, machine, clock } = this.#from;
    const before = readSession(disk, root);
    this.#checkpointAt = parseTime(before?.checkpointAt);
    const bootId = machine.bootId();
    const unsureBefore = readUnsure(before?.unsure);
    if (before && before.bootId !== null && before.bootId === bootId) {
      this.#unsure = unsureBefore;
      if (this.#unsure === undefined || this.#unsure.verified) return false;
      doubtChanged(table, this.#unsure.since);
      return true;
    }
    // A checkpoint in the future says that the clock was set back since: then it says nothing about files' times.
    const isUsable = this.#checkpointAt !== undefined && this.#checkpointAt <= clock.wallMs();
    const unseen = unsureBefore?.verified === false ? unsureBefore.since : Infinity;
    const since = Math.min(isUsable ? this.#checkpointAt! - MARGIN_MS : -Infinity, unseen);
    doubtChanged(table, since);
    const newest = newestIn(table);
    const endedAt = before?.clean ? (parseTime(before.endedAt) ?? -Infinity) : clock.wallMs();
    // Without a document nothing was written here that a power cut could have torn: it is forced to the medium first.
    const until = Math.ceil(Math.max(newest, endedAt));
    if (before || mayHaveSession(disk, root))
      this.#unsure = { since, until, verified: false, before: spansOf(unsureBefore) };
    if (before && !before.clean) this.#problem = wentDown(before, isUsable);
    return true;
  }

  /**
   * May a file with these times be torn, or its record lost? Until all has been looked at, every file may that changed since the
   * checkpoint: a machine without a clock of its own may believe for a while that it is earlier than before it went down.
   */
  mayBeTorn({ ctimeMs }: { readonly ctimeMs: WallMs }): boolean {
    if (this.#unsure === undefined) return false;
    if (this.#unsure.before.some(({ since, until }) => ctimeMs >= since && ctimeMs <= until)) return true;
    if (ctimeMs < this.#unsure.since) return false;
    return !this.#unsure.verified || ctimeMs <= this.#unsure.until || ctimeMs > this.#from.clock.wallMs();
  }

  /** Lies a manifest of this path in the trash? Then a power cut has damaged it: what it said is lost. */
  lostRecords(path: RelPath, trash: Pick<Trash, "entries">): boolean {
    return this.#unsure !== undefined && trash.entries().some((entry) => entry.path === path);
  }

  /**
   * Says on disk that work begins, before any is done. `saveTable` comes first and says whether it succeeded: once the document names
   * this boot, a table saved before it would be believed.
   */
  begin(saveTable: () => boolean): void {
    const { machine, clock } = this.#from;
    this.#watchVerification();
    const isSaved = this.#from.tryToWrite("the session", () => {
      if (!saveTable()) return;
      this.#write({
        version: 1,
        bootId: machine.bootId() ?? null,
        startedAt: new Date(clock.wallMs()).toISOString(),
        checkpointAt: isoOf(this.#checkpointAt),
        clean: false,
        ...(this.#unsure ? { unsure: writtenUnsure(this.#unsure) } : {}),
      });
    });
    if (!isSaved || this.#document === undefined)
      this.#from.timers.once("session", QUIET_MS, () => this.begin(saveTable));
  }

  /** The warning stands until what may have been lost has been looked at. */
  #watchVerification(): void {
    if (this.#unsure === undefined || this.#unsure.verified) return;
    this.#from.timers.once("verified", QUIET_MS, () => {
      if (!this.#from.isQuiet()) return this.#watchVerification();
      this.#problem = undefined;
      this.#isVerified();
    });
  }

  #isVerified(): void {
    if (this.#unsure === undefined || this.#unsure.verified || this.#document === undefined) return;
    // Of all that has been seen by now, nobody can tell what was there before.
    const until = Math.ceil(Math.max(this.#unsure.until, newestIn(this.#table!)));
    const unsure = { ...this.#unsure, until, verified: true };
    const document = { ...this.#document, unsure: writtenUnsure(unsure) };
    if (this.#from.tryToWrite("the session", () => this.#write(document))) this.#unsure = unsure;
  }

  /** Attempts have ended: what they wrote is to reach the medium some time. */
  worked(): void {
    this.#worked = true;
    if (!this.#from.checkpoints) return;
    this.#noticeClock();
    this.#arm();
  }

  #arm(): void {
    this.#from.timers.once("checkpoint", QUIET_MS, () => {
      const { clock, isQuiet } = this.#from;
      if (isQuiet() || clock.monoMs() - this.#lastSyncMs >= BUSY_MS)
        void this.checkpoint().catch((error: unknown) => clock.after(0, () => rethrow(error)));
      else this.#arm();
    });
  }

  /** A clock that was set back makes times that look older than the checkpoint. */
  #noticeClock(): void {
    const now = this.#from.clock.wallMs();
    if (this.#checkpointAt === undefined || this.#document === undefined || now >= this.#checkpointAt) return;
    this.#checkpointAt = now - MARGIN_MS;
    this.#from.tryToWrite("the session", () =>
      this.#write({ ...this.#document!, checkpointAt: isoOf(this.#checkpointAt) }),
    );
  }

  /** Forces everything to the medium, if anything was done, and remembers until when. */
  async checkpoint(): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => (this.#syncing = undefined));
    await this.#syncing;
  }

  async #sync(): Promise<void> {
    if (!this.#worked || this.#document === undefined) return;
    const { clock, machine } = this.#from;
    this.#worked = false;
    this.#lastSyncMs = clock.monoMs();
    const at = clock.wallMs();
    let folders: readonly AbsPath[] = [];
    if (!this.#from.tryToWrite("the session", () => (folders = this.#fileSystems()))) return;
    const forced = await Promise.all(folders.map((folder) => machine.syncAll(folder)));
    if (!forced.every(Boolean)) return;
    this.#checkpointAt = at;
    this.#from.tryToWrite("the session", () => this.#write({ ...this.#document!, checkpointAt: isoOf(at) }));
  }

  /** One folder on each file system that the root and its results are on. */
  #fileSystems(): AbsPath[] {
    const { disk, root, folders } = this.#from;
    const byDevice = new Map<number, AbsPath>();
    for (const folder of [root, ...folders()]) {
      const stat = disk.stat(folder);
      if (stat && !byDevice.has(stat.dev)) byDevice.set(stat.dev, folder);
    }
    return [...byDevice.values()];
  }

  /** Says on disk that it ended well; a daemon forces its work to the medium first, as long as that does not take too long. */
  async end(): Promise<void> {
    const { checkpoints, clock } = this.#from;
    if (this.#document === undefined) return;
    const endedAt = new Date(clock.wallMs()).toISOString();
    if (checkpoints) {
      let tooLate: Timer | undefined;
      const late = new Promise<void>((resolve) => (tooLate = clock.after(STOP_MS, resolve)));
      await Promise.race([this.checkpoint(), late]);
      tooLate?.cancel();
    }
    this.#from.tryToWrite("the session", () => this.#write({ ...this.#document!, clean: true, endedAt }));
  }

  #write(document: SessionDocument): void {
    const { disk, root } = this.#from;
    const path = sessionFile(root);
    disk.write(`${path}.new`, `${JSON.stringify(document)}\n`, { sync: true });
    disk.rename(`${path}.new`, path);
    disk.sync(`${root}/.millrace`);
    this.#document = document;
  }
}

/** The document of a root; `undefined` when there is none that can be used. */
export function readSession(disk: Disk, root: AbsPath): SessionDocument | undefined {
  const path = sessionFile(root);
  try {
    if (disk.lstat(path)?.kind !== "file") return undefined;
    const value = JSON.parse(new TextDecoder().decode(disk.read(path))) as Partial<SessionDocument> | null;
    if (typeof value !== "object" || value?.version !== 1) return undefined;
    return {
      version: 1,
      bootId: typeof value.bootId === "string" ? value.bootId : null,
      startedAt: typeof value.startedAt === "string" ? value.startedAt : "",
      checkpointAt: parseTime(value.checkpointAt) === undefined ? null : value.checkpointAt!,
      clean: value.clean === true,
      ...(parseTime(value.endedAt) === undefined ? {} : { endedAt: value.endedAt! }),
      ...(readUnsure(value.unsure) ? { unsure: value.unsure! } : {}),
    };
  } catch {
    // Unreadable or torn: as if there were none, which verifies most.
    return undefined;
  }
}

/** Is there a document, though it may be none that can be read? */
function mayHaveSession(disk: Disk, root: AbsPath): boolean {
  try {
    return disk.lstat(sessionFile(root)) !== undefined;
  } catch (error) {
    if (!isDiskError(error)) throw error;
    return true;
  }
}

function sessionFile(root: AbsPath): AbsPath {
  return `${root}/.millrace/session.json`;
}

/** Marks rows whose content may have changed since then without their stat telling; of a folder only its own times are known. */
function doubtChanged(table: StateTable, since: number): void {
  for (let row = 0; row < table.end; row++) {
    const path = table.pathOf(row);
    if (path === undefined) continue;
    const { mtimeMs, ctimeMs } = table.statOf(row);
    if (path.endsWith("/") || Math.max(mtimeMs, ctimeMs) >= since) table.doubt(row);
  }
}

function newestIn(table: StateTable): WallMs {
  let newest = -Infinity;
  for (let row = 0; row < table.end; row++)
    if (table.pathOf(row) !== undefined) newest = Math.max(newest, table.statOf(row).ctimeMs);
  return newest;
}

/** `undefined` when it is not what we write. */
function readUnsure(unsure: Partial<Record<keyof Unsure, unknown>> | undefined | null): UnsureTimes | undefined {
  const span = readSpan(unsure);
  if (span === undefined) return undefined;
  const before = Array.isArray(unsure!.before) ? unsure!.before.flatMap((each) => readSpan(each) ?? []) : [];
  return { ...span, verified: unsure!.verified === true, before };
}

function readSpan(span: { readonly since?: unknown; readonly until?: unknown } | undefined | null): Span | undefined {
  const until = parseTime(span?.until);
  return until === undefined ? undefined : { since: parseTime(span!.since) ?? -Infinity, until };
}

/** All times of boots so far, for one more boot. */
function spansOf(unsure: UnsureTimes | undefined): readonly Span[] {
  if (unsure === undefined) return [];
  const spans = [...unsure.before, { since: unsure.since, until: unsure.until }];
  const [first, second, ...others] = spans;
  if (spans.length <= MOST_SPANS) return spans;
  return [{ since: Math.min(first!.since, second!.since), until: Math.max(first!.until, second!.until) }, ...others];
}

function writtenUnsure({ since, until, verified, before }: UnsureTimes): Unsure {
  const earlier = before.length > 0 ? { before: before.map(writtenSpan) } : {};
  return { ...writtenSpan({ since, until }), verified, ...earlier };
}

function writtenSpan({ since, until }: Span): { since: string | null; until: string } {
  return {
    since: Number.isFinite(since) ? new Date(since).toISOString() : null,
    until: new Date(Math.max(0, until)).toISOString(),
  };
}

function wentDown({ startedAt, checkpointAt }: SessionDocument, isUsable: boolean): Problem {
  const what = isUsable ? `what was written since ${checkpointAt}` : "everything";
  return {
    ...problem(
      "M515",
      `the machine went down while the Millrace started at ${startedAt} was at work; ${what} is verified by its hash`,
      "nothing: what is lost or torn is made again",
    ),
    severity: "warning",
  };
}

function parseTime(text: unknown): WallMs | undefined {
  const time = typeof text === "string" ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

/** A fault of our own, thrown where nobody catches it. */
function rethrow(error: unknown): never {
  throw error;
}

function isoOf(time: WallMs | undefined): string | null {
  return time === undefined ? null : new Date(time).toISOString();
}
