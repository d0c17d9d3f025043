/** What a root should hold, computed from the plan alone; only which tasks are failing is asked of the root. */
import { type Compiled, compile, entityOf, type Vars } from "./pattern.ts";
import type { Op, Plan, PlannedStage } from "./plan.ts";

/** A result that should be there, or should not. */
export interface Expected {
  readonly path: string;
  readonly stage: PlannedStage;
  readonly entity: string;
  /** `null`: the stage chose to make nothing. */
  readonly content: string | null;
  /** Its declared inputs. */
  readonly inputs: readonly string[];
  /** The dropped files it goes back to. */
  readonly from: ReadonlySet<string>;
  /** When it or a stage before it was changed last, in the plan's sequence. */
  readonly since: number;
  /** It fails, or what it is made from does: the result of an earlier input may be there still, or nothing. */
  readonly doubt: "failing" | "blocked" | undefined;
  /** Its inputs are such that it must fail. */
  readonly mustFail: boolean;
}

/** A state as the stages that read it see it. */
interface State {
  readonly content: string;
  readonly from: ReadonlySet<string>;
  readonly since: number;
  readonly isInDoubt: boolean;
}

/** What the oracle asks of the root. */
export interface Known {
  /** Whether a failure of this task is recorded. */
  isFailing(stage: PlannedStage, entity: string): boolean;
  /** Bytes of somebody else that lie in a result's way and may. */
  keptAt(path: string): string | undefined;
}

/** Every result of the plan's stages, by path. */
export function expectedResults(plan: Plan, known: Known): Map<string, Expected> {
  const byKey = new Map(plan.stages.map((stage) => [stage.key, stage]));
  const working = plan.stages.filter((stage) => stage.type !== "source");
  const dropped = new Map<string, State>();
  for (const { path, last } of plan.sources)
    if (last !== null) dropped.set(path, { content: last, from: new Set([path]), since: 0, isInDoubt: false });
  let before = new Map<string, Expected>();
  // A stage may stand before one that makes its inputs, in another pipeline too: as many rounds as it takes.
  for (let round = 0; round <= working.length; round++) {
    const states = new Map(dropped);
    for (const result of before.values()) putState(states, result, known);
    const results = new Map<string, Expected>();
    for (const stage of working) evaluateStage(stage, { byKey, states, results, known });
    if (isSame(before, results)) break;
    before = results;
  }
  return before;
}

function isSame(before: ReadonlyMap<string, Expected>, now: ReadonlyMap<string, Expected>): boolean {
  if (before.size !== now.size) return false;
  for (const [path, { content, doubt }] of now) {
    const other = before.get(path);
    if (other === undefined || other.content !== content || other.doubt !== doubt) return false;
  }
  return true;
}

function putState(states: Map<string, State>, { path, content, from, since, doubt }: Expected, known: Known): void {
  // What somebody else left where a stage chose to make nothing is nobody's input.
  const there = content === null ? null : (known.keptAt(path) ?? content);
  if (there === null) states.delete(path);
  else states.set(path, { content: there, from, since, isInDoubt: doubt !== undefined });
}

interface World {
  readonly byKey: ReadonlyMap<string, PlannedStage>;
  readonly states: Map<string, State>;
  readonly results: Map<string, Expected>;
  readonly known: Known;
}

function evaluateStage(stage: PlannedStage, world: World): void {
  const { byKey, states, results, known } = world;
  const input = byKey.get(`${pipelineOf(stage)}#${stage.input}`);
  if (input === undefined) throw new Error(`the plan has no stage "${stage.input}" for ${stage.key}`);
  const [into, out] = [compile(input.pattern), compile(stage.pattern)];
  for (const [entity, group] of groupsOf(into, out, states)) {
    const result = makeResult(stage, { entity, path: out.render(group.vars), ...group }, world);
    results.set(result.path, result);
    putState(states, result, known);
  }
}

interface Group {
  readonly vars: Vars;
  readonly members: readonly { readonly id: string; readonly path: string }[];
}

/** The entities of a stage, each with its input states sorted by id. */
function groupsOf(into: Compiled, out: Compiled, states: ReadonlyMap<string, State>): Map<string, Group> {
  const groups = new Map<string, { vars: Vars; members: { id: string; path: string }[] }>();
  for (const path of states.keys()) {
    const vars = into.match(path);
    if (vars === undefined) continue;
    const entity = entityOf(out, vars);
    const member = { id: entityOf(into, vars), path };
    const group = groups.get(entity);
    if (group === undefined) groups.set(entity, { vars, members: [member] });
    else group.members.push(member);
  }
  for (const { members } of groups.values()) members.sort((a, b) => (a.id < b.id ? -1 : 1));
  return groups;
}

interface Place extends Group {
  readonly entity: string;
  readonly path: string;
}

function makeResult(stage: PlannedStage, { entity, path, vars, members }: Place, world: World): Expected {
  const { states, byKey, known } = world;
  const read = members.map((member) => states.get(member.path)!);
  const from = new Set(read.flatMap((state) => [...state.from]));
  let isBlocked = read.some((state) => state.isInDoubt);
  const other = (id: string): State | undefined => {
    const of = byKey.get(`${pipelineOf(stage)}#${id}`);
    const state = of && states.get(compile(of.pattern).render(vars));
    for (const source of state?.from ?? []) from.add(source);
    isBlocked ||= state?.isInDoubt === true;
    return state;
  };
  const contents = read.map((state) => state.content);
  const fails = stage.failsOn !== undefined && contents.some((content) => content.includes(stage.failsOn!));
  const isFailing = fails || known.isFailing(stage, entity);
  const content = apply(stage.op ?? "copy", contents, (id) => other(id)?.content);
  const doubt = isFailing ? "failing" : isBlocked ? "blocked" : undefined;
  const since = Math.max(stage.since ?? 0, ...read.map((state) => state.since));
  const inputs = members.map((member) => member.path);
  return { path, stage, entity, content, inputs, from, since, doubt, mustFail: fails };
}

/** What an operation makes of its inputs. */
function apply(op: Op, contents: readonly string[], other: (stage: string) => string | undefined): string | null {
  const [first = ""] = contents;
  const colon = op.indexOf(":");
  const word = colon < 0 ? op : op.slice(0, colon);
  const argument = colon < 0 ? "" : op.slice(colon + 1);
  switch (word) {
    case "":
    case "copy":
      return first;
    case "upper":
      return first.toUpperCase();
    case "first":
      return first.slice(0, 1);
    case "wrap":
      return `${argument}(${first})`;
    case "with":
      return `${first}+${other(argument) ?? "nothing"}`;
    case "skip":
      return first.includes(argument) ? null : first;
    case "list":
      return contents.join(",");
    default:
      return `${word} ${first}`;
  }
}

/** The pipeline of a stage. */
export function pipelineOf(stage: PlannedStage): string {
  return stage.key.slice(0, stage.key.indexOf("#"));
}
