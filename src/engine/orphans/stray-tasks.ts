import type { EntityId } from "../../core/model/words.ts";
import type { StateTable } from "../../core/plan/state-table.ts";
import type { Task, Topology } from "../../core/plan/topology.ts";
import type { Clock } from "../../ports.ts";
import type { ManifestBook } from "../manifest-book.ts";
import { breathe } from "../watching/reconcile.ts";

/** How many manifests are read before others get a turn. */
const SLICE = 256;

/**
 * Tasks of which there is a record and nothing else: what a process that was killed while it took products away left, or
 * failures of files that are gone. Reads every manifest once, so it is for a start without an index.
 */
export async function strayTasks(
  ids: readonly EntityId[],
  book: ManifestBook,
  table: StateTable,
  topology: Topology,
  clock: Clock,
): Promise<Task[]> {
  const stages = Map.groupBy(topology.stages, (stage) => stage.pattern.text);
  const strays: Task[] = [];
  for (const [i, id] of ids.entries()) {
    if (i % SLICE === SLICE - 1) await breathe(clock);
    const { states, failures } = book.get(id);
    for (const pattern of new Set([...Object.keys(states), ...Object.keys(failures)])) {
      for (const stage of stages.get(pattern) ?? []) {
        const task = stage.type === "source" ? undefined : topology.taskOfEntity(stage, id);
        if (task && table.find(task.path) === undefined) strays.push(task);
      }
    }
  }
  return strays;
}
