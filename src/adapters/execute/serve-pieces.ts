import type { MessagePort } from "node:worker_threads";
import { PieceWorker } from "./piece-worker.ts";
import type { EndMessage, ExecutePorts, PieceEnd, ReadyMessage, WorkMessage } from "./wire.ts";

// Often enough that the main thread can commit while the next pieces run, and rarely enough that messages cost little.
const ENDS_OF_A_MESSAGE = 128;
const MESSAGE_AFTER_MS = 5;

/** Does every message's pieces, in order, in this thread, and answers on the port. The thread lives as long as the port. */
export async function servePieces(port: MessagePort, ports: ExecutePorts): Promise<void> {
  const worker = await PieceWorker.create(ports);
  port.postMessage({ ready: true } satisfies ReadyMessage);
  port.on("message", (message: WorkMessage) => serve(message, worker, port));
}

function serve(
  { batch, pieces, isAlone, isAgain, control }: WorkMessage,
  worker: PieceWorker,
  port: MessagePort,
): void {
  const flags = new Int32Array(control);
  let indexes: number[] = [];
  let ends: PieceEnd[] = [];
  let sentAt = performance.now();
  const send = () => {
    const message: EndMessage = { batch, indexes, ends };
    port.postMessage(message);
    indexes = [];
    ends = [];
    sentAt = performance.now();
  };
  for (const [index, piece] of pieces.entries()) {
    Atomics.store(flags, 0, index + 1);
    const isCancelled = () => Atomics.load(flags, index + 1) === 1;
    indexes.push(index);
    ends.push(isCancelled() ? cancelled(piece.request.attemptId) : worker.do(piece, { isAlone, isAgain, isCancelled }));
    if (ends.length >= ENDS_OF_A_MESSAGE || performance.now() - sentAt > MESSAGE_AFTER_MS) send();
  }
  if (ends.length > 0) send();
}

function cancelled(attemptId: string): PieceEnd {
  return { kind: "interrupted", attemptId, reads: [], envReads: [], durationMs: 0, log: "" };
}
