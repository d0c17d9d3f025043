import { InternalError } from "../../../core/model/problems.ts";
import type { Piece, PieceEnd } from "../wire.ts";
import { LoneThreads } from "./lone-threads.ts";
import { interruptedEnd } from "./piece-end.ts";
import { SharedThread } from "./shared-thread.ts";

// A stage that was too slow so often goes to threads of its own at once.
const SLOW_ENOUGH = 3;

/** A piece's end that its lane has to know; `alone` never leaves here. */
export type FinalEnd = Exclude<PieceEnd, { readonly kind: "alone" }>;

/** All worker threads: pieces run in shared ones, and alone where they cannot. */
export class PieceThreads {
  readonly #shared: readonly SharedThread[];
  readonly #lone: LoneThreads;
  /** Stage and code to how often an expression was cut off in a shared thread. */
  readonly #slow = new Map<string, number>();
  #isClosed = false;

  /** @param threads how many shared threads there are, at least 1; each starts when it has work */
  constructor(entry: URL, threads: number) {
    this.#shared = Array.from({ length: threads }, () => new SharedThread(entry));
    this.#lone = new LoneThreads(entry);
  }

  /** Does every piece; tells ends in groups as they come, each once, then resolves. */
  run(pieces: readonly Piece[], tell: (ends: readonly FinalEnd[]) => void): Promise<void> {
    if (pieces.length === 0) return Promise.resolve();
    if (this.#isClosed) {
      tell(pieces.map((piece) => finalEnd(interruptedEnd(piece))));
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      let open = pieces.length;
      const told = (ends: readonly FinalEnd[]): void => {
        if (ends.length > 0) tell(ends);
        open -= ends.length;
        if (open === 0) resolve();
      };
      const alone = (piece: Piece): void => void this.#lone.run(piece).then((end) => told([finalEnd(end)]));
      const [slow, quick] = this.#split(pieces);
      slow.forEach(alone);
      if (quick.length > 0) this.#submit(quick, alone, told);
    });
  }

  /** Does one piece. */
  async one(piece: Piece): Promise<FinalEnd> {
    let only: FinalEnd | undefined;
    await this.run([piece], ([end]) => {
      only = end;
    });
    if (only === undefined) throw new InternalError(`a piece of ${piece.request.attemptId} did not end`);
    return only;
  }

  cancel(attemptId: string): void {
    for (const thread of this.#shared) thread.cancel(attemptId);
    this.#lone.cancel(attemptId);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#shared.map((thread) => thread.close()), this.#lone.close()]);
  }

  #submit(pieces: readonly Piece[], alone: (piece: Piece) => void, told: (ends: readonly FinalEnd[]) => void): void {
    this.#leastLoaded().submit(pieces, (indexes, ends) => {
      const final: FinalEnd[] = [];
      for (const [at, end] of ends.entries()) {
        const piece = pieces[indexes[at] ?? -1];
        if (end.kind !== "alone") final.push(end);
        else if (piece !== undefined) {
          if (end.because === "slow") this.#noteSlow(piece);
          if (this.#isClosed) final.push(finalEnd(interruptedEnd(piece)));
          else alone(piece);
        }
      }
      told(final);
    });
  }

  #split(pieces: readonly Piece[]): readonly [slow: readonly Piece[], quick: readonly Piece[]] {
    if (this.#slow.size === 0) return [[], pieces];
    const groups = Map.groupBy(pieces, (piece) => (this.#slow.get(keyOf(piece)) ?? 0) >= SLOW_ENOUGH);
    return [groups.get(true) ?? [], groups.get(false) ?? []];
  }

  #noteSlow(piece: Piece): void {
    const key = keyOf(piece);
    this.#slow.set(key, (this.#slow.get(key) ?? 0) + 1);
  }

  #leastLoaded(): SharedThread {
    const [first, ...others] = this.#shared;
    if (first === undefined) throw new InternalError("there is no shared thread");
    return others.reduce((least, thread) => (thread.load < least.load ? thread : least), first);
  }
}

function keyOf({ request: { work } }: Piece): string {
  return `${work.stageKey} ${work.code.codeHash}`;
}

function finalEnd(end: PieceEnd): FinalEnd {
  if (end.kind === "alone") throw new InternalError("a piece that is alone asked to be alone");
  return end;
}
