import type { ErrorCategory } from "../../../core/model/manifest.ts";
import type { Piece, PieceEnd } from "../wire.ts";

/** The end of a piece that somebody stopped. */
export function interruptedEnd({ request }: Piece): PieceEnd {
  return { kind: "interrupted", attemptId: request.attemptId, reads: [], envReads: [], durationMs: 0, log: "" };
}

/** The end of a piece whose thread cannot say how it went. */
export function failedEnd({ request }: Piece, error: string, category: ErrorCategory, durationMs: number): PieceEnd {
  return {
    kind: "failed",
    error,
    category,
    attemptId: request.attemptId,
    reads: [],
    envReads: [],
    durationMs,
    log: "",
  };
}
