import type { AttemptFilter, AttemptRow, Ledger } from "../../src/ports.ts";

/** The ledger in memory. */
export class MemoryLedger implements Ledger {
  readonly #rows: AttemptRow[] = [];

  add(rows: readonly AttemptRow[]): void {
    this.#rows.push(...rows);
  }

  attempts({ pipeline, stage, entity, result, runId, sinceMs, limit = 100 }: AttemptFilter): AttemptRow[] {
    const wanted = this.#rows.filter(
      (row) =>
        (pipeline === undefined || row.pipeline === pipeline) &&
        (stage === undefined || row.stage === stage) &&
        (entity === undefined || row.entity === entity) &&
        (result === undefined || row.result === result) &&
        (runId === undefined || row.runId === runId) &&
        (sinceMs === undefined || row.startedAt >= sinceMs),
    );
    return wanted.reverse().slice(0, limit);
  }

  check(): undefined {
    return undefined;
  }

  close(): void {}
}
