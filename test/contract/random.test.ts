import { describe, expect, test } from "vitest";
import { SystemRandom } from "../../src/adapters/system/random.ts";
import type { Random } from "../../src/ports.ts";
import { SeededRandom } from "../support/seeded-random.ts";

describe.each<[string, () => Random]>([
  ["the machine's chance", () => new SystemRandom()],
  ["seeded chance", () => new SeededRandom(7)],
])("%s", (_name, make) => {
  test("numbers are in [0, 1) and spread over it", () => {
    const random = make();
    const tenths = new Set<number>();
    for (let draw = 0; draw < 1_000; draw++) {
      const number = random.next();
      expect(number).toBeGreaterThanOrEqual(0);
      expect(number).toBeLessThan(1);
      tenths.add(Math.floor(number * 10));
    }
    expect(tenths.size).toBe(10);
  });

  test("ids are 12 base-36 characters, differ and rise", () => {
    const random = make();
    const ids = Array.from({ length: 5_000 }, () => random.id());
    expect(ids.filter((id) => !/^[0-9a-z]{12}$/.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
  });
});

test("an id tells its millisecond, and a clock set back does not make ids fall", () => {
  let now = Date.UTC(2026, 0, 1);
  const random = new SystemRandom({ wallMs: () => now });
  const first = random.id();
  now -= 3_600_000;
  const second = random.id();
  now += 7_200_000;
  const third = random.id();
  expect(Number.parseInt(first.slice(0, 8), 36)).toBe(Date.UTC(2026, 0, 1));
  expect([third, second, first].toSorted()).toEqual([first, second, third]);
});

test("the same seed gives the same numbers, another one others", () => {
  const draws = (seed: number): number[] => {
    const random = new SeededRandom(seed);
    return [random.next(), random.next(), random.next()];
  };
  expect(draws(1)).toEqual(draws(1));
  expect(draws(1)).not.toEqual(draws(2));
});
