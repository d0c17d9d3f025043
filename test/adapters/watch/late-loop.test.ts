import { beforeEach, expect, test } from "vitest";
import { LateLoop } from "../../../src/adapters/watch/late-loop.ts";
import { ManualClock } from "../../support/manual-clock.ts";

let clock: ManualClock;
let events: number;
let lates: number[];
let loop: LateLoop;
beforeEach(() => {
  clock = new ManualClock();
  events = 0;
  lates = [];
  loop = new LateLoop(
    clock,
    () => events,
    () => lates.push(clock.monoMs()),
  );
  loop.start();
});

/** The event loop stands still; then so many events are delivered. */
function blocked(ms: number, waiting: number): void {
  clock.block(ms);
  clock.advance(1);
  events += waiting;
  clock.advance(250);
}

test("a loop that was late while events came is told, once they are delivered", () => {
  blocked(400, 3);
  expect(lates).toHaveLength(1);
});

test.each([
  ["short", 200, 3],
  ["one in which nothing came", 10_000, 0],
])("a delay is not told: %s", (_what, ms, waiting) => {
  blocked(ms, waiting);
  clock.advance(60_000);
  expect(lates).toEqual([]);
});

test("delays after one another are told every 5 s, and the last one is not forgotten", () => {
  blocked(400, 1);
  blocked(400, 1);
  blocked(400, 1);
  clock.advance(60_000);
  expect(lates).toHaveLength(2);
  expect((lates[1] ?? 0) - (lates[0] ?? 0)).toBeGreaterThanOrEqual(5_000);
});

test("a closed one beats no more", () => {
  loop.close();
  expect(clock.timers).toBe(0);
});
