/**
 * What this machine cannot try is counted as not proven, never as passed. `vitest.config.ts` names this file as a global
 * set-up: the list begins anew with each run, and the run's end prints how many there are.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../coverage", import.meta.url));
/** One line per entry: several workers append at once. */
const LINES = `${FOLDER}/not-proven.jsonl`;
/** The list as other programs read it. */
const LIST = `${FOLDER}/not-proven.json`;

/** A promise that could not be tried here. */
export interface NotProven {
  /** Such as `P7`. */
  readonly promise: string;
  readonly why: string;
}

/** Says that a promise was not proven on this machine, and counts it. */
export function notProven(promise: string, why: string): void {
  console.log(`NOT PROVEN ${promise}: ${why}`);
  mkdirSync(FOLDER, { recursive: true });
  appendFileSync(LINES, `${JSON.stringify({ promise, why } satisfies NotProven)}\n`);
}

/** Begins the list of a run. */
export function setup(): void {
  rmSync(LINES, { force: true });
  rmSync(LIST, { force: true });
}

/** Ends the list of a run: `coverage/not-proven.json`, an array of `NotProven`, and a line that counts. */
export function teardown(): void {
  const lines = existsSync(LINES) ? readFileSync(LINES, "utf8").trim().split("\n") : [];
  const entries = lines.map((line) => JSON.parse(line) as NotProven);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(LIST, `${JSON.stringify(entries, undefined, 2)}\n`);
  rmSync(LINES, { force: true });
  const promises = [...new Set(entries.map(({ promise }) => promise))].toSorted();
  if (entries.length > 0) console.log(`not proven on this machine: ${entries.length} (${promises.join(", ")})`);
  else console.log("not proven on this machine: 0");
}
