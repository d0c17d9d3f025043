import type { Manifest } from "../core/model/manifest.ts";
import type { Problem } from "../core/model/problem.ts";
import type { EntityId } from "../core/model/words.ts";
import type { ManifestStore } from "../ports.ts";

interface Pending {
  manifest: Manifest;
  sync: boolean;
  /** Batches whose intents must stay on disk until this manifest is written. */
  readonly batches: Set<string>;
}

/**
 * The manifests as they will be: what is on disk, and what waits to be written.
 *
 * Writing waits a little, so that one write covers the stages an entity passes in a row. Until then the intents of the
 * batches concerned stay in `.millrace/tmp`: after a kill they say what the manifests did not yet say.
 */
export class ManifestBook {
  readonly #store: ManifestStore;
  readonly #onBatchDone: (batchId: string) => void;
  readonly #pending = new Map<EntityId, Pending>();
  /** Batch to how many unwritten manifests need its intent, and one more while it runs. */
  readonly #holders = new Map<string, number>();
  readonly #refused = new Map<EntityId, readonly Problem[]>();
  #hadRefusals = false;
  /** What was read in this turn of the event loop: a task is judged and committed by several questions in a row. */
  readonly #readNow = new Map<EntityId, Manifest>();
  /** Of these, what was not found because the root had gone. */
  readonly #doubted = new Set<EntityId>();
  readonly #isHere: () => boolean;

  /** `isHere` looks whether the root itself is there: else a manifest that is not found says nothing. */
  constructor(store: ManifestStore, onBatchDone: (batchId: string) => void, isHere: () => boolean = () => true) {
    this.#store = store;
    this.#onBatchDone = onBatchDone;
    this.#isHere = isHere;
  }

  /** The manifest of an entity; an empty one when there is none. */
  get(id: EntityId): Manifest {
    const pending = this.#pending.get(id);
    if (pending) return pending.manifest;
    const known = this.#readNow.get(id);
    if (known) return known;
    const read = this.#store.read(id);
    if (!read.ok) {
      this.#refused.set(id, read.problems);
      this.#hadRefusals = true;
      return emptyManifest(id);
    }
    this.#refused.delete(id);
    const manifest = read.value ?? emptyManifest(id);
    if (this.#readNow.size === 0) queueMicrotask(() => this.#forgetRead());
    this.#readNow.set(id, manifest);
    if (read.value === undefined && !this.#isHere()) this.#doubted.add(id);
    return manifest;
  }

  #forgetRead(): void {
    this.#readNow.clear();
    this.#doubted.clear();
  }

  /** Was the manifest not found because the root was away? Then nothing may be recorded in this turn. */
  isDoubted(id: EntityId): boolean {
    return this.#doubted.has(id);
  }

  /** Why an entity's manifest must not be touched (a newer version wrote it); looked up by the last `get`. */
  refusal(id: EntityId): readonly Problem[] | undefined {
    return this.#refused.get(id);
  }

  /** Removes what a refused write of a manifest left in `tmp`; `false` while the disk refuses that. */
  tidy(): boolean {
    return this.#store.tidy();
  }

  /** Has any manifest been found that may not be used, since this was last asked? */
  hadRefusals(): boolean {
    const had = this.#hadRefusals;
    this.#hadRefusals = false;
    return had;
  }

  /**
   * Replaces a manifest; it is written by the next flush. `batchId` is the batch whose intent covers the change.
   * Throws ENOENT for one that was just not found because the root has gone, and EIO for one that may not be used or could not
   * be read: what it holds would be overwritten.
   */
  put(manifest: Manifest, options: { readonly batchId?: string; readonly sync?: boolean } = {}): void {
    if (this.#doubted.has(manifest.entityId))
      throw Object.assign(new Error("ENOENT: the root is away, and its manifests with it"), { code: "ENOENT" });
    const refused = this.#pending.has(manifest.entityId) ? undefined : this.#refused.get(manifest.entityId);
    if (refused) throw Object.assign(new Error(`EIO: ${refused[0]!.message}`), { code: "EIO" });
    const pending = this.#pending.get(manifest.entityId) ?? { manifest, sync: false, batches: new Set<string>() };
    pending.manifest = manifest;
    pending.sync ||= options.sync ?? false;
    const { batchId } = options;
    if (batchId !== undefined && !pending.batches.has(batchId)) {
      pending.batches.add(batchId);
      this.hold(batchId);
    }
    this.#pending.set(manifest.entityId, pending);
  }

  get waiting(): number {
    return this.#pending.size;
  }

  /** Keeps a batch's intent until `release`: its attempts still run, and more of them may need it. */
  hold(batchId: string): void {
    this.#holders.set(batchId, (this.#holders.get(batchId) ?? 0) + 1);
  }

  /** Takes one hold back; without any the batch is done. */
  release(batchId: string): void {
    const left = this.#holders.get(batchId)! - 1;
    if (left > 0) {
      this.#holders.set(batchId, left);
    } else {
      this.#holders.delete(batchId);
      this.#onBatchDone(batchId);
    }
  }

  /** Writes one entity's manifest now, if it waits. Throws what the disk throws; then it still waits. */
  flush(id: EntityId): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#store.write(pending.manifest, { sync: pending.sync });
    this.#pending.delete(id);
    this.#readNow.delete(id);
    for (const batchId of pending.batches) this.release(batchId);
  }

  /** Writes every manifest that can be written; then throws the first thing that the disk threw, if it did. */
  flushAll(): void {
    const faults: unknown[] = [];
    for (const id of [...this.#pending.keys()]) {
      try {
        this.flush(id);
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
  }
}

function emptyManifest(entityId: EntityId): Manifest {
  return { version: 1, entityId, states: {}, failures: {} };
}

/** The manifest with one state or failure put in (`undefined` takes it out). */
export function withEntry<K extends "states" | "failures">(
  manifest: Manifest,
  kind: K,
  pattern: string,
  entry: Manifest[K][string] | undefined,
): Manifest {
  const { [pattern]: _before, ...others } = manifest[kind];
  return { ...manifest, [kind]: entry === undefined ? others : { ...others, [pattern]: entry } };
}
