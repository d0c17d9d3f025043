import fc from "fast-check";
import { expect, test } from "vitest";
import { RowCursor } from "../../../src/core/plan/row-cursor.ts";
import { StateTable } from "../../../src/core/plan/state-table.ts";

function tableOf(paths: readonly string[]): StateTable {
  const table = new StateTable();
  for (const path of paths) table.ensure(path, () => 0);
  return table;
}

test("a cursor finds what the table finds, in whatever order it is asked", () => {
  const path = fc.string({ maxLength: 2 });
  fc.assert(
    fc.property(fc.uniqueArray(path), fc.array(path), fc.array(fc.nat(20)), (known, others, removed) => {
      const table = tableOf(known);
      for (const row of removed) if (row < table.end) table.remove(row);
      const cursor = new RowCursor(table);
      for (const asked of [...known, ...others, ...known.toReversed(), ...known])
        expect(cursor.find(asked)).toBe(table.find(asked));
    }),
  );
});

test("a cursor asks the table nothing while the rows come in order, some steps apart or with gaps between them", () => {
  const names = Array.from({ length: 300 }, (_, i) => String(i));
  const batches = [names.slice(0, 150), names.slice(150)];
  const table = tableOf(
    batches.flatMap((batch) => [...batch.map((n) => `in/${n}`), ...batch.flatMap((n) => [`mid/${n}`, `out/${n}`])]),
  );
  const rows = new Map(Array.from({ length: table.end }, (_, row) => [table.pathOf(row)!, row]));
  table.find = () => {
    throw new Error("the table was asked");
  };
  const cursor = new RowCursor(table);
  for (const folder of ["in", "mid", "out"])
    for (const name of names) expect(cursor.find(`${folder}/${name}`)).toBe(rows.get(`${folder}/${name}`));
});
