import type { Pipeline, SourceStage, Stage, TaskStage } from "../model/pipeline.ts";
import type { EntityId, RelPath, StageKey, TaskKey, Vars } from "../model/words.ts";
import { taskKey } from "../model/words.ts";
import {
  entityIdOf,
  findOverlap,
  folderStateOf,
  matchPattern,
  renderPattern,
  varsOfEntity,
} from "../pattern/pattern.ts";

/** One state that a task reads: of which stage, and where it lies. */
export interface TaskInput {
  readonly alias: string;
  readonly stage: Stage;
  readonly path: RelPath;
}

/** One run of one stage for one entity, as the patterns have it. */
export interface Task {
  readonly key: TaskKey;
  readonly stage: TaskStage;
  readonly entity: { readonly id: EntityId; readonly vars: Vars };
  /** Where the result goes; for an ambiguous name a path that no file can have. */
  readonly path: RelPath;
  /** Why there is no such path (`ambiguous-name`); `undefined` for every ordinary task. */
  readonly ambiguous: string | undefined;
  /** The declared inputs, in order. */
  readonly inputs: readonly TaskInput[];
}

/** What a path is to the stages of a root: whose result, and whose source. */
export interface Role {
  readonly producer: TaskStage | undefined;
  readonly sources: readonly SourceStage[];
}

/**
 * The stages of one root and how paths tie them together: what `engine` asks about a path.
 *
 * Built from checked pipelines (no loops, one producer per path). Everything here follows from patterns alone.
 */
export class Topology {
  readonly pipelines: readonly Pipeline[];
  readonly stages: readonly Stage[];
  readonly #byKey = new Map<StageKey, Stage>();
  readonly #taskStages: readonly TaskStage[];
  readonly #sourceStages: readonly SourceStage[];
  readonly #markers: readonly SourceStage[];
  readonly #folders: readonly Stage[];
  /** Task stages that have the stage among their ancestors, inputs before users. */
  readonly #descendants = new Map<StageKey, readonly TaskStage[]>();
  /** Task stages whose results some source pattern matches. */
  readonly #chaining = new Set<StageKey>();
  readonly #roles: Role[] = [];
  readonly #roleNumbers = new Map<string, number>();

  constructor(pipelines: readonly Pipeline[]) {
    this.pipelines = pipelines;
    this.stages = pipelines.flatMap((pipeline) => pipeline.stages);
    this.#taskStages = this.stages.filter((stage) => stage.type !== "source");
    this.#sourceStages = this.stages.filter((stage) => stage.type === "source");
    this.#markers = this.#sourceStages.filter((stage) => stage.marker);
    this.#folders = this.stages.filter((stage) => stage.pattern.isFolder);
    for (const stage of this.stages) {
      this.#byKey.set(stage.key, stage);
      const users = this.#taskStages.filter((s) => s.pipeline === stage.pipeline && s.ancestors.includes(stage.id));
      this.#descendants.set(stage.key, users);
    }
    for (const stage of this.#taskStages) {
      if (this.#sourceStages.some((source) => findOverlap(stage.pattern, source.pattern) !== undefined))
        this.#chaining.add(stage.key);
    }
  }

  /** Is any state a folder? */
  hasFolders(): boolean {
    return this.#folders.length > 0;
  }

  /**
   * The roles met so far as text, in the order of their numbers: kept beside a packed table. With the same stages
   * `adoptRoles` gives the numbers back their meaning; `false`: a stage is not there any more.
   */
  packRoles(): string[] {
    return [...this.#roleNumbers.keys()];
  }

  adoptRoles(packed: readonly string[]): boolean {
    for (const key of packed) {
      const [producer, ...sources] = key.split("\n");
      const stages = sources.map((source) => this.#byKey.get(source));
      const made = producer === "" ? undefined : this.#byKey.get(producer!);
      if (stages.some((s) => s?.type !== "source") || (producer !== "" && (!made || made.type === "source")))
        return false;
      this.#roles.push({ producer: made as TaskStage | undefined, sources: stages as SourceStage[] });
      this.#roleNumbers.set(key, this.#roles.length - 1);
    }
    return true;
  }

  stage(key: StageKey): Stage | undefined {
    return this.#byKey.get(key);
  }

  stageOf(pipeline: string, id: string): Stage | undefined {
    return this.#byKey.get(`${pipeline}#${id}`);
  }

  // ------------------------------------------------------------ what a path is

  /** The number of the path's role, for `StateTable`; equal roles have equal numbers while this topology lives. */
  readonly roleNumber = (path: RelPath): number => {
    const producer = this.#producerOf(path);
    const sources = this.#sourceStages.filter((stage) => matchPattern(stage.pattern, path) !== undefined);
    const key = [producer?.key ?? "", ...sources.map((stage) => stage.key)].join("\n");
    let number = this.#roleNumbers.get(key);
    if (number === undefined) {
      number = this.#roles.push({ producer, sources }) - 1;
      this.#roleNumbers.set(key, number);
    }
    return number;
  };

  role(number: number): Role {
    return this.#roles[number]!;
  }

  /** Every role met so far, with its number. */
  roles(): readonly Role[] {
    return this.#roles;
  }

  #producerOf(path: RelPath): TaskStage | undefined {
    if (path.startsWith(NO_PATH)) {
      const key = path.slice(1, path.indexOf("@"));
      return this.#taskStages.find((stage) => stage.key === key);
    }
    return this.#taskStages.find((stage) => matchPattern(stage.pattern, path) !== undefined);
  }

  /**
   * The states that a change at `path` may have changed: the path itself, folder states that contain it, and states
   * whose done-file it is. A path that belongs to no pattern gives none.
   */
  statesAt(path: RelPath): RelPath[] {
    const states = new Set<RelPath>();
    if (!path.endsWith("/") && this.stages.some((stage) => matchPattern(stage.pattern, path))) states.add(path);
    for (const stage of this.#folders) {
      const folder = folderStateOf(stage.pattern, path) ?? folderStateOf(stage.pattern, `${path}/`);
      if (folder !== undefined) states.add(folder);
    }
    for (const stage of this.#markers) {
      const vars = matchPattern(stage.marker!, path);
      const state = vars && renderPattern(stage.pattern, vars);
      if (state?.ok) states.add(state.path);
    }
    return [...states];
  }

  // ------------------------------------------------------------ tasks

  /** The task that makes `path`; `undefined` when no stage does. */
  producerTask(path: RelPath): Task | undefined {
    const producer = this.#producerOf(path);
    if (!producer) return undefined;
    const vars = path.startsWith(NO_PATH)
      ? varsOfEntity(producer.pattern, path.slice(path.indexOf("@") + 1))
      : matchPattern(producer.pattern, path);
    return vars && this.taskOf(producer, vars);
  }

  taskOf(stage: TaskStage, vars: Vars): Task | undefined {
    const inputs: TaskInput[] = [];
    for (const input of stage.inputs) {
      const from = this.stageOf(stage.pipeline, input.stage)!;
      const path = renderPattern(from.pattern, vars);
      if (!path.ok) return undefined;
      inputs.push({ alias: input.alias, stage: from, path: path.path });
    }
    const id = entityIdOf(stage.pattern, vars);
    const rendered = renderPattern(stage.pattern, vars);
    return {
      key: taskKey(stage.pipeline, stage.id, id),
      stage,
      entity: { id, vars },
      path: rendered.ok ? rendered.path : `${NO_PATH}${stage.key}@${id}`,
      ambiguous: rendered.ok ? undefined : rendered.message,
      inputs,
    };
  }

  /** The task of a stage for an entity id, if the id fits the pattern. */
  taskOfEntity(stage: TaskStage, id: EntityId): Task | undefined {
    const vars = varsOfEntity(stage.pattern, id);
    return vars && this.taskOf(stage, vars);
  }

  /**
   * Every task that a change of the state at `path` may concern: its own producer, then all that is made from it,
   * across pipelines, each once, what is made first first.
   *
   * @param made the task whose result was just put there, where that is known: it is then not among the answers
   */
  affected(path: RelPath, role: Role, made?: Task): Task[] {
    const tasks = new Map<TaskKey, Task>();
    const isKnown = made !== undefined && role.producer === made.stage;
    if (role.producer && !isKnown) {
      const own = this.producerTask(path);
      if (own) tasks.set(own.key, own);
    }
    this.#collect(path, role, tasks, isKnown ? made : undefined);
    return [...tasks.values()];
  }

  #collect(path: RelPath, role: Role, tasks: Map<TaskKey, Task>, made?: Task): void {
    const stages: Stage[] = role.producer ? [role.producer, ...role.sources] : [...role.sources];
    for (const stage of stages) {
      const users = this.#descendants.get(stage.key)!;
      if (users.length === 0) continue;
      const vars = stage === made?.stage ? made.entity.vars : this.#varsAt(stage, path);
      if (!vars) continue;
      for (const user of users) this.#add(user, vars, tasks);
    }
  }

  #add(user: TaskStage, vars: Vars, tasks: Map<TaskKey, Task>): void {
    const task = this.taskOf(user, vars);
    if (!task || tasks.has(task.key)) return;
    tasks.set(task.key, task);
    if (!this.#chaining.has(user.key) || task.ambiguous !== undefined) return;
    this.#collect(task.path, { producer: undefined, sources: this.role(this.roleNumber(task.path)).sources }, tasks);
  }

  /** Source stages of other pipelines that may take a stage's results. */
  chainsOf(stage: Stage): SourceStage[] {
    if (stage.type === "source") return [];
    return this.#sourceStages.filter((source) => findOverlap(stage.pattern, source.pattern) !== undefined);
  }

  idOf(stage: Stage, vars: Vars): EntityId {
    return entityIdOf(stage.pattern, vars);
  }

  /** The variables of a stage's state; `undefined` when the path is none of its. */
  varsOf(stage: Stage, path: RelPath): Vars | undefined {
    return matchPattern(stage.pattern, path);
  }

  #varsAt(stage: Stage, path: RelPath): Vars | undefined {
    if (path.startsWith(NO_PATH)) return varsOfEntity(stage.pattern, path.slice(path.indexOf("@") + 1));
    return matchPattern(stage.pattern, path);
  }

  /** Where the states of every ancestor of a task lie, by stage id; those whose pattern the entity cannot fill are left out. */
  ancestorsOf(task: Task): { readonly stage: Stage; readonly path: RelPath }[] {
    const found: { stage: Stage; path: RelPath }[] = [];
    for (const id of task.stage.ancestors) {
      const stage = this.stageOf(task.stage.pipeline, id)!;
      const path = renderPattern(stage.pattern, task.entity.vars);
      if (path.ok) found.push({ stage, path: path.path });
    }
    return found;
  }
}

/** First character of the table's path for a task whose name is ambiguous: no file name can hold it. */
const NO_PATH = "\0";

/** Is this the path of a task that has none? */
export function hasNoPath(path: RelPath): boolean {
  return path.startsWith(NO_PATH);
}
