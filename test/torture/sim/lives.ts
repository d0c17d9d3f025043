import { availableParallelism } from "node:os";
import { fork } from "node:child_process";
import { abilities } from "./abilities.ts";
import { type Outcome, play } from "./life.ts";
import { PLACES } from "./places.ts";
import { printed, scriptOf } from "./script.ts";
import { shrunk } from "./shrink.ts";
import { Tally } from "./statistics.ts";

/** What many lives came to. */
export interface Lives {
  readonly lives: number;
  readonly runs: number;
  readonly crashes: number;
  /** Of each life at least. */
  readonly leastEvents: number;
  /** Kind of fault to how often it hit. */
  readonly faults: Readonly<Record<string, number>>;
  /** Place in the protocol to how often it was passed, and how often a process died there. */
  readonly passed: Readonly<Record<string, number>>;
  readonly diedAt: Readonly<Record<string, number>>;
  /** Place to the seed of a life that came there. */
  readonly cameTo: Readonly<Record<string, number>>;
  /** Seeds of lives that broke a rule, with the rule. */
  readonly failed: readonly { readonly seed: number; readonly rule: string }[];
}

/** Plays the lives of the seeds from `first` on. */
export async function playAll(first: number, count: number): Promise<Lives> {
  const faults = new Tally();
  const passed = new Tally();
  const diedAt = new Tally();
  const failed: { seed: number; rule: string }[] = [];
  const cameTo: Record<string, number> = {};
  let [runs, crashes, leastEvents] = [0, 0, Infinity];
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await play(scriptOf(seed, abilities, PLACES));
    faults.join(outcome.faults);
    passed.join(outcome.passed);
    diedAt.join(outcome.diedAt);
    for (const place of Object.keys(outcome.passed)) cameTo[place] ??= seed;
    runs += outcome.runs;
    crashes += outcome.crashes;
    const [violation] = outcome.violations;
    if (violation !== undefined) failed.push({ seed, rule: violation.rule });
    else leastEvents = Math.min(leastEvents, outcome.events);
  }
  return {
    lives: count,
    runs,
    crashes,
    leastEvents,
    faults: faults.toJSON(),
    passed: passed.toJSON(),
    diedAt: diedAt.toJSON(),
    cameTo,
    failed,
  };
}

/** The same by as many processes as there are cores. */
export async function playAllInParallel(first: number, count: number): Promise<Lives> {
  const share = Math.ceil(count / Math.max(1, Math.min(availableParallelism(), count)));
  const parts: Promise<Lives>[] = [];
  for (let from = first; from < first + count; from += share)
    parts.push(playElsewhere(from, Math.min(share, first + count - from)));
  return aimedAtMissed((await Promise.all(parts)).reduce(joined));
}

/** Plays a life that came to a place where none died once more, and lets it die there: up to then all happens again. */
async function aimedAtMissed(lives: Lives): Promise<Lives> {
  let all = lives;
  for (const place of missedPlaces(lives)) {
    const seed = lives.cameTo[place];
    if (seed === undefined) continue;
    const { faults, passed, diedAt, runs, crashes, events, violations } = await play({
      ...scriptOf(seed, abilities, PLACES),
      dieAt: place,
    });
    const failed = violations.slice(0, 1).map(({ rule }) => ({ seed, rule: `${rule} (dead before: ${place})` }));
    all = joined(all, { lives: 1, runs, crashes, leastEvents: events, faults, passed, diedAt, cameTo: {}, failed });
  }
  return all;
}

function playElsewhere(first: number, count: number): Promise<Lives> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL("worker.ts", import.meta.url), [String(first), String(count)], { execArgv: [] });
    let lives: Lives | undefined;
    child.on("message", (message) => (lives = message as Lives));
    child.on("error", reject);
    child.on("exit", (code) => {
      if (lives !== undefined) resolve(lives);
      else reject(new Error(`the lives from seed ${first} on ended with exit code ${code}`));
    });
  });
}

function joined(a: Lives, b: Lives): Lives {
  const sum = (
    one: Readonly<Record<string, number>>,
    other: Readonly<Record<string, number>>,
  ): Record<string, number> => {
    const tally = new Tally();
    tally.join(one);
    tally.join(other);
    return tally.toJSON();
  };
  return {
    lives: a.lives + b.lives,
    runs: a.runs + b.runs,
    crashes: a.crashes + b.crashes,
    leastEvents: Math.min(a.leastEvents, b.leastEvents),
    faults: sum(a.faults, b.faults),
    passed: sum(a.passed, b.passed),
    diedAt: sum(a.diedAt, b.diedAt),
    cameTo: { ...b.cameTo, ...a.cameTo },
    failed: [...a.failed, ...b.failed],
  };
}

/** Places that the engine came to and that the list does not know. */
export function unknownPlaces({ passed }: Lives): string[] {
  const known = new Set<string>(PLACES);
  return Object.keys(passed).filter((place) => !known.has(place));
}

/** Places of the protocol where no process died: each one that there is, and each one that was passed. */
export function missedPlaces({ passed, diedAt }: Lives): string[] {
  return [...new Set([...PLACES, ...Object.keys(passed)])].filter((place) => (diedAt[place] ?? 0) === 0);
}

/** What was tried, how often each kind of fault hit, and where processes died. */
export function told(lives: Lives): string {
  const rows = (counts: Readonly<Record<string, number>>): string => {
    const tally = new Tally();
    tally.join(counts);
    return tally.print();
  };
  return [
    `${lives.lives} lives, ${lives.runs} runs, ${lives.crashes} crashes, ${lives.failed.length} violations`,
    "faults that hit:",
    rows(lives.faults),
    `deaths before each of ${Object.keys(lives.diedAt).length} operations of a commit, a retraction, a recovery and what is saved beside them:`,
    rows(lives.diedAt),
  ].join("\n");
}

/** A failing life made small, with what it breaks and how to play it again. */
export async function toldFailure(seed: number): Promise<string> {
  const small = await shrunk(scriptOf(seed, abilities, PLACES));
  const { violations }: Outcome = await play(small);
  const broken = violations.slice(0, 3).map(({ rule, message }) => `${rule}: ${message}`);
  const replay = `node test/torture/sim/replay.ts --seed ${seed} --shrink`;
  return [`a life broke a rule; play it again with: ${replay}`, printed(small), ...broken].join("\n");
}
