import fc from "fast-check";
import { expect, test } from "vitest";
import { tailOf } from "../../../src/core/model/text-tail.ts";

test.each([
  ["short", 10, "short"],
  ["", 10, ""],
  ["0123456789", 10, "0123456789"],
  ["0123456789", 4, "6789"],
  ["one\ntwo\nthree", 8, "three"],
  ["a long line\nb", 6, "line\nb"],
  ["ééé", 4, "éé"],
  ["ééé", 3, "é"],
  ["😀😀", 5, "😀"],
])("the end of %j in %i bytes is %j", (text, bytes, tail) => {
  expect(tailOf(text, bytes)).toBe(tail);
});

test("it is never longer, never torn, and the text's own end", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 0, max: 50 }), (text, bytes) => {
      const tail = tailOf(text, bytes);
      expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(bytes);
      expect(tail.isWellFormed()).toBe(true);
      expect(text.toWellFormed().endsWith(tail)).toBe(true);
    }),
  );
});
