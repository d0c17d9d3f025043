import fc from "fast-check";
import { expect, test } from "vitest";
import { containsMatch, parseTextMatch } from "../../../src/core/pipeline/text-match.ts";

function contains(source: string, text: string): boolean {
  const parsed = parseTextMatch(source);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return containsMatch(parsed.program, text);
}

test.each([
  ["b", "abc", true],
  ["x", "abc", false],
  ["^a", "abc", true],
  ["^b", "abc", false],
  ["c$", "abc", true],
  ["b$", "abc", false],
  ["^abc$", "abc", true],
  ["^ab$", "abc", false],
  ["^a|c$", "ac", false],
  ["\\$", "a$b", true],
  ["a\\$", "a$b", true],
  ["\\\\$", "a\\", true],
  ["a.c", "a\nc", true],
  ["^# .+", "# Title\ntext", true],
])("%j in %j: %s", (source, text, expected) => expect(contains(source, text)).toBe(expected));

test("takes linear time where a native expression would not", () =>
  expect(contains("^(a+)+$", `${"a".repeat(50_000)}b`)).toBe(false));

test.each([
  ["(?=a)", 0],
  ["^a(", 2],
  ["a**", 2],
])("%j is refused at %i", (source, offset) => {
  const parsed = parseTextMatch(source);
  expect(parsed.ok ? [] : parsed.faults.map((fault) => fault.offset)).toContain(offset);
});

test("agrees with native expressions on what both can say", () => {
  const source = fc
    .array(fc.constantFrom("a", "b", "(?:ab|b)", "[ab]", "a*", "b+", "a?", "c{1,2}"), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join(""));
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "\n"), maxLength: 12 });
  fc.assert(
    fc.property(source, text, fc.boolean(), fc.boolean(), (inner, within, start, end) => {
      const whole = `${start ? "^" : ""}(?:${inner})${end ? "$" : ""}`;
      expect(contains(whole, within)).toBe(new RegExp(whole, "u").test(within));
    }),
  );
});
