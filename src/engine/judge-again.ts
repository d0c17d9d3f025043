import type { RelPath, StageKey } from "../core/model/words.ts";
import { stageKey } from "../core/model/words.ts";
import type { StateTable } from "../core/plan/state-table.ts";
import type { Task, Topology } from "../core/plan/topology.ts";
import type { Controls } from "../ports.ts";
import type { Settling } from "./watching/settling.ts";

/** States whose tasks must be judged though no file changed: those of these stages, and every task that is not done. */
export function statesToJudge(stages: ReadonlySet<StageKey> | "all", table: StateTable, topology: Topology): RelPath[] {
  const concerned = stages === "all" ? stages : withNeighbours(stages, topology);
  const isNamed = topology
    .roles()
    .map(
      ({ producer, sources }) =>
        concerned === "all" || [producer, ...sources].some((stage) => stage && concerned.has(stage.key)),
    );
  const paths: RelPath[] = [];
  for (let row = 0; row < table.end; row++) {
    const path = table.pathOf(row);
    if (path === undefined) continue;
    const role = table.roleOf(row);
    const status = table.statusOf(row);
    const settled = status === "fresh" || status === "skipped";
    if (isNamed[role] || (topology.role(role).producer ? !settled : status === "settling")) paths.push(path);
  }
  return paths;
}

/**
 * These stages, their inputs (a stage that is new has no states yet by which its tasks could be found) and all that is made
 * from them: under another pattern they have no more what those results were made from.
 */
function withNeighbours(stages: ReadonlySet<StageKey>, topology: Topology): ReadonlySet<StageKey> {
  const all = new Set(stages);
  for (const key of stages) {
    const stage = topology.stage(key);
    if (!stage) continue;
    for (const user of topology.stages)
      if (user.type !== "source" && user.pipeline === stage.pipeline && user.ancestors.includes(stage.id))
        all.add(user.key);
    if (stage.type === "source") continue;
    for (const { stage: input } of stage.inputs) all.add(stageKey(stage.pipeline, input));
  }
  return all;
}

/** Tasks that a person invalidated: no file shows that they are due. */
export function forcedTasks(controls: Controls, topology: Topology): Task[] {
  return Object.keys(controls.forced).flatMap((key) => {
    const at = key.indexOf("@");
    const stage = topology.stage(key.slice(0, at));
    const task = stage && stage.type !== "source" ? topology.taskOfEntity(stage, key.slice(at + 1)) : undefined;
    return task ? withFollowers(task, topology) : [];
  });
}

/** A task and all that is made from its result. */
export function withFollowers(task: Task, topology: Topology): Task[] {
  return topology.affected(task.path, topology.role(topology.roleNumber(task.path)));
}

/**
 * After other definitions: paths that belong to no stage any more are none of ours, and what nobody makes any more is a
 * source like any other.
 */
export function forgetStrangers(table: StateTable, topology: Topology, settling: Settling): void {
  for (let row = 0; row < table.end; row++) {
    if (table.pathOf(row) === undefined) continue;
    const { producer, sources } = topology.role(table.roleOf(row));
    if (producer) continue;
    const isSettling = table.statusOf(row) === "settling";
    const isThere = isSettling || table.isPresent(row) || table.isRefused(row);
    if (sources.length === 0 || !isThere) table.remove(row);
    else if (!isSettling) table.setStatus(row, table.isPresent(row) ? "fresh" : "failed");
  }
  for (const path of settling.paths()) if (table.find(path) === undefined) settling.forget(path);
}
