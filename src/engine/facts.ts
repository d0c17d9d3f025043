import { fingerprint } from "../core/hash/hash.ts";
import { type FailureRecord, type Manifest, OUTSIDE_SIGNATURE } from "../core/model/manifest.ts";
import type { SourceStage } from "../core/model/pipeline.ts";
import type { ContentHash, Evidence, RelPath, Status } from "../core/model/words.ts";
import { renderPattern } from "../core/pattern/pattern.ts";
import type { Row, StateTable } from "../core/plan/state-table.ts";
import type { Task, TaskInput, Topology } from "../core/plan/topology.ts";
import type { CodeFacts, InputFact, TaskFacts, Verdict } from "../core/plan/verdict.ts";
import { judge } from "../core/plan/verdict.ts";
import type { Clock, Controls, StateReader } from "../ports.ts";
import type { ManifestBook } from "./manifest-book.ts";
import { resultRecord } from "./orphans/source-records.ts";
import type { StagesInForce } from "./stages.ts";

/** What judging needs of a root. `stages` and `controls` are read at each call: edits replace them. */
export interface FactSources {
  readonly table: StateTable;
  readonly book: ManifestBook;
  readonly reader: StateReader;
  readonly clock: Clock;
  readonly stages: () => StagesInForce;
  readonly controls: () => Controls;
  readonly envHash: (name: string) => string;
  /** Where a source that vanished has reappeared, if it has. */
  readonly movedTo?: (path: RelPath) => RelPath | undefined;
}

/** A task's verdict, or the paths whose hashes must be known first. */
export type Judged =
  { readonly verdict: Verdict; readonly manifest: Manifest } | { readonly unknown: readonly RelPath[] };

/** Gathers the facts round a task from table and manifests, and judges it: steps 3 and 4 of the journey. */
export function judgeTask(task: Task, from: FactSources): Judged {
  const manifest = from.book.get(task.entity.id);
  const refusal = from.book.refusal(task.entity.id);
  if (refusal) return { verdict: standing("failed", refusal[0]!.message), manifest };
  if (task.ambiguous !== undefined) return { verdict: judgeAmbiguous(task, from), manifest };

  const hashes = new HashLookup(from.table);
  const verdict = judge(gatherFacts(task, manifest, hashes, from));
  return hashes.unknown.size > 0 ? { unknown: [...hashes.unknown] } : { verdict, manifest };
}

/** What decides about a task now. A hash that is not known yet counts as none. */
export function factsOf(task: Task, from: FactSources): TaskFacts {
  return gatherFacts(task, from.book.get(task.entity.id), new HashLookup(from.table), from);
}

function gatherFacts(task: Task, manifest: Manifest, hashes: HashLookup, from: FactSources): TaskFacts {
  const stages = from.stages();
  const inForce = stages.of(task.stage);
  const pattern = task.stage.pattern.text;
  const record = resultRecord(manifest, pattern);
  const failure = Object.hasOwn(manifest.failures, pattern) ? manifest.failures[pattern] : undefined;
  // Effects outside need an idempotency key, which is made of the inputs' hashes.
  const wantsHashes = record !== undefined || failure !== undefined || inForce.lane === "single";
  const inputs = task.inputs.map((input) => inputFact(input, stages.topology, from, wantsHashes ? hashes : undefined));
  const outputHash = hashes.of(task.path) ?? undefined;
  return {
    inputs,
    hashNow: (path) => hashes.of(path),
    code: inForce.code,
    envNow: from.envHash,
    record,
    outputHash,
    failure,
    sameFailure:
      failure !== undefined &&
      inForce.code !== undefined &&
      !isForcedAnew(task, failure, from.controls()) &&
      isSameFailure(failure, inForce.code, hashes, from),
    maxAttempts: task.stage.retryPolicy.maxAttempts,
    isSink: task.stage.type === "sink",
    rerunSinkForCode: task.stage.rerun === "always",
    keepEdits: task.stage.onEdit === "keep",
    onOrphan: task.stage.onOrphan,
    ...controlFacts(task, from.controls()),
    nowMs: from.clock.wallMs(),
  };
}

/** Hashes as the table knows them; collects the paths that are there but whose content is not known. */
class HashLookup {
  readonly unknown = new Set<RelPath>();
  readonly #table: StateTable;

  constructor(table: StateTable) {
    this.#table = table;
  }

  of(path: RelPath): ContentHash | null {
    const row = this.#table.find(path);
    if (row === undefined || !this.#table.isPresent(row)) return null;
    // A racy hash is today's as far as anybody can tell; the look that is to come finds what escaped this one.
    const hash = this.#table.lastHashOf(row);
    if (hash === undefined) this.unknown.add(path);
    return hash ?? null;
  }
}

function controlFacts(task: Task, controls: Controls): Pick<TaskFacts, "held" | "forced" | "retraction"> {
  const { retractions = {} } = controls;
  return {
    retraction: Object.hasOwn(retractions, task.key) ? retractions[task.key]!.is : undefined,
    held: Object.hasOwn(controls.held, task.key) || Object.hasOwn(controls.held, task.stage.key),
    forced: Object.hasOwn(controls.forced, task.key),
  };
}

/** Was the task invalidated since it failed? Then it gets an attempt at once, and backs off when that fails, too. */
function isForcedAnew({ key }: Task, failure: FailureRecord, { forced }: Controls): boolean {
  return Object.hasOwn(forced, key) && Date.parse(forced[key]!) > Date.parse(failure.lastFailedAt);
}

function standing(status: Status, why: string, evidence: readonly Evidence[] = []): Verdict {
  return { status, due: false, retract: false, evidence, waitingFor: [why] };
}

function judgeAmbiguous(task: Task, from: FactSources): Verdict {
  const there = task.inputs.every((input) => {
    const row = from.table.find(input.path);
    return row !== undefined && from.table.isPresent(row);
  });
  if (!there) {
    const { states, failures } = from.book.get(task.entity.id);
    const pattern = task.stage.pattern.text;
    // What it left in its manifest goes with it.
    const retract = Object.hasOwn(states, pattern) || Object.hasOwn(failures, pattern);
    return { status: "none", due: false, retract, evidence: [], waitingFor: [] };
  }
  return standing("failed", task.ambiguous!, [{ code: "ambiguous-name", subject: task.entity.id }]);
}

/** The signature of a task under given inputs: what a failure is keyed by. */
export function signatureOf(
  inputHashes: FailureRecord["inputHashes"],
  code: CodeFacts,
  envReads: Readonly<Record<string, string>>,
): string {
  const env = { ...envReads, ...code.envHashes };
  return fingerprint({
    inputs: inputHashes,
    codeHash: code.codeHash,
    paramsHash: code.paramsHash,
    env,
    tools: code.toolHashes,
  });
}

function isSameFailure(failure: FailureRecord, code: CodeFacts, hashes: HashLookup, from: FactSources): boolean {
  if (failure.signature === OUTSIDE_SIGNATURE) return true;
  const now = Object.fromEntries(Object.keys(failure.inputHashes).map((path) => [path, hashes.of(path)]));
  const env = Object.fromEntries(Object.keys(failure.envHashes ?? {}).map((name) => [name, from.envHash(name)]));
  return signatureOf(now, code, env) === failure.signature;
}

// ---------------------------------------------------------------- inputs

/** What an upstream task's status means for what is made from its result. */
const UPSTREAM: Readonly<Record<Status, InputFact["is"]>> = {
  fresh: "ready",
  skipped: "absent",
  orphaned: "orphaned",
  settling: "settling",
  retrying: "failed",
  failed: "failed",
  quarantined: "failed",
  blocked: "failed",
  missing: "pending",
  stale: "pending",
  waiting: "pending",
  queued: "pending",
  running: "pending",
  held: "pending",
};

function inputFact(input: TaskInput, topology: Topology, from: FactSources, hashes: HashLookup | undefined): InputFact {
  const { table } = from;
  const { path } = input;
  const row = table.find(path);
  const is = (state: InputFact["is"], why: string): InputFact => ({ path, is: state, hash: undefined, why });
  const gone = (): InputFact => {
    const movedTo = from.movedTo?.(path);
    return is("absent", `${path} is not there${movedTo === undefined ? "" : `: it moved to ${movedTo}`}`);
  };
  if (row === undefined) return gone();
  if (table.isRefused(row)) {
    const look = from.reader.look(path);
    return is(
      "failed",
      `${path} cannot be read: ${look.is === "refused" ? look.reason : "the system does not let us read it; check its permissions"}`,
    );
  }
  const producer = topology.role(table.roleOf(row)).producer;
  const status = table.statusOf(row);
  if (producer) {
    const upstream = UPSTREAM[status ?? "waiting"];
    const isPlainSource = upstream === "orphaned" && input.stage.type === "source" && !isMade(path, topology, from);
    // What a stage chose not to make is absent only when the older result is gone.
    if (upstream === "absent" && table.isPresent(row))
      return is("pending", `${path} is to be taken away (${producer.id})`);
    if (upstream !== "ready" && !isPlainSource)
      return is(upstream, `${path} is ${status ?? "not looked at"} (${producer.id})`);
  } else if (status === "settling") {
    return is("settling", `${path} is still being written`);
  }
  if (!table.isPresent(row)) return gone();
  if (input.stage.type === "source") {
    const why = whyNotTaken(input.stage, path, row, from);
    if (why) return is(why.is, why.why);
  }
  return { path, is: "ready", hash: hashes?.of(path) ?? undefined, why: "" };
}

/** Did the stage whose pattern the path matches make it? Else somebody put a file there, which is as good as any other source. */
function isMade(path: RelPath, topology: Topology, from: FactSources): boolean {
  const task = topology.producerTask(path);
  return task !== undefined && resultRecord(from.book.get(task.entity.id), task.stage.pattern.text) !== undefined;
}

/** Why a source file that is there does not count (its filter, its done-file); `undefined` when it does. */
export function whyNotTaken(
  stage: SourceStage,
  path: RelPath,
  row: Row,
  from: Pick<FactSources, "table" | "reader" | "stages">,
): { is: "absent" | "settling"; why: string } | undefined {
  const { minSize, maxSize, minFiles } = stage.filter;
  const size = from.table.sizeOf(row);
  if (minSize !== undefined && size < minSize)
    return { is: "absent", why: `${path} has ${size} bytes, the filter of "${stage.id}" wants at least ${minSize}` };
  if (maxSize !== undefined && size > maxSize)
    return { is: "absent", why: `${path} has ${size} bytes, the filter of "${stage.id}" wants at most ${maxSize}` };
  if (minFiles !== undefined) {
    const files = from.reader.countFiles(path);
    if (files < minFiles)
      return {
        is: "absent",
        why: `${path} has ${files} files, the filter of "${stage.id}" wants at least ${minFiles}`,
      };
  }
  if (!stage.marker) return undefined;
  const vars = from.stages().topology.varsOf(stage, path);
  const marker = vars && renderPattern(stage.marker, vars);
  if (marker?.ok && from.reader.look(marker.path).is === "file") return undefined;
  return { is: "settling", why: `${path} waits for its done-file ${marker?.ok ? marker.path : stage.marker.text}` };
}
