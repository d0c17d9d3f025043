import { describe, expect, test } from "vitest";
import { accepts } from "../../../src/core/pattern/automaton.ts";
import { builtInType, fitsType, TYPE_NAMES } from "../../../src/core/pattern/value-type.ts";

/** Whether both the native expression and the automaton say so; throws when they differ. */
function fits(name: string, value: string): boolean {
  const type = builtInType(name)!;
  const answer = fitsType(type, value);
  if (accepts(type.program, value) !== answer) throw new Error(`the two matchers differ for ${value}`);
  if (accepts(type.reversed, Array.from(value).toReversed().join("")) !== answer)
    throw new Error(`backwards differs for ${value}`);
  return answer;
}

test.each([
  ["int", ["0", "007", "-5", "12345678901234567890"], ["", "-", "+1", "1.0", "1e3", "--1", " 1", "١"]],
  ["slug", ["a", "a-b", "2026-in-review"], ["", "-a", "a-", "a--b", "A", "a_b", "é"]],
  [
    "uuid",
    ["0188f3a0-0000-7000-8000-00000000000a", "0188F3A0-0000-7000-8000-00000000000A"],
    ["0188f3a0", "0188f3a000007000800000000000000a"],
  ],
  ["hex", ["0", "dead", "BEEF"], ["", "0x1", "g"]],
  [
    "date",
    ["2026-01-31", "2024-02-29", "2000-02-29", "0000-02-29"],
    ["2023-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-1-1", "2026-00-10"],
  ],
  [
    "week",
    ["2026-W01", "2026-W53", "2020-W53"],
    ["2025-W53", "2026-W00", "2026-W54", "2026-w01", "2026W01", "2026-W1"],
  ],
])("a value is %s", (name, right, wrong) => {
  expect(right.filter((value) => !fits(name, value))).toEqual([]);
  expect(wrong.filter((value) => fits(name, value))).toEqual([]);
});

test("every built-in type fits its own example", () => {
  expect(TYPE_NAMES.filter((name) => !fits(name, builtInType(name)!.example!))).toEqual([]);
});

describe("the calendar is the real one", () => {
  const years = [...Array.from({ length: 401 }, (_, i) => 1800 + i), 1, 100, 400, 4, 2400, 9996, 9999];

  test("a date is one when JavaScript's calendar has it", () => {
    const two = (n: number): string => String(n).padStart(2, "0");
    for (const year of years)
      for (const month of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
        for (const day of [0, 1, 9, 10, 28, 29, 30, 31, 32]) {
          const text = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
          const at = new Date(0);
          at.setUTCFullYear(year, month - 1, day);
          const isReal = at.getUTCMonth() === month - 1 && at.getUTCDate() === day;
          expect(fitsType(builtInType("date")!, text), text).toBe(isReal);
        }
  });

  test("a year has a week 53 when its 28 December lies in one", () => {
    for (const year of years) {
      const december = new Date(0);
      december.setUTCFullYear(year, 11, 28);
      const thursday = new Date(december.getTime() + (4 - (december.getUTCDay() || 7)) * 86_400_000);
      const first = new Date(0);
      first.setUTCFullYear(thursday.getUTCFullYear(), 0, 1);
      const week = Math.ceil(((thursday.getTime() - first.getTime()) / 86_400_000 + 1) / 7);
      expect(fits("week", `${String(year).padStart(4, "0")}-W53`), String(year)).toBe(week === 53);
    }
  });
});
