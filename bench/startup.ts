/** What a person waits for: `--help`, and `status` on many entities. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeProject } from "./generate.ts";
import type { Options } from "./options.ts";
import { timed } from "./processes.ts";
import { median, type Row } from "./table.ts";

const TIMES = 11;

export async function startup({ where, large, cli }: Options): Promise<Row[]> {
  // The latency part has left one of this size, all done.
  const before = join(where, `latency-${large}`);
  const folder = existsSync(before) ? before : join(where, `startup-${large}`);
  if (folder !== before) {
    makeProject(folder, large);
    await sleep(300);
    timed(process.execPath, [cli, "-C", folder, "run"]);
  }
  const cold = (...args: readonly string[]): number =>
    1000 * median(Array.from({ length: TIMES }, () => timed(process.execPath, [cli, ...args])));
  return [
    {
      what: "node -e 0",
      value: 1000 * median(Array.from({ length: TIMES }, () => timed(process.execPath, ["-e", "0"]))),
      unit: "ms",
    },
    { what: "millrace --help", value: cold("--help"), unit: "ms", target: { most: 80 } },
    {
      what: `millrace status on ${large} entities`,
      value: cold("-C", folder, "status"),
      unit: "ms",
      target: { most: 300 },
    },
  ];
}
