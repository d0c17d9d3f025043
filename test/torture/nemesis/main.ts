/** The part `kills` of the torture: `--kills N` (1,000), `--files N` (2,000), `--seed N`. */
import { numberOption } from "../driver/options.ts";
import type { PartResult } from "../part.ts";
import { faultsOf, torment } from "./kills.ts";

export async function main(args: readonly string[]): Promise<PartResult> {
  const kills = numberOption(args, "--kills", 1000);
  const files = numberOption(args, "--files", 2000);
  const seed = numberOption(args, "--seed", 1);
  const result = await torment({ kills, files, seed });
  const faults = faultsOf(result);
  const { hits, liveEdits, runs, lost, acks, compared, recoveryMs } = result;
  const numbers = { kills, seed, ...hits, files: result.files, liveEdits, runs, lost, acks, compared, recoveryMs };
  const told = faults.length > 0 ? { faults: faults.slice(0, 20).join("\n") } : {};
  return { part: "kills", ok: faults.length === 0, numbers: { ...numbers, ...told }, notProven: [] };
}
