import type { TaskKey } from "../../core/model/words.ts";
import type { Job, JobQueue } from "../../ports.ts";

/**
 * A queue that runs one task, at once, and leaves everything else alone: what the journey would do next is the caller's to
 * decide. Where an attempt was overtaken by a change of its input, the journey's new job for the task runs after it.
 */
export class OneTaskQueue implements JobQueue {
  readonly #wanted: TaskKey;
  readonly #run: (jobs: readonly Job[]) => Promise<void>;
  #current: Promise<void> | undefined;
  #next: Job | undefined;
  #isDone = false;

  constructor(wanted: TaskKey, run: (jobs: readonly Job[]) => Promise<void>) {
    this.#wanted = wanted;
    this.#run = run;
  }

  /** The task has come to its end: no further attempt is started. */
  markDone(): void {
    this.#isDone = true;
    this.#next = undefined;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  put(job: Job): void {
    if (job.taskKey !== this.#wanted || this.#isDone) return;
    this.#next = job;
    this.#current ??= this.#work().finally(() => (this.#current = undefined));
  }

  async #work(): Promise<void> {
    // A turn later, so that whoever put the job has finished with it.
    await Promise.resolve();
    for (let job = this.#next; job !== undefined && !this.#isDone; job = this.#next) {
      this.#next = undefined;
      await this.#run([job]);
    }
  }

  drop(taskKey: TaskKey): boolean {
    if (taskKey !== this.#wanted || this.#next === undefined) return false;
    this.#next = undefined;
    return true;
  }

  isRunning(taskKey: TaskKey): boolean {
    return taskKey === this.#wanted && this.#current !== undefined;
  }

  isWaiting(taskKey: TaskKey): boolean {
    return taskKey === this.#wanted && this.#next !== undefined;
  }

  /** Nothing, ever: planning is over when it is over, and `onIdle` tells the rest. */
  counts(): { readonly waiting: number; readonly due: number; readonly running: number } {
    return { waiting: 0, due: 0, running: 0 };
  }

  nextDue(): undefined {
    return undefined;
  }

  pause(paused: boolean): void {
    if (paused) this.#next = undefined;
  }

  async onIdle(): Promise<void> {
    while (this.#current) await this.#current;
  }
}
