import type { PlannedStage } from "../checker/plan.ts";
import { source, stage } from "../../support/engine-rig.ts";
import type { Dice } from "./dice.ts";

/** What becomes of products whose sources are gone. */
export type OnOrphan = "trash" | "keep" | "delete";

/**
 * The pipelines of a life, as far as they differ from life to life:
 *
 *     near  in -> up -> mid [-> tail]       [up -> parts/ [-> bundle]]
 *     far   mid (as its source) -> far -> last, which also reads what its pipeline took or made before
 *     side  in -> side                      (the same entities as near)
 */
export interface Family {
  /** Stage to the expression that is its code. */
  readonly code: Readonly<Record<string, string>>;
  /** Optional stages that are there. */
  readonly has: readonly string[];
  readonly sync: readonly string[];
  readonly onOrphan: Readonly<Record<string, OnOrphan>>;
  readonly lane: "batch" | "single";
  /** The watcher also tells what Millrace itself does. */
  readonly echoes: boolean;
  readonly racyMs: number;
  readonly scanIntervalSeconds: number;
}

interface StagePlace {
  readonly id: string;
  readonly pipeline: "near" | "far" | "side";
  readonly input: string;
  readonly pattern: string;
  readonly isOptional?: true;
}

/** Every stage that makes something, what is made first first. */
export const STAGES: readonly StagePlace[] = [
  { id: "up", pipeline: "near", input: "in", pattern: "up/{id}.txt" },
  { id: "mid", pipeline: "near", input: "up", pattern: "mid/{id}.txt" },
  { id: "tail", pipeline: "near", input: "mid", pattern: "tail/deep/{id}.txt", isOptional: true },
  { id: "parts", pipeline: "near", input: "up", pattern: "parts/{id}/", isOptional: true },
  { id: "bundle", pipeline: "near", input: "parts", pattern: "bundle/{id}.txt", isOptional: true },
  { id: "far", pipeline: "far", input: "taken", pattern: "far/{id}.txt" },
  { id: "last", pipeline: "far", input: "far", pattern: "last/{id}.json" },
  { id: "side", pipeline: "side", input: "here", pattern: "side/{id}.txt", isOptional: true },
];

const SOURCES = [
  { id: "in", pipeline: "near", pattern: "in/{id}.txt" },
  { id: "taken", pipeline: "far", pattern: "mid/{id}.txt" },
  { id: "here", pipeline: "side", pattern: "in/{id}.txt" },
] as const;

const EXPRESSIONS: Readonly<Record<string, readonly string[]>> = {
  up: ["upper", "first", "say", "upper"],
  mid: ["wrap:x", "wrap:y", "first", "skip:S", "upper"],
  tail: ["wrap:t", "upper"],
  parts: ["parts", "parts:again"],
  bundle: ["wrap:b", "upper"],
  far: ["wrap:f", "upper", "skip:X", "skip:S"],
  last: ["with:taken", "with:far", "wrap:z"],
  side: ["upper", "wrap:s", "skip:S"],
};

/** A family by chance. */
export function anyFamily(dice: Dice, orphanPolicies: boolean): Family {
  const has: string[] = [];
  if (dice.chance(0.35)) has.push("tail");
  if (dice.chance(0.2)) has.push("parts", ...(dice.chance(0.5) ? ["bundle"] : []));
  if (dice.chance(0.5)) has.push("side");
  const ids = STAGES.map(({ id }) => id);
  const syncs = dice.chance(0.3);
  const policies = orphanPolicies
    ? ids.map((id) => [id, dice.pick(["trash", "trash", "keep", "delete"])] as const)
    : [];
  return {
    code: Object.fromEntries(ids.map((id) => [id, anyExpression(id, dice)])),
    has,
    sync: syncs ? ids.filter(() => dice.chance(0.5)) : [],
    onOrphan: Object.fromEntries(policies.map(([id, policy]) => [id, policy as OnOrphan])),
    lane: dice.chance(0.8) ? "batch" : "single",
    echoes: dice.chance(0.4),
    racyMs: dice.chance(0.25) ? 20 : 0,
    scanIntervalSeconds: dice.pick([30, 600]),
  };
}

/** A code for a stage by chance. */
export function anyExpression(id: string, dice: Dice): string {
  return dice.pick(EXPRESSIONS[id]!);
}

/** The stages of a family that are there. */
export function stagesOf(family: Family): StagePlace[] {
  return STAGES.filter(({ id, isOptional }) => isOptional !== true || family.has.includes(id));
}

/** Where a stage's result for an entity goes. */
export function outputOf(id: string, entity: string): string {
  return STAGES.find((each) => each.id === id)!.pattern.replace("{id}", entity);
}

/** `pipeline#stage`. */
export function keyOf(id: string): string {
  return `${STAGES.find((each) => each.id === id)!.pipeline}#${id}`;
}

/** The definitions of a family as people write them. */
export function definitionsOf(family: Family): unknown[] {
  const stages = stagesOf(family);
  const pipelines = [...new Set(stages.map(({ pipeline }) => pipeline))];
  return pipelines.map((name) => ({
    name,
    scanInterval: family.scanIntervalSeconds,
    retryPolicy: { maxAttempts: 3, backoffSeconds: [5, 40] },
    stages: [
      ...SOURCES.filter(({ pipeline }) => pipeline === name).map(({ id, pattern }) => source(id, pattern)),
      ...stages.filter(({ pipeline }) => pipeline === name).map((each) => taskStage(each, family)),
    ],
  }));
}

function taskStage({ id, input, pattern }: StagePlace, { code, sync, onOrphan }: Family): object {
  return stage(id, input, pattern, code[id]!, {
    ...(sync.includes(id) ? { durability: "sync" } : {}),
    ...(Object.hasOwn(onOrphan, id) ? { onOrphan: onOrphan[id] } : {}),
  });
}

/** The same for the checker. */
export function plannedStages(family: Family): PlannedStage[] {
  const stages = stagesOf(family);
  const pipelines = new Set<string>(stages.map(({ pipeline }) => pipeline));
  return [
    ...SOURCES.filter(({ pipeline }) => pipelines.has(pipeline)).map(({ id, pipeline, pattern }): PlannedStage => ({
      key: `${pipeline}#${id}`,
      type: "source",
      pattern,
    })),
    ...stages.map(({ id, pipeline, input, pattern }): PlannedStage => ({
      key: `${pipeline}#${id}`,
      type: "transform",
      pattern,
      input,
      op: family.code[id]!,
      ...(Object.hasOwn(family.onOrphan, id) ? { onOrphan: family.onOrphan[id]! } : {}),
    })),
  ];
}
