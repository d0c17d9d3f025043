import { dirname } from "node:path/posix";
import { type Problem, problem } from "../../core/model/problem.ts";
import type { AbsPath, MonoMs, TaskKey } from "../../core/model/words.ts";
import { type Trouble, troubleIn } from "../../core/model/refusal.ts";
import type { AttemptOutcome, Clock, Disk, Machine, OpenFile, Room, ShortOf } from "../../ports.ts";
import { isDiskError } from "../disk-error.ts";
import type { NamedTimers } from "../named-timers.ts";
import type { Pauses } from "./pause.ts";

const MB = 1024 * 1024;
/** The reserve is never more than this. */
const MOST_RESERVE_BYTES = 100 * MB;
/** On a smaller file system none is kept: 1 % of it would be less than a few results. */
const LEAST_TOTAL_BYTES = 100 * MB;
/** How often the room is looked at while things change, in milliseconds. */
const CHECK_MS = 1000;
/** How long a pause lasts before it is tried whether work can go on, in milliseconds; it doubles when it could not for long. */
const FIRST_TRY_MS = 1000;
const LAST_TRY_MS = 15_000;
/** A trouble that comes back so soon after it was over goes on with its longer waits, in milliseconds. */
const SAME_TROUBLE_MS = 5000;
/** How often a result may find no room although there was some right after; then it is simply too large, and fails. */
const MOST_SPARED = 3;
const PROBE_BYTES = 65_536;
/** How long after the disk has refused to remove the probe that is tried again, in milliseconds. */
const PROBE_GOES_MS = 5000;
/** How many files must be openable at once before work goes on. */
const PROBE_FILES = 8;

export interface TroubleSources {
  readonly root: AbsPath;
  /** As definitions name it, for messages. */
  readonly name: string;
  readonly disk: Disk;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly timers: NamedTimers;
  readonly pauses: Pauses;
}

/** Would this error be the machine's? */
export function isMachineTrouble(error: unknown): error is Error {
  return isDiskError(error) && troubleIn(`${String(error.code)} ${error.message}`) !== undefined;
}

/** How much of a file system Millrace leaves free: the smaller of 1 % and 100 MB, and nothing below 100 MB. In bytes. */
export function reserveOf({ totalBytes }: Room): number {
  return totalBytes < LEAST_TOTAL_BYTES ? 0 : Math.min(totalBytes / 100, MOST_RESERVE_BYTES);
}

/**
 * Tells what is the machine's trouble from what is a task's: a disk that is full or read-only, too many open files. Then
 * work is paused, nothing counts as failed for it, and it goes on by itself as soon as a small write succeeds.
 */
export class MachineTrouble {
  readonly #from: TroubleSources;
  readonly #waits = new Map<Trouble, { delayMs: number; overAt: MonoMs }>();
  /** Tasks whose results found no room though there was some, by how often; they are few, and leave when they succeed or fail. */
  readonly #spared = new Map<TaskKey, number>();
  /** A folder on the file system that was full last. */
  #fullAt: AbsPath;
  #checkedAt: MonoMs = -Infinity;

  constructor(from: TroubleSources) {
    this.#from = from;
    this.#fullAt = from.root;
  }

  /** Is this error the machine's? Then work is paused, and whoever met it tries again later. */
  takes(error: unknown): boolean {
    if (!isDiskError(error)) return false;
    const trouble = troubleIn(`${String(error.code)} ${error.message}`);
    if (trouble === undefined) return false;
    const path = (error as NodeJS.ErrnoException).path;
    if (trouble === "space") this.#fullAt = this.#folderOf(path);
    this.#begin(trouble);
    return true;
  }

  /** The system ran short while something was read. */
  meets(code: ShortOf): void {
    const trouble = troubleIn(code);
    if (trouble !== undefined) this.#begin(trouble);
  }

  /** The same, but only where a look shows the trouble still there: for what is written beside the work, such as history. */
  confirms(error: unknown): boolean {
    const isTrouble = isDiskError(error) && troubleIn(`${String(error.code)} ${error.message}`) !== undefined;
    return isTrouble && this.#troubleNow() !== undefined && this.takes(error);
  }

  /** The outcome, `interrupted` instead of `failed` where the machine was at fault: it costs no attempt and no backoff. */
  spare(task: TaskKey, outcome: AttemptOutcome): AttemptOutcome {
    const trouble = outcome.kind === "failed" ? troubleIn(outcome.error) : undefined;
    if (outcome.kind !== "failed" || trouble === undefined) {
      this.#spared.delete(task);
      return outcome;
    }
    // A node's own words may be about another machine.
    const isOurs = outcome.category === "resource" || outcome.category === "output";
    const isNow = this.#troubleNow() !== undefined;
    if (!isOurs && !isNow) return outcome;
    const spared = isNow ? 0 : (this.#spared.get(task) ?? 0) + 1;
    if (spared > MOST_SPARED) {
      this.#spared.delete(task);
      return outcome;
    }
    this.#spared.set(task, spared);
    this.#begin(trouble);
    const { attemptId, reads, envReads, durationMs, log } = outcome;
    return { kind: "interrupted", attemptId, reads, envReads, durationMs, log };
  }

  /** Results were put in place: the next trouble is a new one, with short waits. */
  worked(): void {
    if (this.#waits.size > 0 && this.#from.pauses.current === null) this.#waits.clear();
  }

  /** Looks at the room, at most once a second; below the reserve no new work starts. */
  check(): void {
    const now = this.#from.clock.monoMs();
    if (now - this.#checkedAt < CHECK_MS) {
      this.#from.timers.once("room", CHECK_MS, () => this.check());
      return;
    }
    this.#checkedAt = now;
    if (!this.#from.pauses.has("space") && this.#isBelowReserve(this.#from.root)) {
      this.#fullAt = this.#from.root;
      this.#begin("space");
    }
  }

  // ------------------------------------------------------------ pausing and going on

  #begin(trouble: Trouble): void {
    const { pauses, clock } = this.#from;
    const before = this.#waits.get(trouble);
    const isSame = before !== undefined && clock.monoMs() - before.overAt < SAME_TROUBLE_MS;
    if (!pauses.has(trouble))
      this.#waits.set(trouble, { delayMs: isSame ? longer(before.delayMs) : FIRST_TRY_MS, overAt: Infinity });
    pauses.set(trouble, this.#problemOf(trouble));
    this.#tryLater(trouble);
  }

  #tryLater(trouble: Trouble): void {
    const { delayMs } = this.#waits.get(trouble)!;
    this.#from.timers.once(`trouble ${trouble}`, delayMs, () => this.#tryAgain(trouble));
  }

  #tryAgain(trouble: Trouble): void {
    const wait = this.#waits.get(trouble)!;
    const now = this.#troubleNow();
    if (now === undefined || (now !== trouble && this.#from.pauses.has(now))) {
      wait.overAt = this.#from.clock.monoMs();
      this.#from.pauses.clear(trouble);
      return;
    }
    wait.delayMs = longer(wait.delayMs);
    if (now === trouble) this.#from.pauses.set(trouble, this.#problemOf(trouble));
    else this.#begin(now);
    this.#tryLater(trouble);
  }

  /** Tries out whether work can be done; what is in its way, if anything. */
  #troubleNow(): Trouble | undefined {
    const { disk, root } = this.#from;
    const probe = `${root}/.millrace/tmp/.probe`;
    const open: OpenFile[] = [];
    try {
      for (let i = 0; i < PROBE_FILES; i++) {
        const file = disk.open(`${root}/.millrace`);
        if (file) open.push(file);
      }
      disk.write(probe, new Uint8Array(PROBE_BYTES), { sync: true });
    } catch (error) {
      // Anything else, such as a root that is gone, is told where it is met.
      return isDiskError(error) ? troubleIn(`${String(error.code)} ${error.message}`) : rethrow(error);
    } finally {
      for (const file of open) file.close();
      this.#removeProbe(probe);
    }
    return this.#isBelowReserve(root) || this.#isBelowReserve(this.#fullAt) ? "space" : undefined;
  }

  #removeProbe(probe: AbsPath): void {
    try {
      this.#from.disk.remove(probe);
    } catch (error) {
      if (!isDiskError(error)) throw error;
      this.#from.timers.once("probe", PROBE_GOES_MS, () => this.#removeProbe(probe));
    }
  }

  #isBelowReserve(path: AbsPath): boolean {
    const room = this.#from.machine.room(path);
    return room !== undefined && (room.freeBytes < reserveOf(room) || room.freeBytes === 0 || room.freeFiles === 0);
  }

  #folderOf(path: string | undefined): AbsPath {
    return path?.startsWith(`${this.#from.root}/`) ? dirname(path) : this.#from.root;
  }

  // ------------------------------------------------------------ words

  #problemOf(trouble: Trouble): Problem {
    const { name } = this.#from;
    switch (trouble) {
      case "space":
        return this.#fullProblem();
      case "read-only":
        return problem(
          "M511",
          `the file system of "${name}" is read-only; no new work is started`,
          "mount it writable (after an error of the disk, look at the system's log first); work goes on by itself",
        );
      case "open-files":
        return problem(
          "M513",
          `too many files are open; no new work of "${name}" is started until some are closed`,
          "raise the limit (ulimit -n) before starting Millrace, or lower concurrency; work goes on by itself",
        );
      case "memory":
        return problem(
          "M518",
          `the system has no memory left for what "${name}" needs; no new work is started until it has`,
          "end what takes the memory, raise the limit of the process, or lower concurrency; work goes on by itself",
        );
    }
  }

  #fullProblem(): Problem {
    const { machine, name, root } = this.#from;
    const room = machine.room(this.#fullAt);
    const where = this.#fullAt === root ? `"${name}"` : `"${this.#fullAt.slice(root.length + 1)}/" in "${name}"`;
    return problem(
      "M510",
      `the file system of ${where} is full${room ? `: ${roomWords(room)}` : ""}; no new work is started`,
      "make room there; work goes on by itself",
    );
  }
}

function roomWords(room: Room): string {
  const reserve = reserveOf(room);
  const kept = reserve > 0 ? `, ${megabytes(reserve)} are kept free` : "";
  const files = room.freeFiles === undefined ? "" : ` and ${room.freeFiles} files`;
  return `${megabytes(room.freeBytes)}${files} are left of ${megabytes(room.totalBytes)}${kept}`;
}

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(bytes < 10 * MB ? 1 : 0)} MB`;
}

function longer(delayMs: number): number {
  return Math.min(delayMs * 2, LAST_TRY_MS);
}

function rethrow(error: unknown): never {
  throw error;
}
