import { variableSpan, type Pattern } from "../pattern/pattern.ts";
import type { Draft } from "./draft.ts";
import type { Fault } from "./fault.ts";
import type { Locator } from "./locator.ts";
import { nearest } from "./nearest.ts";
import { show, type Path } from "./plain.ts";

/** Faults between the stages of one pipeline: ids, inputs, circles, variables. */
export function relationFaults(drafts: readonly Draft[], locator: Locator): readonly Fault[] {
  const byId = stagesById(drafts);
  return [
    ...repeatedIds(drafts, byId, locator),
    ...drafts.flatMap((draft) => inputFaults(draft, byId)),
    ...circles(drafts, byId),
    ...drafts.flatMap((draft) => variableFaults(draft, byId, locator)),
  ];
}

/** Every stage after its input, else in the order they are written. The drafts must be free of faults. */
export function inputsFirst(drafts: readonly Draft[]): readonly Draft[] {
  const byId = stagesById(drafts);
  const ordered = new Set<Draft>();
  for (const draft of drafts) for (const one of [draft, ...ancestorsOf(draft, byId)].toReversed()) ordered.add(one);
  return [...ordered];
}

/** The stages this one is made from, nearest first, the source last; each once, a circle too. */
export function ancestorsOf(draft: Draft, byId: ReadonlyMap<string, Draft>): readonly Draft[] {
  const ancestors = new Set<Draft>();
  let next = inputOf(draft, byId);
  while (next !== undefined && next !== draft && !ancestors.has(next)) {
    ancestors.add(next);
    next = inputOf(next, byId);
  }
  return [...ancestors];
}

/** Stages by id; the first of those that share one. */
export function stagesById(drafts: readonly Draft[]): ReadonlyMap<string, Draft> {
  const byId = new Map<string, Draft>();
  for (const draft of drafts) if (draft.id !== undefined && !byId.has(draft.id)) byId.set(draft.id, draft);
  return byId;
}

function inputOf(draft: Draft, byId: ReadonlyMap<string, Draft>): Draft | undefined {
  return draft.input === undefined ? undefined : byId.get(draft.input.stage);
}

function repeatedIds(drafts: readonly Draft[], byId: ReadonlyMap<string, Draft>, locator: Locator): readonly Fault[] {
  return drafts.flatMap((draft) => {
    const first = draft.id === undefined ? undefined : byId.get(draft.id);
    if (first === undefined || first === draft) return [];
    const message = `two stages have the id ${show(draft.id)}`;
    const notes = [`first: ${whereIs(locator, [...first.path, "id"])}`];
    return [
      { code: "M208" as const, path: [...draft.path, "id"], message, hint: "give one of them another id", notes },
    ];
  });
}

function inputFaults({ input, type }: Draft, byId: ReadonlyMap<string, Draft>): readonly Fault[] {
  if (input === undefined || type === "source") return [];
  const { stage, alias, path } = input;
  const faults: Fault[] = [];
  if (!byId.has(stage)) {
    const guess = nearest(stage, byId.keys());
    const hint = guess === undefined ? `stages: ${[...byId.keys()].join(", ")}` : `did you mean "${guess}"?`;
    faults.push({ code: "M206", path, message: `there is no stage ${show(stage)} in this pipeline`, hint });
  }
  if (alias !== stage && byId.has(alias)) {
    const message = `the alias "${alias}" is also the id of a stage, so "$.${alias}" would have two meanings`;
    faults.push({ code: "M203", path, message, hint: "choose another alias" });
  }
  return faults;
}

function circles(drafts: readonly Draft[], byId: ReadonlyMap<string, Draft>): readonly Fault[] {
  const faults: Fault[] = [];
  const told = new Set<Draft>();
  for (const draft of drafts) {
    const around = [draft, ...ancestorsOf(draft, byId)];
    const last = around.at(-1);
    const closes = last !== undefined && inputOf(last, byId) === draft;
    if (!closes || told.has(draft) || draft.input === undefined) continue;
    for (const one of around) told.add(one);
    const names = [...around, draft].map((one) => show(one.id)).join(" <- ");
    const message = around.length === 1 ? `stage ${show(draft.id)} is its own input` : `stages form a circle: ${names}`;
    faults.push({ code: "M209", path: draft.input.path, message, hint: "make one of them start from a source" });
  }
  return faults;
}

/** In this release a stage has one output for each of its input's states: the variables must be the same. */
function variableFaults(draft: Draft, byId: ReadonlyMap<string, Draft>, locator: Locator): readonly Fault[] {
  const faults: Fault[] = [];
  const { pattern, marker } = draft;
  if (pattern !== undefined && marker !== undefined) {
    const bound = `the stage's pattern binds: ${listVariables(pattern)}`;
    faults.push(
      ...unbound(marker, pattern, [...draft.path, "marker"], "marker", "the stage's pattern does not bind", [bound]),
    );
  }
  const input = inputOf(draft, byId);
  if (pattern === undefined || input?.pattern === undefined || input === draft) return faults;
  const path = [...draft.path, "pattern"];
  const inputPlace = locator.value([...input.path, "pattern"]);
  const notes = [`inputs bind: ${listVariables(input.pattern)}   (${input.pattern.text}, line ${inputPlace.line})`];
  const more = unbound(pattern, input.pattern, path, "output pattern", "no input binds", notes);
  const fewer = more.length > 0 ? [] : leftOut(pattern, input.pattern, path, notes);
  return [...faults, ...more, ...fewer, ...narrower(pattern, input.pattern, path, notes)];
}

function unbound(
  pattern: Pattern,
  binder: Pattern,
  path: Path,
  what: string,
  why: string,
  notes: readonly string[],
): readonly Fault[] {
  const free = binder.variables.filter((variable) => !has(pattern, variable.name)).map(({ name }) => name);
  return pattern.variables
    .filter(({ name }) => !has(binder, name))
    .map(({ name }): Fault => {
      const instead = nearest(name, free) ?? (free.length === 1 ? free[0] : undefined);
      const bound = binder.variables[0]?.name;
      const hint =
        instead !== undefined
          ? what === "marker"
            ? `write {${instead}} here`
            : `write {${instead}} here, or name the input variable {${name}}`
          : bound === undefined
            ? `take {${name}} out`
            : `take {${name}} out; one state that makes many (expand) is not in this release`;
      const span = variableSpan(pattern, name);
      return {
        code: "M204",
        path,
        message: `${what} uses "{${name}}", which ${why}`,
        hint,
        notes,
        ...(span ? { at: span } : {}),
      };
    });
}

function leftOut(pattern: Pattern, input: Pattern, path: Path, notes: readonly string[]): readonly Fault[] {
  const missing = input.variables.filter(({ name }) => !has(pattern, name)).map(({ name }) => `{${name}}`);
  if (missing.length === 0) return [];
  const message = `output pattern leaves out ${missing.join(", ")} of its input; grouping is not in this release`;
  return [{ code: "M212", path, message, hint: `add ${missing.join(" and ")} to the output pattern`, notes }];
}

/** A variable that takes fewer values in the output than in the input: some states would have no output to go to. */
function narrower(pattern: Pattern, input: Pattern, path: Path, notes: readonly string[]): readonly Fault[] {
  return pattern.variables.flatMap((variable) => {
    const bound = input.variables.find(({ name }) => name === variable.name);
    if (bound === undefined) return [];
    const tooShort = bound.rest && !variable.rest;
    const otherType = variable.type !== undefined && variable.type !== bound.type;
    if (!tooShort && !otherType) return [];
    const span = variableSpan(pattern, variable.name);
    const message = tooShort
      ? `output pattern's "{${variable.name}}" is one segment, and its input's "{${variable.name}...}" may be several`
      : `output pattern's "{${variable.name}}" does not take every value that its input binds`;
    const hint = tooShort
      ? `write {${variable.name}...} here`
      : "give the variable the same type in both patterns, or none here";
    return [{ code: "M204" as const, path, message, hint, notes, ...(span ? { at: span } : {}) }];
  });
}

function has(pattern: Pattern, name: string): boolean {
  return pattern.variables.some((variable) => variable.name === name);
}

function listVariables(pattern: Pattern): string {
  return pattern.variables.length === 0 ? "nothing" : pattern.variables.map(({ name }) => `{${name}}`).join(", ");
}

function whereIs(locator: Locator, path: Path): string {
  const { file, line, column } = locator.value(path);
  return `${file}:${line}:${column}`;
}
