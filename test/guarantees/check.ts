/**
 * After a whole test run: did every test that `docs/guarantees.md` names as a proof run and pass? Prints what is proven, what
 * is not, and what this machine could not try; leaves the count in `coverage/guarantees.json`. Exits 1 when a proof is missing.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisesOf, type TestReport, unproven } from "./proofs.ts";

const folder = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const read = (path: string): string => readFileSync(`${folder}/${path}`, "utf8");

const promises = promisesOf(read("docs/guarantees.md"));
const missing = unproven(promises, JSON.parse(read("coverage/test-results.json")) as TestReport, folder);
const proofs = promises.reduce((sum, promise) => sum + promise.proofs.length, 0);
const untried = existsSync(`${folder}/coverage/not-proven.json`) ? readUntried() : [];

function readUntried(): string[] {
  const entries = JSON.parse(read("coverage/not-proven.json")) as { promise: string; why: string }[];
  return entries.map(({ promise, why }) => `${promise}: ${why}`);
}

for (const line of missing) console.log(`NOT PROVEN ${line}`);
for (const line of untried) console.log(`NOT TRIED HERE ${line}`);
console.log(
  `guarantees: ${promises.length} promises, ${proofs - missing.length} of ${proofs} proofs passed, ${untried.length} not tried on this machine`,
);
writeFileSync(`${folder}/coverage/guarantees.json`, JSON.stringify({ proofs, missing, untried }));
process.exitCode = missing.length > 0 ? 1 : 0;
