import { join } from "node:path";
import type { Validation } from "../../src/core/model/pipeline.ts";
import type { AttemptRequest, InputSet, StageWork } from "../../src/ports.ts";
import { PLACE, type TestProject } from "./single-attempt.ts";

/** A node as tests write it: its type and data. */
export type TestNode = readonly [typeId: string, data?: Readonly<Record<string, unknown>>];

export interface WorkOptions {
  readonly then?: TestNode;
  readonly else?: TestNode;
  readonly validation?: Validation;
  readonly timeoutMs?: number;
  readonly env?: readonly string[];
}

/** The work of a stage `p#out` whose node is given. */
export function stageWork(project: TestProject, node: TestNode, options: WorkOptions = {}): StageWork {
  const spec = ([typeId, data = {}]: TestNode): StageWork["node"] => ({ typeId, data, place: PLACE });
  return {
    stageKey: "p#out",
    node: spec(node),
    then: options.then && spec(options.then),
    else: options.else && spec(options.else),
    validation: options.validation ?? {},
    timeoutMs: options.timeoutMs ?? 60_000,
    env: options.env ?? [],
    code: {
      codeHash: JSON.stringify([node, options.then, options.else]),
      paramsHash: "",
      toolHashes: {},
      files: [],
      modules: {},
    },
    pipelinesFolder: project.pipelines,
  };
}

export interface RequestOptions {
  readonly input?: string;
  readonly output?: string;
  readonly ancestors?: readonly InputSet[];
}

/** A single state under the name of a stage. */
export function stateSet(name: string, path: string, id: string = "001"): InputSet {
  return { name, list: false, items: [{ id, vars: { id }, path }] };
}

/** The attempt of entity `id`, whose input is `input/<id>.txt` of the stage `source`; it is staged under `.millrace/tmp/<id>/`. */
export function attemptRequest(
  project: TestProject,
  work: StageWork,
  id: string = "001",
  { input = `input/${id}.txt`, output = `out/${id}.txt`, ancestors = [] }: RequestOptions = {},
): AttemptRequest {
  project.write(join("state/.millrace/tmp", id, ".keep"), "");
  return {
    attemptId: `attempt-${id}`,
    work,
    taskKey: `p#out@${id}`,
    entity: { id, vars: { id } },
    root: project.root,
    inputs: [stateSet("source", input, id)],
    ancestors: [stateSet("source", input, id), ...ancestors],
    output: { path: output, staged: join(project.root, ".millrace/tmp", id, "result") },
    attempt: 1,
    idempotencyKey: `key-${id}`,
    alone: false,
  };
}
