import type { Problem } from "../../core/model/problem.ts";
import type { ContentHash, RelPath } from "../../core/model/words.ts";
import { namesStage, namesTask, parseTarget, type Target } from "../../core/plan/targets.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { VerifiedRoot, VerifyFinding } from "../control.ts";
import type { Root } from "../root.ts";
import { checkFiles } from "./check-files.ts";
import { checkIndex } from "./check-index.ts";
import { checkManifests } from "./check-manifests.ts";
import { checkOutputs } from "./check-outputs.ts";
import { checkOwn } from "./check-own.ts";
import { Findings } from "./findings.ts";
import { type Rebuilding, rebuildOutputs } from "./rebuild.ts";
import type { Scene } from "./scene.ts";

/** What is known of a root before it is verified. */
export type VerifySources = Pick<Scene, "root" | "owner" | "ownerFault" | "problems" | "ignored">;

/** What a look at one root found, and the targets that it knows nothing of. */
export interface Verified {
  readonly report: VerifiedRoot;
  readonly unknown: readonly string[];
  /** Why outputs could not all be made again. */
  readonly refused: Problem | undefined;
}

/**
 * Everything that a look at the disk can check of one root; changes nothing.
 *
 * @param from.root opened for looking with its definitions alone, so that its table is filled from the disk here
 * @param rebuilding also makes outputs again, outside the root
 */
export async function verifyRoot(
  from: VerifySources,
  targets: readonly string[] = [],
  rebuilding?: Rebuilding,
): Promise<Verified> {
  const { root } = from;
  const found = new Findings();
  const scene: Scene = { ...from, found, records: new Map(), strangers: [], underway: underwayOf(from) };
  await root.look();
  const manifests = await checkManifests(scene);
  const outputs = await checkOutputs(scene);
  const census = await checkFiles(scene);
  await checkIndex(scene);
  checkOwn(scene);
  const wanted = targets.map(parseTarget);
  const rebuilt = rebuilding && (await rebuildOutputs(scene, (task) => isWanted(task, wanted, root), rebuilding));
  const report = {
    root: root.ports.name,
    findings: concerning(found.findings, wanted, root),
    notes: concerning(found.notes, wanted, root),
    checked: {
      outputs,
      manifests,
      sources: census.entries,
      notOurs: census.notOurs,
      ...(rebuilt && { rebuilt: rebuilt.report }),
    },
    states: census.states,
    explained: census.explained,
  };
  const unknown = wanted.filter((target) => !isKnown(target, scene)).map(({ text }) => text);
  return { report, unknown, refused: rebuilt?.refused };
}

function isWanted(task: Task, wanted: readonly Target[], root: Root): boolean {
  return wanted.length === 0 || wanted.some((target) => isNamed(task.path, target, root));
}

/** Does the target name anything here: a stage, a task, a record, a file? */
function isKnown(target: Target, { root, records, found }: Scene): boolean {
  const { topology } = root.stages;
  if (topology.stages.some((stage) => namesStage(target, stage))) return true;
  if ([...found.findings, ...found.notes].some((finding) => concerns(finding, target, root))) return true;
  for (let row = 0; row < root.table.end; row++) {
    const path = root.table.pathOf(row);
    if (path !== undefined && isNamed(path, target, root)) return true;
  }
  return [...records.keys()].some((path) => isNamed(path, target, root));
}

/** The intents of a living owner; those of a dead one are leftovers. */
function underwayOf({ root, owner }: VerifySources): ReadonlyMap<RelPath, ContentHash | null> {
  const underway = new Map<RelPath, ContentHash | null>();
  if (owner === undefined) return underway;
  for (const { records } of root.ports.intents.readAll().intents)
    for (const { path, record } of records) underway.set(path, record?.contentHash ?? null);
  return underway;
}

/** Findings that concern these targets; all of them when there are none. */
function concerning(findings: readonly VerifyFinding[], wanted: readonly Target[], root: Root): VerifyFinding[] {
  return findings.filter((finding) => wanted.length === 0 || wanted.some((target) => concerns(finding, target, root)));
}

function concerns({ path, entity }: VerifyFinding, target: Target, root: Root): boolean {
  if (isNamed(path, target, root)) return true;
  return entity !== null && root.stages.topology.stages.some((stage) => target.matches(`${stage.id}@${entity}`));
}

/** By its path, by the task that makes it, or as a source of a stage. */
function isNamed(path: RelPath, target: Target, { stages: { topology } }: Root): boolean {
  if (target.matches(path)) return true;
  const task = topology.producerTask(path);
  if (task !== undefined) return namesTask(target, task);
  return topology.role(topology.roleNumber(path)).sources.some((stage) => namesStage(target, stage));
}
