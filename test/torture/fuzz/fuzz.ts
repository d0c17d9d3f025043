import { loadHasher } from "../../../src/core/hash/hash.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { makeStoreRoot } from "../../support/store-fixtures.ts";
import { TARGETS } from "./cases.ts";
import { Mutator } from "./mutator.ts";

export interface FuzzReport {
  /** Cases by what they were given to. */
  readonly cases: Readonly<Record<string, number>>;
  /** What was wrong, each with the case itself. */
  readonly wrong: readonly string[];
}

/** Tries this many cases of each target; the same seed gives the same cases. */
export async function fuzz(seed: number, each: number): Promise<FuzzReport> {
  await loadHasher();
  const wrong: string[] = [];
  const cases: Record<string, number> = {};
  using at = makeStoreRoot();
  for (const [number, target] of TARGETS.entries()) {
    const mutator = new Mutator(new SeededRandom(seed + number));
    cases[target.name] = each;
    for (let count = 0; count < each; count++) {
      const text = target.make(mutator);
      try {
        target.check(text, at);
      } catch (error) {
        wrong.push(`${target.name} ${JSON.stringify(text)}: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
  }
  return { cases, wrong };
}
