import { expect, test } from "vitest";
import { faultsOf, torment } from "./nemesis/kills.ts";

const KILLS = 40;
const FILES = 2000;

test(
  `after ${KILLS} kills in the middle of work on ${FILES} files nothing is lost, torn or made twice, and the bytes are those of a clean run`,
  { timeout: 600_000 },
  async () => {
    const result = await torment({ kills: KILLS, files: FILES, seed: Date.now() & 0x7fffffff });
    expect(faultsOf(result)).toEqual([]);
    expect(result.files).toBeGreaterThanOrEqual(FILES);
    expect(result.liveEdits).toBeGreaterThan(0);
    expect(result.compared).toBeGreaterThan(4 * FILES);
    const { hits, runs, lost, acks, recoveryMs, seed } = result;
    console.log(`real kills: ${JSON.stringify({ ...hits, runs, lost, acks, recoveryMs, seed })}`);
  },
);
