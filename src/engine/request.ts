import { hashBytes } from "../core/hash/hash.ts";
import type { FailureRecord } from "../core/model/manifest.ts";
import type { AbsPath, RelPath } from "../core/model/words.ts";
import { entityIdOf } from "../core/pattern/pattern.ts";
import type { Task } from "../core/plan/topology.ts";
import type { Stage } from "../core/model/pipeline.ts";
import type { AttemptRequest, InputItem, InputSet, StageWork } from "../ports.ts";
import { type FactSources, signatureOf } from "./facts.ts";

/** The request for one attempt of a task, from what the table knows now and the failure it was judged with. */
export function requestOf(
  task: Task,
  work: StageWork,
  place: Pick<AttemptRequest, "attemptId" | "root" | "alone"> & { readonly staged: AbsPath },
  failure: FailureRecord | undefined,
  from: FactSources,
): AttemptRequest {
  const { topology } = from.stages();
  const item = (stage: Stage, path: RelPath): InputItem => {
    // The same objects where they say the same: a request is copied to another thread.
    if (hasSameIds(stage, task.stage)) return { ...task.entity, path };
    const vars = topology.varsOf(stage, path)!;
    return { id: entityIdOf(stage.pattern, vars), vars, path };
  };
  const set = (name: string, stage: Stage, path: RelPath): InputSet => ({
    name,
    list: false,
    items: [item(stage, path)],
  });
  const inputs = task.inputs.map(({ alias, stage, path }) => set(alias, stage, path));
  return {
    attemptId: place.attemptId,
    work,
    taskKey: task.key,
    entity: task.entity,
    root: place.root,
    inputs,
    // An input of the same name hides an ancestor.
    ancestors: topology
      .ancestorsOf(task)
      .filter(({ stage }) => !inputs.some(({ name }) => name === stage.id))
      .map(({ stage, path }) => set(stage.id, stage, path)),
    output: { path: task.path, staged: place.staged },
    attempt: attemptNumber(task, failure, from),
    idempotencyKey: idempotencyKey(task, from),
    alone: place.alone,
  };
}

function hasSameIds(a: Stage, b: Stage): boolean {
  const [mine, theirs] = [a.pattern.variables, b.pattern.variables];
  return mine.length === theirs.length && mine.every(({ name }, i) => name === theirs[i]!.name);
}

/** 1 for the first try under today's signature, counting on from the recorded failure. */
function attemptNumber(task: Task, failure: FailureRecord | undefined, from: FactSources): number {
  const code = from.stages().of(task.stage).code;
  if (!failure || !code) return 1;
  const now = Object.fromEntries(Object.keys(failure.inputHashes).map((path) => [path, knownHash(path, from)]));
  const env = Object.fromEntries(Object.keys(failure.envHashes ?? {}).map((name) => [name, from.envHash(name)]));
  return signatureOf(now, code, env) === failure.signature ? failure.attempts + 1 : 1;
}

/** The same for every try of the same work: the task, its code and its inputs' contents. */
function idempotencyKey(task: Task, from: FactSources): string {
  const inForce = from.stages().of(task.stage);
  if (inForce.lane === "batch" || !inForce.code) return "";
  const inputs = Object.fromEntries(task.inputs.map(({ path }) => [path, knownHash(path, from)]));
  return hashBytes(`${task.key}\n${signatureOf(inputs, inForce.code, {})}`);
}

function knownHash(path: RelPath, { table }: FactSources): string | null {
  const row = table.find(path);
  return (row === undefined ? undefined : table.lastHashOf(row)) ?? null;
}
