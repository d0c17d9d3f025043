/** What a bench run is asked to do, from its command line. */
import { join } from "node:path";
import { parseArgs } from "node:util";

export interface Options {
  /** Entities of the comparison. */
  readonly n: number;
  /** Entities of the large project: latency and `status` are measured at this size, too. */
  readonly large: number;
  /** A folder on the file system that is measured; each part wipes its own folder in it. */
  readonly where: string;
  readonly repetitions: number;
  /** The built command. */
  readonly cli: string;
  readonly parts: ReadonlySet<string>;
}

export const PARTS: readonly string[] = ["compare", "latency", "burst", "memory", "startup"];

/** Throws for a word that is none of the bench's. */
export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      n: { type: "string", default: "10000" },
      large: { type: "string", default: "100000" },
      where: { type: "string", default: "/dev/shm/millrace-bench" },
      reps: { type: "string", default: "3" },
      cli: { type: "string", default: join(import.meta.dirname, "../dist/millrace.js") },
      only: { type: "string", default: PARTS.join(",") },
    },
  });
  const parts = values.only.split(",");
  const unknown = parts.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new Error(`--only knows ${PARTS.join(", ")}; "${unknown}" is none of them`);
  return {
    n: positive(values.n, "--n"),
    large: positive(values.large, "--large"),
    where: values.where,
    repetitions: positive(values.reps, "--reps"),
    cli: values.cli,
    parts: new Set(parts),
  };
}

function positive(text: string, name: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`${name} is "${text}", but must be a whole number from 1`);
  return number;
}
