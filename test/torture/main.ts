/**
 * The torture at full size: `node test/torture/main.ts [parts] [--seed N] [options of a part]`.
 *
 * Parts: sim, kills, calls, power, fuzz, daemons, checker; all of them when none is named. Each prints one line of JSON with its numbers,
 * and a summary comes last. Exit 0: everything was proven; 1: something is broken; 3: nothing is, but not everything could be tried here.
 */
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import type { PartResult } from "./part.ts";

/** Where each part is: its `main.ts` exports `main(args)`. */
const PARTS: ReadonlyMap<string, string> = new Map([
  ["sim", "sim/main.ts"],
  ["kills", "nemesis/main.ts"],
  ["calls", "shim/main.ts"],
  ["power", "power/main.ts"],
  ["fuzz", "fuzz/main.ts"],
  ["daemons", "nemesis/two-daemons-main.ts"],
  ["checker", "driver/checker-main.ts"],
]);

const NOT_PROVEN = 3;

async function runPart(part: string, args: readonly string[]): Promise<PartResult> {
  const began = performance.now();
  const file = pathToFileURL(join(import.meta.dirname, PARTS.get(part)!)).href;
  try {
    const { main } = (await import(file)) as { readonly main: (args: readonly string[]) => Promise<PartResult> };
    const result = await main(args);
    return { ...result, part, numbers: { ...result.numbers, seconds: Math.round((performance.now() - began) / 1000) } };
  } catch (error) {
    const numbers = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    return { part, ok: false, numbers, notProven: [] };
  }
}

async function torture(args: readonly string[]): Promise<number> {
  const end = args.findIndex((arg) => arg.startsWith("--"));
  const named = end < 0 ? args : args.slice(0, end);
  const options = args.slice(named.length);
  const parts = named.length === 0 || named.includes("all") ? [...PARTS.keys()] : named;
  const unknown = parts.filter((part) => !PARTS.has(part));
  if (unknown.length > 0) {
    process.stderr.write(`unknown part "${unknown.join(" ")}"; the parts are ${[...PARTS.keys()].join(", ")}, all\n`);
    return 2;
  }
  // A seed that nobody chose is printed all the same, so that the run can be had again.
  const seeded = options.includes("--seed") ? options : [...options, "--seed", String(Date.now() & 0x7fffffff)];
  const results: PartResult[] = [];
  for (const part of parts) {
    const result = await runPart(part, seeded);
    process.stdout.write(`${JSON.stringify(result)}\n`);
    results.push(result);
  }
  const broken = results.filter(({ ok }) => !ok).map(({ part }) => part);
  const notProven = results.flatMap((result) => result.notProven.map((what) => `${result.part}: ${what}`));
  const ok = broken.length === 0;
  process.stdout.write(`${JSON.stringify({ summary: { parts: results.length, ok, broken, notProven } })}\n`);
  return ok ? (notProven.length > 0 ? NOT_PROVEN : 0) : 1;
}

process.exitCode = await torture(process.argv.slice(2));
