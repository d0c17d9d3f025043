import { findOverlap } from "../pattern/pattern.ts";
import type { SourceStage, Stage, TaskStage } from "../model/pipeline.ts";
import { problem, type Problem } from "../model/problem.ts";
import { stageKey } from "../model/words.ts";

/** A path that one stage writes and another reads as its source: how pipelines chain. */
interface Chain {
  readonly from: TaskStage;
  readonly to: SourceStage;
  readonly example: string;
}

/**
 * Loops of data: a stage whose output can come back as what it is made from, within a pipeline or by way of others.
 * Each loop is told once, at the first output that closes it.
 */
export function feedbackLoops(stages: readonly Stage[]): readonly Problem[] {
  const tasks = stages.filter((stage): stage is TaskStage => stage.type !== "source");
  const sources = stages.filter((stage): stage is SourceStage => stage.type === "source");
  const chains = tasks.flatMap((from) => sources.flatMap((to) => chainOf(from, to)));
  const told = new Set<Chain>();
  return chains.flatMap((chain) => {
    if (told.has(chain)) return [];
    const way = wayBack(chain, chains);
    if (way === undefined) return [];
    for (const one of way) told.add(one);
    return [loopProblem(way)];
  });
}

function chainOf(from: TaskStage, to: SourceStage): readonly Chain[] {
  const example = findOverlap(from.pattern, to.pattern);
  return example === undefined ? [] : [{ from, to, example }];
}

/** The chains of the shortest loop through `start`, beginning with it; `undefined` when nothing leads back. */
function wayBack(start: Chain, chains: readonly Chain[]): readonly Chain[] | undefined {
  const cameFrom = new Map<Chain, Chain | undefined>([[start, undefined]]);
  for (const here of cameFrom.keys()) {
    if (feeds(here, start)) return trail(here, cameFrom);
    for (const next of chains) if (!cameFrom.has(next) && feeds(here, next)) cameFrom.set(next, here);
  }
  return undefined;
}

/** What arrives by one chain goes into what is written by the other. */
function feeds(arrives: Chain, leaves: Chain): boolean {
  return arrives.to.pipeline === leaves.from.pipeline && leaves.from.ancestors.includes(arrives.to.id);
}

function trail(last: Chain, cameFrom: ReadonlyMap<Chain, Chain | undefined>): readonly Chain[] {
  const way: Chain[] = [];
  for (let here: Chain | undefined = last; here !== undefined; here = cameFrom.get(here)) way.unshift(here);
  return way;
}

function loopProblem(way: readonly Chain[]): Problem {
  const [first] = way;
  if (first === undefined) return problem("M210", "a stage feeds itself", "give its output a pattern of its own");
  const { from, to, example } = first;
  const ownAncestor = way.length === 1;
  const message = ownAncestor
    ? `stage "${from.id}" can write "${example}", which its own ancestor "${to.id}" reads: it would feed itself`
    : `stage "${from.key}" can write "${example}", and what is made from that comes back to it: it would feed itself`;
  const notes = way.map((chain) => {
    const writes =
      chain === first && ownAncestor ? "" : `"${stageKey(chain.from.pipeline, chain.from.id)}" writes what `;
    const { file, line } = chain.to.place;
    return `${writes}"${chain.to.key}" reads: ${file}:${line}  "${chain.to.pattern.text}"`;
  });
  return problem("M210", message, "give the output a pattern that the source does not match", {
    place: from.place,
    notes,
  });
}
