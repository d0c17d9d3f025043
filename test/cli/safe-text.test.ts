import fc from "fast-check";
import { expect, test } from "vitest";
import { cut, displayWidth, safe, safeLines, safeReport } from "../../src/cli/safe-text.ts";

// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const OBEYED = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

test("safe text has nothing a terminal obeys, whatever goes in", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(safe(text)).not.toMatch(OBEYED);
      expect(safe(text).isWellFormed()).toBe(true);
    }),
  );
});

test("printable text stays as it is", () => {
  for (const text of ["input/001.txt", "Füße 文字 🙂", "a b'c\"d\\e"]) expect(safe(text)).toBe(text);
});

test("a report keeps its shape, with safe keys and values; only errors and logs keep line ends", () => {
  const report = { list: ["a\nb", 1, null], error: "one\ntwo\u001b", map: { "k\u0007": true } };
  expect(JSON.parse(JSON.stringify(safeReport(report)))).toEqual({
    list: ["a\\nb", 1, null],
    error: "one\ntwo\\e",
    map: { "k\\x07": true },
  });
  expect(safeLines("a\r\n\tb")).toBe("a\n  b");
});

test.each([
  ["abc", 3],
  ["文字", 4],
  ["🙂", 2],
  ["e\u0301", 1],
  ["👨‍👩‍👧", 2],
])("%j takes %i columns", (text, columns) => {
  expect(displayWidth(text)).toBe(columns);
});

test("a cut text fits, and ends with dots", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 3, max: 40 }), (text, width) => {
      const shown = safe(text);
      const short = cut(shown, width);
      expect(displayWidth(short)).toBeLessThanOrEqual(width);
      if (short !== shown) expect(short.endsWith("...")).toBe(true);
    }),
  );
});
