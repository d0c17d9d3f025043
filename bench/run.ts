/** `npm run bench`: every part in one run, on one machine, and one table. See `README.md`. */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { spawnSync } from "node:child_process";
import { burst } from "./burst.ts";
import { compare } from "./compare.ts";
import { latency } from "./latency.ts";
import { memory } from "./memory.ts";
import { type Options, PARTS, readOptions } from "./options.ts";
import { startup } from "./startup.ts";
import { printTable, type Row } from "./table.ts";

const DO: Readonly<Record<string, (options: Options) => Promise<Row[]>>> = { compare, latency, burst, memory, startup };

const options = readOptions(process.argv.slice(2));
if (!existsSync(options.cli)) throw new Error(`"${options.cli}" is not there; build it first (npm run build)`);
mkdirSync(options.where, { recursive: true });
const rows: Row[] = [];
for (const part of PARTS) {
  if (!options.parts.has(part)) continue;
  console.error(`${part} ...`);
  rows.push(...(await DO[part]!(options)));
}
console.log(`${machineLine(options.where)}\n`);
printTable(rows);
rmSync(options.where, { recursive: true, force: true });

function machineLine(where: string): string {
  const [cpu] = cpus();
  const fileSystem = spawnSync("stat", ["-f", "-c", "%T", where], { encoding: "utf8" }).stdout.trim();
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  return `${cpu?.model.trim()}, ${cpus().length} cores, ${memoryGb} GB; node ${process.version}; ${process.platform} ${release()}; ${fileSystem}`;
}
