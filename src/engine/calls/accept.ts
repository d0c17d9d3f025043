import { entityIdOf } from "../../core/pattern/pattern.ts";
import type { Task } from "../../core/plan/topology.ts";
import { ACCEPTED, type StateRecord } from "../../core/model/manifest.ts";
import { withEntry } from "../manifest-book.ts";
import { sourceRecord } from "../orphans/source-records.ts";
import { learnHash } from "../look.ts";
import type { Root } from "../root.ts";

/**
 * Takes the outputs of tasks as they lie on disk for the right ones: what is recorded is today's inputs, code and output.
 * Each task comes back with why it could not be accepted, or without.
 */
export async function acceptTasks(
  root: Root,
  tasks: readonly Task[],
): Promise<{ task: Task; why: string | undefined }[]> {
  const done: { task: Task; why: string | undefined }[] = [];
  for (const task of tasks) {
    for (const path of [task.path, ...task.inputs.map((input) => input.path), ...recordedReads(root, task)])
      await knownHash(root, path);
    const why = acceptTask(root, task);
    done.push({ task, why });
    if (why === undefined) root.journey.replan(root.withFollowers(task));
  }
  root.flushManifests();
  return done;
}

function recordedReads(root: Root, task: Task): string[] {
  return Object.keys(root.book.get(task.entity.id).states[task.stage.pattern.text]?.inputHashes ?? {});
}

async function knownHash(root: Root, path: string): Promise<void> {
  const row = root.table.find(path);
  if (row !== undefined && root.table.isPresent(row) && root.table.lastHashOf(row) === undefined)
    await learnHash(path, root.lookFrom);
}

function acceptTask(root: Root, task: Task): string | undefined {
  const { code } = root.stages.of(task.stage);
  if (!code) return "its node cannot run as it is written";
  const contentHash = hashIn(root, task.path);
  if (contentHash === null) return "it has no output to accept";
  const missing = task.inputs.find((input) => hashIn(root, input.path) === null);
  if (missing) return `its input ${missing.path} is not there`;
  const { clock } = root.ports;
  const manifest = root.book.get(task.entity.id);
  const pattern = task.stage.pattern.text;
  const before = Object.hasOwn(manifest.states, pattern) ? manifest.states[pattern] : undefined;
  const reads = [...new Set([...task.inputs.map((input) => input.path), ...Object.keys(before?.inputHashes ?? {})])];
  const envHashes = Object.fromEntries(
    [...new Set([...Object.keys(before?.envHashes ?? {}), ...Object.keys(code.envHashes)])].map((name) => [
      name,
      root.facts.envHash(name),
    ]),
  );
  const record: StateRecord = {
    path: task.path,
    contentHash,
    codeHash: code.codeHash,
    paramsHash: code.paramsHash,
    inputHashes: Object.fromEntries(reads.map((path) => [path, hashIn(root, path)])),
    ...(Object.keys(envHashes).length === 0 ? {} : { envHashes }),
    ...(Object.keys(code.toolHashes).length === 0 ? {} : { toolHashes: code.toolHashes }),
    producedAt: new Date(clock.wallMs()).toISOString(),
    producedBy: task.stage.key,
    runId: ACCEPTED,
    durationMs: 0,
  };
  root.book.put(withEntry(withEntry(manifest, "states", pattern, record), "failures", pattern, undefined));
  recordSources(root, task);
  return undefined;
}

function recordSources(root: Root, task: Task): void {
  const { topology } = root.stages;
  for (const { stage, path } of task.inputs) {
    const hash = hashIn(root, path);
    const vars = topology.varsOf(stage, path);
    if (stage.type !== "source" || hash === null || !vars) continue;
    // What another stage makes has its own record: it is not taken for right with what is made from it.
    if (topology.role(topology.roleNumber(path)).producer) continue;
    const manifest = root.book.get(entityIdOf(stage.pattern, vars));
    if (manifest.states[stage.pattern.text]?.contentHash === hash) continue;
    const record = sourceRecord(path, hash, stage.key, ACCEPTED, root.ports.clock.wallMs());
    root.book.put(withEntry(manifest, "states", stage.pattern.text, record));
  }
}

function hashIn(root: Root, path: string): string | null {
  const row = root.table.find(path);
  return (row === undefined ? undefined : root.table.lastHashOf(row)) ?? null;
}
