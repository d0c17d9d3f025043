/** The power cuts of the torture: at least a thousand states, and the control that must be caught. */
import { rmSync } from "node:fs";
import type { PartResult } from "../part.ts";
import { compileShim } from "../shim/shim.ts";
import { tryPowerCuts } from "./cuts.ts";
import { whyNot } from "./log-disk.ts";

const STATES = 250;

/** `args`: optionally a seed. */
export async function main(args: readonly string[]): Promise<PartResult> {
  const part = "power";
  const seed = Number(args[0] ?? Date.now() & 0x7fffffff);
  const cannot = whyNot();
  if (cannot !== undefined) return { part, ok: true, numbers: { seed }, notProven: [`P5 on a real disk: ${cannot}`] };
  let [states, wrong] = [0, 0];
  // Several lives: each has another order of writes.
  for (let life = 0; life < 2; life++) {
    for (const kind of ["sync", "process"] as const) {
      const report = await tryPowerCuts(kind, STATES, seed + life);
      for (const one of report.wrong) console.error(one);
      states += STATES;
      wrong += report.wrong.length;
    }
  }
  const shim = compileShim();
  if (shim === undefined) {
    const notProven = ["the control of the power cuts: there is no gcc to compile the shim"];
    return { part, ok: wrong === 0, numbers: { seed, states, wrong }, notProven };
  }
  const { wrong: caught } = await tryPowerCuts("lying", STATES / 5, seed, shim);
  rmSync(shim.folder, { recursive: true });
  const ok = wrong === 0 && caught.length > 0;
  return { part, ok, numbers: { seed, states, wrong, "caught without fsync": caught.length }, notProven: [] };
}
