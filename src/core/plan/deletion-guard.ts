import type { RelPath, StageKey, TaskKey } from "../model/words.ts";

/** From how many sources or outputs on the guard counts; fewer are taken away whatever part they are of all. */
export const GUARD_LEAST = 20;

/** A source that is not there any more, and the stage whose pattern it matched. */
export interface GoneSource {
  readonly stage: StageKey;
  readonly path: RelPath;
}

/** A product that is about to be taken away. */
export interface PlannedRetraction {
  readonly key: TaskKey;
  /** The stage that loses an output; `undefined` when there is no file, only records. */
  readonly stage: StageKey | undefined;
  /** The vanished sources it was made from, directly or by way of other products. */
  readonly sources: readonly GoneSource[];
  /** The tasks whose products it was made from. */
  readonly follows: readonly TaskKey[];
}

/** Everything that decides about one batch of retractions. */
export interface GuardFacts {
  /** All that one scan, one edit or one burst of events would take away. */
  readonly planned: readonly PlannedRetraction[];
  /** What was frozen before and still is: it counts as gone, too. */
  readonly frozen: readonly PlannedRetraction[];
  /** What went within the last scan interval and has not come back: so that a slow deletion is seen, too. */
  readonly recentSources: readonly GoneSource[];
  readonly recentOutputs: readonly { readonly key: TaskKey; readonly stage: StageKey }[];
  /** How many sources a stage has now. */
  readonly sourcesPresent: (stage: StageKey) => number;
  /** How many outputs a stage has now that stay. */
  readonly outputsPresent: (stage: StageKey) => number;
  /** Vanished sources that have reappeared under another name: they are no deletion. */
  readonly moved: ReadonlySet<RelPath>;
  /** Source stages whose folder is on another device than it was: what was mounted there is away. */
  readonly otherDevice: ReadonlySet<StageKey>;
}

/** Why the guard stopped a batch. */
export interface Trip {
  readonly stage: StageKey;
  readonly what: "sources" | "outputs" | "device";
  readonly gone: number;
  /** Gone and present together. */
  readonly of: number;
}

export interface GuardDecision {
  readonly trips: readonly Trip[];
  /** What of the batch must not be taken away. */
  readonly frozen: ReadonlySet<TaskKey>;
}

/**
 * Which retractions of a batch look like an accident: more than half of at least 20 sources of a pattern or outputs of a
 * stage, or any source of a folder that is on another device. They are frozen with all that follows from them; the rest goes.
 *
 * @see the design, section 8: nothing is deleted while most of a root vanished at once (P11)
 */
export function guardDeletions(facts: GuardFacts): GuardDecision {
  const sources = sourceTrips(facts);
  const outputs = outputTrips(facts);
  const frozen = frozenBy(facts, new Set(sources.map((t) => t.stage)), new Set(outputs.map((t) => t.stage)));
  return { trips: [...sources, ...outputs], frozen };
}

function sourceTrips({ planned, frozen, recentSources, sourcesPresent, moved, otherDevice }: GuardFacts): Trip[] {
  const gone = new Map<StageKey, Set<RelPath>>();
  const counted = [...planned, ...frozen].flatMap((retraction) => retraction.sources);
  for (const { stage, path } of [...counted, ...recentSources]) if (!moved.has(path)) addTo(gone, stage, path);
  const trips: Trip[] = [];
  for (const stage of new Set(planned.flatMap((p) => p.sources.map((source) => source.stage)))) {
    const count = gone.get(stage)?.size ?? 0;
    const of = count + sourcesPresent(stage);
    if (count > 0 && otherDevice.has(stage)) trips.push({ stage, what: "device", gone: count, of });
    else if (isTooMuch(count, of)) trips.push({ stage, what: "sources", gone: count, of });
  }
  return trips;
}

function outputTrips({ planned, frozen, recentOutputs, outputsPresent, moved }: GuardFacts): Trip[] {
  const gone = new Map<StageKey, Set<TaskKey>>();
  const counted = [...planned, ...frozen].filter((retraction) => !isMoved(retraction, moved));
  for (const { stage, key } of [...counted, ...recentOutputs]) if (stage !== undefined) addTo(gone, stage, key);
  const trips: Trip[] = [];
  for (const stage of new Set(planned.flatMap((p) => p.stage ?? []))) {
    const count = gone.get(stage)?.size ?? 0;
    const of = count + outputsPresent(stage);
    if (isTooMuch(count, of)) trips.push({ stage, what: "outputs", gone: count, of });
  }
  return trips;
}

function isTooMuch(gone: number, of: number): boolean {
  return of >= GUARD_LEAST && gone * 2 > of;
}

function isMoved({ sources }: PlannedRetraction, moved: ReadonlySet<RelPath>): boolean {
  return sources.length > 0 && sources.every(({ path }) => moved.has(path));
}

function frozenBy(
  { planned, frozen, moved }: GuardFacts,
  sources: ReadonlySet<StageKey>,
  outputs: ReadonlySet<StageKey>,
): ReadonlySet<TaskKey> {
  const before = new Set(frozen.map(({ key }) => key));
  const now = new Set<TaskKey>();
  const isOwn = (p: PlannedRetraction): boolean =>
    p.sources.some(({ stage, path }) => sources.has(stage) && !moved.has(path)) ||
    (p.stage !== undefined && outputs.has(p.stage) && !isMoved(p, moved));
  for (const p of planned) if (isOwn(p)) now.add(p.key);
  // `follows` names every ancestor, so that one pass finds all that follows.
  for (const p of planned) if (p.follows.some((key) => now.has(key) || before.has(key))) now.add(p.key);
  return now;
}

function addTo<T>(sets: Map<StageKey, Set<T>>, stage: StageKey, item: T): void {
  const set = sets.get(stage);
  if (set) set.add(item);
  else sets.set(stage, new Set([item]));
}

/** A trip in words: what, how many of how many, and why that is too much. */
export function tripWords({ stage, what, gone, of }: Trip, pattern: string): string {
  const files = `${gone} of ${of}`;
  switch (what) {
    case "sources":
      return `${files} sources of ${pattern} (${stage}) vanished: more than half`;
    case "outputs":
      return `${files} outputs of ${pattern} (${stage}) would go: more than half`;
    case "device":
      return `the folder of ${pattern} (${stage}) is on another device than before, and ${files} sources are not in it: something is not mounted`;
  }
}
