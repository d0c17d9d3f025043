import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Backlog } from "../../../src/adapters/queue/backlog.ts";
import { createLocalQueue } from "../../../src/adapters/queue/local.ts";
import type { Job } from "../../../src/ports.ts";
import { describeJobQueue } from "../../contract/queue.ts";

// Everything in the local queue happens in promise callbacks, which are all done when the event loop turns.
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describeJobQueue("the local queue", { make: createLocalQueue, settled: turn });

describe("a backlog", () => {
  interface Item {
    readonly rank: number;
    readonly n: number;
    gone: boolean;
  }
  const before = (a: Item, b: Item): boolean => (a.rank === b.rank ? a.n < b.n : a.rank < b.rank);

  test("gives its entries in order and never one that left, after any pushes, pops and leavings", () => {
    const steps = fc.array(fc.oneof(fc.nat(9), fc.constant("pop" as const), fc.constant("leave" as const)), {
      maxLength: 400,
    });
    fc.assert(
      fc.property(steps, (doings) => {
        const backlog = new Backlog<Item>(before);
        let model: Item[] = [];
        for (const [n, doing] of doings.entries()) {
          if (typeof doing === "number") {
            const item = { rank: doing, n, gone: false };
            backlog.push(item);
            model.push(item);
          } else if (model.length > 0) {
            const picked = (
              doing === "pop" ? model.toSorted((a, b) => (before(a, b) ? -1 : 1))[0] : model[n % model.length]
            ) as Item;
            if (doing === "pop") expect(backlog.pop()).toBe(picked);
            else backlog.leave(picked);
            model = model.filter((item) => item !== picked);
          }
          expect(backlog.size).toBe(model.length);
        }
        expect(backlog.peek()).toBe(model.toSorted((a, b) => (before(a, b) ? -1 : 1))[0]);
      }),
    );
  });

  test("sweeps out what left, in order still", () => {
    const backlog = new Backlog<Item>(before);
    const items = Array.from({ length: 1000 }, (_, n) => ({ rank: (n * 7919) % 1000, n, gone: false }));
    for (const item of items) backlog.push(item);
    for (const item of items) if (item.n % 10 !== 0) backlog.leave(item);
    const ranks: number[] = [];
    while (backlog.size > 0) ranks.push(backlog.pop().rank);
    expect(ranks).toEqual(
      items
        .filter((item) => item.n % 10 === 0)
        .map((item) => item.rank)
        .toSorted((a, b) => a - b),
    );
    expect(() => backlog.pop()).toThrow("empty backlog");
  });
});

test("whatever is put, limits hold at every moment, a task never runs twice at once, and everything ends", async () => {
  const wishes = fc.array(
    fc.record({
      entity: fc.nat(5),
      stage: fc.nat(3),
      pipeline: fc.constantFrom("p", "q"),
      priority: fc.integer({ min: -1, max: 1 }),
      order: fc.nat(9),
    }),
    { maxLength: 60 },
  );
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), wishes, async (scheduler, puts) => {
      const busy = new Set<string>();
      const active: (readonly Job[])[] = [];
      const last = new Map<string, number>();
      const seen = new Map<string, number>();
      const errors: unknown[] = [];
      const queue = createLocalQueue({
        clock: { wallMs: () => 0, monoMs: () => 0, after: () => ({ cancel: () => {} }) },
        limits: { pipeline: () => 2, stage: () => 1 },
        slots: 2,
        batchSize: 3,
        onError: (error) => errors.push(error),
        run: async (jobs) => {
          active.push(jobs);
          for (const { taskKey, order } of jobs) {
            expect(busy.has(taskKey)).toBe(false);
            busy.add(taskKey);
            seen.set(taskKey, order);
          }
          for (const pipeline of ["p", "q"]) {
            expect(active.filter((run) => run.some((job) => job.pipeline === pipeline)).length).toBeLessThanOrEqual(2);
          }
          for (const { stageKey } of jobs) {
            expect(active.filter((run) => run.some((job) => job.stageKey === stageKey)).length).toBe(1);
          }
          expect(active.filter((run) => run[0]?.lane === "single").length).toBeLessThanOrEqual(2);
          expect(active.filter((run) => run[0]?.lane === "batch").length).toBeLessThanOrEqual(2);
          await scheduler.schedule(Promise.resolve(), "end of a run");
          active.splice(active.indexOf(jobs), 1);
          for (const { taskKey } of jobs) busy.delete(taskKey);
        },
      });
      const putting = scheduler.scheduleSequence(
        puts.map(({ entity, stage, pipeline, priority, order }) => async () => {
          const stageKey = `${pipeline}#${stage}`;
          const taskKey = `${stageKey}@${entity}`;
          last.set(taskKey, order);
          queue.put({ taskKey, stageKey, pipeline, priority, order, dueAt: 0, lane: stage < 2 ? "batch" : "single" });
        }),
      );
      await scheduler.waitFor(putting.task);
      await scheduler.waitFor(queue.onIdle());
      expect(errors).toEqual([]);
      expect(queue.counts()).toEqual({ waiting: 0, due: 0, running: 0 });
      expect(seen).toEqual(last);
    }),
    { numRuns: 100 },
  );
});
