import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { notProven } from "../support/not-proven.ts";
import { tryCalls } from "./shim/calls.ts";
import { compileShim } from "./shim/shim.ts";

test(
  "a process that is killed at any call to the disk, or whose call fails in any way, leaves nothing torn and nothing lost, and says what failed",
  { timeout: 600_000 },
  async () => {
    // The daemon is the built one: `npm test` builds it first.
    expect(existsSync(join(import.meta.dirname, "../../dist/millrace.js"))).toBe(true);
    const shim = compileShim();
    if (shim === undefined) {
      for (const promise of ["P1-calls", "P2-calls", "P6-calls"])
        notProven(promise, "there is no gcc to compile the shim");
      return;
    }
    // The same each time, so that a failure is a change of ours; `npm run torture` takes another one at each run and prints it.
    const seed = Number(process.env["MILLRACE_SEED"] ?? 2050428870);
    const kills = { changed: 1, fresh: 0.1 };
    try {
      const { numbers, wrong } = await tryCalls(shim, {
        seed,
        killsAt: "changes",
        kills,
        doubleKills: 6,
        faults: 56,
        daemonRounds: 42,
      });
      console.log(JSON.stringify({ seed, ...numbers }));
      expect(wrong, `seed ${seed}`).toEqual([]);
      expect(numbers["kills in a changed root: hit"]).toBeGreaterThan(100);
      expect(numbers["of these hit"]).toBeGreaterThan(numbers["faults in a daemon"]! / 2);
    } finally {
      rmSync(shim.folder, { recursive: true });
    }
  },
);
