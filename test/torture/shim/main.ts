/** The shim's part of the torture: a kill at every call and every fault at every call. */
import { rmSync } from "node:fs";
import type { PartResult } from "../part.ts";
import { tryCalls } from "./calls.ts";
import { compileShim } from "./shim.ts";

/** `args`: optionally a seed. */
export async function main(args: readonly string[]): Promise<PartResult> {
  const part = "calls";
  const seed = Number(args[0] ?? Date.now() & 0x7fffffff);
  const shim = compileShim();
  if (shim === undefined) {
    const notProven = ["P1, P2 and P6 at every call: there is no gcc to compile the shim"];
    return { part, ok: true, numbers: { seed }, notProven };
  }
  try {
    const all = {
      killsAt: "points",
      kills: { changed: 1, fresh: 1 },
      doubleKills: 300,
      faults: "all",
      daemonRounds: 2_000,
    } as const;
    const { numbers, wrong } = await tryCalls(shim, { seed, ...all });
    for (const one of wrong) console.error(one);
    return { part, ok: wrong.length === 0, numbers: { seed, ...numbers, wrong: wrong.length }, notProven: [] };
  } finally {
    rmSync(shim.folder, { recursive: true });
  }
}
