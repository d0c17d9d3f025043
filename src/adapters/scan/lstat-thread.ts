import { Worker } from "node:worker_threads";
import type { LstatJob } from "./lstat-job.ts";

/** The second thread as the first one sees it. It never keeps the process alive, except while it is waited for. */
export class LstatThread {
  readonly #worker: Worker;
  readonly #answers = new Map<number, () => void>();
  #lastId = 0;
  isDead = false;

  constructor(entry: URL) {
    this.#worker = new Worker(entry, { execArgv: [], argv: [], stdin: false });
    this.#worker.on("message", (id: number) => this.#settle(id));
    // Whatever kills it, the first thread does the rest by itself: an lstat has no effects, so doing it twice is right.
    this.#worker.on("error", () => this.#die());
    this.#worker.on("exit", () => this.#die());
    // After the listeners: adding one makes the worker hold the process again.
    this.#worker.unref();
  }

  /** Lets the thread work on a job; resolves when it does so no longer, for whatever reason. */
  offer(job: LstatJob, joinedNames: string): Promise<void> {
    if (this.isDead) return Promise.resolve();
    const id = ++this.#lastId;
    this.#worker.postMessage({ id, prefix: job.prefix, joinedNames, memory: job.memory });
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  /** Keeps the process alive until the promise is settled. */
  async waitFor(answer: Promise<void>): Promise<void> {
    this.#worker.ref();
    await answer;
    this.#worker.unref();
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(id: number): void {
    this.#answers.get(id)?.();
    this.#answers.delete(id);
  }

  #die(): void {
    this.isDead = true;
    for (const id of this.#answers.keys()) this.#settle(id);
  }
}
