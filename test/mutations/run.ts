/**
 * `npm run mutate [-- <promise or text>...]`: plants each fault of the list in a copy of the project and runs the tests that
 * must notice it. Prints a line per fault; exits 1 when one goes unnoticed, or cannot be planted any more.
 */
import { MUTATIONS } from "./list.ts";
import type { Mutation } from "./mutation.ts";
import { Trial } from "./trial.ts";

/** Faults tried at one time. */
const AT_ONCE = 2;

function isWanted({ promise, fault, file }: Mutation, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((text) => promise === text || fault.includes(text) || file.includes(text));
}

/** Tries what waits, one fault after the other; returns how many went unnoticed. */
async function tryAll(trial: Trial, waiting: Mutation[]): Promise<number> {
  let unnoticed = 0;
  for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
    const { noticed, told } = await trial.tryOut(mutation);
    if (!noticed) unnoticed++;
    console.log(`${noticed ? "ok  " : "FAIL"} ${mutation.promise.padEnd(4)} ${mutation.fault}: ${told}`);
  }
  return unnoticed;
}

async function main(wanted: readonly string[]): Promise<number> {
  const list = MUTATIONS.filter((mutation) => isWanted(mutation, wanted));
  const waiting = [...list];
  const trials = Array.from({ length: Math.min(AT_ONCE, list.length) }, () => new Trial());
  const clear = (): void => {
    for (const trial of trials) trial.remove();
  };
  // The tests run in groups of their own, out of reach of Ctrl-C.
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      clear();
      process.exit(1);
    });
  const counts = await Promise.all(trials.map((trial) => tryAll(trial, waiting)));
  clear();
  const unnoticed = counts.reduce((sum, count) => sum + count, 0);
  const promises = new Set(list.map(({ promise }) => promise)).size;
  console.log(
    `mutations: ${list.length - unnoticed} of ${list.length} planted faults noticed, of ${promises} promises; ${unnoticed} unnoticed`,
  );
  return unnoticed > 0 || list.length === 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
