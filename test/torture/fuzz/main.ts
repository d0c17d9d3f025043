/** The fuzzing of the torture: at least 20,000 cases. */
import type { PartResult } from "../part.ts";
import { fuzz } from "./fuzz.ts";

const EACH = 5_000;

/** `args`: optionally a seed. */
export async function main(args: readonly string[]): Promise<PartResult> {
  const seed = Number(args[0] ?? Date.now() & 0x7fffffff);
  const { cases, wrong } = await fuzz(seed, EACH);
  for (const one of wrong) console.error(one);
  const total = Object.values(cases).reduce((sum, count) => sum + count, 0);
  return {
    part: "fuzz",
    ok: wrong.length === 0,
    numbers: { seed, total, ...cases, wrong: wrong.length },
    notProven: [],
  };
}
