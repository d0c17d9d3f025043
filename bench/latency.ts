/** From a file's arrival in a running daemon to its last output. */
import { existsSync, renameSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeProject, textOf } from "./generate.ts";
import type { Options } from "./options.ts";
import { startDaemon, timed } from "./processes.ts";
import { median, quantile, type Row } from "./table.ts";

const DROPS = 40;
/** What a source without `settle` waits for on a local disk. */
const SETTLE_MS = 200;
const GIVE_UP_MS = 30_000;

async function latenciesAt(n: number, { where, cli }: Options): Promise<number[]> {
  const folder = join(where, `latency-${n}`);
  makeProject(folder, n);
  await sleep(SETTLE_MS + 100);
  timed(process.execPath, [cli, "-C", folder, "run"]);
  const daemon = await startDaemon(cli, folder);
  try {
    // The first ones meet code that has never run.
    for (let i = 0; i < 3; i++) await drop(folder, `warm-${i}`);
    const found: number[] = [];
    for (let i = 0; i < DROPS; i++) found.push(await drop(folder, `drop-${i}`));
    return found;
  } finally {
    await daemon.stop();
  }
}

/** Renames a file into the source folder; milliseconds until its output is there, the settle time taken off. */
async function drop(folder: string, id: string): Promise<number> {
  const beside = join(folder, `${id}.txt`);
  const output = join(folder, "state/output", `${id}.json`);
  writeFileSync(beside, textOf(7));
  const appeared = arrivalOf(join(folder, "state/output"), `${id}.json`);
  const droppedAt = performance.now();
  renameSync(beside, join(folder, "state/input", `${id}.txt`));
  const at = await appeared;
  if (!existsSync(output)) throw new Error(`no output for "${id}" after ${GIVE_UP_MS} ms`);
  await sleep(50);
  return at - droppedAt - SETTLE_MS;
}

/** When a name appears in a folder. */
function arrivalOf(folder: string, name: string): Promise<number> {
  return new Promise((resolve) => {
    const giveUp = setTimeout(() => end(), GIVE_UP_MS);
    const watcher = watch(folder, (_, changed) => {
      if (changed === name) end();
    });
    const end = (): void => {
      const at = performance.now();
      clearTimeout(giveUp);
      watcher.close();
      resolve(at);
    };
  });
}

export async function latency(options: Options): Promise<Row[]> {
  const rows: Row[] = [];
  let medianBefore: number | undefined;
  for (const n of [...new Set([1000, options.n, options.large])].toSorted((a, b) => a - b)) {
    const found = await latenciesAt(n, options);
    const middle = median(found);
    rows.push({
      what: `drop to output, daemon with ${n} entities, beyond the settle time`,
      value: middle,
      unit: "ms",
      target: { most: 15 },
      note: `median of ${DROPS}; p95 ${quantile(found, 0.95).toFixed(1)} ms`,
    });
    if (n === options.large && medianBefore !== undefined)
      rows.push({
        what: `drop to output at ${n} : at ${options.n}, settle time included`,
        value: (middle + SETTLE_MS) / (medianBefore + SETTLE_MS),
        unit: "x",
        target: { most: 1.2 },
      });
    medianBefore = middle;
  }
  return rows;
}
