import type { EntityId, Status, TaskKey } from "../core/model/words.ts";
import type { StateTable } from "../core/plan/state-table.ts";
import type { Task, Topology } from "../core/plan/topology.ts";

/** Where the status of each task is kept: in the table, and by entity as long as work on it is queued or running. */
export class TaskStatuses {
  readonly #table: StateTable;
  readonly #topology: () => Topology;
  /** Queued and running tasks by entity: its manifest waits for the end of the chain. */
  readonly #busy = new Map<EntityId, Set<TaskKey>>();

  constructor(table: StateTable, topology: () => Topology) {
    this.#table = table;
    this.#topology = topology;
  }

  /** `undefined`: there is no such task any more. */
  set(task: Task, status: Status | undefined): void {
    if (status === "queued" || status === "running") this.#hold(task);
    else this.release(task);
    const table = this.#table;
    const row = status === undefined ? table.find(task.path) : table.ensure(task.path, this.#topology().roleNumber);
    if (row === undefined) return;
    table.setStatus(row, status);
    if (status === undefined && !table.isPresent(row)) table.remove(row);
  }

  /** Is any task of the entity queued or running? */
  isBusy(id: EntityId): boolean {
    return this.#busy.has(id);
  }

  /** The task is neither queued nor running; its status, which may be another task's now, stays. */
  release({ key, entity }: Task): void {
    const tasks = this.#busy.get(entity.id);
    if (tasks?.delete(key) && tasks.size === 0) this.#busy.delete(entity.id);
  }

  #hold({ key, entity }: Task): void {
    const tasks = this.#busy.get(entity.id);
    if (tasks) tasks.add(key);
    else this.#busy.set(entity.id, new Set([key]));
  }
}
