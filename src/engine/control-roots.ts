import { type Problem, problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { EntityId, RelPath, Status } from "../core/model/words.ts";
import { namesStage, parseTarget } from "../core/plan/targets.ts";
import type { Task } from "../core/plan/topology.ts";
import type { AttemptRow, Controls, Owner } from "../ports.ts";
import { acceptTasks } from "./calls/accept.ts";
import { cleanRoots, type DefinedOf } from "./calls/clean.ts";
import type * as Shape from "./control.ts";
import { graphOf } from "./calls/graph.ts";
import { withEntry } from "./manifest-book.ts";
import { historyOf, logsOf, pastAttempts } from "./calls/past-attempts.ts";
import { notQuarantined, quarantined } from "./calls/quarantine.ts";
import { awayProblem, explainTask, summaryOf, taskReport, verdictOf } from "./calls/reports.ts";
import type { Root } from "./root.ts";
import { runRoots } from "./run.ts";
import { addUp, statusOfRoot, taskCounts } from "./calls/status.ts";
import {
  ambiguousTarget,
  nothingToExplain,
  rootNotHeld,
  unknownStage,
  unknownTarget,
} from "./calls/target-problems.ts";
import { byRoot, type Found, isNamed, nameOf, TaskFinder } from "./calls/task-finder.ts";
import { repairRoot } from "./verify/repair.ts";
import { emptyTrash, listTrash, restoreFromTrash } from "./calls/trash-calls.ts";
import { type IgnoreTest, isLeftOut, whyNot } from "./calls/why-not.ts";

export interface ControlOptions {
  /** Who holds each root: ourselves in a daemon, nobody when opened for looking. */
  readonly owner: (root: Root) => Owner | null;
  readonly ignored: (root: Root) => IgnoreTest;
  /** Every definition of a root, those that are switched off too; left out: those in force. */
  readonly defined?: DefinedOf;
}

/** The control calls over roots that are open in this process. */
export class RootsControl implements Shape.Control {
  readonly #roots: readonly Root[];
  readonly #options: ControlOptions;
  readonly #finder: TaskFinder;

  constructor(roots: readonly Root[], options: ControlOptions) {
    this.#roots = roots;
    this.#finder = new TaskFinder(roots);
    this.#options = options;
  }

  // ------------------------------------------------------------ reading

  async status({ scan }: { readonly scan?: boolean }): Promise<Result<Shape.StatusReport>> {
    if (scan) for (const root of this.#roots) await root.look();
    const roots = this.#roots.map((root) => ({ ...statusOfRoot(root), daemon: this.#options.owner(root) }));
    return ok({ version: 1, roots });
  }

  async plan({ targets }: { readonly targets?: readonly string[] }): Promise<Result<Shape.PlanReport>> {
    const found = this.#finder.find(targets, (status) => status !== undefined && TO_DO.has(status));
    if (!found.ok) return found;
    const away = this.#away();
    if (away) return fail(away);
    const tasks = await this.#reports(found.value);
    const counts = addUp(this.#roots.map(taskCounts));
    return ok({ version: 1, tasks: tasks.filter((task) => TO_DO.has(task.status)), counts });
  }

  async explain({ target }: { readonly target: string }): Promise<Result<Shape.ExplainReport>> {
    const found = this.#finder.find([target]);
    if (!found.ok) return found;
    const [first, ...others] = found.value;
    if (!first) return fail(nothingToExplain(target, this.#finder.stages()));
    const away = awayProblem(first.root);
    if (away) return fail(away);
    const distinct = others.filter(({ task }) => task.key !== first.task.key);
    if (distinct.length > 0 && !first.task.inputs.some((input) => input.path === target))
      return fail(
        ambiguousTarget(
          target,
          [first, ...distinct].map(({ task }) => task),
        ),
      );
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
      for (const { task } of this.#finder.tasksAround(root, path))
        if ((await verdictOf(root, task)).status !== "none") around.push(await taskReport(root, task));
      reasons.push(...whatIsStuck(around, found.length > 0 ? root.stages.topology.statesAt(path) : []));
      tasks.push(...around);
    }
    return ok({ version: 1, path, reasons, tasks });
  }

  async list(query: Shape.ListQuery): Promise<Result<Shape.ListReport>> {
    const wanted = query.status && new Set(query.status);
    const found = this.#finder.find(query.targets, (status) => !wanted || (status !== undefined && wanted.has(status)));
    if (!found.ok) return found;
    const away = this.#away();
    if (away) return fail(away);
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
    const away = this.#away();
    if (away) return Promise.resolve(fail(away));
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
    const { target, limit = 50, result } = query;
    const filter = result === undefined ? {} : { result };
    return Promise.resolve(ok(historyOf(pastAttempts(this.#roots, { target, limit, filter }))));
  }

  logs(query: {
    readonly target?: string;
    readonly limit?: number;
    readonly sinceMs?: number;
  }): Promise<Result<Shape.LogsReport>> {
    const { target, limit = 50, sinceMs } = query;
    const filter = sinceMs === undefined ? {} : { sinceMs };
    return Promise.resolve(ok(logsOf(pastAttempts(this.#roots, { target, limit, filter }))));
  }

  graph({ targets = [] }: { readonly targets?: readonly string[] }): Promise<Result<Shape.GraphReport>> {
    const wanted = targets.map(parseTarget);
    const unknown = wanted.find((target) => !this.#finder.namesAnyStage(target));
    return Promise.resolve(unknown ? fail(unknownStage(unknown.text)) : ok(graphOf(this.#roots, wanted)));
  }

  // ------------------------------------------------------------ changing

  async retry({
    targets,
    only,
  }: {
    readonly targets: readonly string[];
    readonly only?: "quarantined";
  }): Promise<Result<Shape.ActionReport>> {
    const found = this.#finder.find(targets, (status) => only === undefined || status === only);
    if (!found.ok) return found;
    if (only !== undefined && found.value.length === 0) return fail(notQuarantined(targets));
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
    const found = this.#finder.find(targets);
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
    const found = this.#finder.find(targets);
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

  acceptDeletions(): Promise<Result<Shape.ActionReport>> {
    const changed = this.#roots.flatMap((root) => root.retractions.accept().map(nameOf));
    return Promise.resolve(ok({ version: 1, changed, refused: [] }));
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
            : this.#finder
                .tasksOf(root)
                .filter((f) => isNamed(f, target))
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
        const concerned = this.#finder
          .tasksOf(root)
          .filter(({ task }) => keys.includes(task.key) || keys.includes(task.stage.key));
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
      if (!named) return fail(unknownTarget(text, this.#finder.stages()));
    }
    return ok({ version: 1, changed, refused });
  }

  trash(query: { readonly targets?: readonly string[]; readonly limit?: number }): Promise<Result<Shape.TrashReport>> {
    return Promise.resolve(listTrash(this.#roots, query));
  }

  restore({ targets }: { readonly targets: readonly string[] }): Promise<Result<Shape.RestoreReport>> {
    return Promise.resolve(restoreFromTrash(this.#roots, targets));
  }

  emptyTrash({ olderThanMs }: { readonly olderThanMs: number }): Promise<Result<Shape.ActionReport>> {
    return Promise.resolve(emptyTrash(this.#roots, olderThanMs));
  }

  clean({ remove = false }: { readonly remove?: boolean }): Promise<Result<Shape.CleanReport>> {
    return cleanRoots(this.#roots, this.#options.defined ?? ((root) => root.stages.topology.pipelines), remove);
  }

  async quarantine(query: {
    readonly targets?: readonly string[];
    readonly limit?: number;
  }): Promise<Result<Shape.QuarantineReport>> {
    return quarantined(this.#finder, query);
  }

  run(query: { readonly settleTimeoutMs?: number; readonly wait?: boolean }): Promise<Result<Shape.RunReport>> {
    return runRoots(this.#roots, {
      settleTimeoutMs: query.settleTimeoutMs ?? 30_000,
      wait: query.wait ?? false,
      scan: true,
    });
  }

  async repair(query: Parameters<Shape.Control["repair"]>[0]): Promise<Result<Shape.RepairReport>> {
    const root = this.#roots.find(({ ports }) => ports.name === query.root);
    if (root === undefined) return fail(rootNotHeld(query.root));
    const repaired = await repairRoot(root, query.findings);
    return ok({ version: 1, repaired: repaired.flatMap((is, at) => (is ? [at] : [])) });
  }

  /** Why nothing can be said of tasks: a root that is away cannot be looked at. */
  #away(): Problem | undefined {
    return this.#roots.map(awayProblem).find((found) => found !== undefined);
  }

  #now(): number {
    return this.#roots[0]?.ports.clock.wallMs() ?? 0;
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

function namesExactly(text: string, task: Task): boolean {
  return text === `${task.stage.id}@${task.entity.id}` || text === task.key || text === task.path;
}
