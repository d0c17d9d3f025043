import { describe, expect, test } from "vitest";
import { abilities } from "./sim/abilities.ts";
import { play } from "./sim/life.ts";
import { missedPlaces, playAllInParallel, told, toldFailure, unknownPlaces } from "./sim/lives.ts";
import { PLACES } from "./sim/places.ts";
import { scriptOf } from "./sim/script.ts";

const LIVES = Number(process.env["MILLRACE_LIVES"] ?? 3000);
const SEED = Number(process.env["MILLRACE_SEED"] ?? 1);

describe("the engine on a virtual clock, disk, watcher and executor", () => {
  test("keeps every rule in 3,000 lives of faults, and dies before every operation of a commit at least once", async () => {
    const lives = await playAllInParallel(SEED, LIVES);
    process.stdout.write(`${told(lives)}\n`);
    const [first] = lives.failed;
    expect(lives.failed, first && (await toldFailure(first.seed))).toEqual([]);
    expect(lives.leastEvents).toBeGreaterThanOrEqual(50);
    expect(lives.crashes).toBeGreaterThanOrEqual(LIVES);
    expect(unknownPlaces(lives)).toEqual([]);
    if (LIVES >= 3000) expect(missedPlaces(lives)).toEqual([]);
  }, 600_000);

  test("plays a life again exactly as it was", async () => {
    for (const seed of [SEED, SEED + 1, SEED + 2, SEED + 3, SEED + 4]) {
      const script = scriptOf(seed, abilities, PLACES);
      expect(await play(script)).toEqual(await play(script));
    }
  });
});
