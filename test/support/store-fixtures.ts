import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemRandom } from "../../src/adapters/system/random.ts";
import { NodeDisk } from "../../src/adapters/system/disk.ts";
import { FileTrash } from "../../src/adapters/store/trash.ts";
import { prepareMillraceFolder } from "../../src/adapters/store/millrace-folder.ts";
import type { FailureRecord, Manifest, StateRecord } from "../../src/core/model/manifest.ts";
import type { Problem } from "../../src/core/model/problem.ts";
import type { AbsPath, EntityId } from "../../src/core/model/words.ts";
import type { AttemptRow, Clock, Disk, Random, Trash } from "../../src/ports.ts";

/** A state root in a temporary folder with everything its stores need; removed when disposed. */
export interface StoreRoot extends Disposable {
  readonly root: AbsPath;
  readonly disk: Disk;
  readonly random: Random;
  readonly trash: Trash;
  readonly problems: Problem[];
  readonly onProblem: (problem: Problem) => void;
}

/** A clock that always shows 20 November 2026, 13:06:55.123 UTC, and never fires. */
export const STOPPED_CLOCK: Clock = {
  wallMs: () => Date.UTC(2026, 10, 20, 13, 6, 55, 123),
  monoMs: () => 0,
  after: () => ({ cancel: () => {} }),
};

/** A fresh root with its `.millrace` folder. */
export function makeStoreRoot(): StoreRoot {
  const root = mkdtempSync(join(tmpdir(), "millrace-store-"));
  const disk = new NodeDisk();
  const random = new SystemRandom();
  const problems: Problem[] = [];
  prepareMillraceFolder(root, disk);
  return {
    root,
    disk,
    random,
    trash: new FileTrash(root, { disk, clock: STOPPED_CLOCK, random }),
    problems,
    onProblem: (problem) => problems.push(problem),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A disk with some operations replaced. */
export function diskWith(disk: Disk, changes: Partial<Disk>): Disk {
  return new Proxy(disk, {
    get(target, name) {
      const own = (changes as Record<string | symbol, unknown>)[name];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

export function stateRecord(changes: Partial<StateRecord> = {}): StateRecord {
  return {
    path: "output/001.json",
    contentHash: "00000000000000aa",
    codeHash: "00000000000000bb",
    paramsHash: "00000000000000cc",
    inputHashes: { "input/001.txt": "00000000000000dd", "input/gone.txt": null },
    producedAt: "2026-11-20T13:06:55.123Z",
    producedBy: "echo#output",
    runId: "run000000001",
    durationMs: 1.5,
    ...changes,
  };
}

export function failureRecord(changes: Partial<FailureRecord> = {}): FailureRecord {
  return {
    error: 'it said "no"',
    category: "node",
    attempts: 2,
    firstFailedAt: "2026-11-20T13:06:55.123Z",
    lastFailedAt: "2026-11-20T13:07:55.123Z",
    nextRetryAt: "2026-11-20T13:12:55.123Z",
    delayMs: 300_000,
    signature: "00000000000000ee",
    inputHashes: { "input/001.txt": "00000000000000dd" },
    ...changes,
  };
}

export function manifest(entityId: EntityId, changes: Partial<Manifest> = {}): Manifest {
  return { version: 1, entityId, states: { "output/{id}.json": stateRecord() }, failures: {}, ...changes };
}

export function attemptRow(changes: Partial<AttemptRow> = {}): AttemptRow {
  return {
    runId: "run000000001",
    taskKey: "echo#output@001",
    pipeline: "echo",
    stage: "output",
    entity: "001",
    path: "output/001.json",
    attempt: 1,
    result: "ran",
    reasons: "output-missing",
    startedAt: 1_795_000_000_000.5,
    durationMs: 0.25,
    contentHash: "00000000000000aa",
    error: null,
    category: null,
    log: "",
    ...changes,
  };
}
