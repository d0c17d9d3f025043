import type { Pipeline, RetryPolicy, SourceStage, Stage, TaskStage } from "../model/pipeline.ts";
import { InternalError } from "../model/problems.ts";
import type { Problem } from "../model/problem.ts";
import { stageKey } from "../model/words.ts";
import type { CheckedNode, NodeTypes } from "./check-node.ts";
import { codeLocator, plainCopy } from "./code-text.ts";
import {
  NAME_TEXT,
  topSchema,
  type ParsedRetryPolicy,
  type ParsedSource,
  type ParsedTask,
  type ParsedTop,
} from "./definition-schema.ts";
import { draftStage, type Draft } from "./draft.ts";
import { inOrder, locate, type Fault } from "./fault.ts";
import { readJson } from "./json-text.ts";
import type { Locator } from "./locator.ts";
import { deepFreeze, isRecord, show } from "./plain.ts";
import { ancestorsOf, inputsFirst, relationFaults, stagesById } from "./stage-graph.ts";
import { faultsOf } from "./zod-faults.ts";

/** Where a definition comes from, and the node types it may use. */
export interface LoadContext {
  /** The file, relative to the project folder; its base name is the pipeline's default name. */
  readonly file: string;
  readonly nodeTypes: NodeTypes;
}

/** A definition after every check: the pipeline when nothing is wrong, and everything that is wrong, in the order of the file. */
export interface Loaded {
  readonly pipeline?: Pipeline;
  readonly problems: readonly Problem[];
}

/** The pipeline that a JSON text (comments and trailing commas allowed) defines, deeply frozen; every fault at once. Never throws. */
export function loadDefinition(text: string, context: LoadContext): Loaded {
  const json = readJson(text, context.file);
  if (json.value === undefined) return { problems: json.problems };
  const { pipeline, problems } = check(json.value, json.locator, [], context);
  const all = inOrder([...json.problems, ...problems]);
  return pipeline === undefined || all.length > 0 ? { problems: all } : { pipeline, problems: all };
}

/** The same for what a definition written as code exports by default; `text` is its source, used to find places. */
export function loadCodeDefinition(exported: unknown, text: string, context: LoadContext): Loaded {
  if (!isRecord(exported)) return { problems: [noDefinition(exported, codeLocator(text, context.file, undefined))] };
  const { value, faults } = plainCopy(exported);
  return check(value, codeLocator(text, context.file, value), faults, context);
}

/** Most often the code of a node that was put beside the definitions. */
function noDefinition(exported: unknown, locator: Locator): Problem {
  const message = `the default export is ${show(exported)}, and a definition is an object`;
  const hint =
    "write export default { stages: [ ... ] }; the code of a node goes into a folder below pipelines/, such as pipelines/nodes/";
  return locate({ code: "M203", path: [], message, hint }, locator);
}

/** The defaults of design section 4. */
const DEFAULT_RETRY: RetryPolicy = { maxAttempts: 7, backoffSeconds: [60, 300, 900, 3600, 14_400, 86_400], jitter: 0 };

function check(definition: unknown, locator: Locator, before: readonly Fault[], context: LoadContext): Loaded {
  const told = (faults: readonly Fault[]): Loaded => ({
    problems: inOrder(faults.map((fault) => locate(fault, locator))),
  });
  if (!isRecord(definition)) {
    const message = `a definition is ${show(definition)}, but must be an object`;
    return told([...before, { code: "M203", path: [], message, hint: 'write { "stages": [ ... ] }' }]);
  }
  const top = topSchema.safeParse(definition);
  const topFaults = top.success ? [] : faultsOf(top.error.issues, { schema: topSchema, definition, base: [] });
  const name = typeof definition["name"] === "string" ? definition["name"] : baseName(context.file);
  const rawStages = Array.isArray(definition["stages"]) ? (definition["stages"] as readonly unknown[]) : [];
  const stages = rawStages.map((raw, i) => draftStage(raw, ["stages", i], definition, context.nodeTypes));
  const drafts = stages.map(({ draft }) => draft);
  const faults = [
    ...before,
    ...topFaults,
    ...nameFaults(definition, name),
    ...stages.flatMap((stage) => stage.faults),
    ...relationFaults(drafts, locator),
  ];
  if (faults.length > 0 || !top.success) return told(withoutEchoes(faults));
  return { pipeline: deepFreeze(assemble(top.data, name, drafts, locator, context.file)), problems: [] };
}

/** What could not be copied from code was told already; what the schema says of the gap it left is only an echo. */
function withoutEchoes(faults: readonly Fault[]): readonly Fault[] {
  const seen = new Set<string>();
  return faults.filter((fault) => {
    const key = JSON.stringify([fault.path, fault.code, fault.at]);
    return seen.size !== seen.add(key).size;
  });
}

function nameFaults(definition: Readonly<Record<string, unknown>>, name: string): readonly Fault[] {
  if (Object.hasOwn(definition, "name") || NAME_TEXT.test(name)) return [];
  const message = `the file's name gives the pipeline the name ${show(name)}, which targets cannot use`;
  return [
    { code: "M217", path: ["name"], message, hint: 'add "name": letters, digits, "_", "-", "." and inner spaces' },
  ];
}

/** The last part of a path without its extension. */
function baseName(file: string): string {
  const last = file.slice(file.lastIndexOf("/") + 1);
  return last.replace(/\.(?:jsonc?|ts|m?js)$/, "");
}

function assemble(top: ParsedTop, name: string, drafts: readonly Draft[], locator: Locator, file: string): Pipeline {
  const retryPolicy = retryPolicyOf(top.retryPolicy, DEFAULT_RETRY);
  const byId = stagesById(drafts);
  const builder: StageBuilder = { pipeline: name, retryPolicy, byId, locator };
  return {
    name,
    description: top.description,
    version: top.version,
    enabled: top.enabled,
    file,
    stateRoot: top.stateRoot,
    scanIntervalMs: top.scanInterval,
    maxConcurrentEntities: top.maxConcurrentEntities,
    retryPolicy,
    stages: inputsFirst(drafts).map((draft) => stageOf(draft, builder)),
    places: { name: locator.value(["name"]), stateRoot: locator.value(["stateRoot"]) },
  };
}

interface StageBuilder {
  readonly pipeline: string;
  readonly retryPolicy: RetryPolicy;
  readonly byId: ReadonlyMap<string, Draft>;
  readonly locator: Locator;
}

function stageOf(draft: Draft, builder: StageBuilder): Stage {
  if (draft.source !== undefined)
    return { ...commonOf(draft, draft.source, builder), ...sourceOf(draft, draft.source) };
  if (draft.task !== undefined)
    return { ...commonOf(draft, draft.task, builder), ...taskOf(draft, draft.task, builder) };
  throw new InternalError("a stage without faults was not understood");
}

type Common = "key" | "id" | "name" | "description" | "pipeline" | "pattern" | "place";

function commonOf(
  draft: Draft,
  parsed: ParsedSource | ParsedTask,
  { pipeline, locator }: StageBuilder,
): Pick<SourceStage, Common> {
  if (draft.pattern === undefined) throw new InternalError("a stage without faults has no pattern");
  return {
    key: stageKey(pipeline, parsed.id),
    id: parsed.id,
    name: parsed.name ?? parsed.id,
    description: parsed.description,
    pipeline,
    pattern: draft.pattern,
    place: locator.value([...draft.path, "pattern"]),
  };
}

function sourceOf(draft: Draft, parsed: ParsedSource): Omit<SourceStage, Common> {
  return { type: "source", filter: parsed.filter, settleMs: parsed.settle, marker: draft.marker };
}

function taskOf(
  draft: Draft,
  parsed: ParsedTask,
  { retryPolicy, byId, locator }: StageBuilder,
): Omit<TaskStage, Common> {
  const { type, input, nodes } = draft;
  if (type === "source" || type === undefined || input === undefined || nodes.node === undefined) {
    throw new InternalError("a stage without faults lacks its type, its input or its node");
  }
  const nodeOf = ({ typeId, data, path }: CheckedNode) => ({ typeId, data, place: locator.value(path) });
  return {
    type,
    inputs: [{ alias: input.alias, stage: input.stage }],
    ancestors: ancestorsOf(draft, byId).flatMap(({ id }) => id ?? []),
    node: nodeOf(nodes.node),
    then: nodes.then && nodeOf(nodes.then),
    else: nodes.else && nodeOf(nodes.else),
    validation: parsed.validation,
    timeoutMs: parsed.timeout,
    concurrency: parsed.concurrency ?? Infinity,
    priority: parsed.priority,
    retryPolicy: retryPolicyOf(parsed.retryPolicy, retryPolicy),
    env: [...new Set(parsed.env)],
    tools: parsed.tools,
    durability: parsed.durability,
    onEdit: parsed.onEdit,
    onOrphan: parsed.onOrphan,
    rerun: parsed.rerun ?? "changed",
  };
}

function retryPolicyOf(written: ParsedRetryPolicy | undefined, fallback: RetryPolicy): RetryPolicy {
  return {
    maxAttempts: written?.maxAttempts ?? fallback.maxAttempts,
    backoffSeconds: written?.backoffSeconds ?? fallback.backoffSeconds,
    jitter: written?.jitter ?? fallback.jitter,
  };
}
