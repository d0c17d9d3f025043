import type { RelPath, TaskKey } from "../../core/model/words.ts";
import type { GoneSource } from "../../core/plan/deletion-guard.ts";
import type { StateTable } from "../../core/plan/state-table.ts";
import type { Task, Topology } from "../../core/plan/topology.ts";

/** Where a task's product comes from, across pipelines. */
export interface Lineage {
  /** Its sources that are not there. */
  readonly gone: readonly GoneSource[];
  /** Every task whose product it is made from, nearest first. */
  readonly follows: readonly TaskKey[];
  /** The paths of all these, and its own inputs'. */
  readonly paths: readonly RelPath[];
}

/** Follows a task's inputs back to the sources; costs what the chain is long. */
export function lineageOf(task: Task, topology: Topology, table: StateTable): Lineage {
  const gone: GoneSource[] = [];
  const follows = new Set<TaskKey>();
  const paths = new Set<RelPath>();
  const walk = (at: Task): void => {
    for (const { stage, path } of at.inputs) {
      if (paths.has(path)) continue;
      paths.add(path);
      const producer = topology.producerTask(path);
      if (producer) {
        follows.add(producer.key);
        walk(producer);
      } else if (!isThere(path, table)) gone.push({ stage: stage.key, path });
    }
  };
  walk(task);
  return { gone, follows: [...follows], paths: [...paths] };
}

function isThere(path: RelPath, table: StateTable): boolean {
  const row = table.find(path);
  return row !== undefined && (table.isPresent(row) || table.isRefused(row));
}
