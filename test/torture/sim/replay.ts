/** `node test/torture/sim/replay.ts --seed N [--shrink]`: plays one life and prints all that happens in it. */
import { parseArgs } from "node:util";
import { abilities } from "./abilities.ts";
import { play } from "./life.ts";
import { PLACES } from "./places.ts";
import { printed, scriptOf } from "./script.ts";
import { shrunk } from "./shrink.ts";

const { values } = parseArgs({
  options: { seed: { type: "string" }, shrink: { type: "boolean" }, quiet: { type: "boolean" } },
});
const script = scriptOf(Number(values.seed ?? 1), abilities, PLACES);
const told = (line: string): void => void process.stdout.write(`${line}\n`);
const outcome = await play(script, values.quiet || values.shrink ? undefined : told);
if (values.shrink && outcome.violations.length > 0) {
  const small = await shrunk(script);
  told(printed(small));
  for (const { rule, message } of (await play(small, values.quiet ? undefined : told)).violations)
    told(`${rule}: ${message}`);
}
for (const { rule, message } of outcome.violations) told(`${rule}: ${message}`);
told(
  `seed ${script.seed}: trace ${outcome.trace}, ${outcome.runs} runs, ${outcome.crashes} crashes, ${outcome.violations.length} violations`,
);
