import { expect, test } from "vitest";
import { fuzz } from "./fuzz/fuzz.ts";

test(
  "valid, mutated and random definitions, patterns, names and documents get a clear problem or a right answer, never a throw",
  { timeout: 120_000 },
  async () => {
    // The same each time, so that a failure is a change of ours; `npm run torture` takes another one at each run and prints it.
    const seed = Number(process.env["MILLRACE_SEED"] ?? 2051608404);
    const { cases, wrong } = await fuzz(seed, 250);
    console.log(JSON.stringify({ seed, ...cases }));
    expect(wrong, `seed ${seed}`).toEqual([]);
  },
);
