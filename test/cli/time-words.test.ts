import { expect, test } from "vitest";
import { agoWords, inWords, spanWords, timeWords, tookWords } from "../../src/cli/time-words.ts";

const NOW = Date.parse("2026-11-20T13:00:00.000Z");
const at = (ms: number) => new Date(NOW + ms).toISOString();

test.each([
  [0, "0 s"],
  [1, "1 s"],
  [90_000, "90 s"],
  [90_001, "2 min"],
  [5_400_000, "90 min"],
  [5_400_001, "2 h"],
  [48 * 3_600_000, "48 h"],
  [48 * 3_600_000 + 1, "3 d"],
])("%i ms are %s", (ms, words) => {
  expect(spanWords(ms)).toBe(words);
});

test("what comes is rounded up, what is past down", () => {
  expect([inWords(at(41_001), NOW), inWords(at(0), NOW), inWords(at(-5), NOW)]).toEqual(["in 42 s", "now", "now"]);
  expect([agoWords(at(-1_999), NOW), agoWords(at(-2_999), NOW), agoWords(at(-170_000), NOW)]).toEqual([
    "now",
    "2 s ago",
    "2 min ago",
  ]);
});

test.each([
  [11.6, "12 ms"],
  [1_500, "1.5 s"],
  [125_000, "2 min 5 s"],
  [119_600, "2 min 0 s"],
  [59_960, "1 min 0 s"],
  [999.7, "1.0 s"],
])("%d ms took %s", (ms, words) => {
  expect(tookWords(ms)).toBe(words);
});

test("a time is shown to the second, in UTC", () => {
  expect(timeWords("2026-11-20T13:00:00.123Z")).toBe("2026-11-20 13:00:00Z");
});
