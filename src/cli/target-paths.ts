import { isAbsolute, relative, resolve, sep } from "node:path";
import type { Control } from "../engine/control.ts";
import type { Context } from "./context.ts";

/**
 * Targets as the engine knows them: a path as the shell completes it (`state/output/001.json`, `./001.json`, an absolute one) becomes
 * relative to its state root. Everything else stays as it was typed. Only targets that look like such paths cost a question for the roots.
 */
export async function asTargets(
  context: Context,
  control: Control,
  typed: readonly string[],
): Promise<readonly string[]> {
  if (!typed.some((target) => target.includes("/"))) return typed;
  const graph = await control.graph({});
  if (!graph.ok) return typed;
  const roots = new Set(graph.value.stages.map((stage) => resolve(context.projectFolder, stage.root)));
  return typed.map((target) => relativeToRoot(target, context.world.cwd, roots) ?? target);
}

function relativeToRoot(target: string, cwd: string, roots: ReadonlySet<string>): string | undefined {
  for (const root of roots) {
    // A target typed inside the root may be relative to it already: there only "./", "../" and "/" say that it is a path from here.
    const fromHere = relative(cwd, root);
    const isPathFromHere =
      isAbsolute(target) || /^\.\.?\//.test(target) || (fromHere !== "" && target.startsWith(`${fromHere}${sep}`));
    const inside = relative(root, resolve(cwd, target));
    if (!isPathFromHere || inside === "" || inside.startsWith("..") || isAbsolute(inside)) continue;
    return inside.split(sep).join("/") + (target.endsWith("/") ? "/" : "");
  }
  return undefined;
}
