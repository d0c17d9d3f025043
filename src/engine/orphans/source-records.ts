import { type Manifest, SOURCE_CODE_HASH, type StateRecord } from "../../core/model/manifest.ts";
import type { ContentHash, EntityId, RelPath } from "../../core/model/words.ts";
import { entityIdOf } from "../../core/pattern/pattern.ts";
import type { StateTable } from "../../core/plan/state-table.ts";
import type { Task, Topology } from "../../core/plan/topology.ts";
import type { Clock } from "../../ports.ts";
import { type ManifestBook, withEntry } from "../manifest-book.ts";
import { breathe } from "../watching/reconcile.ts";

/** A source's record, and where it goes. */
export interface SourceEntry {
  readonly entityId: EntityId;
  readonly pattern: string;
  readonly record: StateRecord;
}

/** How many manifests are read before others get a turn. */
const SLICE = 256;

/**
 * What a manifest says of the result of a stage with this pattern, if it says anything. A source has its record in the same
 * place where its pattern is the same: what a person dropped there before a stage came to make it is none of our results.
 */
export function resultRecord({ states }: Manifest, pattern: string): StateRecord | undefined {
  const record = Object.hasOwn(states, pattern) ? states[pattern] : undefined;
  return record?.codeHash === SOURCE_CODE_HASH ? undefined : record;
}

/** The sources a task was made from are states of their entities, too: the records that the manifests lack. */
export function missingSources(
  task: Task,
  { inputHashes, runId }: StateRecord,
  from: { readonly topology: Topology; readonly book: ManifestBook; readonly nowMs: number },
): SourceEntry[] {
  const { topology, book, nowMs } = from;
  const entries: SourceEntry[] = [];
  // What was read beside the declared inputs is of other ancestors.
  const readMore = Object.keys(inputHashes).length > task.inputs.length;
  for (const { stage, path } of readMore ? [...task.inputs, ...topology.ancestorsOf(task)] : task.inputs) {
    const contentHash = Object.hasOwn(inputHashes, path) ? inputHashes[path] : undefined;
    if (stage.type !== "source" || contentHash == null || topology.role(topology.roleNumber(path)).producer) continue;
    const vars = topology.varsOf(stage, path);
    if (!vars) continue;
    const [entityId, pattern] = [entityIdOf(stage.pattern, vars), stage.pattern.text];
    const { states } = book.get(entityId);
    const isKnown = Object.hasOwn(states, pattern) && states[pattern]!.contentHash === contentHash;
    if (isKnown || book.refusal(entityId)) continue;
    entries.push({ entityId, pattern, record: sourceRecord(path, contentHash, stage.key, runId, nowMs) });
  }
  return entries;
}

/** A source's record in its entity's manifest. */
export function sourceRecord(
  path: RelPath,
  contentHash: ContentHash,
  producedBy: string,
  runId: string,
  nowMs: number,
): StateRecord {
  return {
    path,
    contentHash,
    codeHash: SOURCE_CODE_HASH,
    paramsHash: "",
    inputHashes: {},
    producedAt: new Date(nowMs).toISOString(),
    producedBy,
    runId,
    durationMs: 0,
  };
}

/**
 * Puts back the records of sources whose manifests were lost or damaged, from those of the results that were made of them:
 * a result that is still right is not made again, so nothing else would record its sources. Of a source that is gone, none
 * is wanted. Reads every manifest once, so it is for a start that does so anyway.
 */
export async function mendSourceRecords(
  ids: readonly EntityId[],
  book: ManifestBook,
  table: StateTable,
  topology: Topology,
  clock: Clock,
): Promise<void> {
  const stages = Map.groupBy(topology.stages, (stage) => stage.pattern.text);
  for (const [i, id] of ids.entries()) {
    if (i % SLICE === SLICE - 1) await breathe(clock);
    for (const [pattern, record] of Object.entries(book.get(id).states)) {
      for (const stage of stages.get(pattern) ?? []) {
        const task = stage.type === "source" ? undefined : topology.taskOfEntity(stage, id);
        if (task?.path !== record.path) continue;
        const nowMs = Date.parse(record.producedAt);
        for (const entry of missingSources(task, record, { topology, book, nowMs })) putMissing(entry, book, table);
      }
    }
  }
}

function putMissing({ entityId, pattern, record }: SourceEntry, book: ManifestBook, table: StateTable): void {
  const row = table.find(record.path);
  const before = book.get(entityId);
  if (row === undefined || !table.isPresent(row)) return;
  // Another content is recorded by the attempt that takes it in.
  if (Object.hasOwn(before.states, pattern)) return;
  book.put(withEntry(before, "states", pattern, record));
}
