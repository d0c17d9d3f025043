import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { documentText } from "../../../src/core/model/document-json.ts";
import {
  formatManifest,
  isPathInRoot,
  manifestOf,
  parseManifest,
  type ManifestMigrations,
} from "../../../src/core/model/manifest-json.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import { failureRecord, manifest, stateRecord } from "../../support/store-fixtures.ts";

const FULL = manifest("001", {
  states: { "b/{id}": stateRecord({ envHashes: { HOME: "x" }, toolHashes: { jq: "y" } }), "a/{id}": stateRecord() },
  failures: { "c/{id}": failureRecord({ nextRetryAt: null }) },
});

type Parts = { top: Record<string, unknown>; state: Record<string, unknown>; failure: Record<string, unknown> };

function broken(change: (parts: Parts) => void): string {
  const top = JSON.parse(formatManifest(FULL)) as Record<string, Record<string, Record<string, unknown>>>;
  change({ top, state: top["states"]!["a/{id}"]!, failure: top["failures"]!["c/{id}"]! });
  return JSON.stringify(top);
}

/** Makes a state one of a skipped task, with a leftover whose record has these changes. */
function leave(state: Record<string, unknown>, changes: object): void {
  const leftoverRecord = { ...state, contentHash: "left", ...changes };
  Object.assign(state, { contentHash: null, leftover: "left", leftoverRecord });
}

describe("a manifest's text", () => {
  test("has sorted keys, two spaces and a final newline", () => {
    expect(
      formatManifest(manifest("001", { states: { z: stateRecord(), "10": stateRecord(), "9": stateRecord() } })),
    ).toMatch(
      /^\{\n {2}"entityId": "001",\n {2}"states": \{\n {4}"10": \{[^}]*\}[^}]*\},\n {4}"9": \{[^]*"z": \{[^]*\},\n {2}"version": 1\n\}\n$/,
    );
  });

  test("does not depend on the order in which things were recorded", () => {
    const turned = { ...FULL, states: Object.fromEntries(Object.entries(FULL.states).reverse()) };
    expect(formatManifest(turned)).toBe(formatManifest(FULL));
  });

  test("leaves out failures when there are none", () => {
    expect(formatManifest(manifest("001"))).not.toContain("failures");
  });

  test("reads back as what was written, whatever the names are", () => {
    const key = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "constructor", "toString", "7"));
    fc.assert(
      fc.property(key, key, key, (pattern, input, id) => {
        const states = Object.fromEntries([
          [pattern, stateRecord({ inputHashes: Object.fromEntries([[input, "h"]]) })],
        ]);
        const parsed = parseManifest(formatManifest(manifest(id, { states })));
        if (parsed.is !== "manifest") throw new Error(JSON.stringify(parsed));
        expect(parsed.manifest.entityId).toBe(id);
        expect(Object.keys(parsed.manifest.states)).toEqual([pattern]);
        expect(Object.entries(parsed.manifest.states[pattern]!.inputHashes)).toEqual([[input, "h"]]);
      }),
    );
    expect(({} as Record<string, unknown>)["h"]).toBeUndefined();
  });

  test("keeps what was recorded of a leftover", () => {
    const text = broken(({ state }) => leave(state, {}));
    const parsed = parseManifest(text);
    const state = parsed.is === "manifest" ? parsed.manifest.states["a/{id}"] : undefined;
    expect(state?.leftoverRecord).toEqual({ ...FULL.states["a/{id}"], contentHash: "left" });
    expect(parsed.is === "manifest" && JSON.parse(formatManifest(parsed.manifest))).toEqual(JSON.parse(text));
  });

  test("has no states but its own", () => {
    const parsed = parseManifest(formatManifest(FULL));
    expect(parsed.is === "manifest" && parsed.manifest.states["constructor"]).toBeUndefined();
    expect(parsed).toEqual({ is: "manifest", manifest: FULL });
  });

  test.each<[string, string]>([
    ["nothing", ""],
    ["no JSON", "{"],
    ["no object", "[]"],
    ["null", "null"],
    ["no version", broken(({ top }) => delete top["version"])],
    ["a version that never was", broken(({ top }) => Object.assign(top, { version: 0 }))],
    ["a gigantic version", formatManifest(FULL).replace('"version": 1', '"version": 1e999')],
    ["an unknown key", broken(({ top }) => Object.assign(top, { more: 1 }))],
    ["a prototype", formatManifest(FULL).replace('"version": 1', '"version": 1, "__proto__": {"x": 1}')],
    ["a prototype in a record", formatManifest(FULL).replace('"runId"', '"__proto__": {"x": 1}, "runId"')],
    ["an id that is no text", broken(({ top }) => Object.assign(top, { entityId: 1 }))],
    ["states that are a list", broken(({ top }) => Object.assign(top, { states: [] }))],
    ["no states", broken(({ top }) => delete top["states"])],
    ["a state that is null", broken(({ top }) => Object.assign(top["states"] as object, { x: null }))],
    ["a hash that is a number", broken(({ state }) => Object.assign(state, { contentHash: 1 }))],
    ["an input hash that is a number", broken(({ state }) => Object.assign(state["inputHashes"] as object, { i: 1 }))],
    ["a path out of the root", broken(({ state }) => Object.assign(state, { path: "../x" }))],
    ["a gigantic duration", formatManifest(FULL).replace('"durationMs": 1.5', '"durationMs": 1e300')],
    ["a negative duration", formatManifest(FULL).replace('"durationMs": 1.5', '"durationMs": -1')],
    ["a time that is none", broken(({ state }) => Object.assign(state, { producedAt: "soon Z" }))],
    ["a failure of an unknown category", broken(({ failure }) => Object.assign(failure, { category: "x" }))],
    ["a log that is no text", broken(({ failure }) => Object.assign(failure, { log: 5 }))],
    ["a log that is null", broken(({ failure }) => Object.assign(failure, { log: null }))],
    ["a log longer than any of ours", broken(({ failure }) => Object.assign(failure, { log: "x".repeat(4097) }))],
    ["half an attempt", broken(({ failure }) => Object.assign(failure, { attempts: 1.5 }))],
    ["a failure without an attempt", broken(({ failure }) => Object.assign(failure, { attempts: 0 }))],
    [
      "a record of a leftover without the leftover",
      broken(({ state }) => Object.assign(state, { leftoverRecord: { ...state } })),
    ],
    ["a record of another leftover", broken(({ state }) => leave(state, { contentHash: "else" }))],
    ["a record of a leftover elsewhere", broken(({ state }) => leave(state, { path: "else" }))],
    ["a leftover's record with one inside", broken(({ state }) => leave(state, { leftoverRecord: { ...state } }))],
    ["a leftover's record that is none", broken(({ state }) => leave(state, { producedBy: 1 }))],
    ["environment hashes that are null", broken(({ failure }) => Object.assign(failure, { envHashes: null }))],
  ])("with %s is corrupt", (_, text) => {
    expect(parseManifest(text)).toMatchObject({ is: "corrupt" });
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  test("cut at any length is corrupt", () => {
    const text = formatManifest(FULL);
    for (let length = 0; length < text.length - 1; length++) {
      expect(parseManifest(text.slice(0, length))).toMatchObject({ is: "corrupt" });
    }
  });

  test("of a later version is told apart from a corrupt one", () => {
    expect(parseManifest('{"version": 2, "whatever": true}')).toEqual({ is: "newer", version: 2 });
  });

  test("of an older version is migrated step by step", () => {
    const old = JSON.stringify({ version: -1, id: "001" });
    type Step = (older: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
    const steps: ManifestMigrations = new Map<number, Step>([
      [-1, (older) => ({ version: 0, entityId: older["id"] })],
      [0, (older) => ({ ...older, version: 1, states: {} })],
    ]);
    expect(parseManifest(old, steps)).toEqual({ is: "manifest", manifest: manifest("001", { states: {} }) });
    expect(parseManifest(old, new Map([...steps].slice(0, 1)))).toMatchObject({ is: "corrupt" });
  });
});

test("a manifest that could not be read again is named before it is written", () => {
  expect(manifestOf(manifest("001", { states: { x: stateRecord({ durationMs: NaN }) } }))).toContain("state");
  expect(manifestOf({ ...manifest("001"), version: 2 })).toContain("version");
});

test.each([
  ["a", true],
  ["a/b.txt", true],
  ["folder/", true],
  ["...", true],
  ["a..b/.c", true],
  ["", false],
  ["/a", false],
  ["..", false],
  ["a/../b", false],
  ["a/..", false],
  ["./a", false],
  ["a//b", false],
  ["a\0b", false],
])("whether %j is a path in the root: %s", (path, expected) => {
  expect(isPathInRoot(path)).toBe(expected);
});

test("a failure's log is kept, and one without is as before", () => {
  for (const failure of [failureRecord({ log: "no title\n" }), failureRecord()]) {
    const text = formatManifest(manifest("001", { failures: { "c/{id}": failure } }));
    const parsed = parseManifest(text);
    expect(parsed).toEqual({ is: "manifest", manifest: manifest("001", { failures: { "c/{id}": failure } }) });
    expect(text.includes('"log"')).toBe("log" in failure);
  }
});

describe("a document's text", () => {
  test("is JSON of the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(documentText(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test.each([NaN, Infinity, undefined, () => 1, 1n])("%s is refused", (value) => {
    expect(() => documentText([value])).toThrow(InternalError);
  });
});
