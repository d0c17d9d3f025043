import { expect, test } from "vitest";
import { contend } from "./nemesis/two-daemons.ts";

const ROUNDS = 50;

test(
  "of two daemons started at the same instant one owns the root and the other names it, and the owner's death lets the next command in at once",
  { timeout: 180_000 },
  async () => {
    const rounds = await contend(ROUNDS);
    expect(rounds).toHaveLength(ROUNDS);
    for (const round of rounds) expect(round).toEqual({ owners: 1, refusals: [4], namesOwner: true, nextGotIn: true });
    console.log(`two daemons: ${ROUNDS} rounds, each with one owner`);
  },
);
