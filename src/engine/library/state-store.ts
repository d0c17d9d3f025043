import { dirname, join, resolve } from "node:path";
import { loadHasher } from "../../core/hash/hash.ts";
import {
  type ErrorCategory,
  type FailureRecord,
  type Manifest,
  OUTSIDE_SIGNATURE,
  type StateRecord,
} from "../../core/model/manifest.ts";
import type { RetryPolicy } from "../../core/model/pipeline.ts";
import { type Problem, problem } from "../../core/model/problem.ts";
import type { AbsPath, ContentHash, EntityId, RelPath } from "../../core/model/words.ts";
import { nextRetry, remainingMs } from "../../core/resilience/retry.ts";
import { sourceRecord } from "../orphans/source-records.ts";
import { type LibraryPorts, openLibraryPorts } from "../compose-library.ts";
import { withEntry } from "../manifest-book.ts";
import { MillraceError, unwrap } from "./error.ts";
import { listStates } from "./list-states.ts";
import { patternOf, pathOf } from "./names.ts";

// Every call of a store may need a hash, and calls are synchronous: whoever has this file can hash.
await loadHasher();

export interface StateStoreOptions {
  /** Where wall time comes from, for records and backoff; the system's clock. */
  readonly clock?: { wallMs(): number };
  /** What `pipelines/` is in: paths of modules in a definition start there. The current folder. */
  readonly projectFolder?: string;
  /** Told of warnings: a damaged manifest that was set aside, a state that a scan could not look at. Left out: nobody is told. */
  readonly onProblem?: (problem: Problem) => void;
}

/** A failure to record: of which task, and what happened. */
export interface FailureReport {
  readonly entityId: EntityId;
  readonly stagePattern: string;
  readonly error: string;
  /** How it failed; "node". */
  readonly category?: ErrorCategory;
  /** When to try again; what is left out is the default: 7 attempts, after 1, 5, 15 min, 1, 4, 24 h. */
  readonly policy?: Partial<RetryPolicy>;
}

const DEFAULT_POLICY: RetryPolicy = { maxAttempts: 7, backoffSeconds: [60, 300, 900, 3600, 14_400, 86_400], jitter: 0 };

/**
 * The states of one root, without a daemon: files, what the manifests say of them, and failures.
 *
 * A state is named by a pattern and an entity id: `("input/{id}.txt", "001")` is the file `input/001.txt`. Every call is
 * synchronous and done when it returns. Calls that change something make this process the root's owner for that moment;
 * they throw `MillraceError` M110 while a daemon, or another process, owns the root. All calls throw `MillraceError` for
 * a pattern that is wrong (M207) or an id that does not fit it (M133).
 */
export class StateStore {
  /** Absolute. */
  readonly root: AbsPath;
  /** Absolute. */
  readonly projectFolder: AbsPath;
  /** What the store does its work with; for this library's own functions. */
  readonly ports: LibraryPorts;

  constructor(root: string, options: StateStoreOptions = {}) {
    const { clock } = options;
    this.root = resolve(root);
    this.projectFolder = resolve(options.projectFolder ?? ".");
    this.ports = openLibraryPorts(this.root, {
      wallMs: clock && (() => clock.wallMs()),
      onProblem: options.onProblem ?? (() => {}),
    });
  }

  /** Makes the root and its `.millrace` folder. What is there stays; calling it again changes nothing. */
  init(): void {
    unwrap(this.ports.prepare());
  }

  // ------------------------------------------------------------ files

  /** The path of a state, relative to the root; it need not be there. */
  pathOf(pattern: string, entityId: EntityId): RelPath {
    return pathOf(pattern, entityId);
  }

  /** Puts a file in place, whole or not at all; anything but text and bytes as JSON. Returns its content hash. Records nothing: see `registerSource`. */
  write(pattern: string, entityId: EntityId, content: unknown): ContentHash {
    const path = filePath(pattern, entityId);
    const bytes = asBytes(content);
    return this.#owning(() => {
      const { disk, random, root } = this.ports;
      const staged = join(root, ".millrace/tmp", `write-${random.id()}`);
      const target = join(root, path);
      disk.write(staged, bytes);
      disk.makeFolders(dirname(target));
      disk.rename(staged, target);
      return this.#hashAt(path) ?? refuse(path, "it was replaced while it was written");
    });
  }

  /** The text of a state; `undefined` when it is not there. */
  read(pattern: string, entityId: EntityId): string | undefined {
    const bytes = this.readBytes(pattern, entityId);
    return bytes && new TextDecoder().decode(bytes);
  }

  /** The bytes of a state; `undefined` when it is not there. */
  readBytes(pattern: string, entityId: EntityId): Uint8Array | undefined {
    const path = filePath(pattern, entityId);
    const read = this.ports.reader.read(path);
    if (read.is === "read") return read.bytes;
    return read.is === "absent" ? undefined : refuse(path, read.is === "refused" ? read.reason : "it is being written");
  }

  /** Whether a state is there, a file or a folder as its pattern has it. */
  exists(pattern: string, entityId: EntityId): boolean {
    const look = this.ports.reader.look(pathOf(pattern, entityId));
    return look.is === "file" || look.is === "folder";
  }

  /** Moves a state to the trash and forgets its record and its failure; says whether it was there. */
  delete(pattern: string, entityId: EntityId): boolean {
    const path = pathOf(pattern, entityId);
    return this.#owning(() => {
      const isThere = this.exists(pattern, entityId);
      if (isThere) this.ports.trash.put(path, "deleted through the library");
      this.#change(entityId, (manifest) =>
        withEntry(withEntry(manifest, "states", pattern, undefined), "failures", pattern, undefined),
      );
      return isThere;
    });
  }

  /** The ids of every state of a pattern that is there now, sorted by code units. What is ignored is left out. */
  listEntities(pattern: string): EntityId[] {
    return listStates(patternOf(pattern), this.ports);
  }

  /** XXH64 of a state as it is on disk now, 16 hex digits (of a folder, of its tree); `undefined` when it is not there. */
  getContentHash(pattern: string, entityId: EntityId): ContentHash | undefined {
    return this.#hashAt(pathOf(pattern, entityId));
  }

  // ------------------------------------------------------------ records

  /** Records a file that arrived in its entity's manifest, with the code hash `source00`. Throws M134 when it is not there. */
  registerSource(pattern: string, entityId: EntityId): StateRecord {
    const path = pathOf(pattern, entityId);
    return this.#owning(() => {
      const hash = this.#hashAt(path);
      if (hash === undefined) throw absent(path);
      const record = sourceRecord(path, hash, "registerSource", "registered", this.ports.clock.wallMs());
      this.#change(entityId, (manifest) => withEntry(manifest, "states", pattern, record));
      return record;
    });
  }

  /** What is known of an entity; without states and failures when nothing is. Throws M401 or M402 for a manifest that cannot be used. */
  getManifest(entityId: EntityId): Manifest {
    return unwrap(this.ports.manifests.read(entityId)) ?? { version: 1, entityId, states: {}, failures: {} };
  }

  // ------------------------------------------------------------ failures

  /** Records that a task failed: it is not scanned for until its backoff is over, whatever changes meanwhile. */
  recordFailure(report: FailureReport): FailureRecord {
    const { entityId, stagePattern, error, category = "node" } = report;
    pathOf(stagePattern, entityId);
    return this.#owning(() => {
      const before = this.getFailure(entityId, stagePattern);
      const again = before?.signature === OUTSIDE_SIGNATURE ? before : undefined;
      const attempts = (again?.attempts ?? 0) + 1;
      const nowMs = this.ports.clock.wallMs();
      const next = nextRetry({ ...DEFAULT_POLICY, ...report.policy }, attempts, nowMs, this.ports.random.next());
      const now = new Date(nowMs).toISOString();
      const failure: FailureRecord = {
        error,
        category,
        attempts,
        firstFailedAt: again?.firstFailedAt ?? now,
        lastFailedAt: now,
        nextRetryAt: next ? new Date(next.at).toISOString() : null,
        delayMs: next?.delayMs ?? 0,
        signature: OUTSIDE_SIGNATURE,
        inputHashes: {},
      };
      this.#change(entityId, (manifest) => withEntry(manifest, "failures", stagePattern, failure));
      return failure;
    });
  }

  /** The failures of a task since its last success; `undefined` when there are none. */
  getFailure(entityId: EntityId, stagePattern: string): FailureRecord | undefined {
    const { failures } = this.getManifest(entityId);
    return Object.hasOwn(failures, stagePattern) ? failures[stagePattern] : undefined;
  }

  /** Forgets a task's failures; says whether there were any. */
  clearFailure(entityId: EntityId, stagePattern: string): boolean {
    if (this.getFailure(entityId, stagePattern) === undefined) return false;
    this.#owning(() => this.#change(entityId, (manifest) => withEntry(manifest, "failures", stagePattern, undefined)));
    return true;
  }

  /** Whether a task may be tried now: it has not failed, or its backoff is over. `false` for ever once its attempts are used up. */
  shouldRetry(entityId: EntityId, stagePattern: string): boolean {
    const failure = this.getFailure(entityId, stagePattern);
    if (!failure) return true;
    if (failure.nextRetryAt === null) return false;
    return remainingMs(Date.parse(failure.nextRetryAt), failure.delayMs, this.ports.clock.wallMs()) === 0;
  }

  // ------------------------------------------------------------ inside

  #hashAt(path: RelPath): ContentHash | undefined {
    const hashed = this.ports.reader.hashNow(path);
    if (hashed.is === "hashed") return hashed.hash;
    return hashed.is === "absent"
      ? undefined
      : refuse(path, hashed.is === "refused" ? hashed.reason : "it is being written");
  }

  #owning<T>(act: () => T): T {
    this.init();
    const release = unwrap(this.ports.hold());
    try {
      return act();
    } finally {
      release();
    }
  }

  #change(entityId: EntityId, change: (manifest: Manifest) => Manifest): void {
    this.ports.manifests.write(change(this.getManifest(entityId)));
  }
}

/** The path of a state that is a file. */
function filePath(pattern: string, entityId: EntityId): RelPath {
  const path = pathOf(pattern, entityId);
  return path.endsWith("/") ? refuse(path, "it is a folder: use its files") : path;
}

function asBytes(content: unknown): Uint8Array | string {
  if (typeof content === "string" || content instanceof Uint8Array) return content;
  const json = JSON.stringify(content, undefined, 2) as string | undefined;
  if (json !== undefined) return `${json}\n`;
  throw new MillraceError([
    problem("M135", `a ${typeof content} cannot be written`, "give text, bytes, or a value that JSON has"),
  ]);
}

function absent(path: RelPath): MillraceError {
  return new MillraceError([
    problem("M134", `"${path}" is not there`, "write the file first, or correct the pattern or the id"),
  ]);
}

function refuse(path: RelPath, why: string): never {
  throw new MillraceError([problem("M135", `"${path}" cannot be used: ${why}`, "put that right and try again")]);
}
