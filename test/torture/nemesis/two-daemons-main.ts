/** The part `daemons` of the torture: `--rounds N` (200). */
import { numberOption } from "../driver/options.ts";
import type { PartResult } from "../part.ts";
import { contend } from "./two-daemons.ts";

export async function main(args: readonly string[]): Promise<PartResult> {
  const rounds = await contend(numberOption(args, "--rounds", 200));
  const bad = rounds.filter(
    ({ owners, refusals, namesOwner, nextGotIn }) =>
      owners !== 1 || refusals.length !== 1 || refusals[0] !== 4 || !namesOwner || !nextGotIn,
  );
  const told = bad.length > 0 ? { first: JSON.stringify(bad[0]) } : {};
  return {
    part: "daemons",
    ok: bad.length === 0,
    numbers: { rounds: rounds.length, bad: bad.length, ...told },
    notProven: [],
  };
}
