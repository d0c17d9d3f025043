/**
 * `node test/torture/sim/main.ts [--lives N] [--seed N]`: plays many lives on all cores, prints what hit them and one line
 * of JSON; exit code 1 when a rule was broken or an operation of a commit was never the last one of a process.
 */
import { parseArgs } from "node:util";
import type { PartResult } from "../part.ts";
import { missedPlaces, playAllInParallel, told, toldFailure, unknownPlaces } from "./lives.ts";

const { values } = parseArgs({ options: { lives: { type: "string" }, seed: { type: "string" } } });
const seed = Number(values.seed ?? 1);
const lives = await playAllInParallel(seed, Number(values.lives ?? 100_000));
const [missed, unknown] = [missedPlaces(lives), unknownPlaces(lives)];
process.stdout.write(`${told(lives)}\n`);
for (const place of missed) process.stdout.write(`no process died before: ${place}\n`);
for (const place of unknown) process.stdout.write(`the list of places does not know: ${place}\n`);
for (const failure of lives.failed.slice(0, 3)) process.stdout.write(`${await toldFailure(failure.seed)}\n`);
const result: PartResult = {
  part: "sim",
  ok: lives.failed.length === 0 && missed.length === 0 && unknown.length === 0,
  numbers: {
    seed,
    lives: lives.lives,
    crashes: lives.crashes,
    runs: lives.runs,
    places: Object.keys(lives.diedAt).length,
    violations: lives.failed.length,
    failedSeeds: lives.failed
      .slice(0, 20)
      .map((failure) => failure.seed)
      .join(" "),
  },
  notProven: [],
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = result.ok ? 0 : 1;
