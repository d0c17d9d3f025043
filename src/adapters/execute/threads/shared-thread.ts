import { InternalError } from "../../../core/model/problems.ts";
import type { EndMessage, Piece, PieceEnd } from "../wire.ts";
import { failedEnd, interruptedEnd } from "./piece-end.ts";
import { Thread } from "./thread.ts";

// An expression is stopped inside the thread after 0.1 s; what is still busy then hangs where QuickJS cannot be asked.
const STUCK_MS = 1000;
const LOOK_EVERY_MS = 250;

/** Told how pieces of a batch ended, by their index in it. */
export type Settle = (indexes: readonly number[], ends: readonly PieceEnd[]) => void;

interface Batch {
  readonly number: number;
  readonly pieces: readonly Piece[];
  /** Indexes that have not ended. */
  readonly open: Set<number>;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly settle: Settle;
  lastSeen: number;
  seenSince: number;
}

/**
 * A thread that many attempts share, batch after batch. It is started when there is work.
 * A piece in which it dies or hangs is said to have ended as `alone`; the others are done again in a new thread.
 */
export class SharedThread {
  readonly #entry: URL;
  /** In the order in which the thread does them. */
  readonly #batches = new Map<number, Batch>();
  #thread: Thread | undefined;
  #lastNumber = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(entry: URL) {
    this.#entry = entry;
  }

  /** Pieces that have not ended. */
  get load(): number {
    let load = 0;
    for (const { open } of this.#batches.values()) load += open.size;
    return load;
  }

  submit(pieces: readonly Piece[], settle: Settle): void {
    this.#post(pieces, settle, false);
  }

  cancel(attemptId: string): void {
    for (const { pieces, open, control } of this.#batches.values()) {
      for (const index of open) {
        if (pieces[index]?.request.attemptId === attemptId) Atomics.store(control, index + 1, 1);
      }
    }
  }

  async close(): Promise<void> {
    const stopped = this.#thread?.stop();
    this.#thread = undefined;
    for (const batch of this.#takeAll()) {
      const open = [...batch.open];
      batch.settle(
        open,
        open.map((index) => interruptedEnd(pieceAt(batch, index))),
      );
    }
    await stopped;
  }

  #post(pieces: readonly Piece[], settle: Settle, isAgain: boolean): void {
    const number = ++this.#lastNumber;
    const control = new Int32Array(new SharedArrayBuffer(4 * (pieces.length + 1)));
    const open = new Set(pieces.keys());
    this.#batches.set(number, { number, pieces, open, control, settle, lastSeen: 0, seenSince: 0 });
    this.#thread ??= this.#start();
    this.#thread.post({ batch: number, pieces, isAlone: false, isAgain, control: control.buffer });
    this.#watch ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  #start(): Thread {
    return new Thread(this.#entry, {
      ready: () => undefined,
      ended: (message) => this.#ended(message),
      died: (why) => this.#died(why),
    });
  }

  #ended({ batch: number, indexes, ends }: EndMessage): void {
    const batch = this.#batches.get(number);
    if (batch === undefined) return;
    for (const index of indexes) batch.open.delete(index);
    if (batch.open.size === 0) this.#batches.delete(number);
    if (this.#batches.size === 0) this.#stopWatching();
    batch.settle(
      indexes,
      indexes.map((index, at) => endOf(batch, index, ends[at])),
    );
  }

  /** Is the piece that is being done still the one of long ago? */
  #look(): void {
    const [first] = this.#batches.values();
    if (first === undefined) return;
    const current = Atomics.load(first.control, 0);
    const now = performance.now();
    if (current === 0 || current !== first.lastSeen) {
      first.lastSeen = current;
      first.seenSince = now;
    } else if (now - first.seenSince >= STUCK_MS && first.open.has(current - 1)) {
      void this.#thread?.stop();
      this.#died("it hung");
    }
  }

  #died(why: string): void {
    this.#thread = undefined;
    const batches = this.#takeAll();
    const [first] = batches;
    const culprit = first === undefined ? 0 : Atomics.load(first.control, 0);
    for (const batch of batches) {
      // A thread that dies before it does anything would die again.
      if (culprit === 0) this.#failAll(batch, why);
      else this.#doAgain(batch, batch === first ? culprit - 1 : undefined);
    }
  }

  #failAll(batch: Batch, why: string): void {
    const open = [...batch.open];
    const error = `the worker thread could not start: ${why}`;
    batch.settle(
      open,
      open.map((index) => failedEnd(pieceAt(batch, index), error, "resource", 0)),
    );
  }

  #doAgain(batch: Batch, culprit: number | undefined): void {
    const isCancelled = (index: number) => Atomics.load(batch.control, index + 1) === 1;
    const [decided, again] = partition([...batch.open], (index) => index === culprit || isCancelled(index));
    const ends = decided.map((index): PieceEnd => {
      const interrupted = interruptedEnd(pieceAt(batch, index));
      return isCancelled(index) ? interrupted : { ...interrupted, kind: "alone", because: "slow" };
    });
    if (decided.length > 0) batch.settle(decided, ends);
    if (again.length === 0) return;
    const pieces = again.map((index) => pieceAt(batch, index));
    const original = (index: number): number => again[index] ?? 0;
    this.#post(pieces, (indexes, newEnds) => batch.settle(indexes.map(original), newEnds), true);
  }

  #takeAll(): readonly Batch[] {
    const batches = [...this.#batches.values()];
    this.#batches.clear();
    this.#stopWatching();
    return batches;
  }

  #stopWatching(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
  }
}

/** A piece that was cancelled after it was found too slow is not to be done alone. */
function endOf(batch: Batch, index: number, end: PieceEnd | undefined): PieceEnd {
  const isCancelled = end?.kind === "alone" && Atomics.load(batch.control, index + 1) === 1;
  return end === undefined || isCancelled ? interruptedEnd(pieceAt(batch, index)) : end;
}

function pieceAt({ pieces }: Batch, index: number): Piece {
  const piece = pieces[index];
  if (piece === undefined) throw new InternalError(`a batch of ${pieces.length} has no piece ${index}`);
  return piece;
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  const groups = Map.groupBy(all, isFirst);
  return [groups.get(true) ?? [], groups.get(false) ?? []];
}
