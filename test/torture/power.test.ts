import { rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { notProven } from "../support/not-proven.ts";
import { type Kind, tryPowerCuts } from "./power/cuts.ts";
import { whyNot } from "./power/log-disk.ts";
import { compileShim } from "./shim/shim.ts";

const LONG = { timeout: 300_000 };
const cannot = whyNot();
// The same each time, so that a failure is a change of ours; `npm run torture` takes another one at each run and prints it.
const seed = Number(process.env["MILLRACE_SEED"] ?? 2051369626);

/** Says what this machine cannot try; `false` when it can. */
function isImpossible(promise: string, why: string | undefined): why is string {
  if (why !== undefined) notProven(promise, why);
  return why !== undefined;
}

describe("after a power cut at any moment", () => {
  test.each<[Kind, string, number]>([
    ["sync", "what was acknowledged is there, and a restart makes the rest", 24],
    ["process", "a restart believes no torn result", 24],
  ])("with durability %s %s", LONG, async (kind, _what, states) => {
    if (isImpossible(`P5-real-${kind}`, cannot)) return;
    const { numbers, wrong } = await tryPowerCuts(kind, states, seed);
    console.log(JSON.stringify({ kind, seed, ...numbers }));
    expect(wrong, `seed ${seed}`).toEqual([]);
    expect(numbers["flushes"]).toBeGreaterThan(10);
  });

  test("a machine that only says that it has forced the results to the medium is caught", LONG, async () => {
    if (isImpossible("P5-real-control", cannot)) return;
    const shim = compileShim();
    if (shim === undefined) {
      notProven("P5-real-control", "there is no gcc to compile the shim");
      return;
    }
    try {
      const { wrong } = await tryPowerCuts("lying", 12, seed, shim);
      expect(wrong.filter((one) => one.includes("was acknowledged")).length).toBeGreaterThan(0);
    } finally {
      rmSync(shim.folder, { recursive: true });
    }
  });
});
