import type { Stage } from "../../core/model/pipeline.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import type { RelPath, Status } from "../../core/model/words.ts";
import { namesStage, namesTask, parseTarget, type Target } from "../../core/plan/targets.ts";
import { hasNoPath, type Task } from "../../core/plan/topology.ts";
import type { Root } from "../root.ts";
import { unknownTarget } from "./target-problems.ts";

/** A task, and the root it belongs to. */
export interface Found {
  readonly root: Root;
  readonly task: Task;
}

/** Finds the tasks of some roots by what people type. */
export class TaskFinder {
  readonly #roots: readonly Root[];

  constructor(roots: readonly Root[]) {
    this.#roots = roots;
  }

  /** The stages of all roots. */
  stages(): Stage[] {
    return this.#roots.flatMap((root) => root.stages.topology.stages);
  }

  /** Every task of a root that has a status. */
  tasksOf(root: Root): Found[] {
    const found: Found[] = [];
    const { table, stages } = root;
    for (let row = 0; row < table.end; row++) {
      const path = table.pathOf(row);
      if (path === undefined || !stages.topology.role(table.roleOf(row)).producer || table.statusOf(row) === undefined)
        continue;
      const task = stages.topology.producerTask(path);
      if (task) found.push({ root, task });
    }
    return found;
  }

  /** Tasks that a change at a path would concern. */
  tasksAround(root: Root, path: RelPath): Found[] {
    const { topology } = root.stages;
    return topology
      .statesAt(path)
      .flatMap((state) =>
        topology.affected(state, topology.role(topology.roleNumber(state))).map((task) => ({ root, task })),
      );
  }

  /** The tasks that targets name, in running order; all when there are none. A target that names nothing is a problem. */
  find(
    targets: readonly string[] | undefined,
    wanted: (status: Status | undefined) => boolean = () => true,
  ): Result<Found[]> {
    const parsed = (targets ?? []).map(parseTarget);
    const all = this.#roots.flatMap((root) => this.tasksOf(root));
    const named = parsed.length === 0 ? all : all.filter((f) => parsed.some((target) => isNamed(f, target)));
    for (const target of parsed) {
      if (all.some((f) => isNamed(f, target)) || this.namesAnyStage(target)) continue;
      // A source's path names what is made from it.
      const around = this.#roots.flatMap((root) =>
        root.table.find(target.text) === undefined ? [] : this.tasksAround(root, target.text),
      );
      if (around.length === 0) return fail(unknownTarget(target.text, this.stages()));
      named.push(...around);
    }
    const chosen = named.filter(({ root, task }) => wanted(statusIn(root, task)));
    return ok(inOrder([...new Map(chosen.map((f) => [`${f.root.ports.name}\n${f.task.key}`, f])).values()]));
  }

  /** Does the target name a stage or a pipeline? */
  namesAnyStage(target: Target): boolean {
    return this.#roots.some((root) => root.stages.topology.stages.some((stage) => namesStage(target, stage)));
  }
}

/** Does the target name the task, or the incident it belongs to? */
export function isNamed({ root, task }: Found, target: Target): boolean {
  return namesTask(target, task, target.incident === undefined ? undefined : root.incidents.of(task)?.id);
}

function statusIn(root: Root, task: Task): Status | undefined {
  const row = root.table.find(task.path);
  return row === undefined ? undefined : root.table.statusOf(row);
}

/** By pipeline, then as the stages follow each other, then by entity. */
function inOrder(found: readonly Found[]): Found[] {
  const place = new Map(
    found.flatMap(({ root }) => root.stages.topology.stages.map((stage, i) => [stage.key, i] as const)),
  );
  return found.toSorted(
    (a, b) =>
      place.get(a.task.stage.key)! - place.get(b.task.stage.key)! || (a.task.entity.id < b.task.entity.id ? -1 : 1),
  );
}

/** The tasks of each root. */
export function byRoot(found: readonly Found[]): Map<Root, Task[]> {
  const roots = new Map<Root, Task[]>();
  for (const { root, task } of found) {
    const tasks = roots.get(root) ?? [];
    tasks.push(task);
    roots.set(root, tasks);
  }
  return roots;
}

/** A task as people type it. */
export function nameOf(task: Task): string {
  return hasNoPath(task.path) ? task.key : `${task.stage.id}@${task.entity.id}`;
}
