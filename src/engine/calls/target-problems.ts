import type { Stage } from "../../core/model/pipeline.ts";
import { type Problem, problem } from "../../core/model/problem.ts";
import { nearest } from "../../core/pipeline/nearest.ts";
import { incidentInTarget } from "../../core/plan/incident.ts";
import { namesStage, parseTarget } from "../../core/plan/targets.ts";
import type { Task } from "../../core/plan/topology.ts";

/** Nothing is called so; with the nearest spelling, or what the entity lacks. */
export function unknownTarget(text: string, all: readonly Stage[]): Problem {
  if (incidentInTarget(text) !== undefined)
    return problem("M131", `no task fails as "${text}" now`, 'see the incidents of today with "millrace status"');
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

/** No stage and no pipeline is called so. */
export function unknownStage(text: string): Problem {
  return problem(
    "M131",
    `no stage is called "${text}"`,
    'name a stage, a pipeline, or a glob over these; "millrace graph" shows all',
  );
}

/** The target names a stage without tasks, or nothing. */
export function nothingToExplain(text: string, all: readonly Stage[]): Problem {
  const target = parseTarget(text);
  const named = all.filter((stage) => namesStage(target, stage));
  if (named.length === 0) return unknownTarget(text, all);
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

/** Several tasks are called so where one is wanted. */
export function ambiguousTarget(text: string, tasks: readonly Task[]): Problem {
  const names = tasks.slice(0, 5).map((task) => task.key);
  return problem(
    "M132",
    `"${text}" names ${tasks.length} tasks: ${names.join(", ")}`,
    "name one of them, such as " + names[0],
  );
}

/** A call for a state root that this daemon does not hold. */
export function rootNotHeld(root: string): Problem {
  return problem("M135", `the daemon does not hold "${root}"`, "restart it: it takes all its roots at its start");
}
