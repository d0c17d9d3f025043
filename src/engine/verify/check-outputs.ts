import { ACCEPTED } from "../../core/model/manifest.ts";
import type { Stage, TaskStage } from "../../core/model/pipeline.ts";
import type { ContentHash, RelPath, Status } from "../../core/model/words.ts";
import type { Task } from "../../core/plan/topology.ts";
import { breathe } from "../watching/reconcile.ts";
import { hashOnDisk, type Recorded, type Scene } from "./scene.ts";

const SLICE = 1000;

/** Compares every recorded state with what lies on the disk. Returns how many outputs that were. */
export async function checkOutputs(scene: Scene): Promise<number> {
  let outputs = 0;
  let looked = 0;
  for (const recorded of scene.records.values()) {
    if (++looked % SLICE === 0) await breathe(scene.root.ports.clock);
    const stage = stageOf(recorded, scene);
    if (stage.type === "source") {
      await checkSource(recorded, scene);
      continue;
    }
    outputs++;
    await checkOutput(recorded, stage, scene);
    checkChain(recorded, scene);
  }
  for (const stranger of scene.strangers) await tellStranger(stranger, scene);
  return outputs + scene.strangers.length;
}

function stageOf({ pattern }: Recorded, { root }: Scene): Stage {
  const stages = root.stages.topology.stages.filter((stage) => stage.pattern.text === pattern);
  return stages.find((stage) => stage.type !== "source") ?? stages[0]!;
}

/** The status of a task as the disk says; `undefined`: there is no such task, since its inputs are gone. */
export function statusAt(path: RelPath, { root }: Scene): Status | undefined {
  const row = root.table.find(path);
  return row === undefined ? undefined : root.table.statusOf(row);
}

async function checkOutput(recorded: Recorded, stage: TaskStage, scene: Scene): Promise<void> {
  const { record, entityId } = recorded;
  const { path, contentHash } = record;
  if (contentHash === null) return;
  const task = scene.root.stages.topology.taskOfEntity(stage, entityId);
  const now = await hashOnDisk(scene, path);
  if (task === undefined || isUnderway(path, now, scene)) return;
  if (now === null) return tellGone(recorded, task, scene);
  const status = statusAt(path, scene);
  if (now === contentHash) {
    if (status === "orphaned") tellOrphan(recorded, task, scene);
    return;
  }
  const { found } = scene;
  const what = now === undefined ? "cannot be read" : `has the hash ${now}, recorded is ${contentHash}`;
  if (status === "orphaned")
    return found.note(
      "leftover-product",
      path,
      entityId,
      `"${path}" was edited and what it was made from is gone: it stays`,
      "keep it, or delete it",
    );
  if (stage.onEdit === "keep")
    return found.note(
      "output-differs",
      path,
      entityId,
      `"${path}" was edited by hand and "onEdit" keeps it`,
      '"millrace accept" takes it for the right one, "millrace invalidate" makes it again',
    );
  found.add("output-differs", path, entityId, `the output "${path}" ${what}`);
}

function isUnderway(path: RelPath, now: ContentHash | null | undefined, { underway }: Scene): boolean {
  return underway.has(path) && underway.get(path) === now;
}

function tellGone({ record, entityId }: Recorded, task: Task, scene: Scene): void {
  const { path } = record;
  const { found } = scene;
  if (statusAt(path, scene) !== undefined)
    return found.add("output-gone", path, entityId, `the output "${path}" is recorded and not there`);
  const from = task.inputs.map((input) => `"${input.path}"`).join(", ");
  found.add(
    "leftover-record",
    path,
    entityId,
    `"${path}" is recorded, but it is gone and nothing makes it from ${from}`,
  );
}

function isSource(stage: Stage): boolean {
  return stage.type === "source";
}

function tellOrphan({ record, entityId }: Recorded, task: Task, scene: Scene): void {
  const { path } = record;
  const why = whyKept(task, record.runId, scene);
  if (why === undefined)
    scene.found.add("leftover-product", path, entityId, `"${path}" is a product of something that is gone`);
  else
    scene.found.note(
      "leftover-product",
      path,
      entityId,
      `"${path}" is a product of something that is gone; it stays: ${why.why}`,
      why.hint,
    );
}

function whyKept(task: Task, runId: string, { root }: Scene): { why: string; hint: string } | undefined {
  if (runId === ACCEPTED) return { why: "a person accepted it", hint: "keep it, or delete it" };
  if ("onOrphan" in task.stage && task.stage.onOrphan === "keep")
    return { why: '"onOrphan" keeps it', hint: "keep it, or delete it" };
  const { retractions } = root.controls as { retractions?: Readonly<Record<string, { is: string }>> };
  if (retractions !== undefined && Object.hasOwn(retractions, task.key) && retractions[task.key]!.is === "frozen")
    return {
      why: "its retraction is frozen",
      hint: 'bring the files back, or let it go with "millrace accept --deletions"',
    };
  return undefined;
}

/** A fresh task was made from the very bytes that its upstream's manifest records. */
function checkChain({ record, entityId }: Recorded, scene: Scene): void {
  if (statusAt(record.path, scene) !== "fresh") return;
  for (const [path, hash] of Object.entries(record.inputHashes)) {
    const upstream = scene.records.get(path);
    if (upstream === undefined || isSource(stageOf(upstream, scene)) || upstream.record.contentHash === hash) continue;
    scene.found.add(
      "chain-broken",
      record.path,
      entityId,
      `"${record.path}" was made from "${path}" with the hash ${hash}, whose manifest records ${upstream.record.contentHash}`,
    );
  }
}

async function checkSource({ record, entityId }: Recorded, scene: Scene): Promise<void> {
  const { path, contentHash } = record;
  const { root, found } = scene;
  const now = await hashOnDisk(scene, path);
  if (now === null) {
    found.note("leftover-source", path, entityId, `the source "${path}" is recorded and gone`);
    return;
  }
  if (now === contentHash || now === undefined || isUnderway(path, now, scene)) return;
  const { topology } = root.stages;
  const users = topology.affected(path, topology.role(topology.roleNumber(path)));
  const statuses = users.map((task) => statusAt(task.path, scene));
  // Work to do tells of the change; only where nothing is to be done has nobody noticed.
  if (statuses.length === 0 || statuses.some((status) => status !== "fresh" && status !== "skipped")) return;
  found.add(
    "source-record",
    path,
    entityId,
    `the source "${path}" has the hash ${now}, its record says ${contentHash}, and nothing is to be done`,
  );
}

async function tellStranger({ record, entityId, pattern }: Recorded, scene: Scene): Promise<void> {
  const { path, contentHash } = record;
  // The same file is a state of today's stages, too: those tell of it.
  if (scene.records.has(path)) return;
  const now = contentHash === null ? null : await hashOnDisk(scene, path);
  const state = contentHash === null || now === contentHash ? "" : now === null ? "; it is gone" : "; it was changed";
  scene.found.note(
    "leftover-stage",
    path,
    entityId,
    `"${path}" was made by ${record.producedBy} under "${pattern}", which is not in force any more${state}`,
  );
}
