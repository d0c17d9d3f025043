import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NumberHeap } from "../../src/engine/watching/number-heap.ts";
import { Settling } from "../../src/engine/watching/settling.ts";
import { WallTrust } from "../../src/engine/health/wall-trust.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;
const stat = (size: number) => ({ size, mtimeMs: 0, ctimeMs: 0, ino: 1 });

test("the least of many numbers comes first, whatever was pushed and popped before", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.integer(), fc.constant("pop" as const))), (steps) => {
      const heap = new NumberHeap();
      let expected: number[] = [];
      for (const step of steps) {
        if (step === "pop") {
          heap.pop();
          expected = expected.slice(1);
        } else {
          heap.push(step);
          expected = [...expected, step].toSorted((a, b) => a - b);
        }
        expect(heap.least()).toBe(expected[0]);
      }
    }),
  );
});

describe("how long a file has surely been quiet", () => {
  test("is its age while nobody sets the clock, however long ago, and nothing for a time in the future", () => {
    const clock = new ManualClock();
    const wall = new WallTrust(clock);
    expect(wall.quietMs(clock.wallMs() - YEAR)).toBe(YEAR);
    expect(wall.quietMs(clock.wallMs() + 1)).toBe(0);
    clock.advance(5_000);
    expect(wall.quietMs(clock.wallMs() - 5_000)).toBe(5_000);
  });

  test.each([
    ["an hour forward", HOUR],
    ["an hour back", -HOUR],
    ["a year back", -YEAR],
    ["ten years forward", 10 * YEAR],
    ["a tenth of a second forward", 100],
  ])("is nothing for a file from before a jump of %s, and its age for one from after it", (_how, jump) => {
    const clock = new ManualClock();
    const wall = new WallTrust(clock);
    clock.advance(1_000);
    const before = clock.wallMs();
    clock.jumpWall(jump);
    expect(wall.quietMs(before)).toBe(0);
    clock.advance(1_000);
    expect(wall.quietMs(before)).toBe(0);
    expect(wall.quietMs(clock.wallMs() - 400)).toBe(400);
  });

  test("stays its age while the clock is slewed slowly", () => {
    const clock = new ManualClock();
    const wall = new WallTrust(clock);
    const written = clock.wallMs();
    for (let second = 0; second < 3_600; second++) {
      clock.advance(1_000);
      clock.jumpWall(0.5);
      expect(wall.quietMs(written)).toBe(clock.wallMs() - written);
    }
  });
});

describe("files that settle", () => {
  test("are each named once when due, in whatever order they began, as one that asks every millisecond would", () => {
    const step = fc.record({ path: fc.nat({ max: 9 }), settle: fc.nat({ max: 40 }), wait: fc.nat({ max: 15 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new ManualClock();
        const named: string[] = [];
        const settling = new Settling(clock, (paths) => {
          for (const path of paths) {
            expect(named).not.toContain(path);
            const left = dues.get(path)! - clock.monoMs();
            expect(left <= 2 && left >= 0, `${path} is named ${left} ms early`).toBe(true);
            named.push(path);
            settling.forget(path);
          }
        });
        const dues = new Map<string, number>();
        let size = 0;
        for (const { path, settle, wait } of steps) {
          const name = `input/${path}.txt`;
          named.splice(0);
          dues.set(name, clock.monoMs() + settle);
          settling.lookAgain(name, stat(++size), settle);
          clock.advance(wait);
          for (const late of [...dues].filter(([, due]) => due <= clock.monoMs()).map(([due]) => due)) {
            expect(settling.remainingMs(late), `${late} was due`).toBeUndefined();
          }
        }
        clock.advance(100);
        expect(settling.size).toBe(0);
      }),
    );
  });

  test("100,000 of them, each with a time of its own, are named without looking at those that still wait", () => {
    const clock = new ManualClock();
    let named = 0;
    const settling = new Settling(clock, (paths) => {
      named += paths.length;
      for (const path of paths) settling.forget(path);
    });
    for (let i = 0; i < 100_000; i++) settling.lookAgain(`input/${i}.txt`, stat(i), 1_000 + i * 5);
    clock.advance(1_000 + 50_000 * 5);
    expect(named).toBe(50_001);
    settling.stop();
    expect(clock.timers).toBe(0);
  }, 20_000);
});
