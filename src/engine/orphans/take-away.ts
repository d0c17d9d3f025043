import { SOURCE_CODE_HASH, type StateRecord } from "../../core/model/manifest.ts";
import type { AbsPath, ContentHash, RelPath } from "../../core/model/words.ts";
import { entityIdOf } from "../../core/pattern/pattern.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { Disk, Random, Trash, TrashedResult } from "../../ports.ts";
import { leftBy } from "../commit.ts";
import { isDiskError } from "../disk-error.ts";
import { type FactSources, judgeTask } from "../facts.ts";
import { type Lineage, lineageOf } from "./lineage.ts";
import { withEntry } from "../manifest-book.ts";
import { resultRecord } from "./source-records.ts";

export interface TakeAwayPorts {
  readonly root: AbsPath;
  readonly disk: Disk;
  readonly trash: Trash;
  readonly random: Random;
  readonly facts: FactSources;
  /** Removes a folder of `.millrace/tmp`; what the disk refuses is tried again later. */
  readonly discard: (name: string) => void;
}

/** What became of a product that was to be taken away. */
export type TakenAway =
  /** `file`: it was on disk and is not any more; `records`: only what was written about it is gone. */
  | { readonly is: "taken"; readonly what: "file" | "records"; readonly lineage: Lineage }
  /** Something is not as it was believed to be: look at `paths`; nothing was touched. */
  | { readonly is: "doubted"; readonly paths: readonly RelPath[] }
  /** An attempt of the task is on its way. */
  | { readonly is: "busy" };

const WHY = "what it was made from is gone";
const WHY_SKIPPED = "the stage chose to make nothing of its input now";

/**
 * Takes away what a task left, when at this very moment its inputs are as gone as they were believed to be and the file is
 * ours, unchanged. The file goes first, then the record: a record without a file and an input is cleaned up by a later start.
 *
 * Throws what the disk throws; then the file is where it was, or in the trash with its record still there.
 */
export function takeAway(task: Task, ports: TakeAwayPorts): TakenAway {
  const { facts } = ports;
  const { table, book } = facts;
  const row = table.find(task.path);
  const status = row === undefined ? undefined : table.statusOf(row);
  if (status === "running" || status === "queued") return { is: "busy" };
  const lineage = lineageOf(task, facts.stages().topology, table);
  const doubted = [...lineage.paths, task.path].filter((path) => !isAsBelieved(path, facts));
  if (doubted.length > 0) return { is: "doubted", paths: doubted };
  const judged = judgeTask(task, facts);
  if (!("verdict" in judged)) return { is: "doubted", paths: judged.unknown };
  const { verdict } = judged;
  const record = resultRecord(book.get(task.entity.id), task.stage.pattern.text);
  const isThere = row !== undefined && table.isPresent(row);
  if (verdict.retract && isThere) {
    const ours = record && leftBy(record);
    if (ours === undefined || hashNow(task.path, facts) !== ours) return { is: "doubted", paths: [task.path] };
    if (task.stage.onOrphan === "delete") {
      remove(task.path, ports);
    } else if (record!.contentHash === null) {
      ports.trash.put(task.path, WHY_SKIPPED, record!.leftoverRecord && trashedOf(task, record!.leftoverRecord));
    } else {
      ports.trash.put(task.path, WHY, trashedOf(task, record!));
    }
    table.setAbsent(row);
  }
  if (verdict.retract) forget(task, verdict.status === "skipped", facts);
  forgetSources(lineage, facts);
  return { is: "taken", what: verdict.retract && isThere ? "file" : "records", lineage };
}

function trashedOf({ key, entity, stage }: Task, record: StateRecord): TrashedResult {
  return { taskKey: key, entityId: entity.id, pattern: stage.pattern.text, record };
}

/** For good. A folder steps aside first: a kill must not leave a part of it, which would look like an edit. */
function remove(path: RelPath, { root, disk, random, discard }: TakeAwayPorts): void {
  const target = `${root}/${path.replace(/\/$/, "")}`;
  if (!path.endsWith("/")) return disk.removeTree(target);
  const name = random.id();
  try {
    disk.rename(target, `${root}/.millrace/tmp/${name}`);
  } catch (error) {
    if (!isDiskError(error) || error.code !== "EXDEV") throw error;
    return disk.removeTree(target);
  }
  discard(name);
}

/** Is something, or nothing, at the path as the table has it? */
function isAsBelieved(path: RelPath, { table, reader }: FactSources): boolean {
  const row = table.find(path);
  const there = reader.look(path);
  const isGone = there.is === "absent" || (there.is === "refused" && there.isSpecial === true);
  if (row !== undefined && table.isRefused(row)) return there.is === "refused";
  return isGone === !(row !== undefined && table.isPresent(row));
}

function hashNow(path: RelPath, { table, reader }: FactSources): ContentHash | undefined {
  const row = table.find(path)!;
  const there = reader.look(path);
  if (there.is !== "file" && there.is !== "folder") return undefined;
  const { size, mtimeMs, ctimeMs, ino } = there.stat;
  // A folder's own stat says nothing about the files in it.
  const known = there.is === "file" && table.hasStat(row, size, mtimeMs, ctimeMs, ino) ? table.hashOf(row) : undefined;
  if (known !== undefined) return known;
  const hashed = reader.hashNow(path);
  return hashed.is === "hashed" ? hashed.hash : undefined;
}

/** The task's records go: of a stage that chose to make nothing, only the word about the older result. */
function forget({ entity, stage }: Task, isSkipped: boolean, { book, stages }: FactSources): void {
  const pattern = stage.pattern.text;
  const before = book.get(entity.id);
  const record = Object.hasOwn(before.states, pattern) ? before.states[pattern] : undefined;
  if (isSkipped && record) {
    const { leftover: _gone, leftoverRecord: _its, ...rest } = record;
    return book.put(withEntry(before, "states", pattern, rest));
  }
  let after = withEntry(withEntry(before, "states", pattern, undefined), "failures", pattern, undefined);
  // A source of a pattern that no stage has any more.
  const patterns = new Set(stages().topology.stages.map((other) => other.pattern.text));
  for (const [text, state] of Object.entries(after.states)) {
    const isOurs = state.codeHash === SOURCE_CODE_HASH && record && Object.hasOwn(record.inputHashes, state.path);
    if (isOurs && !patterns.has(text)) after = withEntry(after, "states", text, undefined);
  }
  book.put(after);
}

/** The records of sources that are gone. */
export function recordsOfGone({ gone }: Lineage, { book, stages }: FactSources): { id: string; pattern: string }[] {
  const { topology } = stages();
  return gone.flatMap(({ stage: key, path }) => {
    const stage = topology.stage(key);
    const vars = stage && topology.varsOf(stage, path);
    if (!stage || !vars) return [];
    const [id, pattern] = [entityIdOf(stage.pattern, vars), stage.pattern.text];
    const { states } = book.get(id);
    const isRecorded = Object.hasOwn(states, pattern) && states[pattern]!.codeHash === SOURCE_CODE_HASH;
    return isRecorded ? [{ id, pattern }] : [];
  });
}

function forgetSources(lineage: Lineage, facts: FactSources): void {
  const { book } = facts;
  for (const { id, pattern } of recordsOfGone(lineage, facts))
    book.put(withEntry(book.get(id), "states", pattern, undefined));
}
