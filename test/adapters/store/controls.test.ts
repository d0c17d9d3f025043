import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openControlsStore, type ControlsPorts } from "../../../src/adapters/store/controls.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import type { ControlsStore } from "../../../src/ports.ts";
import { diskWith, makeStoreRoot, type StoreRoot } from "../../support/store-fixtures.ts";

const fileIn = (at: StoreRoot): string => `${at.root}/.millrace/controls.json`;

function open(at: StoreRoot, changes: Partial<ControlsPorts> = {}): ControlsStore {
  const opened = openControlsStore(at.root, { ...at, ...changes });
  if (!opened.ok) throw new Error(JSON.stringify(opened.problems));
  return opened.value;
}

test("the file is JSON for people, sorted, and on the medium when the write returns", () => {
  using at = makeStoreRoot();
  const synced: unknown[] = [];
  const disk = diskWith(at.disk, {
    write: (path, bytes, options) => {
      synced.push(options?.sync);
      at.disk.write(path, bytes, options);
    },
    sync: (path) => synced.push(path.slice(at.root.length)),
  });
  open(at, { disk }).write({ version: 1, held: { "p#b": "t", "p#a": "u" }, forced: {} });
  expect(synced).toEqual([true, "/.millrace"]);
  expect(readFileSync(fileIn(at), "utf8")).toBe(
    '{\n  "forced": {},\n  "held": {\n    "p#a": "u",\n    "p#b": "t"\n  },\n  "version": 1\n}\n',
  );
});

test("what another process wrote is seen, and equal controls are not written again", () => {
  using at = makeStoreRoot();
  const [one, two] = [open(at), open(at)];
  const controls = { version: 1, held: { "p#a": "t" }, forced: {} } as const;
  one.write(controls);
  expect(two.read()).toEqual(controls);
  const before = statSync(fileIn(at)).ino;
  two.write(controls);
  expect(statSync(fileIn(at)).ino).toBe(before);
});

test("a task may be called like a property of every object", () => {
  using at = makeStoreRoot();
  writeFileSync(fileIn(at), '{"version": 1, "held": {"__proto__": "t"}, "forced": {}}');
  expect(Object.entries(open(at).read().held)).toEqual([["__proto__", "t"]]);
  expect("constructor" in open(at).read().forced).toBe(false);
});

test.each([
  "",
  "{",
  "[]",
  '{"version": 1}',
  '{"version": 0, "held": {}, "forced": {}}',
  '{"version": 1, "held": {"a": 1}, "forced": {}}',
  '{"version": 1, "held": {}, "forced": {}, "x": 1}',
])("%j is set aside with a warning, and nothing is held", (text) => {
  using at = makeStoreRoot();
  writeFileSync(fileIn(at), text);
  const store = open(at);
  expect(store.read()).toEqual({ version: 1, held: {}, forced: {} });
  expect(at.problems).toMatchObject([{ code: "M404", severity: "warning" }]);
  expect(existsSync(fileIn(at))).toBe(false);
});

test("a process that does not own the root moves nothing and says it once", () => {
  using at = makeStoreRoot();
  writeFileSync(fileIn(at), "{");
  const store = open(at, { trash: undefined });
  store.read();
  store.read();
  expect(at.problems).toHaveLength(1);
  expect(readFileSync(fileIn(at), "utf8")).toBe("{");
});

test("a later version is refused untouched, at the start and later", () => {
  using at = makeStoreRoot();
  const store = open(at);
  writeFileSync(fileIn(at), '{"version": 2}');
  expect(openControlsStore(at.root, at)).toMatchObject({ ok: false, problems: [{ code: "M405" }] });
  expect(() => store.read()).toThrow(InternalError);
  expect(() => store.write({ version: 1, held: {}, forced: {} })).toThrow(InternalError);
  expect(readFileSync(fileIn(at), "utf8")).toBe('{"version": 2}');
});

test("what is frozen or accepted for deletion survives, and anything else in its place is damage", () => {
  using at = makeStoreRoot();
  const retractions = { "p#a@1": { at: "t", is: "frozen" }, "p#a@2": { at: "u", is: "accepted" } } as const;
  open(at).write({ version: 1, held: {}, forced: {}, retractions });
  expect(open(at).read()).toEqual({ version: 1, held: {}, forced: {}, retractions });
  for (const wrong of [
    '{"x": {"at": "t", "is": "gone"}}',
    '{"x": "frozen"}',
    '{"x": {"at": 1, "is": "frozen"}}',
    "[]",
  ]) {
    writeFileSync(fileIn(at), `{"version": 1, "held": {}, "forced": {}, "retractions": ${wrong}}`);
    expect(open(at).read()).toEqual({ version: 1, held: {}, forced: {} });
  }
});
