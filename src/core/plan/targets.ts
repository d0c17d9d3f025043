import type { Task } from "./topology.ts";

/** What a person typed to name tasks, ready to be compared. */
export interface Target {
  readonly text: string;
  readonly matches: (name: string) => boolean;
}

/** Reads a target; `*` stands for any characters, `?` for one. */
export function parseTarget(text: string): Target {
  const wild = /[*?]/.test(text);
  const plain = text.replace(/^\.\//, "");
  return { text, matches: wild ? (name) => matchesGlob(plain, name) : (name) => name === plain };
}

/** Does the target name the task: by path, pipeline, stage, `pipeline#stage`, `stage@entity` or all three? */
export function namesTask(target: Target, task: Task): boolean {
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
