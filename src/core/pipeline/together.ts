import { findOverlap, parsePattern, type Pattern } from "../pattern/pattern.ts";
import type { Pipeline, Stage, TaskStage } from "../model/pipeline.ts";
import { problem, type Place, type Problem } from "../model/problem.ts";
import { feedbackLoops } from "./feedback-loops.ts";

/** Which state root a pipeline has: an absolute, real path without a final `/`. */
export type RootOf = (pipeline: Pipeline) => string;

/**
 * Everything that is wrong with pipelines that are right one by one: names, roots inside one another, paths that two stages
 * can write, feedback loops. Pipelines of one root are compared with each other; a disabled one, which runs nothing, only with itself.
 */
export function checkTogether(
  pipelines: readonly Pipeline[],
  rootOf: RootOf = ({ stateRoot }) => stateRoot,
): readonly Problem[] {
  const byRoot = Map.groupBy(pipelines, rootOf);
  const problems = [...nestedRoots(byRoot)];
  for (const group of byRoot.values()) {
    problems.push(...repeatedNames(group));
    const enabled = group.filter((pipeline) => pipeline.enabled);
    for (const together of [enabled, ...group.filter((pipeline) => !pipeline.enabled).map((one) => [one])]) {
      const stages = together.flatMap((pipeline) => pipeline.stages);
      problems.push(...conflicts(stages), ...feedbackLoops(stages));
    }
  }
  return problems;
}

/** `file:line` of a place, for notes. */
function placeText({ file, line }: Place): string {
  return `${file}:${line}`;
}

function repeatedNames(pipelines: readonly Pipeline[]): readonly Problem[] {
  const first = new Map<string, Pipeline>();
  return pipelines.flatMap((pipeline) => {
    const earlier = first.get(pipeline.name);
    if (earlier === undefined) {
      first.set(pipeline.name, pipeline);
      return [];
    }
    const message = `two pipelines have the name "${pipeline.name}"`;
    const notes = [`the other: ${earlier.places ? placeText(earlier.places.name) : earlier.file}`];
    return [problem("M213", message, 'give one of them another "name"', { place: pipeline.places?.name, notes })];
  });
}

function nestedRoots(byRoot: ReadonlyMap<string, readonly Pipeline[]>): readonly Problem[] {
  const live = [...byRoot].filter(([, group]) => group.some((pipeline) => pipeline.enabled));
  return live.flatMap(([inner, group]) => {
    const outer = live.find(([root]) => root !== inner && isInside(inner, root));
    const [here] = group.filter((pipeline) => pipeline.enabled);
    const [there] = outer?.[1].filter((pipeline) => pipeline.enabled) ?? [];
    if (here === undefined || there === undefined) return [];
    const message = `the state root "${here.stateRoot}" lies inside the state root "${there.stateRoot}"`;
    const notes = [`the outer one: ${there.places ? placeText(there.places.stateRoot) : there.file}`];
    return [
      problem("M214", message, "give both pipelines one root, or roots side by side", {
        place: here.places?.stateRoot,
        notes,
      }),
    ];
  });
}

function isInside(inner: string, outer: string): boolean {
  return inner.startsWith(outer.endsWith("/") ? outer : `${outer}/`);
}

/** Two stages that can write one path. Where one is made from the other it is a feedback loop, told as such. */
function conflicts(stages: readonly Stage[]): readonly Problem[] {
  const tasks = stages.filter((stage): stage is TaskStage => stage.type !== "source");
  const problems: Problem[] = [];
  for (const [i, later] of tasks.entries()) {
    for (const earlier of tasks.slice(0, i)) {
      const example = findClash(earlier.pattern, later.pattern);
      if (example === undefined) continue;
      const isLoop = later.pipeline === earlier.pipeline && later.ancestors.includes(earlier.id);
      problems.push(isLoop ? ownAncestor(later, earlier, example) : conflict(later, earlier, example));
    }
  }
  return problems;
}

/** A path that states of both patterns would take: the same one, one inside the other's folder, or a file and a folder of one name. */
function findClash(a: Pattern, b: Pattern): string | undefined {
  const overlap = findOverlap(a, b);
  if (overlap !== undefined || a.isFolder === b.isFolder) return overlap;
  const [folder, file] = a.isFolder ? [a, b] : [b, a];
  const named = parsePattern(folder.text.slice(0, -1));
  return named.ok ? findOverlap(named.pattern, file) : undefined;
}

function conflict(later: TaskStage, earlier: TaskStage, example: string): Problem {
  const message = `stages "${earlier.key}" and "${later.key}" can both write "${example}"`;
  const notes = [`the other: ${placeText(earlier.place)}  "${earlier.pattern.text}"`];
  return problem("M211", message, "give one of them a pattern of its own", { place: later.place, notes });
}

function ownAncestor(later: TaskStage, earlier: TaskStage, example: string): Problem {
  const message = `stage "${later.id}" can write "${example}", which its own ancestor "${earlier.id}" writes: it would feed itself`;
  const notes = [`the ancestor: ${placeText(earlier.place)}  "${earlier.pattern.text}"`];
  return problem("M210", message, "give its output a pattern of its own", { place: later.place, notes });
}
