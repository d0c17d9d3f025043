import fc from "fast-check";
import { expect, test } from "vitest";
import { accepts, compile } from "../../../src/core/pattern/automaton.ts";
import { ALL_CHARS, NAME_CHARS } from "../../../src/core/pattern/char-set.ts";
import { parseRegex, reverse } from "../../../src/core/pattern/regex.ts";
import { allTexts } from "./pattern-arbitrary.ts";

const { source } = fc.letrec<{ source: string; atom: string; part: string }>((tie) => ({
  atom: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        "a",
        "b",
        "1",
        "-",
        ".",
        String.raw`\d`,
        String.raw`\w`,
        String.raw`\-`,
        String.raw`\S`,
      ),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        "[ab]",
        "[^a]",
        "[a-c-]",
        String.raw`[\d-]`,
        String.raw`[^\w]`,
        "[-1]",
        String.raw`[\]b]`,
      ),
    },
    { weight: 2, arbitrary: tie("source").map((inner) => `(${inner})`) },
    { weight: 1, arbitrary: tie("source").map((inner) => `(?:${inner})`) },
  ),
  part: fc
    .tuple(tie("atom"), fc.constantFrom("", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}", "{0,}"))
    .map((both) => both.join("")),
  source: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.array(tie("part"), { minLength: 0, maxLength: 3 }).map((parts) => parts.join("")),
    fc.tuple(tie("part"), tie("source")).map((options) => options.join("|")),
  ),
}));

const texts = allTexts("ab1-", 4);

test("an expression matches what JavaScript's expression matches, forwards and backwards, but never nothing", () => {
  let tried = 0;
  fc.assert(
    fc.property(source, (text) => {
      const { regex, faults } = parseRegex(text, ALL_CHARS);
      if (faults.length > 0) {
        expect(faults.map(({ message }) => message)).toEqual(["the expression matches no text"]);
        return;
      }
      tried++;
      const native = new RegExp(`^(?:${text})$`, "s");
      const plain = compile(regex);
      const nonEmpty = compile({ kind: "nonEmpty", of: regex });
      const backwards = compile(reverse({ kind: "nonEmpty", of: regex }));
      const wanted = texts.filter((one) => native.test(one));
      expect(texts.filter((one) => accepts(plain, one))).toEqual(wanted);
      expect(texts.filter((one) => accepts(nonEmpty, one))).toEqual(wanted.filter((one) => one !== ""));
      const reversed = texts.filter((one) => accepts(backwards, Array.from(one).toReversed().join("")));
      expect(reversed).toEqual(wanted.filter((one) => one !== ""));
    }),
    { numRuns: 500 },
  );
  expect(tried).toBeGreaterThan(300);
});

test.each([
  ["", "the expression matches no text", 0, 1],
  ["a{0}", "the expression matches no text", 0, 4],
  ["^a", '"^" is not needed: the whole value is compared', 0, 1],
  ["a$", '"$" is not needed: the whole value is compared', 1, 1],
  ["a(?=b)", '"(?=" is not allowed: only plain groups take linear time', 1, 3],
  ["(?<!b)a", '"(?<!" is not allowed: only plain groups take linear time', 0, 4],
  ["(?<n>a)", '"(?<n>" is not allowed: only plain groups take linear time', 0, 5],
  [String.raw`(a)\1`, String.raw`"\1" refers back to a group, which cannot be matched in linear time`, 3, 2],
  [String.raw`a\b`, String.raw`"\b" is not needed: the whole value is compared`, 1, 2],
  [String.raw`\p{L}`, String.raw`"\p" is not known`, 0, 2],
  [String.raw`a\/b`, 'a value never holds "/"', 1, 2],
  ["[a/]", 'a value never holds "/"', 2, 1],
  ["[]", "the class matches no character", 0, 2],
  [String.raw`[^\s\S]`, "the class matches no character", 0, 7],
  ["[z-a]", '"z-a" is no range', 1, 3],
  ["[a", '"[" is not closed', 0, 1],
  ["(a", '"(" is not closed', 0, 1],
  ["a)", '")" closes no group', 1, 1],
  ["*a", '"*" repeats nothing', 0, 1],
  ["a**", "two repeats follow one another", 2, 1],
  ["a+?", '"?" after a repeat has no meaning here', 2, 1],
  ["a{3,2}", "the repeat counts down: 3 to 2", 1, 5],
  ["a{x}", '"{" repeats nothing', 1, 1],
  ["a]", '"]" closes nothing', 1, 1],
  ["a{1001}", "the expression has 1001 steps with its repeats written out, at most 1000 are allowed", 0, 7],
  [
    "((a{1000}){1000}){1000}",
    "the expression has 1000000000 steps with its repeats written out, at most 1000 are allowed",
    0,
    23,
  ],
  ["a\\", String.raw`"\" escapes nothing`, 1, 1],
])("%j is refused", (text, message, offset, length) => {
  const { faults } = parseRegex(text, NAME_CHARS);
  expect(faults[0]).toMatchObject({ message, offset, length });
});

test("every fault of an expression is told", () => {
  expect(parseRegex(String.raw`^a(?=b)\1$`, NAME_CHARS).faults.map(({ offset }) => offset)).toEqual([0, 2, 7, 9]);
});

test("groups nested without end are refused, not followed", () => {
  const { faults } = parseRegex("(".repeat(4000), NAME_CHARS);
  expect(faults[0]!.message).toBe("groups are nested more than 50 deep");
});

test("no text makes the parser throw, and what it accepts can be compiled", () => {
  const parts = fc.constantFrom(
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "|",
    "?",
    "*",
    "+",
    "^",
    "-",
    "\\",
    "/",
    "a",
    "1",
    ",",
    "?:",
    "?<",
    "d",
    "😀",
  );
  fc.assert(
    fc.property(fc.string({ unit: parts, maxLength: 14 }), (text) => {
      const { regex, faults } = parseRegex(text, NAME_CHARS);
      for (const { offset, length } of faults)
        expect(offset + length).toBeLessThanOrEqual(Math.max(1, text.length) + 1);
      if (faults.length === 0) expect(accepts(compile(regex), "\0")).toBe(false);
    }),
    { numRuns: 3000 },
  );
});
