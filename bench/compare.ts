/** A full run, a run with nothing to do, one changed source and one changed node: Millrace, make, ninja, the hand-written script. */
import { spawn } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  entity,
  makeMakefile,
  makeNinja,
  makeProject,
  UPPER_CHANGED,
  writeDefinition,
  writeNinja,
} from "./generate.ts";
import type { Options } from "./options.ts";
import { isThere, timed } from "./processes.ts";
import { median, type Row } from "./table.ts";

/** Longer than files settle, and than the granularity of make's times. */
const QUIET_MS = 1100;

/** Seconds, each the median of its repetitions. */
interface Figures {
  readonly full: number;
  readonly noop: number;
  readonly source: number;
  readonly node: number;
}

/** One of those compared: how to make its folder, run it and change its first step. */
interface Runner {
  readonly name: string;
  readonly inputs: string;
  readonly outputs: string;
  make(folder: string, n: number): void;
  run(folder: string): number;
  changeNode(folder: string, n: number): void;
}

function runners(cli: string): Record<"millrace" | "make" | "ninja", Runner> {
  return {
    millrace: {
      name: "millrace",
      inputs: "state/input",
      outputs: "state/output",
      make: makeProject,
      run: (folder) => timed(process.execPath, [cli, "-C", folder, "run"]),
      changeNode: (folder) => writeDefinition(folder, UPPER_CHANGED),
    },
    make: {
      name: "make",
      inputs: "input",
      outputs: "output",
      make: makeMakefile,
      run: (folder) => timed("make", ["-r", "-j2", "-s"], folder),
      changeNode: (folder) => writeFileSync(join(folder, "stage1.code"), "changed\n"),
    },
    ninja: {
      name: "ninja",
      inputs: "input",
      outputs: "output",
      make: makeNinja,
      run: (folder) => timed("ninja", ["-j2", "--quiet"], folder),
      changeNode: (folder, n) => writeNinja(folder, n, "B-ZA"),
    },
  };
}

async function measure(runner: Runner, { where, n }: Options, repetitions: number): Promise<Figures> {
  const folder = join(where, `${runner.name}-${n}`);
  const full: number[] = [];
  for (let time = 0; time < repetitions; time++) {
    runner.make(folder, n);
    await sleep(QUIET_MS);
    full.push(runner.run(folder));
    const made = readdirSync(join(folder, runner.outputs)).length;
    if (made !== n) throw new Error(`${runner.name} made ${made} outputs of ${n}`);
  }
  runner.run(folder);
  const noop = Array.from({ length: 2 * repetitions + 1 }, () => runner.run(folder));
  const source: number[] = [];
  for (let time = 0; time < repetitions; time++) {
    await sleep(QUIET_MS);
    const id = entity(Math.floor(n / 2) + time);
    appendFileSync(join(folder, runner.inputs, `${id}.txt`), "changed text\n");
    await sleep(QUIET_MS);
    source.push(runner.run(folder));
    if (!readFileSync(join(folder, runner.outputs, `${id}.json`), "utf8").includes("CHANGED TEXT"))
      throw new Error(`${runner.name} did not notice the changed source`);
  }
  await sleep(QUIET_MS);
  runner.changeNode(folder, n);
  const node = runner.run(folder);
  return { full: median(full), noop: median(noop), source: median(source), node };
}

/** The row "cold, sync, 1 thread" of `limit.mjs`, in seconds. Its other rows are not waited for. */
async function measureScript({ where, n, repetitions }: Options): Promise<number> {
  const script = join(import.meta.dirname, "limit.mjs");
  const child = spawn(process.execPath, [script, String(n), String(repetitions)], {
    env: { ...process.env, BM_DIR: join(where, "script") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  try {
    for await (const part of child.stdout.setEncoding("utf8")) {
      text += String(part);
      const seconds = /cold, sync, 1 thread \| \d+ \| ([\d.]+)/.exec(text)?.[1];
      if (seconds !== undefined) return Number(seconds);
    }
  } finally {
    child.kill("SIGKILL");
  }
  throw new Error(`limit.mjs printed no row for one thread:\n${text}`);
}

export async function compare(options: Options): Promise<Row[]> {
  const { n, repetitions, cli } = options;
  const all = runners(cli);
  const script = await measureScript(options);
  const millrace = await measure(all.millrace, options, repetitions);
  const isMemory = options.where.startsWith("/dev/shm");
  const scriptTarget = isMemory ? 3.5 : 1.6;
  const at = `at ${n}`;
  const rows: Row[] = [
    { what: `hand-written script, full run ${at}`, value: script, unit: "s" },
    {
      what: `millrace, full run ${at}`,
      value: millrace.full,
      unit: "s",
      note: `${Math.round(n / millrace.full)} entities/s`,
    },
    { what: "full run, millrace : script", value: millrace.full / script, unit: "x", target: { most: scriptTarget } },
    { what: `millrace, nothing to do ${at}`, value: millrace.noop, unit: "s" },
    { what: `millrace, one changed source ${at}`, value: millrace.source, unit: "s" },
    { what: `millrace, one changed node ${at}`, value: millrace.node, unit: "s" },
  ];
  for (const name of ["make", "ninja"] as const) {
    if (!isThere(name)) {
      console.error(`${name} is not there (Debian: apt-get install -y make ninja-build); its rows are left out`);
      continue;
    }
    // Once is enough for what takes half a minute.
    const other = await measure(all[name], options, 1);
    rows.push(
      { what: `${name}, full run ${at}`, value: other.full, unit: "s" },
      { what: `full run, ${name} : millrace`, value: other.full / millrace.full, unit: "x", target: { least: 8 } },
      { what: `${name}, nothing to do ${at}`, value: other.noop, unit: "s" },
      ...(name === "ninja"
        ? [
            {
              what: "nothing to do, millrace : ninja",
              value: millrace.noop / other.noop,
              unit: "x",
              target: { most: 2.5 },
            } as const,
          ]
        : []),
      { what: `${name}, one changed source ${at}`, value: other.source, unit: "s" },
      { what: `${name}, one changed node ${at}`, value: other.node, unit: "s" },
    );
  }
  return rows;
}
