import { type Problem, problem } from "../core/model/problem.ts";
import type { Stage } from "../core/model/pipeline.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { EntityId, RelPath, Status } from "../core/model/words.ts";
import { nearest } from "../core/pipeline/nearest.ts";
import { namesStage, namesTask, parseTarget, type Target } from "../core/plan/targets.ts";
import { hasNoPath, type Task } from "../core/plan/topology.ts";
import type { AttemptRow, Controls, Owner } from "../ports.ts";
import type * as Shape from "./control.ts";
import { acceptTasks } from "./accept.ts";
import { withEntry } from "./manifest-book.ts";
import { explainTask, summaryOf, taskReport, verdictOf } from "./reports.ts";
import type { Root } from "./root.ts";
import { runRoots } from "./run.ts";
import { addUp, statusOfRoot, taskCounts } from "./status.ts";
import { type IgnoreTest, isLeftOut, whyNot } from "./why-not.ts";

interface Found {
  readonly root: Root;
  readonly task: Task;
}

export interface ControlOptions {
  /** Who holds each root: ourselves in a daemon, nobody when opened for looking. */
  readonly owner: (root: Root) => Owner | null;
  readonly ignored: (root: Root) => IgnoreTest;
}

/** The control calls over roots that are open in this process. */
export class RootsControl implements Shape.Control {
  readonly #roots: readonly Root[];
  readonly #options: ControlOptions;

  constructor(roots: readonly Root[], options: ControlOptions) {
    this.#roots = roots;
    this.#options = options;
  }

  // ------------------------------------------------------------ reading

  async status({ scan }: { readonly scan?: boolean }): Promise<Result<Shape.StatusReport>> {
    if (scan) for (const root of this.#roots) await root.look();
    const roots = this.#roots.map((root) => ({ ...statusOfRoot(root), daemon: this.#options.owner(root) }));
    return ok({ version: 1, roots });
  }

  async plan({ targets }: { readonly targets?: readonly string[] }): Promise<Result<Shape.PlanReport>> {
    const found = this.#find(targets, (status) => status !== undefined && TO_DO.has(status));
    if (!found.ok) return found;
    const tasks = await this.#reports(found.value);
    const counts = addUp(this.#roots.map(taskCounts));
    return ok({ version: 1, tasks: tasks.filter((task) => TO_DO.has(task.status)), counts });
  }

  async explain({ target }: { readonly target: string }): Promise<Result<Shape.ExplainReport>> {
    const found = this.#find([target]);
    if (!found.ok) return found;
    const [first, ...others] = found.value;
    if (!first) return fail(nothingToExplain(target, this.#roots));
    const distinct = others.filter(({ task }) => task.key !== first.task.key);
    if (distinct.length > 0 && !first.task.inputs.some((input) => input.path === target))
      return fail(ambiguousTarget(target, [first, ...distinct]));
    return ok(await explainTask(first.root, first.task));
  }

  async whyNot({ path }: { readonly path: string }): Promise<Result<Shape.WhyNotReport>> {
    const reasons: string[] = [];
    const tasks: Shape.TaskReport[] = [];
    for (const root of this.#roots) {
      const ignored = this.#options.ignored(root);
      const found = whyNot(root, path, ignored);
      reasons.push(...(this.#roots.length > 1 ? found.map((reason) => `${root.ports.name}: ${reason}`) : found));
      if (isLeftOut(root, path, ignored)) continue;
      const around: Shape.TaskReport[] = [];
      for (const { task } of this.#tasksAround(root, path))
        if ((await verdictOf(root, task)).status !== "none") around.push(await taskReport(root, task));
      reasons.push(...whatIsStuck(around, found.length > 0 ? root.stages.topology.statesAt(path) : []));
      tasks.push(...around);
    }
    return ok({ version: 1, path, reasons, tasks });
  }

  async list(query: Shape.ListQuery): Promise<Result<Shape.ListReport>> {
    const wanted = query.status && new Set(query.status);
    const found = this.#find(query.targets, (status) => !wanted || (status !== undefined && wanted.has(status)));
    if (!found.ok) return found;
    const tasks = await this.#reports(found.value.slice(0, query.limit ?? 1000));
    return ok({ version: 1, total: found.value.length, tasks });
  }

  show({ entity }: { readonly entity: string }): Promise<Result<Shape.ShowReport>> {
    for (const root of this.#roots) {
      const id = this.#entityOf(root, entity);
      const manifest = root.book.get(id);
      const refusal = root.book.refusal(id);
      if (refusal) return Promise.resolve(fail(...refusal));
      if (Object.keys(manifest.states).length + Object.keys(manifest.failures).length === 0) continue;
      return Promise.resolve(
        ok({ version: 1, root: root.ports.name, entity: id, file: root.ports.manifests.fileOf(id), manifest }),
      );
    }
    const hint = 'see the entities with "millrace list"; an entity without any result has no manifest';
    return Promise.resolve(fail(problem("M130", `no manifest for "${entity}"`, hint)));
  }

  /** An id, a path or `stage@entity`. */
  #entityOf(root: Root, text: string): EntityId {
    const byPath = root.stages.topology.producerTask(text);
    if (byPath) return byPath.entity.id;
    const at = text.indexOf("@");
    const stage = root.stages.topology.stages.find((s) => at > 0 && namesStage(parseTarget(text.slice(0, at)), s));
    if (stage) return text.slice(at + 1);
    for (const s of root.stages.topology.stages) {
      const vars = root.stages.topology.varsOf(s, text);
      if (vars) return root.stages.topology.idOf(s, vars);
    }
    return text;
  }

  history(query: {
    readonly target?: string;
    readonly limit?: number;
    readonly result?: AttemptRow["result"];
  }): Promise<Result<Shape.HistoryReport>> {
    const rows = this.#attempts(
      query.target,
      query.limit ?? 50,
      query.result === undefined ? {} : { result: query.result },
    );
    if (!rows.ok) return Promise.resolve(rows);
    const attempts = rows.value.map(({ root, row: { startedAt, log: _log, ...row } }) => ({
      ...row,
      root,
      startedAt: new Date(startedAt).toISOString(),
    }));
    return Promise.resolve(ok({ version: 1, attempts }));
  }

  logs(query: {
    readonly target?: string;
    readonly limit?: number;
    readonly sinceMs?: number;
  }): Promise<Result<Shape.LogsReport>> {
    const rows = this.#attempts(
      query.target,
      query.limit ?? 50,
      query.sinceMs === undefined ? {} : { sinceMs: query.sinceMs },
    );
    if (!rows.ok) return Promise.resolve(rows);
    const entries = rows.value
      .filter(({ row }) => row.log !== "" || row.error !== null)
      .map(({ row }) => ({
        task: `${row.stage}@${row.entity}`,
        runId: row.runId,
        attempt: row.attempt,
        result: row.result,
        startedAt: new Date(row.startedAt).toISOString(),
        error: row.error,
        log: row.log,
      }));
    return Promise.resolve(ok({ version: 1, entries: entries.toReversed() }));
  }

  /** Newest first. */
  #attempts(
    text: string | undefined,
    limit: number,
    filter: { result?: AttemptRow["result"]; sinceMs?: number },
  ): Result<{ root: string; row: AttemptRow }[]> {
    const target = text === undefined ? undefined : parseTarget(text);
    const rows: { root: string; row: AttemptRow }[] = [];
    for (const root of this.#roots) {
      const found = root.ports.ledger.attempts({
        ...filter,
        ...narrow(root, text),
        limit: target ? limit * 20 : limit,
      });
      for (const row of found) {
        const names = [
          row.path,
          row.pipeline,
          row.stage,
          `${row.pipeline}#${row.stage}`,
          `${row.stage}@${row.entity}`,
          row.taskKey,
          row.entity,
        ];
        if (!target || names.some(target.matches)) rows.push({ root: root.ports.name, row });
      }
    }
    return ok(rows.toSorted((a, b) => b.row.startedAt - a.row.startedAt).slice(0, limit));
  }

  graph({ targets }: { readonly targets?: readonly string[] }): Promise<Result<Shape.GraphReport>> {
    const wanted = (targets ?? []).map(parseTarget);
    const unknown = wanted.find((target) => !this.#namesAnyStage(target));
    if (unknown !== undefined) return Promise.resolve(fail(unknownStage(unknown.text)));
    const stages: Shape.GraphReport["stages"][number][] = [];
    const edges: Shape.GraphReport["edges"][number][] = [];
    for (const root of this.#roots) {
      const { topology } = root.stages;
      const shown = topology.stages.filter(
        (stage) => wanted.length === 0 || wanted.some((target) => namesStage(target, stage)),
      );
      for (const stage of shown) {
        const node = stage.type === "source" ? null : stage.node.typeId;
        stages.push({
          root: root.ports.name,
          pipeline: stage.pipeline,
          stage: stage.id,
          type: stage.type,
          pattern: stage.pattern.text,
          node,
        });
        if (stage.type !== "source")
          for (const input of stage.inputs)
            edges.push({ from: `${stage.pipeline}#${input.stage}`, to: stage.key, by: "input" });
        for (const source of topology.chainsOf(stage)) edges.push({ from: stage.key, to: source.key, by: "pattern" });
      }
    }
    const known = new Set(stages.map((stage) => `${stage.pipeline}#${stage.stage}`));
    return Promise.resolve(
      ok({ version: 1, stages, edges: edges.filter((e) => known.has(e.from) && known.has(e.to)) }),
    );
  }

  // ------------------------------------------------------------ changing

  async retry({ targets }: { readonly targets: readonly string[] }): Promise<Result<Shape.ActionReport>> {
    const found = this.#find(targets);
    if (!found.ok) return found;
    const changed: string[] = [];
    const refused: { target: string; why: string }[] = [];
    for (const { root, task } of found.value) {
      const manifest = root.book.get(task.entity.id);
      const pattern = task.stage.pattern.text;
      if (!Object.hasOwn(manifest.failures, pattern)) {
        if (targets.some((target) => !/[*?]/.test(target) && namesExactly(target, task)))
          refused.push({ target: nameOf(task), why: "it has no failure to clear" });
        continue;
      }
      root.book.put(withEntry(manifest, "failures", pattern, undefined));
      root.book.flush(task.entity.id);
      root.journey.replan(root.withFollowers(task));
      changed.push(nameOf(task));
    }
    return ok({ version: 1, changed, refused });
  }

  async invalidate({ targets }: { readonly targets: readonly string[] }): Promise<Result<Shape.ActionReport>> {
    const found = this.#find(targets);
    if (!found.ok) return found;
    const now = new Date(this.#now()).toISOString();
    for (const [root, tasks] of byRoot(found.value)) {
      const forced = { ...root.controls.forced, ...Object.fromEntries(tasks.map((task) => [task.key, now])) };
      root.setControls(
        { ...root.controls, forced },
        tasks.flatMap((task) => root.withFollowers(task)),
      );
    }
    return ok({ version: 1, changed: found.value.map(({ task }) => nameOf(task)), refused: [] });
  }

  async accept({ targets }: { readonly targets: readonly string[] }): Promise<Result<Shape.ActionReport>> {
    const found = this.#find(targets);
    if (!found.ok) return found;
    const changed: string[] = [];
    const refused: { target: string; why: string }[] = [];
    for (const [root, tasks] of byRoot(found.value)) {
      for (const { task, why } of await acceptTasks(root, tasks)) {
        if (why === undefined) changed.push(nameOf(task));
        else refused.push({ target: nameOf(task), why });
      }
    }
    return ok({ version: 1, changed, refused });
  }

  hold({ targets }: { readonly targets: readonly string[] }): Promise<Result<Shape.ActionReport>> {
    return this.#setHeld(targets, true);
  }

  release({ targets }: { readonly targets: readonly string[] }): Promise<Result<Shape.ActionReport>> {
    return this.#setHeld(targets, false);
  }

  /** A target that names whole stages holds the stages, also for entities that come later. */
  async #setHeld(targets: readonly string[], hold: boolean): Promise<Result<Shape.ActionReport>> {
    const now = new Date(this.#now()).toISOString();
    const changed: string[] = [];
    const refused: { target: string; why: string }[] = [];
    for (const text of targets) {
      const target = parseTarget(text);
      let named = false;
      for (const root of this.#roots) {
        const stages = root.stages.topology.stages.filter(
          (stage) => stage.type !== "source" && namesStage(target, stage),
        );
        const tasks =
          stages.length > 0
            ? []
            : this.#tasksOf(root)
                .filter(({ task }) => namesTask(target, task))
                .map((f) => f.task);
        const keys = [...stages.map((stage) => stage.key), ...tasks.map((task) => task.key)];
        if (keys.length === 0) continue;
        named = true;
        const before = root.controls.held;
        // A stage that is released takes its tasks along.
        const isMeant = (key: string): boolean =>
          keys.includes(key) || stages.some((stage) => key.startsWith(`${stage.key}@`));
        const held: Controls["held"] = hold
          ? { ...before, ...Object.fromEntries(keys.map((key) => [key, now])) }
          : Object.fromEntries(Object.entries(before).filter(([key]) => !isMeant(key)));
        const concerned = this.#tasksOf(root).filter(
          ({ task }) => keys.includes(task.key) || keys.includes(task.stage.key),
        );
        root.setControls(
          { ...root.controls, held },
          concerned.flatMap(({ task }) => root.withFollowers(task)),
        );
        changed.push(...stages.map((stage) => stage.key));
        for (const task of tasks) {
          if (hold || !Object.hasOwn(held, task.stage.key)) changed.push(nameOf(task));
          else refused.push({ target: nameOf(task), why: `the whole stage is held; release ${task.stage.key}` });
        }
      }
      if (!named) return fail(unknownTarget(text, this.#roots));
    }
    return ok({ version: 1, changed, refused });
  }

  run(query: { readonly settleTimeoutMs?: number; readonly wait?: boolean }): Promise<Result<Shape.RunReport>> {
    return runRoots(this.#roots, {
      settleTimeoutMs: query.settleTimeoutMs ?? 30_000,
      wait: query.wait ?? false,
      scan: true,
    });
  }

  // ------------------------------------------------------------ finding

  #now(): number {
    return this.#roots[0]?.ports.clock.wallMs() ?? 0;
  }

  #tasksOf(root: Root): Found[] {
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

  #tasksAround(root: Root, path: RelPath): Found[] {
    const { topology } = root.stages;
    return topology
      .statesAt(path)
      .flatMap((state) =>
        topology.affected(state, topology.role(topology.roleNumber(state))).map((task) => ({ root, task })),
      );
  }

  /** The tasks that targets name, in running order; all when there are none. A target that names nothing is a problem. */
  #find(
    targets: readonly string[] | undefined,
    wanted: (status: Status | undefined) => boolean = () => true,
  ): Result<Found[]> {
    const parsed = (targets ?? []).map(parseTarget);
    const all = this.#roots.flatMap((root) => this.#tasksOf(root));
    const named =
      parsed.length === 0 ? all : all.filter(({ task }) => parsed.some((target) => namesTask(target, task)));
    for (const target of parsed) {
      if (all.some(({ task }) => namesTask(target, task)) || this.#namesAnyStage(target)) continue;
      // A source's path names what is made from it.
      const around = this.#roots.flatMap((root) =>
        root.table.find(target.text) === undefined ? [] : this.#tasksAround(root, target.text),
      );
      if (around.length === 0) return fail(unknownTarget(target.text, this.#roots));
      named.push(...around);
    }
    const chosen = named.filter(({ root, task }) => wanted(statusIn(root, task)));
    return ok(inOrder([...new Map(chosen.map((f) => [`${f.root.ports.name}\n${f.task.key}`, f])).values()]));
  }

  #namesAnyStage(target: Target): boolean {
    return this.#roots.some((root) => root.stages.topology.stages.some((stage) => namesStage(target, stage)));
  }

  async #reports(found: readonly Found[]): Promise<Shape.TaskReport[]> {
    const reports: Shape.TaskReport[] = [];
    for (const { root, task } of found) reports.push(await taskReport(root, task));
    return reports;
  }
}

/** A sentence on each task that is stuck by itself: not for one before it, and not for what was told of the states themselves. */
function whatIsStuck(tasks: readonly Shape.TaskReport[], states: readonly RelPath[]): string[] {
  const stuck = tasks.filter(({ status }) => status !== "fresh" && status !== "skipped");
  const told = [...states, ...stuck.map(({ path }) => path)].filter((path) => path !== "");
  const isTold = (why: string): boolean => told.some((path) => why.startsWith(`${path} `));
  return stuck.filter(({ waitingFor }) => waitingFor.length === 0 || !waitingFor.every(isTold)).map(summaryOf);
}

/** Statuses of tasks with work to do, or that follows. */
const TO_DO: ReadonlySet<Status> = new Set([
  "missing",
  "stale",
  "queued",
  "running",
  "retrying",
  "settling",
  "waiting",
]);

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

function byRoot(found: readonly Found[]): Map<Root, Task[]> {
  const roots = new Map<Root, Task[]>();
  for (const { root, task } of found) {
    const tasks = roots.get(root) ?? [];
    tasks.push(task);
    roots.set(root, tasks);
  }
  return roots;
}

function nameOf(task: Task): string {
  return hasNoPath(task.path) ? task.key : `${task.stage.id}@${task.entity.id}`;
}

function namesExactly(text: string, task: Task): boolean {
  return text === `${task.stage.id}@${task.entity.id}` || text === task.key || text === task.path;
}

/** Parts of a target that the ledger can look up by itself. */
function narrow(root: Root, text: string | undefined): { entity?: string; stage?: string; pipeline?: string } {
  if (text === undefined || /[*?]/.test(text)) return {};
  const task = root.stages.topology.producerTask(text);
  if (task) return { entity: task.entity.id, stage: task.stage.id };
  const at = text.indexOf("@");
  if (at > 0) return { entity: text.slice(at + 1) };
  return {};
}

function unknownTarget(text: string, roots: readonly Root[]): Problem {
  const all = roots.flatMap((root) => root.stages.topology.stages);
  const at = text.indexOf("@");
  const named = at > 0 ? all.find((stage) => namesStage(parseTarget(text.slice(0, at)), stage)) : undefined;
  if (named !== undefined && !/[*?]/.test(text)) return unknownEntity(named, text.slice(at + 1), all);
  const stages = all.map((stage) => stage.id);
  const near = nearest(text, new Set(all.flatMap((stage) => [stage.id, stage.pipeline])));
  if (near !== undefined)
    return problem("M131", `nothing here is called "${text}"`, `write ${near}; "millrace list" shows all`);
  const hint = `name a path, a stage (${[...new Set(stages)].slice(0, 8).join(", ")}), stage@entity, a pipeline or a glob; "millrace list" shows all`;
  return problem("M131", `nothing here is called "${text}"`, hint);
}

function unknownStage(text: string): Problem {
  return problem(
    "M131",
    `no stage is called "${text}"`,
    'name a stage, a pipeline, or a glob over these; "millrace graph" shows all',
  );
}

/** The target names a stage without tasks, or nothing. */
function nothingToExplain(text: string, roots: readonly Root[]): Problem {
  const all = roots.flatMap((root) => root.stages.topology.stages);
  const target = parseTarget(text);
  const named = all.filter((stage) => namesStage(target, stage));
  if (named.length === 0) return unknownTarget(text, roots);
  if (named.every(({ type }) => type === "source"))
    return problem("M131", `"${text}" is a source, which has no tasks`, "name a stage that is made from it");
  return problem("M131", `"${text}" has no tasks yet`, "drop a file for it, then name a task: stage@entity");
}

function unknownEntity(stage: Stage, entity: string, all: readonly Stage[]): Problem {
  if (stage.type === "source")
    return problem("M131", `"${stage.id}" is a source, which has no tasks`, "name a stage that is made from it");
  const first = all.find(({ pipeline, id }) => pipeline === stage.pipeline && id === stage.ancestors.at(-1));
  const hint = `it needs a file that matches ${first?.pattern.text ?? "its source"}; if that is there, "millrace why-not <path>" says what keeps it`;
  return problem("M131", `"${stage.id}" has no task for "${entity}"`, hint);
}

function ambiguousTarget(text: string, found: readonly Found[]): Problem {
  const names = found.slice(0, 5).map(({ task }) => task.key);
  return problem(
    "M132",
    `"${text}" names ${found.length} tasks: ${names.join(", ")}`,
    "name one of them, such as " + names[0],
  );
}
