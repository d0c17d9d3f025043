import { describe, expect, test } from "vitest";
import type { AttemptFilter, Ledger } from "../../src/ports.ts";
import { attemptRow } from "../support/store-fixtures.ts";

/** What every ledger does. `make` gives an empty one and what frees it. */
export function describeLedger(name: string, make: () => { readonly ledger: Ledger } & Disposable): void {
  describe(`the ledger ${name}`, () => {
    test("is empty at first", () => {
      using made = make();
      expect(made.ledger.attempts({})).toEqual([]);
    });

    test("gives back every field of a row, the newest first", () => {
      using made = make();
      const rows = [
        attemptRow(),
        attemptRow({ result: "failed", contentHash: null, error: "no\nno", category: "timeout", log: "é\0\u{1f600}" }),
        attemptRow({ entity: "", reasons: "", startedAt: 0, durationMs: 1e9 }),
      ];
      made.ledger.add(rows);
      made.ledger.add([]);
      expect(made.ledger.attempts({})).toEqual(rows.toReversed());
    });

    test.each<[AttemptFilter, number[]]>([
      [{}, [5, 4, 3, 2, 1]],
      [{ pipeline: "echo" }, [5, 3, 2, 1]],
      [{ stage: "output" }, [5, 4, 2, 1]],
      [{ entity: "002" }, [2]],
      [{ result: "failed" }, [4, 3]],
      [{ runId: "r2" }, [5, 4]],
      [{ sinceMs: 30 }, [5, 4, 3]],
      [{ pipeline: "echo", result: "failed" }, [3]],
      [{ entity: "002", stage: "input" }, []],
      [{ limit: 2 }, [5, 4]],
      [{ limit: 0 }, []],
      [{ result: "ran", limit: 1 }, [5]],
    ])("finds by %j", (filter, expected) => {
      using made = make();
      made.ledger.add([
        attemptRow({ attempt: 1, startedAt: 10, runId: "r1" }),
        attemptRow({ attempt: 2, startedAt: 20, runId: "r1", entity: "002" }),
        attemptRow({ attempt: 3, startedAt: 30, runId: "r1", stage: "transformed", result: "failed" }),
      ]);
      made.ledger.add([
        attemptRow({ attempt: 4, startedAt: 40, runId: "r2", pipeline: "other", result: "failed" }),
        attemptRow({ attempt: 5, startedAt: 50, runId: "r2" }),
      ]);
      expect(made.ledger.attempts(filter).map((row) => row.attempt)).toEqual(expected);
    });

    test("gives 100 rows when nothing else is asked", () => {
      using made = make();
      made.ledger.add(Array.from({ length: 120 }, (_, attempt) => attemptRow({ attempt })));
      expect(made.ledger.attempts({}).map((row) => row.attempt)).toEqual(
        Array.from({ length: 100 }, (_, i) => 119 - i),
      );
    });
  });
}
