import type { Piece, PieceEnd } from "../wire.ts";
import { failedEnd, interruptedEnd } from "./piece-end.ts";
import { Thread } from "./thread.ts";

// As many as attempts of their lane run at one time on a usual machine, so that an endless one holds up nobody's turn but its own.
const MAX_THREADS = 16;
// setTimeout takes no longer ones.
const MAX_TIMER_MS = 2 ** 31 - 1;

interface Work {
  readonly piece: Piece;
  readonly settle: (end: PieceEnd) => void;
}

/** A thread that does one piece at a time. */
interface Lone {
  readonly thread: Thread;
  work: Work | undefined;
  /** Runs from when the thread is ready: starting it is not the attempt's time. */
  timer: NodeJS.Timeout | undefined;
  startedAt: number;
  isReady: boolean;
}

/**
 * Threads for what is too slow or too large to share one: a piece each, with its stage's full timeout, at most sixteen at a time.
 * A timeout or a cancel ends the thread, whatever it is in the middle of. One idle thread is kept.
 */
export class LoneThreads {
  readonly #entry: URL;
  readonly #waiting: Work[] = [];
  readonly #threads = new Set<Lone>();
  readonly #stopping = new Set<Promise<void>>();

  constructor(entry: URL) {
    this.#entry = entry;
  }

  /** How the piece ended; it may have been tried before. */
  run(piece: Piece): Promise<PieceEnd> {
    return new Promise((settle) => {
      this.#waiting.push({ piece, settle });
      this.#next();
    });
  }

  cancel(attemptId: string): void {
    for (const [index, { piece, settle }] of [...this.#waiting.entries()].reverse()) {
      if (piece.request.attemptId !== attemptId) continue;
      this.#waiting.splice(index, 1);
      settle(interruptedEnd(piece));
    }
    for (const lone of this.#threads) {
      if (lone.work?.piece.request.attemptId === attemptId) void this.#cut(lone, interruptedEnd);
    }
  }

  async close(): Promise<void> {
    for (const { piece, settle } of this.#waiting.splice(0)) settle(interruptedEnd(piece));
    for (const lone of this.#threads) void this.#cut(lone, interruptedEnd);
    while (this.#stopping.size > 0) await Promise.all(this.#stopping);
  }

  #next(): void {
    const work = this.#waiting[0];
    if (work === undefined) return;
    const idle = [...this.#threads].find((lone) => lone.work === undefined);
    if (idle === undefined && this.#threads.size >= MAX_THREADS) return;
    this.#waiting.shift();
    this.#begin(idle ?? this.#start(), work);
    this.#next();
  }

  #start(): Lone {
    const lone: Lone = {
      thread: new Thread(this.#entry, {
        ready: () => this.#ready(lone),
        ended: ({ ends: [end] }) => {
          if (end !== undefined) this.#ended(lone, end);
        },
        died: (why) => this.#died(lone, why),
      }),
      work: undefined,
      timer: undefined,
      startedAt: 0,
      isReady: false,
    };
    this.#threads.add(lone);
    return lone;
  }

  #begin(lone: Lone, work: Work): void {
    lone.work = work;
    const control = new SharedArrayBuffer(8);
    lone.thread.post({ batch: 0, pieces: [work.piece], isAlone: true, isAgain: true, control });
    if (lone.isReady) this.#ready(lone);
  }

  #ready(lone: Lone): void {
    lone.isReady = true;
    lone.startedAt = performance.now();
    if (lone.work === undefined) return;
    const { timeoutMs } = lone.work.piece.request.work;
    lone.timer = setTimeout(
      () => {
        void this.#cut(lone, (piece) =>
          failedEnd(piece, `no result within ${timeoutMs / 1000} s`, "timeout", timeoutMs),
        );
      },
      Math.min(timeoutMs, MAX_TIMER_MS),
    );
  }

  #ended(lone: Lone, end: PieceEnd): void {
    const settle = this.#release(lone);
    const hasOtherIdle = [...this.#threads].some((other) => other !== lone && other.work === undefined);
    if (hasOtherIdle && this.#waiting.length === 0) void this.#drop(lone);
    settle?.settle(end);
    this.#next();
  }

  #died(lone: Lone, why: string): void {
    const work = this.#release(lone);
    this.#threads.delete(lone);
    const durationMs = performance.now() - lone.startedAt;
    work?.settle(failedEnd(work.piece, `its worker thread ended: ${why}`, "resource", durationMs));
    this.#next();
  }

  /** Ends a thread in the middle of its piece, if it has one; the piece ends when nothing of it runs any more. */
  async #cut(lone: Lone, endOf: (piece: Piece) => PieceEnd): Promise<void> {
    const work = this.#release(lone);
    await this.#drop(lone);
    work?.settle(endOf(work.piece));
    this.#next();
  }

  #drop(lone: Lone): Promise<void> {
    this.#threads.delete(lone);
    const stopped = lone.thread.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
    return stopped;
  }

  #release(lone: Lone): Work | undefined {
    clearTimeout(lone.timer);
    const { work } = lone;
    lone.work = undefined;
    return work;
  }
}
