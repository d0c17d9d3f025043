import { SHARE_ENV, Worker } from "node:worker_threads";
import type { EndMessage, ReadyMessage, WorkMessage } from "../wire.ts";

/** What a thread tells its owner. */
export interface ThreadEvents {
  /** It is ready to do pieces. */
  ready(): void;
  ended(message: EndMessage): void;
  /** It ended by itself; nothing comes from it any more. */
  died(why: string): void;
}

/** One worker thread that does pieces of work; starts at once. */
export class Thread {
  readonly #worker: Worker;
  #isStopped = false;

  constructor(entry: URL, events: ThreadEvents) {
    // Its own flags: those of this process may not be allowed in a worker. The real environment: `$env` reads it.
    this.#worker = new Worker(entry, { execArgv: [], env: SHARE_ENV, name: "millrace-batch" });
    let why = "it ended";
    this.#worker.on("message", (message: EndMessage | ReadyMessage) => {
      if (this.#isStopped) return;
      if ("ready" in message) events.ready();
      else events.ended(message);
    });
    this.#worker.on("error", (error) => {
      why = error instanceof Error ? error.message : String(error);
    });
    this.#worker.on("exit", () => {
      if (!this.#isStopped) events.died(why);
      this.#isStopped = true;
    });
  }

  post(message: WorkMessage): void {
    this.#worker.postMessage(message);
  }

  /** Resolves when nothing of it runs any more; no event comes after the call. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#worker.terminate();
  }
}
