import { beforeEach, describe, expect, test } from "vitest";
import type { MonoMs } from "../../src/core/model/words.ts";
import type { Clock, Job, JobQueue, LaneLimits } from "../../src/ports.ts";

/** What a queue under this contract is made with. */
export interface QueueSetup {
  readonly clock: Clock;
  readonly limits: LaneLimits;
  readonly slots: number;
  readonly batchSize: number;
  readonly run: (jobs: readonly Job[]) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export interface QueueMaker {
  make(setup: QueueSetup): JobQueue;
  /** Resolves when everything that can start now has started and every end has been noticed. */
  settled(): Promise<void>;
}

/** A clock that moves when the test says so. */
class HandClock implements Clock {
  #now = 1000;
  #timers: { readonly at: number; readonly fire: () => void }[] = [];
  wallMs(): number {
    return 1_000_000_000_000 + this.#now;
  }
  monoMs(): MonoMs {
    return this.#now;
  }
  after(delayMs: number, fire: () => void): { cancel(): void } {
    const timer = { at: this.#now + delayMs, fire };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }
  advance(ms: number): void {
    this.#now += ms;
    const due = this.#timers.filter((timer) => timer.at <= this.#now);
    this.#timers = this.#timers.filter((timer) => timer.at > this.#now);
    for (const timer of due) timer.fire();
  }
  get timers(): number {
    return this.#timers.length;
  }
}

interface Run {
  readonly jobs: readonly Job[];
  readonly names: string;
  end(): void;
  break(error: Error): void;
}

/** Attempts that end when the test says so. */
class Runs {
  readonly log: string[] = [];
  open: Run[] = [];
  readonly run = (jobs: readonly Job[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const names = jobs.map((job) => job.taskKey.replace(/^.*@/, "")).join("+");
      const close = (settle: () => void) => () => {
        this.open = this.open.filter((other) => other !== run);
        settle();
      };
      const run: Run = { jobs, names, end: close(resolve), break: (error) => close(() => reject(error))() };
      this.log.push(names);
      this.open.push(run);
    });
  get names(): string[] {
    return this.open.map((run) => run.names);
  }
}

interface JobWish {
  readonly stage?: string;
  readonly pipeline?: string;
  readonly priority?: number;
  readonly order?: number;
  readonly dueAt?: MonoMs;
  readonly lane?: Job["lane"];
}
function job(id: string, wish: JobWish = {}): Job {
  const { stage = "s", pipeline = "p", priority = 0, order = 0, dueAt = 0, lane = "single" } = wish;
  const stageKey = `${pipeline}#${stage}`;
  return { taskKey: `${stageKey}@${id}`, stageKey, pipeline, priority, order, dueAt, lane };
}

/** Every promise of the `JobQueue` port; run it on each implementation. */
export function describeJobQueue(name: string, maker: QueueMaker): void {
  describe(`${name} as a job queue`, () => {
    let clock: HandClock;
    let runs: Runs;
    let errors: unknown[];
    let pipelineLimits: Map<string, number>;
    let stageLimits: Map<string, number>;

    beforeEach(() => {
      clock = new HandClock();
      runs = new Runs();
      errors = [];
      pipelineLimits = new Map();
      stageLimits = new Map();
    });

    const open = (wish: { readonly slots?: number; readonly batchSize?: number } = {}): JobQueue =>
      maker.make({
        clock,
        limits: {
          pipeline: (pipeline) => pipelineLimits.get(pipeline) ?? 10,
          stage: (key) => stageLimits.get(key) ?? Number.POSITIVE_INFINITY,
        },
        slots: wish.slots ?? 1,
        batchSize: wish.batchSize ?? 4,
        run: runs.run,
        onError: (error) => errors.push(error),
      });
    const endAll = async (): Promise<void> => {
      for (await maker.settled(); runs.open.length > 0; await maker.settled()) for (const run of runs.open) run.end();
    };

    test("starts a job that is due at once", async () => {
      const queue = open();
      queue.put(job("a"));
      expect(queue.isWaiting("p#s@a")).toBe(true);
      await maker.settled();
      expect(runs.names).toEqual(["a"]);
      expect(queue.isRunning("p#s@a")).toBe(true);
      expect(queue.isWaiting("p#s@a")).toBe(false);
    });

    test("starts higher priority first, then smaller order, then what was put first", async () => {
      const queue = open();
      queue.put(job("low", { priority: -1 }));
      queue.put(job("second", { order: 2, stage: "t" }));
      queue.put(job("third", { order: 2 }));
      queue.put(job("first", { order: 1 }));
      queue.put(job("high", { priority: 1, order: 9 }));
      await endAll();
      expect(runs.log).toEqual(["high", "first", "second", "third", "low"]);
    });

    test("starts a job when it is due and not before", async () => {
      const queue = open({ slots: 9 });
      queue.put(job("soon", { dueAt: 1100 }));
      queue.put(job("late", { dueAt: 1200 }));
      queue.put(job("sooner", { dueAt: 1050 }));
      await maker.settled();
      expect(queue.counts()).toEqual({ waiting: 3, due: 0, running: 0 });
      expect(queue.nextDue()).toBe(1050);
      clock.advance(49);
      await maker.settled();
      expect(runs.log).toEqual([]);
      clock.advance(1);
      await maker.settled();
      expect(runs.log).toEqual(["sooner"]);
      clock.advance(200);
      await maker.settled();
      expect(runs.log).toEqual(["sooner", "soon", "late"]);
      expect(queue.nextDue()).toBeUndefined();
    });

    test("orders jobs that were delayed among the others once they are due", async () => {
      const queue = open();
      queue.put(job("running"));
      queue.put(job("b", { order: 2 }));
      queue.put(job("a", { order: 1, dueAt: 1010 }));
      await maker.settled();
      clock.advance(10);
      await endAll();
      expect(runs.log).toEqual(["running", "a", "b"]);
    });

    test("says the earliest due time of everything that waits", async () => {
      const queue = open();
      expect(queue.nextDue()).toBeUndefined();
      queue.put(job("running"));
      await maker.settled();
      expect(queue.nextDue()).toBeUndefined();
      queue.put(job("b", { dueAt: 5000 }));
      queue.put(job("a", { dueAt: 900 }));
      expect(queue.nextDue()).toBe(900);
      queue.drop("p#s@a");
      expect(queue.nextDue()).toBe(5000);
      queue.put(job("running", { dueAt: 4000 }));
      expect(queue.nextDue()).toBe(4000);
    });

    test("runs at most `slots` single jobs at one time, each alone", async () => {
      const queue = open({ slots: 2 });
      for (const id of ["a", "b", "c"]) queue.put(job(id));
      await maker.settled();
      expect(runs.names).toEqual(["a", "b"]);
      expect(queue.counts()).toEqual({ waiting: 1, due: 1, running: 2 });
      runs.open[0]?.end();
      await maker.settled();
      expect(runs.names).toEqual(["b", "c"]);
    });

    test("hands out batch jobs together, at most `batchSize` and two batches at a time", async () => {
      const queue = open({ batchSize: 3 });
      for (const id of "abcdefgh") queue.put(job(id, { lane: "batch" }));
      await maker.settled();
      expect(runs.names).toEqual(["a+b+c", "d+e+f"]);
      runs.open[0]?.end();
      await maker.settled();
      expect(runs.names).toEqual(["d+e+f", "g+h"]);
    });

    test("does not hold back a single batch job to wait for company", async () => {
      const queue = open();
      queue.put(job("a", { lane: "batch" }));
      await maker.settled();
      expect(runs.names).toEqual(["a"]);
    });

    test("keeps a batch within one pipeline and mixes its stages by order", async () => {
      const queue = open();
      queue.put(job("a", { lane: "batch", order: 1, stage: "s" }));
      queue.put(job("x", { lane: "batch", order: 2, pipeline: "q" }));
      queue.put(job("c", { lane: "batch", order: 4, stage: "s" }));
      queue.put(job("b", { lane: "batch", order: 3, stage: "t" }));
      await maker.settled();
      expect(runs.names).toEqual(["a+b+c", "x"]);
    });

    test("never mixes the two lanes", async () => {
      const queue = open({ slots: 3 });
      queue.put(job("a", { lane: "batch" }));
      queue.put(job("b"));
      queue.put(job("c", { lane: "batch" }));
      await maker.settled();
      expect(runs.names.toSorted()).toEqual(["a+c", "b"]);
    });

    test("a pipeline with one slot has one batch or one single job at a time", async () => {
      pipelineLimits.set("p", 1);
      const queue = open({ slots: 3, batchSize: 2 });
      for (const id of "abc") queue.put(job(id, { lane: "batch", order: 1 }));
      queue.put(job("d", { order: 2 }));
      const seen: number[] = [];
      for (await maker.settled(); runs.open.length > 0; await maker.settled()) {
        seen.push(runs.open.length);
        runs.open[0]?.end();
      }
      expect(seen).toEqual([1, 1, 1]);
      expect(runs.log).toEqual(["a+b", "c", "d"]);
    });

    test("a batch takes a slot of each stage it touches", async () => {
      stageLimits.set("p#s", 1);
      const queue = open({ batchSize: 2 });
      for (const id of "abc") queue.put(job(id, { lane: "batch", stage: "s" }));
      for (const id of "xyz") queue.put(job(id, { lane: "batch", stage: "t", order: 1 }));
      await maker.settled();
      expect(runs.names).toEqual(["a+b", "x+y"]);
      runs.open[1]?.end();
      await maker.settled();
      expect(runs.names).toEqual(["a+b", "z"]);
      runs.open[0]?.end();
      await maker.settled();
      expect(runs.names).toEqual(["z", "c"]);
    });

    test("a stage or pipeline at its limit holds up nobody behind it", async () => {
      stageLimits.set("p#s", 1);
      pipelineLimits.set("full", 1);
      const queue = open({ slots: 9 });
      for (const id of ["a", "b"]) queue.put(job(id, { order: 1 }));
      for (const id of ["f", "g"]) queue.put(job(id, { order: 2, pipeline: "full" }));
      queue.put(job("c", { order: 3, stage: "t" }));
      await maker.settled();
      expect(runs.names).toEqual(["a", "f", "c"]);
    });

    test("reads the limits at each start, so that an edit counts", async () => {
      pipelineLimits.set("p", 1);
      const queue = open({ slots: 9 });
      for (const id of "abc") queue.put(job(id));
      await maker.settled();
      expect(runs.names).toEqual(["a"]);
      pipelineLimits.set("p", 2);
      queue.put(job("d"));
      await maker.settled();
      expect(runs.names).toEqual(["a", "b"]);
    });

    test("a waiting job is replaced by a new one of its task", async () => {
      const queue = open();
      queue.put(job("first"));
      await maker.settled();
      queue.put(job("a", { order: 1 }));
      queue.put(job("b", { order: 2 }));
      queue.put(job("a", { order: 3 }));
      expect(queue.counts()).toEqual({ waiting: 2, due: 2, running: 1 });
      await endAll();
      expect(runs.log).toEqual(["first", "b", "a"]);
    });

    test("a job delayed again forgets its earlier time, one put forward its later time", async () => {
      const queue = open({ slots: 9 });
      queue.put(job("a", { dueAt: 1010 }));
      queue.put(job("a", { dueAt: 1050 }));
      queue.put(job("b", { dueAt: 9000 }));
      queue.put(job("b"));
      await maker.settled();
      expect(runs.log).toEqual(["b"]);
      clock.advance(20);
      await maker.settled();
      expect(runs.log).toEqual(["b"]);
      clock.advance(30);
      await maker.settled();
      expect(runs.log).toEqual(["b", "a"]);
    });

    test("a task that runs is not started again before it ends; of several new jobs the last one counts", async () => {
      const queue = open({ slots: 9 });
      queue.put(job("a"));
      await maker.settled();
      queue.put(job("a", { dueAt: 5000 }));
      queue.put(job("a", { order: 7 }));
      await maker.settled();
      expect(runs.names).toEqual(["a"]);
      expect([queue.isRunning("p#s@a"), queue.isWaiting("p#s@a")]).toEqual([true, true]);
      expect(queue.counts()).toEqual({ waiting: 1, due: 1, running: 1 });
      runs.open[0]?.end();
      await maker.settled();
      expect(runs.open.map((run) => run.jobs[0]?.order)).toEqual([7]);
      await endAll();
      expect(runs.log).toEqual(["a", "a"]);
    });

    test("a delayed job of a task that runs waits for its time after the end", async () => {
      const queue = open();
      queue.put(job("a"));
      await maker.settled();
      queue.put(job("a", { dueAt: 1500 }));
      await endAll();
      expect(runs.log).toEqual(["a"]);
      clock.advance(500);
      await maker.settled();
      expect(runs.log).toEqual(["a", "a"]);
    });

    test("a dropped job does not start, wherever it waits", async () => {
      const queue = open();
      queue.put(job("running"));
      await maker.settled();
      queue.put(job("ready"));
      queue.put(job("later", { dueAt: 1010 }));
      queue.put(job("running"));
      expect(queue.drop("p#s@ready")).toBe(true);
      expect(queue.drop("p#s@later")).toBe(true);
      expect(queue.drop("p#s@running")).toBe(true);
      expect(queue.drop("p#s@running")).toBe(false);
      expect(queue.isRunning("p#s@running")).toBe(true);
      expect(queue.counts()).toEqual({ waiting: 0, due: 0, running: 1 });
      clock.advance(100);
      await endAll();
      expect(runs.log).toEqual(["running"]);
    });

    test("while paused nothing starts, what runs goes on; then it goes on in order", async () => {
      const queue = open();
      queue.put(job("a"));
      await maker.settled();
      queue.pause(true);
      queue.put(job("c", { order: 2 }));
      queue.put(job("b", { order: 1, dueAt: 1005 }));
      clock.advance(10);
      await endAll();
      expect(runs.log).toEqual(["a"]);
      expect(queue.counts()).toEqual({ waiting: 2, due: 2, running: 0 });
      queue.pause(false);
      await endAll();
      expect(runs.log).toEqual(["a", "b", "c"]);
    });

    test("while paused it keeps no timer", async () => {
      const queue = open();
      queue.put(job("a", { dueAt: 9000 }));
      await maker.settled();
      expect(clock.timers).toBe(1);
      queue.pause(true);
      await maker.settled();
      expect(clock.timers).toBe(0);
    });

    test("is idle when nothing runs and nothing is due; waiting for later is idle", async () => {
      const queue = open();
      await queue.onIdle();
      let isIdle = false;
      queue.put(job("a"));
      queue.put(job("b"));
      queue.put(job("later", { dueAt: 9000 }));
      const idle = queue.onIdle().then(() => {
        isIdle = true;
      });
      for (const id of ["a", "b"]) {
        await maker.settled();
        expect(runs.names).toEqual([id]);
        expect(isIdle).toBe(false);
        runs.open[0]?.end();
      }
      await idle;
      expect(queue.counts()).toEqual({ waiting: 1, due: 0, running: 0 });
    });

    test("is not idle before what a run has put is done", async () => {
      const queue = open();
      queue.put(job("a"));
      const idle = queue.onIdle();
      await maker.settled();
      queue.put(job("b", { stage: "t" }));
      await endAll();
      await idle;
      expect(runs.log).toEqual(["a", "b"]);
    });

    test.each(["single", "batch"] as const)("a %s run that rejects is told once and loses no slot", async (lane) => {
      pipelineLimits.set("p", 1);
      const queue = open({ slots: 1, batchSize: 1 });
      for (const id of "abc") queue.put(job(id, { lane }));
      await maker.settled();
      runs.open[0]?.break(new Error("broken"));
      await maker.settled();
      expect(errors).toEqual([new Error("broken")]);
      expect(queue.isRunning("p#s@a")).toBe(false);
      await endAll();
      expect(runs.log).toEqual(["a", "b", "c"]);
      await queue.onIdle();
    });
  });
}
