import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parsePattern, variableSpan } from "../../../src/core/pattern/pattern.ts";
import { pattern } from "./pattern-arbitrary.ts";

function faultsOf(
  text: string,
): readonly { readonly offset: number; readonly length: number; readonly message: string; readonly hint: string }[] {
  const parsed = parsePattern(text);
  return parsed.ok ? [] : parsed.faults;
}

test.each([
  ["input/{id}.txt", "input", 1, false],
  ["{id}.txt", "", 1, false],
  ["a/b/{x}/c/{y}.txt", "a/b", 3, false],
  ["a/b.txt", "a", 1, false],
  ["b.txt", "", 1, false],
  ["albums/{id}/", "albums", 1, true],
  ["albums/", "", 1, true],
  ["a{{b/{id}", "a{b", 1, false],
  ["docs/{p...}/{n}.md", "docs", Infinity, false],
])("%j lies below %j, %d deep", (text, base, depth, isFolder) => {
  expect(pattern(text)).toMatchObject({ text, base, depth, isFolder });
});

test("variables come once each, in the order of their first use, with their types as written", () => {
  expect(pattern("{b:int}/{a}-{b:int}/{rest...:/[a-z/]{1,2}\\d/}".replace("/]", "]")).variables).toEqual([
    { name: "b", rest: false, type: "int" },
    { name: "a", rest: false, type: undefined },
    { name: "rest", rest: true, type: "/[a-z]{1,2}\\d/" },
  ]);
});

test("the place of a variable is that of its first use, braces included", () => {
  const made = pattern("x/{id:/[^/]+/}/{n}/{id:/[^/]+/}");
  expect(variableSpan(made, "id")).toEqual({ offset: 2, length: 12 });
  expect(variableSpan(made, "n")).toEqual({ offset: 15, length: 3 });
  expect(variableSpan(made, "other")).toBeUndefined();
});

describe("a wrong pattern is refused with the place and what to do", () => {
  test.each([
    ["", 0, 1, "the pattern is empty", "write a path with variables, such as input/{id}.txt"],
    ["/input/{id}", 0, 1, "the path is absolute", 'leave out the first "/": patterns are relative to the state root'],
    ["/", 0, 1, "the path is absolute", 'leave out the first "/": patterns are relative to the state root'],
    ["a/../b", 2, 2, '".." leads out of the folder', "name the folder itself, relative to the state root"],
    ["./a", 0, 1, '"." names no folder', "leave it out"],
    ["a//b", 2, 1, "a folder without a name", 'leave out one "/"'],
    ["a//", 2, 1, "a folder without a name", 'leave out one "/"'],
    [".millrace/{id}", 0, 9, '".millrace" is Millrace\'s own folder', "choose another folder"],
    ["~/{id}", 0, 1, '"~" does not stand for the home folder here', "name a folder relative to the state root"],
    ["a\\{id}", 1, 1, String.raw`"\" does not separate folders`, 'write "/" between folders'],
    ["a\0b", 1, 1, String.raw`a character that no file name can hold: "\u0000"`, "leave it out"],
    ["a\ud800b", 1, 1, String.raw`a character that no file name can hold: "\ud800"`, "leave it out"],
    ["{a}{b}", 3, 3, '"{b}" touches the variable before it', 'put text between them, such as "-" or "/"'],
    ["{}", 0, 2, 'the variable "{}" has no name', "write a name, such as {id}"],
    ["{...}", 0, 5, 'the variable "{...}" has no name', "write a name, such as {id}"],
    ["{1a}", 0, 4, '"1a" is no name of a variable', 'use letters, digits and "_", and no digit first: {_1a}'],
    ["{my id}", 0, 7, '"my id" is no name of a variable', 'use letters, digits and "_", and no digit first: {my_id}'],
    ["{é}", 0, 3, '"é" is no name of a variable', 'use letters, digits and "_", and no digit first'],
    ["{id", 0, 3, '"{id" is not closed', 'add "}", or write "{{" for the character itself'],
    ["{id/x}", 0, 3, '"{id" is not closed', 'add "}", or write "{{" for the character itself'],
    ["{id:/[}/x", 0, 9, '"{id:/[}/x" is not closed', 'add "}", or write "{{" for the character itself'],
    ["a}", 1, 1, '"}" closes no variable', 'write "}}" for the character itself'],
    ["{id:}", 4, 1, "{id:} names no type", "use int, date, week, slug, uuid, hex, or an expression: /[a-z]+/"],
    ["{id:Int}", 4, 3, '"Int" is no type', "write int"],
    ["{id:number}", 4, 6, '"number" is no type', "use int, date, week, slug, uuid, hex, or an expression: /[a-z]+/"],
    ["{id:slug...}", 4, 7, '"..." stands after the type', "write {id...:slug}"],
    [
      "{id:/a^/}",
      6,
      1,
      '"^" is not needed: the whole value is compared',
      "leave it out, or write \\^ for the character itself",
    ],
    ["{a}/{a:int}", 4, 7, '"{a:int}" was "{a}" before', "write {a} in both places, or use another name"],
    ["{a:int}/{a:hex}", 8, 7, '"{a:hex}" was "{a:int}" before', "write {a:int} in both places, or use another name"],
    ["{a...}/{b...}", 7, 6, '"{b...}" is a second variable across folders', "use {name...} once in a pattern"],
    ["{a...}/{a...}", 7, 6, '"{a...}" is a second variable across folders', "use {name...} once in a pattern"],
    ["{a...}/{a}", 7, 3, '"{a}" was "{a...}" before', "write {a...} in both places, or use another name"],
  ])("%j", (text, offset, length, message, hint) => {
    expect(faultsOf(text)[0]).toEqual({ offset, length, message, hint });
  });

  test("more than 16 variables", () => {
    const text = Array.from({ length: 18 }, (_, i) => `{v${i}}`).join("/");
    expect(faultsOf(text)).toMatchObject([
      { offset: text.indexOf("{v16}"), length: 5, message: "the pattern has more than 16 variables" },
    ]);
    expect(faultsOf(Array.from({ length: 16 }, (_, i) => `{v${i}}`).join("/"))).toEqual([]);
  });

  test("more than 4 KiB", () => {
    expect(faultsOf("é".repeat(2048))).toEqual([]);
    expect(faultsOf(`${"é".repeat(2048)}x`)).toMatchObject([
      { message: "the pattern is 4097 bytes long, at most 4096 are allowed" },
    ]);
  });

  test("expressions that are too large together", () => {
    const text = Array.from({ length: 6 }, (_, i) => `{v${i}:/[ab]{900}x?/}`).join("/");
    expect(faultsOf(text)[0]).toMatchObject({
      offset: 0,
      message: "the expressions of the pattern have 5412 steps together, at most 4000 are allowed",
    });
  });
});

test("all faults of a pattern are told at once, in the order of the text", () => {
  expect(faultsOf("/a//{x}{y}/{}/{z:foo}/{q:/^a$/}/../{x:int}/}{open").map(({ offset }) => offset)).toEqual([
    0, 3, 7, 11, 17, 26, 28, 32, 35, 43, 44,
  ]);
});

test("no text makes the parser throw, and every fault lies in it", () => {
  const parts = fc.constantFrom(
    "{",
    "}",
    "/",
    ":",
    "...",
    "a",
    "b",
    ".",
    "..",
    "int",
    "[",
    "]",
    "\\",
    "{a}",
    "{b:/x/}",
    "{c...}",
    "😀",
    "\0",
    "-",
  );
  fc.assert(
    fc.property(fc.string({ unit: parts, maxLength: 12 }), (text) => {
      for (const { offset, length } of faultsOf(text)) {
        expect(length).toBeGreaterThan(0);
        expect(offset + length).toBeLessThanOrEqual(text.length + 1);
      }
    }),
    { numRuns: 3000 },
  );
});

test("a parsed pattern is plain and can be copied", () => {
  const made = pattern("x/{a}-{n:int}/{p...:/[a-z]+/}.txt");
  expect(structuredClone(made)).toEqual(made);
});

test("a variable that is not closed is one fault, also behind a folder", () => {
  const parsed = parsePattern("input/{id.txt");
  expect(parsed.ok || parsed.faults.map((fault) => fault.message)).toEqual(['"{id.txt" is not closed']);
});
