import type { Stage } from "../../core/model/pipeline.ts";
import type { RelPath } from "../../core/model/words.ts";
import { nearestMiss } from "../../core/pattern/pattern.ts";
import { whyNotTaken } from "../facts.ts";
import type { Root } from "../root.ts";

/** Which ignore rule leaves a path out; `undefined` when none does. */
export type IgnoreTest = (path: RelPath, isFolder: boolean) => string | undefined;

/** Every reason why nothing happened to a path, the deciding one last; empty when nothing keeps it from its tasks. */
export function whyNot(root: Root, path: RelPath, ignored: IgnoreTest): string[] {
  if (isOutside(path)) return [`${path} lies outside ${root.ports.name}, the folder that is watched`];
  const reasons: string[] = [];
  const look = root.ports.reader.look(path);
  if (look.is === "absent") reasons.push(`there is nothing at ${path}`);
  if (look.is === "refused") reasons.push(`${path} cannot be a state: ${look.reason}`);
  const rule = ignored(path, look.is === "folder");
  if (rule !== undefined) reasons.push(`${path} is ignored by the rule ${rule}`);
  const states = root.stages.topology.statesAt(path);
  if (states.length === 0) reasons.push(...noMatch(root, path));
  if (!isLeftOut(root, path, ignored)) for (const state of states) reasons.push(...whyNotState(root, state));
  return reasons;
}

/** Such a path is never looked at. */
function isOutside(path: string): boolean {
  return /^(?:\/|\.\.(?:\/|$))/.test(path);
}

/** Is the path ignored, by a rule or for its kind? Then that decides, whatever a task that would take it waits for. */
export function isLeftOut(root: Root, path: RelPath, ignored: IgnoreTest): boolean {
  if (isOutside(path)) return true;
  const look = root.ports.reader.look(path);
  return (look.is === "refused" && look.isSpecial === true) || ignored(path, look.is === "folder") !== undefined;
}

function noMatch(root: Root, path: RelPath): string[] {
  const { stages } = root.stages.topology;
  if (stages.length === 0) return ["there are no stages: no definition is in force for this root"];
  // The pattern that got furthest is the one that was probably meant.
  const misses = stages.flatMap((stage) => {
    const miss = nearestMiss(stage.pattern, path);
    return miss ? [{ stage, miss }] : [];
  });
  const nearest = misses.toSorted((a, b) => b.miss.segment - a.miss.segment)[0];
  if (!nearest) return [`${path} matches no pattern`];
  const { stage, miss } = nearest;
  return [
    `${path} matches no pattern; the nearest is ${stage.pattern.text} (${stage.key}): there "${miss.got}" should match "${miss.expected}"`,
  ];
}

function whyNotState(root: Root, state: RelPath): string[] {
  const { table } = root;
  const row = table.find(state);
  if (row === undefined) return [`${state} has not been looked at yet`];
  const role = root.stages.topology.role(table.roleOf(row));
  const reasons: string[] = [];
  if (table.statusOf(row) === "settling") {
    const left = root.settling.remainingMs(state);
    reasons.push(`${state} is settling${left === undefined ? "" : ` for ${(left / 1000).toFixed(1)} s more`}`);
  }
  for (const source of role.sources) {
    const taken = table.isPresent(row) ? whyNotTaken(source, state, row, root.facts) : undefined;
    if (taken) reasons.push(taken.why);
    else if (!hasUsers(root, source)) reasons.push(`no stage of ${source.pipeline} takes "${source.id}" as its input`);
  }
  return reasons;
}

function hasUsers(root: Root, source: Stage): boolean {
  return root.stages.topology.stages.some(
    (stage) => stage.type !== "source" && stage.pipeline === source.pipeline && stage.ancestors.includes(source.id),
  );
}
