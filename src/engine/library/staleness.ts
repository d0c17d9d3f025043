import type { Evidence, ContentHash, EntityId, RelPath } from "../../core/model/words.ts";
import { findEvidence } from "../../core/plan/verdict.ts";
import { MillraceError } from "./error.ts";
import { pathOf } from "./names.ts";
import { evidenceText, type ReasonWord, reasonWord } from "./reason-word.ts";
import type { StateStore } from "./state-store.ts";
import { problem } from "../../core/model/problem.ts";

/** Which result to look at, and what its code is today. */
export interface StalenessQuery {
  readonly entityId: EntityId;
  readonly stagePattern: string;
  /** For the words of `details` only. */
  readonly stageId?: string;
  /** Left out: the code is taken to be unchanged. */
  readonly currentCodeHash?: string;
}

/** Whether a result is still right, and why not. */
export interface StalenessResult {
  readonly isStale: boolean;
  /** The first reason, such as `code_changed`; `null` when it is fresh. */
  readonly reason: ReasonWord | null;
  /** One sentence for each piece of evidence, joined by `; `; empty when it is fresh. */
  readonly details: string;
  readonly evidence: readonly Evidence[];
}

/**
 * Compares what the manifest records of a result with what is on disk now and with a code hash: the same walk that scans and
 * `explain` use. Knows no pipeline: an input that a definition has gained since, params, environment and tools are for `scanForWork`.
 */
export async function isStale(store: StateStore, query: StalenessQuery): Promise<StalenessResult> {
  const { entityId, stagePattern, stageId, currentCodeHash } = query;
  const output = pathOf(stagePattern, entityId);
  const { states } = store.getManifest(entityId);
  const record = Object.hasOwn(states, stagePattern) ? states[stagePattern] : undefined;
  const hashes = new Map<RelPath, ContentHash | null>();
  for (const path of [output, ...Object.keys(record?.inputHashes ?? {})]) hashes.set(path, await hashOf(store, path));
  const evidence = findEvidence({
    inputs: [],
    hashNow: (path) => hashes.get(path) ?? null,
    code: record && {
      codeHash: currentCodeHash ?? record.codeHash,
      paramsHash: record.paramsHash,
      envHashes: record.envHashes ?? {},
      toolHashes: record.toolHashes ?? {},
    },
    envNow: (name) => record?.envHashes?.[name] ?? "",
    record,
    outputHash: hashes.get(output) ?? undefined,
    failure: undefined,
    sameFailure: false,
    maxAttempts: 1,
    isSink: false,
    rerunSinkForCode: false,
    keepEdits: false,
    onOrphan: "trash",
    retraction: undefined,
    held: false,
    forced: false,
    nowMs: store.ports.clock.wallMs(),
  });
  const [first] = evidence;
  const of = stageId === undefined ? "" : ` (stage ${stageId})`;
  return {
    isStale: first !== undefined,
    reason: first ? reasonWord(first.code) : null,
    details: evidence.map((one) => evidenceText(one, output)).join("; ") + (record || !first ? "" : of),
    evidence,
  };
}

async function hashOf({ ports }: StateStore, path: RelPath): Promise<ContentHash | null> {
  const hashed = await ports.reader.hash(path);
  if (hashed.is === "hashed") return hashed.hash;
  if (hashed.is === "absent") return null;
  const why = hashed.is === "refused" ? hashed.reason : "it is being written";
  throw new MillraceError([problem("M135", `"${path}" cannot be used: ${why}`, "put that right and try again")]);
}
