/**
 * The log of what was done to a project: every intent before the act, every acknowledgement after it, one line of JSON each,
 * appended only. The plan for the checker is made from it, so that nothing is believed that was not written down at the time.
 */
import { appendFileSync, readFileSync } from "node:fs";
import type { Kill, Plan, PlannedAck, PlannedSource, PlannedStat } from "../checker/plan.ts";
import { type Told, effectsOf } from "./effects-log.ts";
import { plannedStages, type Versions } from "./workload.ts";

/** One line of the log, without its number. */
export type Entry =
  | { readonly is: "write"; readonly path: string; readonly content: string }
  | { readonly is: "wrote"; readonly path: string; readonly stat: PlannedStat }
  | { readonly is: "remove"; readonly path: string }
  | { readonly is: "define"; readonly versions: Versions }
  | { readonly is: "ack"; readonly path: string; readonly content: string }
  | { readonly is: "edit"; readonly path: string; readonly content: string }
  | { readonly is: "launch"; readonly life: number; readonly at: number }
  | {
      readonly is: "killed";
      readonly life: number;
      readonly at: number;
      readonly cost: readonly string[];
      readonly untold: readonly string[];
    };

/** Appends to the log; says the number of each line, from 1. */
export class PlanLog {
  readonly #file: string;
  #lines = 0;

  constructor(file: string) {
    this.#file = file;
  }

  add(entry: Entry): number {
    appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
    return ++this.#lines;
  }
}

/** The plan that a log and the marks of the nodes amount to. */
export function planOf(logFile: string, told: readonly Told[]): Plan {
  const entries = readFileSync(logFile, "utf8").split("\n").slice(0, -1);
  const sources = new Map<string, PlannedSource>();
  const acks: PlannedAck[] = [];
  const kills: Kill[] = [];
  const launches: { life: number; at: number }[] = [];
  const keepsakes: { path: string; content: string; mayStay: boolean }[] = [];
  let versions: Versions = { mark: 0, wrap: 0 };
  const since = { mark: 0, wrap: 0 };
  for (const [i, line] of entries.entries()) {
    const entry = JSON.parse(line) as Entry;
    const at = i + 1;
    switch (entry.is) {
      case "write": {
        const { path, content } = entry;
        sources.set(path, {
          path,
          versions: [...(sources.get(path)?.versions ?? []), content],
          last: content,
          since: at,
        });
        break;
      }
      case "wrote":
        sources.set(entry.path, { ...sources.get(entry.path)!, stat: entry.stat });
        break;
      case "remove": {
        const { path, versions } = sources.get(entry.path)!;
        sources.set(path, { path, versions, last: null, since: at });
        break;
      }
      case "define":
        for (const key of ["mark", "wrap"] as const) if (versions[key] !== entry.versions[key]) since[key] = at;
        ({ versions } = entry);
        break;
      case "ack":
        acks.push({ path: entry.path, content: entry.content, at });
        break;
      case "edit":
        keepsakes.push({ path: entry.path, content: entry.content, mayStay: false });
        break;
      case "launch":
        launches.push(entry);
        break;
      case "killed":
        kills.push({ life: entry.life, at: entry.at, cost: entry.cost, untold: entry.untold });
        break;
    }
  }
  const lifeAt = (at: number): number => launches.findLast((launch) => launch.at <= at)?.life ?? 0;
  const stages = plannedStages(versions, since);
  return {
    version: 1,
    stages,
    sources: [...sources.values()],
    acks,
    effects: effectsOf(told, lifeAt),
    kills,
    keepsakes,
  };
}
