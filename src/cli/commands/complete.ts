import type { Context } from "../context.ts";
import type { Control } from "../../engine/control.ts";
import { EXIT } from "../exit-codes.ts";
import { safe } from "../safe-text.ts";

/** Tasks offered for one word; a shell shows no more with profit. */
const MOST_TASKS = 50;
/** What no shell word may hold unquoted; such names are left to the person. */
const UNQUOTABLE = /[\s"'\\$`;&|<>()*?![\]{}~]/;

/** Prints the stages, pipelines and, after an `@`, tasks that begin with `word`, one per line. Never an error: completion must not disturb typing. */
export async function complete(context: Context, word: string): Promise<number> {
  const door = await context.world.openDoor();
  const opened = await door.openProject({ projectFolder: context.projectFolder, mode: "read" });
  if (!opened.ok) return EXIT.done;
  try {
    const { control } = opened.value;
    const names = word.includes("@") ? await taskNames(control, word) : await stageNames(control);
    const offered = [...new Set(names)].filter(
      (name) => name.startsWith(word) && name === safe(name) && !UNQUOTABLE.test(name),
    );
    context.say(offered);
  } finally {
    await opened.value.close();
  }
  return EXIT.done;
}

async function stageNames(control: Control): Promise<string[]> {
  const graph = await control.graph({});
  if (!graph.ok) return [];
  return graph.value.stages.flatMap(({ pipeline, stage }) => [pipeline, stage, `${pipeline}#${stage}`]);
}

async function taskNames(control: Control, word: string): Promise<string[]> {
  const list = await control.list({ targets: [`${word}*`], limit: MOST_TASKS });
  if (!list.ok) return [];
  return list.value.tasks.map((task) => (word.includes("#") ? `${task.pipeline}#${task.task}` : task.task));
}
