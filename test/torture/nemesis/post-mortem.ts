/** What a look at the disk right after a kill shows: what the kill hit, and which runs it cost. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Effect } from "../checker/plan.ts";
import { fileNameOf } from "../checker/records.ts";
import { xxh64 } from "../checker/xxh64.ts";

/** What was under way when the process died. */
export type Hit = "commit" | "attempt" | "recovery" | "idle";

/** The batches in `.millrace/tmp`, each with whether its commit had begun. */
export function batchesOf(root: string): Map<string, "commit" | "attempt"> {
  const tmp = join(root, ".millrace/tmp");
  const found = new Map<string, "commit" | "attempt">();
  for (const entry of existsSync(tmp) ? readdirSync(tmp, { withFileTypes: true }) : [])
    if (entry.isDirectory())
      found.set(entry.name, existsSync(join(tmp, entry.name, "intent.json")) ? "commit" : "attempt");
  return found;
}

interface Recorded {
  readonly contentHash: string | null;
  readonly inputHashes: Readonly<Record<string, string | null>>;
}

/** Where the runs that are judged leave their records. */
const PATTERNS: Readonly<
  Record<
    string,
    {
      readonly pattern: string;
      readonly input: (entity: string) => string;
      readonly output: (entity: string) => string;
    }
  >
> = {
  "one#marked": {
    pattern: "marked/{id}.txt",
    input: (entity) => `upper/${entity}.txt`,
    output: (entity) => `marked/${entity}.txt`,
  },
  "four#shelled": {
    pattern: "shelled/{id}.txt",
    input: (entity) => `marked/c-${entity}.txt`,
    output: (entity) => `shelled/${entity}.txt`,
  },
};

/**
 * The nonces of the runs that left nothing durable: no record of their result, and no intent whose output is in its place.
 * A task may run again for these, and for no other. The history comes last in a commit: it may lack those that are `untold`.
 */
export function costOf(root: string, runs: readonly Effect[]): { cost: string[]; untold: string[] } {
  const last = new Map<string, Effect>();
  for (const run of runs) last.set(`${run.stage}@${run.entity}`, run);
  const intents = intentsOf(root);
  const [cost, untold]: [string[], string[]] = [[], []];
  for (const run of last.values()) {
    if (run.failed === true) continue;
    if (!isDurable(root, run, intents)) cost.push(run.nonce);
    else if (isAnnounced(run, intents)) untold.push(run.nonce);
  }
  return { cost, untold };
}

function isAnnounced({ stage, entity }: Effect, intents: readonly Announced[]): boolean {
  return intents.some((of) => of.entityId === entity && of.pattern === PATTERNS[stage]!.pattern);
}

function isDurable(root: string, { stage, entity, input, output }: Effect, intents: readonly Announced[]): boolean {
  const place = PATTERNS[stage]!;
  const isIts = (record: Recorded | null | undefined): boolean =>
    record?.contentHash === xxh64(output!) && record.inputHashes[place.input(entity)] === xxh64(input);
  if (isIts(recordOf(root, entity, place.pattern))) return true;
  const announced = intents.some((of) => of.entityId === entity && of.pattern === place.pattern && isIts(of.record));
  return announced && textAt(join(root, place.output(entity))) === output;
}

function recordOf(root: string, entity: string, pattern: string): Recorded | undefined {
  const text = textAt(join(root, ".millrace/manifests", fileNameOf(entity)));
  if (text === undefined) return undefined;
  return (JSON.parse(text) as { states: Record<string, Recorded> }).states[pattern];
}

interface Announced {
  readonly entityId: string;
  readonly pattern: string;
  readonly record: Recorded | null;
}

function intentsOf(root: string): Announced[] {
  return [...batchesOf(root)]
    .filter(([, is]) => is === "commit")
    .flatMap(([batch]) => {
      const text = textAt(join(root, ".millrace/tmp", batch, "intent.json"))!;
      return (JSON.parse(text) as { records: Announced[] }).records;
    });
}

function textAt(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
