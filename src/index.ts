/**
 * Millrace as a library: the engine's own parts, used without a daemon. `docs/walkthrough.md` shows them step by step.
 *
 * A `StateStore` is one root: files, manifests, failures. `scanForWork` says what a pipeline has to do there, `executeStage` does
 * one piece of it, `isStale` says whether one result is still right. What is wrong with an argument throws `MillraceError`.
 */
export { MillraceError } from "./engine/library/error.ts";
export { StateStore, type FailureReport, type StateStoreOptions } from "./engine/library/state-store.ts";
export { readPipeline, type PipelineLike } from "./engine/library/definition.ts";
export { scanForWork, type WorkItem } from "./engine/library/scan.ts";
export { executeStage, type ExecuteOptions, type ExecutionResult } from "./engine/library/execute.ts";
export { isStale, type StalenessQuery, type StalenessResult } from "./engine/library/staleness.ts";
export type { ReasonWord } from "./engine/library/reason-word.ts";

// Definitions and nodes written in TypeScript.
export {
  defineNode,
  definePipeline,
  type Duration,
  type InputDefinition,
  type NodeArgument,
  type NodeDefinition,
  type NodeFunction,
  type NodeState,
  type PipelineDefinition,
  type RetryPolicyDefinition,
  type SinkDefinition,
  type Size,
  type SourceDefinition,
  type StageDefinition,
  type TransformDefinition,
  type VarsOf,
} from "./core/pipeline/define.ts";

// Patterns.
export {
  entityIdOf,
  matchPattern,
  parsePattern,
  renderPattern,
  varsOfEntity,
  type Pattern,
  type PatternFault,
  type Rendered,
} from "./core/pattern/pattern.ts";

// The words of results, manifests and problems.
export { SOURCE_CODE_HASH } from "./core/model/manifest.ts";
export type { ErrorCategory, FailureRecord, Manifest, StateRecord } from "./core/model/manifest.ts";
export type { Pipeline, RetryPolicy, SourceStage, Stage, TaskStage } from "./core/model/pipeline.ts";
export { renderProblem, type Place, type Problem } from "./core/model/problem.ts";
export { PROBLEM_TITLES, type ProblemCode } from "./core/model/problems.ts";
export type { Result } from "./core/model/result.ts";
export { STATUSES } from "./core/model/words.ts";
export type {
  CodeHash,
  ContentHash,
  EntityId,
  Evidence,
  ReasonCode,
  RelPath,
  ResultWord,
  Status,
  Vars,
} from "./core/model/words.ts";
export type { Verdict } from "./core/plan/verdict.ts";
