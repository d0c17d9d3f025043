import { describe, expect, test } from "vitest";
import { SystemClock } from "../../src/adapters/system/clock.ts";
import type { Clock } from "../../src/ports.ts";
import { ManualClock } from "../support/manual-clock.ts";

interface Bench {
  readonly clock: Clock;
  /** Lets so much time pass at least. */
  pass(ms: number): Promise<void>;
}

function realBench(): Bench {
  return { clock: new SystemClock(), pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms + 5)) };
}
function manualBench(): Bench {
  const clock = new ManualClock();
  return { clock, pass: (ms) => clock.advanceSettled(ms) };
}

describe.each([
  ["the machine's clock", realBench],
  ["the clock by hand", manualBench],
])("%s", (_name, makeBench) => {
  test("a timer fires once, not before its time, by the monotonic clock", async () => {
    const { clock, pass } = makeBench();
    const from = clock.monoMs();
    const fired: number[] = [];
    clock.after(20, () => fired.push(clock.monoMs() - from));
    await pass(20);
    await pass(20);
    expect(fired).toHaveLength(1);
    expect(fired[0]).toBeGreaterThanOrEqual(20);
  });

  test("a delay of nothing fires soon, but not before the call has returned", async () => {
    const { clock, pass } = makeBench();
    let fired = 0;
    clock.after(0, () => fired++);
    clock.after(-5, () => fired++);
    expect(fired).toBe(0);
    await pass(1);
    expect(fired).toBe(2);
  });

  test("timers fire in the order they are due", async () => {
    const { clock, pass } = makeBench();
    const order: number[] = [];
    for (const delay of [30, 10, 20]) clock.after(delay, () => order.push(delay));
    await pass(30);
    expect(order).toEqual([10, 20, 30]);
  });

  test("a cancelled timer does not fire, and cancelling later does no harm", async () => {
    const { clock, pass } = makeBench();
    let fired = 0;
    for (const delay of [0, 5]) clock.after(delay, () => fired++).cancel();
    const done = clock.after(1, () => undefined);
    await pass(5);
    done.cancel();
    expect(fired).toBe(0);
  });

  test("a timer of 50 days neither fires at once nor is refused", async () => {
    const { clock, pass } = makeBench();
    let fired = 0;
    const timer = clock.after(50 * 86_400_000, () => fired++);
    await pass(5);
    timer.cancel();
    expect(fired).toBe(0);
  });

  test("both clocks go forward", async () => {
    const { clock, pass } = makeBench();
    const [wall, mono] = [clock.wallMs(), clock.monoMs()];
    await pass(5);
    expect(clock.wallMs()).toBeGreaterThan(wall);
    expect(clock.monoMs()).toBeGreaterThan(mono);
  });
});

test("the clock by hand keeps waits apart from a change of the wall time", () => {
  const clock = new ManualClock(1_000);
  let firedAt = -1;
  clock.after(100, () => (firedAt = clock.monoMs()));
  clock.jumpWall(-1_000_000);
  clock.advance(99);
  expect(firedAt).toBe(-1);
  clock.advance(1);
  expect(firedAt).toBe(100);
});
