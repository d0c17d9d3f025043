import fc from "fast-check";
import { beforeAll, describe, expect, test, vi } from "vitest";
import {
  canonicalJson,
  createHashStream,
  fingerprint,
  hashBytes,
  loadHasher,
  treeHash,
  type FingerprintParts,
  type TreeEntry,
} from "../../../src/core/hash/hash.ts";
import { InternalError } from "../../../src/core/model/problems.ts";

beforeAll(loadHasher);

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("hashBytes", () => {
  // Reference values of the XXH64 specification's own implementation, seed 0.
  test.each([
    ["", "ef46db3751d8e999"],
    ["a", "d24ec4f1a98c6e5b"],
    ["abc", "44bc2cf5ad770999"],
    ["hello world", "45ab6734b21e6968"],
  ])("of %j is %s, as bytes and as text", (text, hash) => {
    expect(hashBytes(text)).toBe(hash);
    expect(hashBytes(bytesOf(text))).toBe(hash);
  });

  test("hashes a string as its UTF-8 bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(hashBytes(text)).toBe(hashBytes(bytesOf(text)));
      }),
    );
  });

  test("is always 16 lower-case hex digits", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(hashBytes(bytes)).toMatch(/^[0-9a-f]{16}$/);
      }),
    );
  });

  test("does not depend on the size from which it works in slices", () => {
    const big = new Uint8Array((1 << 21) + 5).map((_, i) => i * 31);
    const stream = createHashStream();
    for (let at = 0; at < big.length; at += 100_003) stream.update(big.subarray(at, at + 100_003));
    expect(hashBytes(big)).toBe(stream.digest());
    expect(hashBytes(big)).not.toBe(hashBytes(big.subarray(1)));
    const text = "ä€x".repeat(1 << 19);
    expect(hashBytes(text)).toBe(hashBytes(bytesOf(text)));
  });

  test("throws InternalError before loadHasher has resolved", async () => {
    vi.resetModules();
    const fresh: typeof import("../../../src/core/hash/hash.ts") = await import("../../../src/core/hash/hash.ts");
    const problems: typeof import("../../../src/core/model/problems.ts") =
      await import("../../../src/core/model/problems.ts");
    expect(() => fresh.hashBytes("a")).toThrow(problems.InternalError);
    expect(() => fresh.createHashStream()).toThrow(problems.InternalError);
    await fresh.loadHasher();
    expect(fresh.hashBytes("a")).toBe("d24ec4f1a98c6e5b");
    expect(new InternalError("x").name).toBe("InternalError");
  });
});

test("a hash stream gives the hash of the whole, however it is cut, with several streams open", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (chunks) => {
      const one = createHashStream();
      const other = createHashStream();
      for (const chunk of chunks) {
        one.update(chunk);
        other.update(bytesOf("noise"));
      }
      expect(one.digest()).toBe(hashBytes(Buffer.concat(chunks)));
    }),
  );
});

describe("canonicalJson", () => {
  test.each([
    [{ b: 1, a: { d: [1, "x", null], c: true } }, '{"a":{"c":true,"d":[1,"x",null]},"b":1}'],
    [{ é: 1, z: 2, "\u{1F600}": 3, "\uFFFD": 4 }, '{"z":2,"é":1,"\u{1F600}":3,"\uFFFD":4}'],
    [{ a: undefined, b: () => 1 }, "{}"],
    [[undefined, () => 1, 1], "[null,null,1]"],
    [undefined, "null"],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
  ])("of %o is %s", (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test("parses back to the value and does not depend on the order of keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(reversed(value))).toBe(text);
      }),
    );
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

const treeEntry: fc.Arbitrary<TreeEntry> = fc.record({
  path: fc.string(),
  kind: fc.constantFrom("file", "folder", "symlink"),
  hash: fc.string({ maxLength: 3 }),
});

describe("treeHash", () => {
  test("does not depend on the order in which entries were found", () => {
    fc.assert(
      fc.property(fc.uniqueArray(treeEntry, { selector: (entry) => entry.path }), (entries) => {
        expect(treeHash(entries.toReversed())).toBe(treeHash(entries));
      }),
    );
  });

  test("differs when a name does, or what is there under it", () => {
    const tree = (path: string, kind: TreeEntry["kind"], hash: string): string => treeHash([{ path, kind, hash }]);
    const hashes = [tree("a", "file", "0"), tree("b", "file", "0"), tree("a", "file", "1"), tree("a", "symlink", "0")];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test("differs for different trees, wherever their fields are cut", () => {
    const trees = fc.uniqueArray(treeEntry, { selector: (entry) => entry.path, maxLength: 3 });
    fc.assert(
      fc.property(trees, trees, (a, b) => {
        const byPath = (entries: readonly TreeEntry[]): string =>
          canonicalJson(entries.toSorted((x, y) => (x.path < y.path ? -1 : 1)));
        expect(treeHash(a) === treeHash(b)).toBe(byPath(a) === byPath(b));
      }),
    );
  });
});

describe("fingerprint", () => {
  const parts: FingerprintParts = {
    inputs: { "input/001.txt": "45ab6734b21e6968", "b.txt": null },
    codeHash: "0123456789abcdef",
    paramsHash: "fedcba9876543210",
    env: { HOME: "aa", PATH: "bb" },
    tools: { tr: "cc" },
  };

  test("does not depend on the order of keys", () => {
    expect(fingerprint(reversed(parts) as FingerprintParts)).toBe(fingerprint(parts));
  });

  const changes: readonly (readonly [string, Partial<FingerprintParts>])[] = [
    ["an input's hash", { inputs: { ...parts.inputs, "input/001.txt": "0" } }],
    ["an input that became absent", { inputs: { ...parts.inputs, "input/001.txt": null } }],
    ["an input that is named null", { inputs: { ...parts.inputs, "b.txt": "null" } }],
    ["one input more", { inputs: { ...parts.inputs, "c.txt": null } }],
    ["one input less", { inputs: { "b.txt": null } }],
    ["the code", { codeHash: "1" }],
    ["the params", { paramsHash: "1" }],
    ["a variable's value", { env: { ...parts.env, HOME: "ab" } }],
    ["a variable's name", { env: { HOMER: "aa", PATH: "bb" } }],
    ["a tool", { tools: { tr: "cd" } }],
    ["a tool that is a variable instead", { env: { ...parts.env, tr: "cc" }, tools: {} }],
  ];
  test.each(changes)("changes with %s", (_, change) => {
    expect(fingerprint({ ...parts, ...change })).not.toBe(fingerprint(parts));
  });
});
