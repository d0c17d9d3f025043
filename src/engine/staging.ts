import { basename, join } from "node:path/posix";
import type { AbsPath, RelPath } from "../core/model/words.ts";
import type { AttemptOutcome, Disk, IntentStore, Job } from "../ports.ts";
import { isDiskError } from "./disk-error.ts";

/** Where a result is staged, or what the disk says against it. */
export interface Room {
  readonly staged: AbsPath;
  readonly noRoom: Error | undefined;
}

/** The folder of one batch of attempts, made when the first of them needs it. */
export class Staging {
  readonly #batchId: string;
  readonly #ports: { readonly disk: Disk; readonly intents: IntentStore };
  #folder: AbsPath | undefined;

  constructor(batchId: string, ports: { readonly disk: Disk; readonly intents: IntentStore }) {
    this.#batchId = batchId;
    this.#ports = ports;
  }

  /** A result that only we touch is a numbered file; one that a tool fills bears its final name in a folder of its own. */
  roomFor(number: number, path: RelPath, lane: Job["lane"]): Room {
    try {
      this.#folder ??= this.#ports.intents.makeBatch(this.#batchId);
      const own = join(this.#folder, String(number));
      if (lane === "batch") return { staged: own, noRoom: undefined };
      this.#ports.disk.makeFolders(own);
      return { staged: join(own, basename(path)), noRoom: undefined };
    } catch (error) {
      if (!isDiskError(error)) throw error;
      return { staged: "", noRoom: error };
    }
  }
}

/** How an attempt ends that got no room. */
export function failedForRoom(attemptId: string, { message }: Error): AttemptOutcome {
  const error = `there is no room for the result: ${message}`;
  return { kind: "failed", error, category: "resource", attemptId, reads: [], envReads: [], durationMs: 0, log: "" };
}
