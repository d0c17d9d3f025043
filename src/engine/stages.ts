import { canonicalJson, hashBytes } from "../core/hash/hash.ts";
import type { Pipeline, TaskStage } from "../core/model/pipeline.ts";
import type { Problem } from "../core/model/problem.ts";
import type { AbsPath, StageKey } from "../core/model/words.ts";
import type { CodeFacts } from "../core/plan/verdict.ts";
import { Topology } from "../core/plan/topology.ts";
import type { Job, NodeRunner, StageWork } from "../ports.ts";

/** A stage as it runs today. */
export interface StageInForce {
  readonly stage: TaskStage;
  /** `undefined` when its node cannot run as it is written and never could: its tasks are `failed`. */
  readonly work: StageWork | undefined;
  readonly code: CodeFacts | undefined;
  readonly lane: Job["lane"];
  /** Changes whenever anything that can make its tasks stale changes. */
  readonly stamp: string;
}

/** The definitions of one root as they run: what the journey asks about a stage. Replaced as a whole by an edit. */
export class StagesInForce {
  readonly topology: Topology;
  readonly #stages: ReadonlyMap<StageKey, StageInForce>;
  readonly problems: readonly Problem[];

  constructor(
    pipelines: readonly Pipeline[],
    stages: ReadonlyMap<StageKey, StageInForce>,
    problems: readonly Problem[],
  ) {
    this.topology = new Topology(pipelines);
    this.#stages = stages;
    this.problems = problems;
  }

  of(stage: TaskStage): StageInForce {
    return this.#stages.get(stage.key)!;
  }

  get(key: StageKey): StageInForce | undefined {
    return this.#stages.get(key);
  }

  all(): IterableIterator<StageInForce> {
    return this.#stages.values();
  }

  /** Absolute paths of the code files to watch. */
  codeFiles(): AbsPath[] {
    const files = new Set<AbsPath>();
    for (const { work } of this.#stages.values()) for (const file of work?.code.files ?? []) files.add(file);
    return [...files].toSorted();
  }

  /** Stage key to stamp: what to compare after a restart or an edit. */
  stamps(): Record<StageKey, string> {
    const stamps: Record<StageKey, string> = Object.create(null);
    for (const [key, stage] of this.#stages) stamps[key] = stage.stamp;
    for (const stage of this.topology.stages)
      if (stage.type === "source")
        stamps[stage.key] = hashBytes(canonicalJson([stage.pattern.text, stage.filter, stage.marker?.text ?? null]));
    return stamps;
  }
}

export interface BringOptions {
  readonly runner: NodeRunner;
  readonly pipelinesFolder: AbsPath;
  readonly cacheFolder: AbsPath;
  /** The HMAC of a variable's value today. */
  readonly envHash: (name: string) => string;
  /** What runs now: a stage whose code no longer compiles keeps its last good version. */
  readonly before: StagesInForce | undefined;
}

/** Inspects every stage's code and puts the pipelines in force. Never fails: what cannot run is in `problems`. */
export async function bringIntoForce(pipelines: readonly Pipeline[], options: BringOptions): Promise<StagesInForce> {
  const stages = new Map<StageKey, StageInForce>();
  const problems: Problem[] = [];
  const taskStages = pipelines.flatMap((pipeline) => pipeline.stages).filter((stage) => stage.type !== "source");
  const inspected = await Promise.all(taskStages.map((stage) => inspectStage(stage, options)));
  for (const { inForce, problems: found } of inspected) {
    stages.set(inForce.stage.key, inForce);
    for (const p of found) if (!problems.some((q) => q.code === p.code && q.message === p.message)) problems.push(p);
  }
  return new StagesInForce(pipelines, stages, problems);
}

async function inspectStage(
  stage: TaskStage,
  options: BringOptions,
): Promise<{ inForce: StageInForce; problems: readonly Problem[] }> {
  const { runner, pipelinesFolder, cacheFolder } = options;
  const inspected = await runner.inspect({
    node: stage.node,
    then: stage.then,
    else: stage.else,
    tools: stage.tools,
    pipelinesFolder,
    cacheFolder,
  });
  if (!inspected.ok) {
    const last = options.before?.get(stage.key);
    const work = last?.work;
    return { inForce: enforce(stage, work, options), problems: inspected.problems };
  }
  const work: StageWork = {
    stageKey: stage.key,
    node: stage.node,
    then: stage.then,
    else: stage.else,
    validation: stage.validation,
    timeoutMs: stage.timeoutMs,
    env: stage.env,
    code: inspected.value,
    pipelinesFolder,
  };
  const same = options.before?.get(stage.key)?.work;
  // The same object while nothing changed, so that attempts in flight stay valid across an edit elsewhere.
  return {
    inForce: enforce(stage, same && canonicalJson(same) === canonicalJson(work) ? same : work, options),
    problems: [],
  };
}

function enforce(stage: TaskStage, work: StageWork | undefined, options: BringOptions): StageInForce {
  const envHashes = Object.fromEntries(stage.env.map((name) => [name, options.envHash(name)]));
  const code = work && {
    codeHash: work.code.codeHash,
    paramsHash: work.code.paramsHash,
    envHashes,
    toolHashes: work.code.toolHashes,
  };
  const { pattern, inputs, validation, retryPolicy, onEdit, onOrphan, rerun, type } = stage;
  const shape = [pattern.text, inputs, validation, retryPolicy.maxAttempts, onEdit, onOrphan, rerun, type];
  return {
    stage,
    work,
    code,
    lane: work ? options.runner.laneOf(work) : "single",
    stamp: hashBytes(canonicalJson([shape, code ?? null])),
  };
}
