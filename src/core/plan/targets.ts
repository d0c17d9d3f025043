import { incidentInTarget } from "./incident.ts";
import type { Task } from "./topology.ts";

/** What a person typed to name tasks, ready to be compared. */
export interface Target {
  readonly text: string;
  readonly matches: (name: string) => boolean;
  /** The id of the incident it names; then it names nothing else. */
  readonly incident: string | undefined;
}

/** Reads a target; `*` stands for any characters, `?` for one. */
export function parseTarget(text: string): Target {
  const wild = /[*?]/.test(text);
  const plain = text.replace(/^\.\//, "");
  const matches = wild ? (name: string) => matchesGlob(plain, name) : (name: string) => name === plain;
  return { text, matches, incident: incidentInTarget(text) };
}

/**
 * Does the target name the task: by path, pipeline, stage, `pipeline#stage`, `stage@entity` or all three?
 *
 * @param incident the id of the incident that the task belongs to, if it failed: a target can name that, too
 */
export function namesTask(target: Target, task: Task, incident?: string): boolean {
  if (target.incident !== undefined) return target.incident === incident;
  const { id, pipeline, key } = task.stage;
  const entity = task.entity.id;
  return [task.path, pipeline, id, key, `${id}@${entity}`, task.key].some(target.matches);
}

/** Does the target name the whole stage? */
export function namesStage(
  target: Target,
  stage: { readonly id: string; readonly key: string; readonly pipeline: string },
): boolean {
  return [stage.id, stage.key, stage.pipeline].some(target.matches);
}

/** Glob matching in time linear in `text` for each star: the last star alone is ever extended. */
export function matchesGlob(glob: string, text: string): boolean {
  let g = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (g < glob.length && glob[g] === "*") {
      star = g++;
      mark = t;
    } else if (g < glob.length && (glob[g] === "?" || glob[g] === text[t])) {
      g++;
      t++;
    } else if (star >= 0) {
      g = star + 1;
      t = ++mark;
    } else return false;
  }
  while (glob[g] === "*") g++;
  return g === glob.length;
}
