import { ACCEPTED, type FailureRecord, HOPELESS, type StateRecord } from "../model/manifest.ts";
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
  readonly onOrphan: "trash" | "keep" | "delete";
  /** What the guard against large deletions or a person decided about this task's product. */
  readonly retraction: "frozen" | "accepted" | undefined;
  readonly held: boolean;
  readonly forced: boolean;
  readonly nowMs: WallMs;
}

/** The answer for a task, and the body of `explain`. */
export interface Verdict {
  /** `none`: there is no such task (its input and its output are both gone). `due` marks work that may start now. */
  readonly status: Status | "none";
  readonly due: boolean;
  /** What it left (its product, or only its records) is to be taken away once a second look has confirmed it. */
  readonly retract: boolean;
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
 * 1. An input is gone: `orphaned` while what was made of it is there, else there is no task.
 * 2. An input is made of something gone: the same.
 * 3. An input failed: `blocked`; the last good output stays.
 * 4. An input is being written or made: `settling`, `waiting`.
 * 5. Nothing differs: `fresh`, or `skipped` when the run chose to make nothing (`orphaned` while a file stays there).
 * 6. It failed under today's signature: `quarantined`, `failed` or `retrying` until it is due.
 * 7. Its node cannot run as it is written: `failed`.
 * 8. It is held, or its edited output is to be kept: `held`.
 * 9. It is due: `missing` when there is no output, else `stale`.
 */
export function judge(facts: TaskFacts): Verdict {
  const problem = (is: InputFact["is"]): InputFact[] => facts.inputs.filter((input) => input.is === is);
  const because = (inputs: readonly InputFact[]): string[] => inputs.map((input) => input.why);

  for (const is of ["absent", "orphaned"] as const) {
    const gone = problem(is);
    if (gone.length > 0) return judgeLeft(facts, because(gone));
  }

  for (const [is, status] of NOT_READY) {
    const inputs = problem(is);
    if (inputs.length === 0) continue;
    // A file that is still being written is no upstream work: what it will hold is not known yet.
    const upstream =
      is === "settling" ? [] : inputs.map((input) => ({ code: "upstream-stale" as const, subject: input.path }));
    const evidence = [...findEvidence(facts), ...upstream];
    return { status, due: false, retract: false, evidence, waitingFor: because(inputs) };
  }
  return judgeReady(facts, findEvidence(facts));
}

const FROZEN =
  'too much would go at once, so it is kept: bring the files back, or let it go with "millrace accept --deletions"';

/** What a task left that has lost its input, or that chose to make nothing, and whether it goes. */
function judgeLeft(facts: TaskFacts, why: readonly string[]): Verdict {
  const { record, outputHash, failure, retraction } = facts;
  const nothing = { due: false, evidence: [] };
  if (outputHash === undefined) {
    const hasRecords = record !== undefined || failure !== undefined;
    return { ...nothing, status: "none", retract: hasRecords, waitingFor: why };
  }
  const stays = whyLeft(facts, outputHash);
  const told = stays ?? (retraction === "frozen" ? FROZEN : undefined);
  const waitingFor = told === undefined ? why : [...why, told];
  return { ...nothing, status: "orphaned", retract: stays === undefined, waitingFor };
}

/** Why a file that is left over stays where it is; `undefined` when it is our own, unchanged, and to be taken away. */
function whyLeft({ record, onOrphan }: TaskFacts, outputHash: ContentHash): string | undefined {
  if (record?.runId === ACCEPTED) return "its output was accepted as it is, so it stays: remove it by hand";
  const ours = record && (record.contentHash ?? record.leftover);
  if (ours === undefined) return "Millrace did not write the file that lies there, so it stays";
  if (ours !== outputHash) return "its output was edited by hand, so it stays: remove it by hand";
  return onOrphan === "keep" ? '"onOrphan" keeps its output' : undefined;
}

/** The node ran and made nothing: an older result goes, what somebody else put there is shown. */
function judgeSkipped(facts: TaskFacts, evidence: readonly Evidence[]): Verdict {
  if (facts.outputHash === undefined) {
    const retract = facts.record?.leftover !== undefined;
    return { status: "skipped", due: false, retract, evidence, waitingFor: [] };
  }
  const left = judgeLeft(facts, ["its stage chose to make nothing of its input"]);
  return left.retract ? { ...left, status: "skipped" } : left;
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
    if (facts.record?.contentHash === null) return judgeSkipped(facts, evidence);
    return { status: "fresh", due: false, retract: false, evidence, waitingFor: [] };
  }
  const stands = { due: false, retract: false, evidence };
  const { failure } = facts;
  const failed = failure && facts.sameFailure ? judgeFailure(facts, failure) : undefined;
  if (failed) return { ...stands, waitingFor: [], ...failed };
  if (!facts.code) return { ...stands, status: "failed", waitingFor: ["the node cannot run as it is written"] };
  if (keepsEdit(facts)) return { ...stands, status: "held", waitingFor: [KEPT_EDIT] };
  if (facts.held) return { ...stands, status: "held", waitingFor: [HELD] };
  const missing = facts.outputHash === undefined && facts.record?.contentHash !== null;
  return { ...stands, status: missing ? "missing" : "stale", due: true, waitingFor: [] };
}
