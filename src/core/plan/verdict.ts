import { type FailureRecord, HOPELESS, type StateRecord } from "../model/manifest.ts";
import type { ContentHash, Evidence, ReasonCode, RelPath, Status, WallMs } from "../model/words.ts";

/** What is known of one declared input when a task is judged. */
export interface InputFact {
  readonly path: RelPath;
  readonly is:
    | "ready"
    /** Not there, and nothing will make it. */
    | "absent"
    /** Still being written. */
    | "settling"
    /** The stage that makes it has work to do first. */
    | "pending"
    /** The stage that makes it failed, or the file cannot be read. */
    | "failed"
    /** It is there, but what it was made from is gone. */
    | "orphaned";
  /** Its hash now; `undefined` unless ready. */
  readonly hash: ContentHash | undefined;
  /** Why it is not ready, for people. */
  readonly why: string;
}

/** What the node of a task is today. */
export interface CodeFacts {
  readonly codeHash: string;
  readonly paramsHash: string;
  readonly envHashes: Readonly<Record<string, string>>;
  readonly toolHashes: Readonly<Record<string, string>>;
}

/** Everything that decides about one task, gathered at one moment. */
export interface TaskFacts {
  readonly inputs: readonly InputFact[];
  /** Hash now of every path that the record or the failure names; `null` when absent. */
  readonly hashNow: (path: RelPath) => ContentHash | null;
  /** `undefined` when the node cannot run as it is written. */
  readonly code: CodeFacts | undefined;
  /** HMAC now of a variable that a run read by `$env`. */
  readonly envNow: (name: string) => string;
  readonly record: StateRecord | undefined;
  /** The output on disk; `undefined`: absent. */
  readonly outputHash: ContentHash | undefined;
  readonly failure: FailureRecord | undefined;
  /** Is the failure's signature today's, and was the task not invalidated since? */
  readonly sameFailure: boolean;
  readonly maxAttempts: number;
  readonly isSink: boolean;
  readonly rerunSinkForCode: boolean;
  readonly keepEdits: boolean;
  readonly held: boolean;
  readonly forced: boolean;
  readonly nowMs: WallMs;
}

/** The answer for a task, and the body of `explain`. */
export interface Verdict {
  /** `none`: there is no such task (its input and its output are both gone). `due` marks work that may start now. */
  readonly status: Status | "none";
  readonly due: boolean;
  /** For `retrying`: when the next attempt is due. */
  readonly retryAt?: WallMs;
  readonly evidence: readonly Evidence[];
  readonly waitingFor: readonly string[];
}

/** The verdict's reasons, each once, in the order of the evidence. */
export function reasonsOf(verdict: Verdict): ReasonCode[] {
  return [...new Set(verdict.evidence.map((e) => e.code))];
}

/**
 * Why the recorded result is not today's result; empty when it is. Upstream work is not looked at here.
 *
 * One walk for the hash comparison and for the explanation: a task is stale exactly when there is evidence.
 */
export function findEvidence(facts: TaskFacts): Evidence[] {
  const { record, code } = facts;
  const evidence: Evidence[] = [];
  if (facts.forced) evidence.push({ code: "forced", subject: "invalidate" });
  if (!record) {
    const foreign = facts.outputHash !== undefined;
    evidence.push(
      foreign
        ? { code: "foreign-file", subject: "output", now: facts.outputHash }
        : { code: "output-missing", subject: "output" },
    );
    return evidence;
  }
  outputEvidence(facts, record, evidence);
  if (code && !(facts.isSink && !facts.rerunSinkForCode)) codeEvidence(facts, record, code, evidence);
  inputEvidence(facts, record, evidence);
  return evidence;
}

function outputEvidence(facts: TaskFacts, record: StateRecord, evidence: Evidence[]): void {
  const { contentHash } = record;
  // Where the run chose to make nothing, a file is none of ours: it stays.
  if (contentHash === null) return;
  if (facts.outputHash === undefined) {
    evidence.push({ code: "output-missing", subject: "output", before: contentHash });
  } else if (facts.outputHash !== contentHash && !facts.keepEdits) {
    evidence.push({ code: "output-modified", subject: "output", before: contentHash, now: facts.outputHash });
  }
}

function codeEvidence(facts: TaskFacts, record: StateRecord, code: CodeFacts, evidence: Evidence[]): void {
  if (record.codeHash !== code.codeHash)
    evidence.push({ code: "code-changed", subject: "code", before: record.codeHash, now: code.codeHash });
  if (record.paramsHash !== code.paramsHash)
    evidence.push({ code: "params-changed", subject: "params", before: record.paramsHash, now: code.paramsHash });
  const envBefore = record.envHashes ?? {};
  for (const name of keysOfBoth(envBefore, code.envHashes)) {
    const now = code.envHashes[name] ?? facts.envNow(name);
    if (envBefore[name] !== now) evidence.push(difference("env-changed", name, envBefore[name], now));
  }
  const toolsBefore = record.toolHashes ?? {};
  for (const name of keysOfBoth(toolsBefore, code.toolHashes)) {
    if (toolsBefore[name] !== code.toolHashes[name])
      evidence.push(difference("tool-changed", name, toolsBefore[name], code.toolHashes[name]));
  }
}

function inputEvidence(facts: TaskFacts, record: StateRecord, evidence: Evidence[]): void {
  for (const input of facts.inputs) {
    if (!Object.hasOwn(record.inputHashes, input.path) && input.hash !== undefined)
      evidence.push({ code: "input-added", subject: input.path, now: input.hash });
  }
  const declared = new Map(facts.inputs.map((input) => [input.path, input]));
  for (const [path, before] of Object.entries(record.inputHashes)) {
    const input = declared.get(path);
    if (input && input.is !== "ready") continue; // what is not ready is upstream's matter
    const now = input ? (input.hash ?? null) : facts.hashNow(path);
    if (now === before) continue;
    const code = now === null ? "input-removed" : before === null ? "input-added" : "input-changed";
    evidence.push(difference(code, path, before, now));
  }
}

function difference(
  code: ReasonCode,
  subject: string,
  before: string | null | undefined,
  now: string | null | undefined,
): Evidence {
  return { code, subject, ...(before == null ? {} : { before }), ...(now == null ? {} : { now }) };
}

function keysOfBoth(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted();
}

/**
 * The verdict for a task: the first rule that applies decides.
 *
 * 1. An input is gone: `orphaned` when something was made of it, else there is no task.
 * 2. An input is made of something gone: `orphaned`, too.
 * 3. An input failed: `blocked`; the last good output stays.
 * 4. An input is being written or made: `settling`, `waiting`.
 * 5. Nothing differs: `fresh`, or `skipped` when the run chose to make nothing.
 * 6. It failed under today's signature: `quarantined`, `failed` or `retrying` until it is due.
 * 7. Its node cannot run as it is written: `failed`.
 * 8. It is held, or its edited output is to be kept: `held`.
 * 9. It is due: `missing` when there is no output, else `stale`.
 */
export function judge(facts: TaskFacts): Verdict {
  const made = facts.record !== undefined || facts.outputHash !== undefined;
  const problem = (is: InputFact["is"]): InputFact[] => facts.inputs.filter((input) => input.is === is);
  const because = (inputs: readonly InputFact[]): string[] => inputs.map((input) => input.why);

  const absent = problem("absent");
  if (absent.length > 0) {
    const orphaned = made && facts.outputHash !== undefined;
    return { status: orphaned ? "orphaned" : "none", due: false, evidence: [], waitingFor: because(absent) };
  }
  const orphaned = problem("orphaned");
  if (orphaned.length > 0)
    return { status: made ? "orphaned" : "none", due: false, evidence: [], waitingFor: because(orphaned) };

  for (const [is, status] of NOT_READY) {
    const inputs = problem(is);
    if (inputs.length === 0) continue;
    // A file that is still being written is no upstream work: what it will hold is not known yet.
    const upstream =
      is === "settling" ? [] : inputs.map((input) => ({ code: "upstream-stale" as const, subject: input.path }));
    return { status, due: false, evidence: [...findEvidence(facts), ...upstream], waitingFor: because(inputs) };
  }
  return judgeReady(facts, findEvidence(facts));
}

const NOT_READY = [
  ["failed", "blocked"],
  ["settling", "settling"],
  ["pending", "waiting"],
] as const;

const HELD = '"release" lets it go on';
const KEPT_EDIT = 'its output was edited by hand and "onEdit" keeps it: accept it as it is, or invalidate the task';

function keepsEdit({ keepEdits, forced, record, outputHash }: TaskFacts): boolean {
  const edited = record?.contentHash != null && outputHash !== undefined && outputHash !== record.contentHash;
  return keepEdits && edited && !forced;
}

/** What a failure under today's signature means; `undefined` when the next attempt may start. */
function judgeFailure(
  facts: TaskFacts,
  failure: FailureRecord,
): Pick<Verdict, "status" | "due" | "retryAt"> | undefined {
  if (HOPELESS.has(failure.category)) return { status: "failed", due: false };
  if (failure.attempts >= facts.maxAttempts) return { status: "quarantined", due: false };
  const retryAt = failure.nextRetryAt === null ? Number.NaN : Date.parse(failure.nextRetryAt);
  // Set aside under a policy that allowed fewer attempts: the next one is due at once.
  if (Number.isNaN(retryAt)) return undefined;
  return facts.held ? { status: "held", due: false } : { status: "retrying", due: true, retryAt };
}

function judgeReady(facts: TaskFacts, evidence: readonly Evidence[]): Verdict {
  if (evidence.length === 0) {
    const status = facts.record?.contentHash === null ? "skipped" : "fresh";
    return { status, due: false, evidence, waitingFor: [] };
  }
  const { failure } = facts;
  const failed = failure && facts.sameFailure ? judgeFailure(facts, failure) : undefined;
  if (failed) return { evidence, waitingFor: [], ...failed };
  if (!facts.code)
    return { status: "failed", due: false, evidence, waitingFor: ["the node cannot run as it is written"] };
  if (keepsEdit(facts)) return { status: "held", due: false, evidence, waitingFor: [KEPT_EDIT] };
  if (facts.held) return { status: "held", due: false, evidence, waitingFor: [HELD] };
  const missing = facts.outputHash === undefined && facts.record?.contentHash !== null;
  return { status: missing ? "missing" : "stale", due: true, evidence, waitingFor: [] };
}
