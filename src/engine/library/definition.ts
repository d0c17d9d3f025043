import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Pipeline } from "../../core/model/pipeline.ts";
import { problem } from "../../core/model/problem.ts";
import type { PipelineDefinition } from "../../core/pipeline/define.ts";
import type { NodeTypeInfo } from "../../core/pipeline/node-type.ts";
import { MillraceError } from "./error.ts";

/**
 * What the library's functions take as a pipeline: a definition as it is written, from `readPipeline`, `definePipeline` or
 * `JSON.parse`. It is checked whole at each use; a wrong one throws `MillraceError` with every fault. Its `stateRoot` is not
 * looked at, the store says where; its name is "pipeline" when it has none.
 */
export type PipelineLike = PipelineDefinition | Readonly<Record<string, unknown>>;

/** What was checked before, by the definition itself; the text shows whether somebody changed it since. */
const checked = new WeakMap<object, { readonly text: string; readonly pipeline: Pipeline }>();

/** The checked pipeline of a definition; throws `MillraceError` with every fault, places counting in the definition as printed JSON. */
export async function checkedPipeline(
  definition: PipelineLike,
  nodeTypes: ReadonlyMap<string, NodeTypeInfo>,
): Promise<Pipeline> {
  const text = JSON.stringify(definition, undefined, 2);
  const known = checked.get(definition);
  if (known?.text === text) return known.pipeline;
  const [{ loadDefinition }, { checkTogether }] = await Promise.all([
    import("../../core/pipeline/load.ts"),
    import("../../core/pipeline/together.ts"),
  ]);
  const { pipeline, problems } = loadDefinition(text, { file: "pipeline", nodeTypes });
  if (!pipeline) throw new MillraceError(problems);
  const together = checkTogether([pipeline]);
  if (together.length > 0) throw new MillraceError(together);
  checked.set(definition, { text, pipeline });
  return pipeline;
}

/**
 * The definition in a JSON file (comments allowed), with the file's base name as its name when it has none.
 * Throws `MillraceError`: M216 when the file cannot be read, M201 with every place when it is no JSON. Keys are checked at its use.
 */
export async function readPipeline(path: string): Promise<PipelineDefinition> {
  const { readJson } = await import("../../core/pipeline/json-text.ts");
  const { value, problems } = readJson(readText(path), path);
  if (problems.length > 0) throw new MillraceError(problems);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject) throw new MillraceError([problem("M203", `"${path}" holds no object`, 'write { "stages": [ ... ] }')]);
  const name = basename(path).replace(/\.jsonc?$/, "");
  // What it holds is checked where it is used: nothing here relies on its type.
  return { name, ...value } as unknown as PipelineDefinition;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new MillraceError([
      problem("M216", `"${path}" cannot be read: ${message}`, "correct the path, or make it readable"),
    ]);
  }
}
