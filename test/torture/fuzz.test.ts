import { expect, test } from "vitest";
import { fuzz } from "./fuzz/fuzz.ts";

test(
  "valid, mutated and random definitions, patterns, names and documents get a clear problem or a right answer, never a throw",
  { timeout: 120_000 },
  async () => {
    // The seed is told when something is wrong.
    const seed = Date.now() & 0x7fffffff;
    const { cases, wrong } = await fuzz(seed, 250);
    console.log(JSON.stringify({ seed, ...cases }));
    expect(wrong, `seed ${seed}`).toEqual([]);
  },
);
