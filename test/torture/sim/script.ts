import { Dice } from "./dice.ts";
import { anyExpression, anyFamily, type Family, STAGES, stagesOf } from "./family.ts";

/** How the watcher tells a change of a file: at once, never, late, twice, with other paths in between, or by its folder only. */
export type Seen = "seen" | "lost" | "late" | "twice" | "storm";

/** Where a process ends: after so many writing operations more, or before the next operation at a place of the protocol. */
export interface CrashPoint {
  readonly after?: number;
  readonly place?: string;
}

/** One thing that happens to a life, and how long nothing else happens then, in milliseconds. */
export type Step = Happening & { readonly pauseMs: number };

type Happening =
  | { readonly do: "write"; readonly id: string; readonly text: string; readonly seen: Seen }
  /** Several writes of one file, so many milliseconds apart. */
  | {
      readonly do: "slowWrite";
      readonly id: string;
      readonly texts: readonly string[];
      readonly gapMs: number;
      readonly seen: Seen;
    }
  | { readonly do: "touch" | "remove"; readonly id: string; readonly seen: Seen }
  | { readonly do: "rename"; readonly id: string; readonly to: string; readonly seen: Seen }
  | { readonly do: "removeMany"; readonly ids: readonly string[]; readonly seen: Seen }
  /** Brings back whatever was removed, with its last content. */
  | { readonly do: "bringBack"; readonly seen: Seen }
  | {
      readonly do: "edit" | "lose";
      readonly id: string;
      readonly stage: string;
      readonly text: string;
      readonly seen: Seen;
    }
  | { readonly do: "foreign"; readonly path: string; readonly text: string; readonly seen: Seen }
  | { readonly do: "folderHint"; readonly folder: string }
  | { readonly do: "code"; readonly stage: string; readonly expression: string }
  | { readonly do: "toggle"; readonly stage: string }
  | {
      readonly do: "trouble";
      readonly kind: "fails" | "failsTimes" | "slow" | "hangs";
      readonly stage: string;
      readonly id: string | null;
      readonly times: number;
      readonly ms: number;
    }
  | { readonly do: "cure" }
  | { readonly do: "hold"; readonly stage: string; readonly id: string | null }
  | { readonly do: "release" | "retry" | "scan" | "quiet" | "restart" | "lift" }
  | { readonly do: "force" | "accept"; readonly id: string; readonly stage: string }
  | { readonly do: "jump" | "pass"; readonly ms: number }
  | { readonly do: "fault"; readonly code: string; readonly skip: number; readonly once: boolean; readonly on: string }
  | { readonly do: "away"; readonly ms: number }
  | { readonly do: "crash"; readonly at: CrashPoint; readonly again: CrashPoint | null; readonly power: boolean };

/** All that a life is: it plays the same every time. */
export interface LifeScript {
  readonly seed: number;
  readonly family: Family;
  readonly steps: readonly Step[];
  /** The process also dies when it comes to this place for the first time. */
  readonly dieAt?: string;
}

/** What the product can do already decides about what lives do. */
export interface Abilities {
  readonly orphanPolicies: boolean;
  readonly rootAway: boolean;
  readonly powerLoss: boolean;
}

const ENTITIES = 20;
const EVENTS = 56;
const TEXTS = ["a", "ab", "b", "some S text", "X of it", "ac", "more than one word", "A"];
const ids: readonly string[] = Array.from({ length: ENTITIES + 3 }, (_, i) => String(i + 1).padStart(2, "0"));

const WEIGHTS = {
  write: 16,
  slowWrite: 4,
  touch: 2,
  remove: 4,
  rename: 3,
  removeMany: 1.5,
  bringBack: 1.5,
  edit: 4,
  lose: 3,
  foreign: 2,
  folderHint: 2,
  code: 3,
  toggle: 1.5,
  trouble: 7,
  cure: 2,
  hold: 1.5,
  release: 1.5,
  retry: 1,
  force: 2,
  accept: 1,
  jump: 1.5,
  pass: 8,
  quiet: 3,
  scan: 1.5,
  restart: 1,
  fault: 5,
  lift: 2,
  away: 0.7,
  crash: 5,
} as const;

/** The life of a seed. */
export function scriptOf(seed: number, abilities: Abilities, aims: readonly string[]): LifeScript {
  const dice = new Dice(seed);
  const family = anyFamily(dice, abilities.orphanPolicies);
  const steps: Step[] = [];
  const first = ids.slice(0, ENTITIES);
  // Some are there before the first start, the others arrive.
  const crashAt = dice.int(2, EVENTS - 2);
  const add = (happening: Happening): void => {
    const pauses = happening.do === "crash" ? [0, 50, 300, 2500] : [0, 1, 3, 20, 120];
    steps.push({ ...happening, pauseMs: dice.pick(pauses) });
  };
  for (const id of first) add({ do: "write", id, text: anyText(dice), seen: dice.chance(0.9) ? "seen" : "lost" });
  for (let i = 0; i < EVENTS; i++) {
    if (i === crashAt) add(anyCrash(dice, abilities, aims));
    add(anyStep(dice, family, abilities, aims));
  }
  return { seed, family, steps };
}

function anyText(dice: Dice): string {
  return dice.chance(0.3) ? dice.pick(TEXTS) : `${dice.pick(TEXTS)} ${dice.int(0, 9)}`;
}

function anySeen(dice: Dice): Seen {
  return dice.weighted({ seen: 5, lost: 2, late: 1, twice: 1, storm: 0.7 });
}

function anyCrash(dice: Dice, { powerLoss }: Abilities, aims: readonly string[]): Happening {
  const point = (): CrashPoint =>
    aims.length > 0 && dice.chance(0.6)
      ? { place: dice.pick(aims) }
      : { after: dice.chance(0.6) ? dice.int(0, 40) : dice.int(0, 400) };
  return {
    do: "crash",
    at: point(),
    again: dice.chance(0.3) ? (dice.chance(0.7) ? { after: dice.int(0, 12) } : point()) : null,
    power: powerLoss && dice.chance(0.3),
  };
}

function anyStep(dice: Dice, family: Family, abilities: Abilities, aims: readonly string[]): Happening {
  const id = dice.pick(ids);
  const seen = anySeen(dice);
  const stage = dice.pick(stagesOf(family)).id;
  const what = dice.weighted(abilities.rootAway ? WEIGHTS : { ...WEIGHTS, away: 0 });
  switch (what) {
    case "write":
      return { do: what, id, text: anyText(dice), seen };
    case "slowWrite": {
      const text = `${anyText(dice)} written slowly`;
      const parts = dice.int(2, 4);
      const texts = Array.from({ length: parts }, (_, i) => text.slice(0, Math.ceil((text.length * (i + 1)) / parts)));
      return { do: what, id, texts, gapMs: dice.pick([20, 90, 250, 700]), seen };
    }
    case "touch":
    case "remove":
      return { do: what, id, seen };
    case "rename":
      return { do: what, id, to: dice.pick(ids), seen };
    case "removeMany":
      return { do: what, ids: dice.some(ids, dice.int(6, ids.length)), seen };
    case "bringBack":
      return { do: what, seen };
    case "edit":
    case "lose":
      return { do: what, id, stage, text: `by hand ${dice.int(0, 1e6)}`, seen };
    case "foreign": {
      const path = dice.pick([`up/notes.md`, `in/${id}.bak`, `last/${id}.json`, `other/${id}.txt`]);
      return { do: what, path, text: `foreign ${dice.int(0, 1e6)}`, seen };
    }
    case "folderHint":
      return { do: what, folder: dice.pick(["in", "up", "mid", "far", ""]) };
    case "code":
      return { do: what, stage, expression: anyExpression(stage, dice) };
    case "toggle":
      return { do: what, stage: dice.pick(STAGES.filter((each) => each.isOptional && each.id !== "parts")).id };
    case "trouble": {
      const kind = dice.weighted({ fails: 2, failsTimes: 3, slow: 4, hangs: 1 });
      return {
        do: what,
        kind,
        stage,
        id: dice.chance(0.5) ? id : null,
        times: dice.int(1, 4),
        ms: dice.pick([5, 60, 300, 3000]),
      };
    }
    case "hold":
      return { do: what, stage, id: dice.chance(0.5) ? id : null };
    case "force":
    case "accept":
      return { do: what, id, stage };
    case "jump":
      return { do: what, ms: dice.pick([-3_600_000, -5_000, 5_000, 3_600_000, 86_400_000]) };
    case "pass":
      return { do: what, ms: dice.pick([1, 50, 250, 700, 6000, 45_000]) };
    case "fault": {
      const code = dice.weighted({ ENOSPC: 3, EDQUOT: 1, EIO: 2, EMFILE: 2, EROFS: 1, EACCES: 1 });
      const on = code === "EIO" || code === "EMFILE" ? dice.pick(["reads", "writes"]) : "writes";
      return { do: what, code, skip: dice.int(0, 25), once: dice.chance(0.6), on };
    }
    case "away":
      return { do: what, ms: dice.pick([50, 400, 5000]) };
    case "crash":
      return anyCrash(dice, abilities, aims);
    default:
      return { do: what };
  }
}

/** A life on one line for each step, to be read by people. */
export function printed({ seed, family, steps }: LifeScript): string {
  const lines = steps.map(
    ({ do: what, ...rest }, i) => `  ${String(i + 1).padStart(3)} ${what} ${JSON.stringify(rest)}`,
  );
  return [`seed ${seed}`, `family ${JSON.stringify(family)}`, ...lines].join("\n");
}
