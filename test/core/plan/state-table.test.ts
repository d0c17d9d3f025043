import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Status } from "../../../src/core/model/words.ts";
import { STATUSES } from "../../../src/core/model/words.ts";
import { StateTable } from "../../../src/core/plan/state-table.ts";

const stat = { size: 12, mtimeMs: 1.5, ctimeMs: 2.25, ino: 7 };
const role = (path: string): number => path.length % 3;

describe("a row", () => {
  test("knows what was seen at its path", () => {
    const table = new StateTable();
    const row = table.ensure("a/1.txt", role);
    expect([table.isPresent(row), table.hashOf(row), table.statusOf(row)]).toEqual([false, undefined, undefined]);
    table.setPresent(row, stat, "00ff00ff12345678", false);
    expect(table.hashOf(row)).toBe("00ff00ff12345678");
    expect(table.hasStat(row, 12, 1.5, 2.25, 7)).toBe(true);
    expect(table.hasStat(row, 12, 1.5, 2.26, 7)).toBe(false);
  });

  test("gives no hash while a rewrite could have escaped the look", () => {
    const table = new StateTable();
    const row = table.ensure("a", role);
    table.setPresent(row, stat, "00ff00ff12345678", true);
    expect([table.hashOf(row), table.lastHashOf(row)]).toEqual([undefined, "00ff00ff12345678"]);
  });

  test("is found again by its path until it is removed, and its number is used again", () => {
    const table = new StateTable();
    const row = table.ensure("a", role);
    expect(table.ensure("a", role)).toBe(row);
    table.remove(row);
    expect([table.find("a"), table.pathOf(row), table.size]).toEqual([undefined, undefined, 0]);
    expect(table.ensure("b", role)).toBe(row);
  });
});

describe("an untouched row", () => {
  const numbers = Float64Array.of(0, 12, 1.5, 2.25, 7);
  test.each([
    ["was seen with these numbers", stat, false, true],
    ["was seen with others", { ...stat, ino: 8 }, false, false],
    ["may have been written to since", stat, true, false],
  ])("%s", (_name, seen, racy, expected) => {
    const table = new StateTable();
    const row = table.ensure("a", role);
    expect(table.isUntouched(row, numbers, 1)).toBe(false);
    table.setPresent(row, seen, undefined, racy);
    expect(table.isUntouched(row, numbers, 1)).toBe(expected);
  });
});

const paths = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12, unit: "binary" }), { maxLength: 40 });
const statuses = fc.constantFrom<(Status | undefined)[]>(undefined, ...STATUSES);

describe("the counters", () => {
  test("are those of the rows after any sequence of changes", () => {
    const changes = fc.array(
      fc.record({ path: fc.constantFrom("a", "bb", "ccc", "dddd"), status: statuses, remove: fc.boolean() }),
    );
    fc.assert(
      fc.property(changes, (all) => {
        const table = new StateTable();
        for (const { path, status, remove } of all) {
          const row = table.ensure(path, role);
          if (remove) table.remove(row);
          else table.setStatus(row, status);
        }
        for (const number of [0, 1, 2]) {
          for (const status of STATUSES) {
            const rows = ["a", "bb", "ccc", "dddd"].flatMap((path) => table.find(path) ?? []);
            const count = rows.filter((row) => table.roleOf(row) === number && table.statusOf(row) === status).length;
            expect(table.count(number, status)).toBe(count);
          }
        }
      }),
    );
  });

  test("follow the rows to their new roles", () => {
    const table = new StateTable();
    table.setStatus(
      table.ensure("a", () => 0),
      "fresh",
    );
    table.assignRoles(() => 5);
    expect([table.count(0, "fresh"), table.count(5, "fresh")]).toEqual([0, 1]);
  });
});

describe("a packed table", () => {
  test("comes back as it was, whatever the names", () => {
    fc.assert(
      fc.property(paths, fc.array(statuses, { minLength: 40, maxLength: 40 }), fc.nat(40), (names, words, removed) => {
        const table = new StateTable();
        for (const [i, path] of names.entries()) {
          const row = table.ensure(path, role);
          if (i % 3 !== 0)
            table.setPresent(row, { ...stat, size: i }, i % 2 === 0 ? "0123456789abcdef" : undefined, i % 5 === 0);
          table.setStatus(row, words[i]);
        }
        const gone = names[removed];
        if (gone !== undefined) table.remove(table.find(gone)!);
        const again = new StateTable();
        expect(
          again.unpack(new Map([...table.pack(true)].flatMap(([name, bytes]) => (bytes ? [[name, bytes]] : [])))),
        ).toBe(true);
        for (const path of names) expect(describeRow(again, path)).toEqual(describeRow(table, path));
        expect(again.size).toBe(table.size);
        for (const status of STATUSES) expect(again.count(1, status)).toBe(table.count(1, status));
      }),
    );
  });

  test("goes on where it was: known paths keep their rows, new ones get others, removed ones are gone", () => {
    const table = new StateTable();
    for (const path of ["a", "b", "c", "d"]) table.ensure(path, role);
    table.remove(1);
    const again = new StateTable();
    again.ensure("not packed", role);
    again.clear();
    again.unpack(new Map([["rows/000000", table.pack().get("rows/000000")!]]));
    expect(again.size).toBe(3);
    again.remove(3);
    expect(["a", "b", "c", "d", "not packed"].map((path) => again.find(path))).toEqual([
      0,
      undefined,
      2,
      undefined,
      undefined,
    ]);
    expect([again.ensure("c", role), again.ensure("e", role), again.ensure("f", role), again.size]).toEqual([
      2, 3, 1, 4,
    ]);
  });

  test("spans chunks, and packs only those that changed", () => {
    const table = new StateTable();
    for (let i = 0; i < 40_000; i++)
      table.setPresent(table.ensure(`input/${i}.txt`, role), stat, "0123456789abcdef", false);
    expect([...table.pack().keys()]).toEqual(["rows/000000", "rows/000001", "rows/000002"]);
    expect([...table.pack().keys()]).toEqual([]);
    table.setStatus(table.find("input/20000.txt")!, "fresh");
    expect([...table.pack().keys()]).toEqual(["rows/000001"]);
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ["cut short", (bytes) => bytes.subarray(0, bytes.length - 1)],
    ["empty", () => new Uint8Array()],
    ["of another format", (bytes) => bytes.with(0, 99)],
  ])("that is %s is refused, and the table stays empty", (_name, damage) => {
    const table = new StateTable();
    table.setPresent(table.ensure("a", role), stat, "0123456789abcdef", false);
    const bytes = table.pack().get("rows/000000")!;
    const again = new StateTable();
    expect([again.unpack(new Map([["rows/000000", damage(bytes)]])), again.size]).toEqual([false, 0]);
  });
});

function describeRow(table: StateTable, path: string): unknown {
  const row = table.find(path);
  if (row === undefined) return undefined;
  return [
    table.isPresent(row),
    table.isPresent(row) && table.statOf(row),
    table.hashOf(row),
    table.lastHashOf(row),
    table.statusOf(row),
    table.roleOf(row),
  ];
}
