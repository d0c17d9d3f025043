/** Peak memory of a full run and its growth per entity. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { makeProject } from "./generate.ts";
import type { Options } from "./options.ts";
import { peakOf } from "./processes.ts";
import type { Row } from "./table.ts";

export async function memory(options: Options): Promise<Row[]> {
  const { n, where, cli } = options;
  const peakAt = async (entities: number): Promise<number> => {
    const folder = join(where, `memory-${entities}`);
    makeProject(folder, entities);
    await sleep(300);
    return peakOf(process.execPath, [cli, "-C", folder, "run"]);
  };
  const small = await peakAt(n);
  const large = await peakAt(4 * n);
  return [
    { what: `peak memory, full run at ${n}`, value: small, unit: "MB" },
    { what: `peak memory, full run at ${4 * n}`, value: large, unit: "MB" },
    { what: "growth of the peak per entity", value: ((large - small) * 1024) / (3 * n), unit: "KB" },
  ];
}
