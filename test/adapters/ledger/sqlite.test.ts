import { existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { MIGRATIONS } from "../../../src/adapters/ledger/migrations.ts";
import { openLedger } from "../../../src/adapters/ledger/sqlite.ts";
import { InternalError } from "../../../src/core/model/problems.ts";
import type { Ledger } from "../../../src/ports.ts";
import { attemptRow, makeStoreRoot, type StoreRoot } from "../../support/store-fixtures.ts";

const fileIn = (at: StoreRoot): string => `${at.root}/.millrace/ledger.db`;

function open(at: StoreRoot, { isReader = false, migrations = MIGRATIONS } = {}): Ledger {
  const opened = openLedger(at.root, { ...at, trash: isReader ? undefined : at.trash }, migrations);
  if (!opened.ok) throw new Error(JSON.stringify(opened.problems));
  return opened.value;
}

/** A closed ledger of so many rows, whose file holds everything. */
function filled(at: StoreRoot, count: number): void {
  const ledger = open(at);
  ledger.add(Array.from({ length: count }, (_, attempt) => attemptRow({ attempt, log: "x".repeat(200) })));
  ledger.close();
}

test("it survives being closed", () => {
  using at = makeStoreRoot();
  filled(at, 3);
  const ledger = open(at);
  expect(ledger.attempts({}).map((row) => row.attempt)).toEqual([2, 1, 0]);
  ledger.close();
});

test("a batch is written whole or not at all", () => {
  using at = makeStoreRoot();
  const ledger = open(at);
  const bad = attemptRow({ error: Symbol("none") as unknown as string });
  expect(() => ledger.add([attemptRow(), bad])).toThrow();
  expect(ledger.attempts({})).toEqual([]);
  ledger.add([attemptRow()]);
  expect(ledger.attempts({})).toEqual([attemptRow()]);
  ledger.close();
});

test("others read while the daemon writes, and see what is committed", () => {
  using at = makeStoreRoot();
  const daemon = open(at);
  const reader = open(at, { isReader: true });
  daemon.add([attemptRow()]);
  expect(reader.attempts({})).toEqual([attemptRow()]);
  const writer = new DatabaseSync(fileIn(at));
  writer.exec("begin immediate; delete from attempts");
  expect(reader.attempts({})).toEqual([attemptRow()]);
  writer.exec("rollback");
  writer.close();
  reader.close();
  daemon.close();
});

test("a reader finds no rows where there is no ledger, makes none, and may not write", () => {
  using at = makeStoreRoot();
  const reader = open(at, { isReader: true });
  expect(reader.attempts({})).toEqual([]);
  expect(() => reader.add([attemptRow()])).toThrow(InternalError);
  reader.close();
  expect(existsSync(fileIn(at))).toBe(false);
});

test("the history of a task is found by an index", () => {
  using at = makeStoreRoot();
  filled(at, 1);
  const database = new DatabaseSync(fileIn(at));
  const plan = database
    .prepare("explain query plan select * from attempts where entity = ? and stage = ? order by id desc limit 5")
    .all("1", "2");
  database.close();
  expect(plan.map((row) => row["detail"])).toEqual(["SEARCH attempts USING INDEX attempts_by_entity (entity=?)"]);
});

describe("an older file", () => {
  const next = [...MIGRATIONS, "alter table attempts add column extra text;"];

  test("is brought up to date by the owner with its rows, once", () => {
    using at = makeStoreRoot();
    filled(at, 2);
    for (let times = 0; times < 2; times++) {
      const ledger = open(at, { migrations: next });
      expect(ledger.attempts({})).toHaveLength(2);
      ledger.close();
    }
    const database = new DatabaseSync(fileIn(at));
    expect(database.prepare("pragma user_version").get()).toEqual({ user_version: next.length });
    database.close();
  });

  test("is not touched by a reader", () => {
    using at = makeStoreRoot();
    filled(at, 2);
    const before = readFileSync(fileIn(at));
    const reader = open(at, { isReader: true, migrations: next });
    expect(reader.attempts({})).toEqual([]);
    reader.close();
    expect(readFileSync(fileIn(at))).toEqual(before);
  });
});

test("a file of a later release is refused untouched", () => {
  using at = makeStoreRoot();
  const later = new DatabaseSync(fileIn(at));
  later.exec("create table attempts (x); pragma user_version = 99");
  later.close();
  const before = readFileSync(fileIn(at));
  for (const trash of [at.trash, undefined]) {
    expect(openLedger(at.root, { ...at, trash })).toMatchObject({
      ok: false,
      problems: [{ code: "M409", severity: "error" }],
    });
  }
  expect(readFileSync(fileIn(at))).toEqual(before);
  expect(at.problems).toEqual([]);
});

describe("a damaged file", () => {
  test.each([50, 100, 512, 4096, 5000, 8192, 20_000])("cut to %i bytes never stops the daemon", (length) => {
    using at = makeStoreRoot();
    filled(at, 500);
    truncateSync(fileIn(at), length);
    const ledger = open(at);
    ledger.attempts({});
    ledger.add([attemptRow({ attempt: 777 })]);
    expect(ledger.attempts({ limit: 1 })).toEqual([attemptRow({ attempt: 777 })]);
    ledger.close();
    expect(at.problems.map(({ code, severity }) => `${code} ${severity}`)).toEqual(["M407 warning"]);
    const trashed = readdirSync(`${at.root}/.millrace/trash`, { recursive: true }).map(String);
    expect(trashed.some((name) => name.endsWith(".millrace/ledger.db"))).toBe(true);
  });

  test("with bytes changed anywhere never stops the daemon", () => {
    using at = makeStoreRoot();
    filled(at, 100);
    const whole = readFileSync(fileIn(at));
    for (let position = 0; position < whole.length; position += position < 120 ? 3 : 997) {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(fileIn(at) + suffix, { force: true });
      const damaged = Buffer.from(whole);
      damaged.fill(0xa5, position, position + 8);
      writeFileSync(fileIn(at), damaged);
      const opened = openLedger(at.root, at);
      if (!opened.ok) {
        // The version is among the bytes that changed: a later release may have written it.
        expect(opened.problems[0]!.code).toBe("M409");
        continue;
      }
      opened.value.attempts({});
      opened.value.add([attemptRow({ attempt: 777 })]);
      expect(opened.value.attempts({ limit: 1 })[0]?.attempt).toBe(777);
      opened.value.close();
    }
    expect(new Set(at.problems.map(({ code }) => code))).toEqual(new Set(["M407"]));
  });

  test("is left where it is by a reader, who finds no rows", () => {
    using at = makeStoreRoot();
    filled(at, 500);
    truncateSync(fileIn(at), 20_000);
    const before = readFileSync(fileIn(at));
    const reader = open(at, { isReader: true });
    expect(reader.attempts({})).toEqual([]);
    expect(readFileSync(fileIn(at))).toEqual(before);
    expect(at.problems).toMatchObject([{ code: "M407" }]);
    reader.close();
  });
});
