import { beforeEach, expect, test } from "vitest";
import { LateLoop } from "../../../src/adapters/watch/late-loop.ts";
import { ManualClock } from "../../support/manual-clock.ts";

let clock: ManualClock;
let events: number;
let lates: number[];
let causes: string[];
let loop: LateLoop;
beforeEach(() => {
  clock = new ManualClock();
  events = 0;
  lates = [];
  causes = [];
  loop = new LateLoop(
    clock,
    () => events,
    (cause) => {
      lates.push(clock.monoMs());
      causes.push(cause);
    },
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
  expect(causes).toEqual(["late-loop"]);
});

test.each([
  ["short", 200, 3],
  ["one in which nothing came", 4_900, 0],
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

test.each([
  ["the process was stopped for a minute", 60_000, 0],
  ["the machine slept for an hour", 0, 3_600_000],
  ["the clock was set forward by ten years", 0, 10 * 365 * 86_400_000],
  ["the clock was set back by an hour", 0, -3_600_000],
])("%s: told once as a resume, though nothing came", (_what, blockMs, jumpMs) => {
  clock.advance(1_000);
  clock.block(blockMs);
  clock.jumpWall(jumpMs);
  clock.advance(60_000);
  expect(causes).toEqual(["resume"]);
});

test("a clock that is slewed is no resume", () => {
  for (let second = 0; second < 600; second++) {
    clock.advance(1_000);
    clock.jumpWall(0.5);
  }
  expect(causes).toEqual([]);
});

test("a closed one beats no more", () => {
  loop.close();
  expect(clock.timers).toBe(0);
});
