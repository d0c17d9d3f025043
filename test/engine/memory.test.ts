import { describe, expect, test, vi } from "vitest";
import type { Ending } from "../../src/engine/history.ts";
import { Keeper, type KeeperSources } from "../../src/engine/keeper.ts";
import { NamedTimers } from "../../src/engine/named-timers.ts";
import type { AttemptRow } from "../../src/ports.ts";
import { echo, EngineRig } from "../support/engine-rig.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { diskError } from "../support/memory-disk.ts";

describe("what is kept in memory", () => {
  test("follows the number of paths: a million hints on a thousand of them cost a look at each", async () => {
    const rig = new EngineRig([echo()]);
    for (let id = 0; id < 1000; id++) rig.put(`input/${id}.txt`, "a");
    await rig.start();
    const before = rig.operations;
    for (let hint = 0; hint < 1_000_000; hint += 1000)
      rig.root.journey.hint(Array.from({ length: 1000 }, (_, id) => `input/${id}.txt`));
    await rig.quiet();
    expect(rig.operations - before).toBeGreaterThanOrEqual(1000);
    expect(rig.operations - before).toBeLessThan(20_000);
    expect(rig.faults).toEqual([]);
  });

  /** A real ending, which printed as much as an attempt may. */
  async function someEnding(): Promise<Ending> {
    const rig = await new EngineRig([echo()]).start();
    let found: Ending | undefined;
    rig.root.endings.add((ending) => (found ??= ending));
    rig.write("input/1.txt", "a");
    await rig.quiet();
    return { ...found!, outcome: { ...found!.outcome, log: "x".repeat(65_536) } };
  }

  test("of the history, while the ledger cannot be written, is the newest 10,000 attempts, and what the last 200 printed", async () => {
    const ending = await someEnding();
    const clock = new ManualClock();
    let rows: readonly AttemptRow[] = [];
    let isBroken = true;
    const add = vi.fn<(given: readonly AttemptRow[]) => void>((given) => {
      rows = [...given];
      if (isBroken) throw diskError("EIO", "ledger.db");
    });
    const error = vi.fn<() => void>();
    const keeper = new Keeper({
      ledger: { add },
      controls: { read: () => ({ version: 1, held: {}, forced: {} }), tidy: () => true },
      book: () => ({ tidy: () => true }),
      timers: new NamedTimers(clock),
      log: { debug: () => {}, error },
      trouble: { confirms: () => false },
    } as unknown as KeeperSources);
    for (let i = 0; i < 15_000; i++) keeper.tell([{ ...ending, runId: `run-${i}` }]);
    for (let second = 0; second < 60; second++) clock.advance(1000);
    // Tried once a second, not with every ending; told once.
    expect([add.mock.calls.length <= 62, error.mock.calls.length]).toEqual([true, 1]);
    isBroken = false;
    clock.advance(1000);
    expect([rows.length, rows[0]?.runId, rows.at(-1)?.runId]).toEqual([10_000, "run-5000", "run-14999"]);
    expect(rows.filter((row) => row.log !== "")).toHaveLength(200);
  });
});
