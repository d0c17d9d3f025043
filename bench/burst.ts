/** Many files at once into a running daemon: how fast they are done, and that none is lost. */
import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { entity, makeProject, writeInputs } from "./generate.ts";
import type { Options } from "./options.ts";
import { peakMegabytes, startDaemon, timed } from "./processes.ts";
import type { Row } from "./table.ts";

/** No further output for so long: what is missing then counts as lost. */
const GIVE_UP_MS = 15_000;

export async function burst(options: Options): Promise<Row[]> {
  const { n, where, cli } = options;
  const full = fullRun(options);
  const folder = join(where, `burst-${n}`);
  makeProject(folder, 1);
  const aside = join(folder, "aside");
  writeInputs(aside, 1, n + 1);
  mkdirSync(join(folder, "state/output"), { recursive: true });
  const daemon = await startDaemon(cli, folder);
  try {
    const startedAt = performance.now();
    for (let i = 1; i <= n; i++)
      renameSync(join(aside, `${entity(i)}.txt`), join(folder, `state/input/${entity(i)}.txt`));
    const { endedAt, made } = await untilAllAreThere(join(folder, "state/output"), n + 1);
    const seconds = (endedAt - startedAt) / 1000;
    return [
      {
        what: `burst of ${n} into a daemon, to the last output`,
        value: seconds,
        unit: "s",
        note: `${Math.round(n / seconds)} entities/s`,
      },
      { what: "burst : full run, time", value: seconds / full, unit: "x", target: { most: 2 } },
      { what: "burst, files lost", value: n + 1 - made, unit: "files", target: { most: 0 } },
      { what: "daemon's peak memory after the burst", value: peakMegabytes(daemon.child.pid ?? 0) ?? NaN, unit: "MB" },
    ];
  } finally {
    await daemon.stop();
  }
}

function fullRun({ n, where, cli }: Options): number {
  const folder = join(where, `burst-full-${n}`);
  makeProject(folder, n);
  return timed(process.execPath, [cli, "-C", folder, "run"]);
}

async function untilAllAreThere(folder: string, wanted: number): Promise<{ endedAt: number; made: number }> {
  let made = 0;
  let endedAt = performance.now();
  while (made < wanted && performance.now() - endedAt < GIVE_UP_MS) {
    await sleep(20);
    const now = readdirSync(folder).length;
    if (now > made) endedAt = performance.now();
    made = now;
  }
  return { endedAt, made };
}
