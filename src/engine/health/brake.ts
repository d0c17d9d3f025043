import type { MonoMs, RelPath, TaskKey } from "../../core/model/words.ts";
import type { StateTable } from "../../core/plan/state-table.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { Clock } from "../../ports.ts";
import type { Committed } from "../commit.ts";

/** How often in a row an attempt may be overtaken by one and the same state of a file before the next has to wait. */
const FREE = 2;
const FIRST_WAIT_MS = 1000;
const LAST_WAIT_MS = 60_000;

interface Drops {
  readonly path: RelPath;
  readonly print: string;
  readonly count: number;
  readonly dueAt: MonoMs;
}

/**
 * Keeps an attempt from being made again and again where it is said to be overtaken although the file is what it was: a
 * file system that tells times it does not keep, a node that touches what it reads. From the third time on it waits, twice
 * as long each time, a minute at most; any change of the file, and any end, begins anew.
 */
export class Brake {
  readonly #clock: Clock;
  readonly #table: StateTable;
  readonly #drops = new Map<TaskKey, Drops>();

  constructor(clock: Clock, table: StateTable) {
    this.#clock = clock;
    this.#table = table;
  }

  /** When the task may run again, by the monotonic clock; 0 when it need not wait. */
  dueAt(task: TaskKey): MonoMs {
    return this.#drops.get(task)?.dueAt ?? 0;
  }

  /** An attempt has ended. */
  ended(task: Task, result: Committed): void {
    // What is dropped for its own path was stopped by us: the machine's trouble, a command, other code.
    if (result.is !== "dropped" || result.path === task.path) return void this.#drops.delete(task.key);
    const { path } = result;
    const print = this.#printOf(path);
    const before = this.#drops.get(task.key);
    const count = before?.path === path && before.print === print ? before.count + 1 : 1;
    const waitMs = Math.min(LAST_WAIT_MS, FIRST_WAIT_MS * 2 ** (count - FREE - 1));
    this.#drops.set(task.key, { path, print, count, dueAt: count > FREE ? this.#clock.monoMs() + waitMs : 0 });
  }

  /** The content as it is known; times do not count, for they may change with every attempt. */
  #printOf(path: RelPath): string {
    const row = this.#table.find(path);
    if (row === undefined || !this.#table.isPresent(row)) return "absent";
    return this.#table.lastHashOf(row) ?? `${this.#table.sizeOf(row)} bytes`;
  }
}
