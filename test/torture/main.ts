/**
 * The torture at full size: `node test/torture/main.ts [parts] [--seed N] [options of a part]`.
 *
 * Parts: sim, kills, calls, power, fuzz, daemons, checker; all of them when none is named. Each prints one line of JSON with its numbers,
 * and a summary comes last. Exit 0: everything was proven; 1: something is broken; 3: nothing is, but not everything could be tried here.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { numberOption } from "./driver/options.ts";
import type { PartResult } from "./part.ts";

/** Where a part is, and what it wants: all options, only the seed, or to be a process of its own that prints its result last. */
interface Part {
  readonly file: string;
  readonly takes: "options" | "seed" | "process";
}

const PARTS: ReadonlyMap<string, Part> = new Map<string, Part>([
  ["sim", { file: "sim/main.ts", takes: "process" }],
  ["kills", { file: "nemesis/main.ts", takes: "options" }],
  ["calls", { file: "shim/main.ts", takes: "seed" }],
  ["power", { file: "power/main.ts", takes: "seed" }],
  ["fuzz", { file: "fuzz/main.ts", takes: "seed" }],
  ["daemons", { file: "nemesis/two-daemons-main.ts", takes: "options" }],
  ["checker", { file: "driver/checker-main.ts", takes: "options" }],
]);

const NOT_PROVEN = 3;

async function runPart(part: string, options: readonly string[]): Promise<PartResult> {
  const began = performance.now();
  const { file, takes } = PARTS.get(part)!;
  const at = join(import.meta.dirname, file);
  try {
    const result = takes === "process" ? await runProcess(at, options) : await call(at, takes, options);
    return { ...result, part, numbers: { ...result.numbers, seconds: Math.round((performance.now() - began) / 1000) } };
  } catch (error) {
    const numbers = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    return { part, ok: false, numbers, notProven: [] };
  }
}

async function call(file: string, takes: "options" | "seed", options: readonly string[]): Promise<PartResult> {
  const { main } = (await import(pathToFileURL(file).href)) as {
    main: (args: readonly string[]) => Promise<PartResult>;
  };
  return main(takes === "seed" ? [String(numberOption(options, "--seed", 1))] : options);
}

/** Shows what it prints as it comes; its last line is its result. */
async function runProcess(file: string, options: readonly string[]): Promise<PartResult> {
  const child = spawn(process.execPath, [file, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  await once(child, "close");
  const lines = printed.trimEnd().split("\n");
  for (const line of lines.slice(0, -1)) process.stderr.write(`${line}\n`);
  return JSON.parse(lines.at(-1)!) as PartResult;
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
