import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { hashBytes, loadHasher } from "../../../src/core/hash/hash.ts";
import { entityOfFileName, manifestFileName } from "../../../src/core/model/entity-file-name.ts";

beforeAll(loadHasher);

const anyId = fc.oneof(
  // Every sequence of UTF-16 units, so lone surrogates too.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("a", "A", "0", "-", ".", "_", "/", "%", "~", " ", "é", "\u{1f600}", "\ud83d", "\n"),
  }),
  fc.constantFrom("con", "nul.txt", "com1", "aux", "%", "%61", "..", "-", "a~0123456789abcdef"),
);
const nameOf = (id: string): string => manifestFileName(id, hashBytes);

describe("a manifest's file name", () => {
  test.each([
    ["001", "001.json"],
    ["hello_world-2", "hello_world-2.json"],
    ["v1.2", "v1.2.json"],
    ["", "%.json"],
    ["README", "%52%45%41%44%4d%45.json"],
    ["hackernews/12345", "hackernews%2f12345.json"],
    ["-rf", "%2drf.json"],
    [".hidden", "%2ehidden.json"],
    ["end.", "end%2e.json"],
    ["a\nb", "a%0ab.json"],
    ["%41", "%2541.json"],
    ["con", "%63on.json"],
    ["com1.txt", "%63om1.txt.json"],
    ["connect", "connect.json"],
    ["é", "%c3%a9.json"],
    ["e\u0301", "e%cc%81.json"],
    ["\ud83d", "%ed%a0%bd.json"],
  ])("of %j is %s", (id, name) => {
    expect(nameOf(id)).toBe(name);
    expect(entityOfFileName(name)).toEqual({ is: "entity", id });
  });

  test("leads back to its entity, or says that only the content knows it", () => {
    fc.assert(
      fc.property(anyId, (id) => {
        const name = nameOf(id);
        expect(entityOfFileName(name)).toEqual(name.includes("~") ? { is: "hashed" } : { is: "entity", id });
      }),
    );
  });

  test("is lower-case ASCII that every file system takes", () => {
    fc.assert(
      fc.property(anyId, (id) => {
        expect(nameOf(id)).toMatch(
          /^(?!(?:con|prn|aux|nul|com\d|lpt\d)\.)[a-z0-9_%][a-z0-9_.%~-]{0,205}\.json$|^[a-z0-9_%]\.json$/,
        );
      }),
    );
  });

  test("differs for different ids even where case and Unicode forms do not count", () => {
    fc.assert(
      fc.property(anyId, anyId, (a, b) => {
        fc.pre(a !== b);
        expect(nameOf(a).toLowerCase().normalize("NFC")).not.toBe(nameOf(b).toLowerCase().normalize("NFC"));
      }),
    );
    expect(nameOf("a")).not.toBe(nameOf("A").toLowerCase());
  });

  test("of a long id is a readable beginning and a hash of all of it", () => {
    const [a, b] = [nameOf(`${"x".repeat(300)}1`), nameOf(`${"x".repeat(300)}2`)];
    expect(a).toMatch(/^x{160}~[0-9a-f]{16}\.json$/);
    expect(a).not.toBe(b);
    expect(nameOf("é".repeat(100))).toMatch(/^(?:%c3%a9)+~[0-9a-f]{16}\.json$|^(?:%c3%a9)+%c3~[0-9a-f]{16}\.json$/);
  });

  test("is an id's own up to 200 bytes", () => {
    expect(nameOf("y".repeat(200))).toBe(`${"y".repeat(200)}.json`);
    expect(nameOf("y".repeat(201))).toContain("~");
  });

  test.each([
    "Foo.json",
    "%61.json",
    "%.%.json",
    "a%2.json",
    "%ff.json",
    "%c3.json",
    "%C3%A9.json",
    "notes.txt",
    ".json",
    "%f8%80%80%80.json",
  ])("is never %s", (name) => {
    expect(entityOfFileName(name)).toEqual({ is: "foreign" });
  });

  test("no text crashes the way back", () => {
    fc.assert(
      fc.property(anyId, (text) => {
        const named = entityOfFileName(`${text}.json`);
        if (named.is === "entity") expect(nameOf(named.id)).toBe(`${text}.json`);
      }),
    );
  });
});
