import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RetryPolicy } from "../../../src/core/model/pipeline.ts";
import { nextRetry, remainingMs, retryDelayMs } from "../../../src/core/resilience/retry.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const standard: RetryPolicy = { maxAttempts: 7, backoffSeconds: [60, 300, 900, 3600, 14400, 86400], jitter: 0 };

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 20 }),
  backoffSeconds: fc.array(fc.integer({ min: 0, max: 100_000 }), { minLength: 1, maxLength: 8 }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
});
const wallTimes = fc.integer({ min: 0, max: 4_000_000_000_000 });

describe("retryDelayMs", () => {
  test.each([
    [1, MINUTE],
    [2, 5 * MINUTE],
    [3, 15 * MINUTE],
    [4, HOUR],
    [5, 4 * HOUR],
    [6, 24 * HOUR],
    [7, 24 * HOUR],
    [100, 24 * HOUR],
  ])("after failure %i of the default policy is %i ms", (failures, delayMs) => {
    expect(retryDelayMs(standard, failures, 0.5)).toBe(delayMs);
  });

  test("lies between delay * (1 - jitter) and delay, and covers both ends", () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 30 }), chance, (policy, failures, random) => {
        const full = retryDelayMs({ ...policy, jitter: 0 }, failures, random);
        const delayMs = retryDelayMs(policy, failures, random);
        expect(delayMs).toBeLessThanOrEqual(full);
        expect(delayMs).toBeGreaterThanOrEqual(Math.floor(full * (1 - policy.jitter)));
        expect(retryDelayMs(policy, failures, 0)).toBe(full);
      }),
    );
    expect(retryDelayMs({ ...standard, jitter: 0.5 }, 1, 0.999_999_9)).toBe(30_000);
    expect(retryDelayMs({ ...standard, jitter: 0.5 }, 1, 0.5)).toBe(45_000);
  });

  test("of a policy without delays is 0", () => {
    expect(retryDelayMs({ maxAttempts: 3, backoffSeconds: [], jitter: 0 }, 2, 0)).toBe(0);
  });
});

describe("nextRetry", () => {
  test("comes for every failure but the last attempt's", () => {
    fc.assert(
      fc.property(policies, wallTimes, chance, (policy, now, random) => {
        for (let failures = 1; failures < policy.maxAttempts; failures++) {
          const delayMs = retryDelayMs(policy, failures, random);
          expect(nextRetry(policy, failures, now, random)).toEqual({ at: now + delayMs, delayMs });
        }
        expect(nextRetry(policy, policy.maxAttempts, now, random)).toBeUndefined();
        expect(nextRetry(policy, policy.maxAttempts + 1, now, random, 5000)).toBeUndefined();
      }),
    );
  });

  test.each([
    ["longer than the delay wins", 90_000.2, 90_001],
    ["shorter than the delay changes nothing", 5000, MINUTE],
  ])("a retry-after that is %s", (_, retryAfterMs, delayMs) => {
    expect(nextRetry(standard, 1, 1000, 0, retryAfterMs)).toEqual({ at: 1000 + delayMs, delayMs });
  });
});

describe("remainingMs", () => {
  test("is what is left of the delay", () => {
    expect(remainingMs(61_000, MINUTE, 11_000)).toBe(50_000);
  });

  test.each([
    ["set back by a day", 61_000, MINUTE, 61_000 - 24 * HOUR, MINUTE],
    ["set forward by a day", 61_000, MINUTE, 61_000 + 24 * HOUR, 0],
  ])("is bounded when the clock was %s", (_, at, delayMs, now, left) => {
    expect(remainingMs(at, delayMs, now)).toBe(left);
  });

  test("of an unreadable time is 0", () => {
    expect(remainingMs(Number.NaN, MINUTE, 0)).toBe(0);
  });

  test("is never negative, never above the delay, and never grows while time passes", () => {
    fc.assert(
      fc.property(wallTimes, fc.nat(100_000_000), wallTimes, fc.nat(1_000_000), (at, delayMs, now, passed) => {
        const left = remainingMs(at, delayMs, now);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(left).toBeLessThanOrEqual(delayMs);
        expect(remainingMs(at, delayMs, now + passed)).toBeLessThanOrEqual(left);
      }),
    );
  });
});
