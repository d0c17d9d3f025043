import { expect, test } from "vitest";
import { StateTable } from "../../src/core/plan/state-table.ts";
import { Topology } from "../../src/core/plan/topology.ts";
import { findDifferences } from "../../src/engine/watching/reconcile.ts";
import type { Scan } from "../../src/ports.ts";

const stat = { size: 3, mtimeMs: 10, ctimeMs: 20, ino: 7 };
const clock = { monoMs: () => 0, wallMs: () => 0, after: () => ({ cancel: () => {} }) };

function scanOf(entries: readonly (readonly [path: string, kind: number, ino: number])[]): Scan {
  return {
    paths: entries.map(([path]) => path),
    kinds: Uint8Array.from(entries, ([, kind]) => kind),
    stats: Float64Array.from(entries.flatMap(([, , ino]) => [stat.size, stat.mtimeMs, stat.ctimeMs, ino, 0])),
    problems: [],
    missing: [],
  };
}

test.each<[string, [string, number, number][], string[]]>([
  ["is as it was", [["in/a", 0, 7]], []],
  ["was written to", [["in/a", 0, 8]], ["in/a"]],
  ["is gone", [], ["in/a"]],
  [
    "is new",
    [
      ["in/a", 0, 7],
      ["in/b", 0, 9],
    ],
    ["in/b"],
  ],
  ["became a link", [["in/a", 2, 7]], ["in/a"]],
  ["became a folder", [["in/a", 1, 7]], ["in/a"]],
])("where a file %s, the paths to look at are told", async (_name, entries, expected) => {
  const table = new StateTable();
  const row = table.ensure("in/a", () => 0);
  table.setPresent(row, stat, "0123456789abcdef", false);
  const scan = scanOf([["in", 1, 1], ...entries]);
  expect(await findDifferences(scan, [{ path: "in", depth: 1 }], table, new Topology([]), clock)).toEqual(expected);
});

test("of what lies below a folder that could not be listed nothing is told, of what lies beside it all", async () => {
  const table = new StateTable();
  for (const path of ["in/closed/a", "in/open/a"])
    table.setPresent(
      table.ensure(path, () => 0),
      stat,
      "0123456789abcdef",
      false,
    );
  const problems = [{ kind: "unreadable", path: "in/closed", reason: "EACCES" }] as const;
  const scan = { ...scanOf([["in", 1, 1]]), problems };
  expect(await findDifferences(scan, [{ path: "in", depth: 2 }], table, new Topology([]), clock)).toEqual([
    "in/open/a",
  ]);
});
