import { InternalError } from "../../../core/model/problems.ts";
import type { StageWork } from "../../../ports.ts";
import type { Piece, PieceEnd } from "../wire.ts";
import { LoneThreads } from "./lone-threads.ts";
import { interruptedEnd } from "./piece-end.ts";
import { SharedThread } from "./shared-thread.ts";

// A stage that was too slow so often goes to threads of its own at once.
const SLOW_ENOUGH = 3;

/** How a piece ended that was done wherever it must. */
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

  /**
   * Does every piece in a shared thread; tells ends in groups as they come, each once, then resolves. What is too slow or too
   * large to be done there ends as `alone`.
   */
  run(pieces: readonly Piece[], tell: (ends: readonly PieceEnd[]) => void): Promise<void> {
    if (pieces.length === 0) return Promise.resolve();
    if (this.#isClosed) {
      tell(pieces.map(interruptedEnd));
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      let open = pieces.length;
      const told = (ends: readonly PieceEnd[]): void => {
        if (ends.length > 0) tell(ends);
        open -= ends.length;
        if (open === 0) resolve();
      };
      this.#leastLoaded().submit(pieces, (indexes, ends) => {
        const endOf = (end: PieceEnd, at: number): PieceEnd => {
          const piece = pieces[indexes[at] ?? -1];
          if (end.kind !== "alone" || piece === undefined) return end;
          if (end.because === "slow") this.#noteSlow(piece);
          return this.#isClosed ? interruptedEnd(piece) : end;
        };
        told(ends.map(endOf));
      });
    });
  }

  /** Does one piece, in a thread of its own where it must. */
  async one(piece: Piece): Promise<FinalEnd> {
    const shared = piece.request.alone || this.isSlow(piece.request.work) ? undefined : await this.#oneShared(piece);
    if (shared !== undefined && shared.kind !== "alone") return shared;
    const end = this.#isClosed ? interruptedEnd(piece) : await this.#lone.run(piece);
    if (end.kind === "alone") throw new InternalError("a piece that is alone asked to be alone");
    return end;
  }

  async #oneShared(piece: Piece): Promise<PieceEnd> {
    let only: PieceEnd | undefined;
    await this.run([piece], ([end]) => {
      only = end;
    });
    if (only === undefined) throw new InternalError(`a piece of ${piece.request.attemptId} did not end`);
    return only;
  }

  /** Was the stage's code cut off so often that its attempts need not be tried in a shared thread? */
  isSlow({ stageKey, code }: StageWork): boolean {
    return this.#slow.size > 0 && (this.#slow.get(`${stageKey} ${code.codeHash}`) ?? 0) >= SLOW_ENOUGH;
  }

  cancel(attemptId: string): void {
    for (const thread of this.#shared) thread.cancel(attemptId);
    this.#lone.cancel(attemptId);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#shared.map((thread) => thread.close()), this.#lone.close()]);
  }

  #noteSlow({ request }: Piece): void {
    const { stageKey, code } = request.work;
    const key = `${stageKey} ${code.codeHash}`;
    this.#slow.set(key, (this.#slow.get(key) ?? 0) + 1);
  }

  #leastLoaded(): SharedThread {
    const [first, ...others] = this.#shared;
    if (first === undefined) throw new InternalError("there is no shared thread");
    return others.reduce((least, thread) => (thread.load < least.load ? thread : least), first);
  }
}
