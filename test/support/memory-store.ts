import { formatManifest, parseManifest } from "../../src/core/model/manifest-json.ts";
import type { Manifest } from "../../src/core/model/manifest.ts";
import { problem } from "../../src/core/model/problem.ts";
import { fail, ok, type Result } from "../../src/core/model/result.ts";
import type { EntityId, RelPath } from "../../src/core/model/words.ts";
import type { Controls, ControlsStore, IndexStore, ManifestStore, Owner, OwnerLock } from "../../src/ports.ts";

/** Manifests as texts in memory, so that what is read is never the object that was written. */
export class MemoryManifestStore implements ManifestStore {
  readonly #texts = new Map<EntityId, string>();
  /** How many writes changed something. */
  writes = 0;

  read(id: EntityId): Result<Manifest | undefined> {
    const text = this.#texts.get(id);
    if (text === undefined) return ok(undefined);
    const parsed = parseManifest(text);
    if (parsed.is !== "manifest") throw new Error(`a test wrote a manifest that is ${parsed.is}`);
    return ok(parsed.manifest);
  }

  write(manifest: Manifest): void {
    const isEmpty = Object.keys(manifest.states).length + Object.keys(manifest.failures).length === 0;
    const text = isEmpty ? undefined : formatManifest(manifest);
    if (this.#texts.get(manifest.entityId) === text) return;
    this.writes += 1;
    if (text === undefined) this.#texts.delete(manifest.entityId);
    else this.#texts.set(manifest.entityId, text);
  }

  ids(): EntityId[] {
    return [...this.#texts.keys()].sort();
  }

  fileOf(id: EntityId): RelPath {
    return `.millrace/manifests/${encodeURIComponent(id)}.json`;
  }

  tidy(): boolean {
    return true;
  }
}

/** The index in memory. */
export class MemoryIndexStore implements IndexStore {
  #meta: string | undefined;
  readonly #blobs = new Map<string, Uint8Array>();

  load(): ReturnType<IndexStore["load"]> {
    const meta = this.loadMeta();
    return meta === undefined ? undefined : { meta, blobs: new Map(this.#blobs) };
  }

  loadMeta(): Readonly<Record<string, unknown>> | undefined {
    return this.#meta === undefined ? undefined : (JSON.parse(this.#meta) as Record<string, unknown>);
  }

  save(meta: Readonly<Record<string, unknown>>, blobs: ReadonlyMap<string, Uint8Array | null>): void {
    this.saveMeta(meta);
    for (const [name, bytes] of blobs) {
      if (bytes === null) this.#blobs.delete(name);
      else this.#blobs.set(name, bytes.slice());
    }
  }

  saveMeta(meta: Readonly<Record<string, unknown>>): void {
    this.#meta = JSON.stringify(meta);
  }

  discard(): void {
    this.#meta = undefined;
    this.#blobs.clear();
  }

  close(): void {}
}

/** Controls in memory. */
export class MemoryControlsStore implements ControlsStore {
  #controls: Controls = { version: 1, held: {}, forced: {} };

  read(): Controls {
    return this.#controls;
  }

  write(controls: Controls): void {
    this.#controls = structuredClone(controls);
  }

  tidy(): boolean {
    return true;
  }
}

/** What the locks of one root share. */
export interface MemorySeat {
  owner: Owner | undefined;
}

/** A root's lock in memory; locks on one seat stand for processes. */
export class MemoryOwnerLock implements OwnerLock {
  readonly #seat: MemorySeat;
  #isHolder = false;

  constructor(seat: MemorySeat = { owner: undefined }) {
    this.#seat = seat;
  }

  acquire(owner: Owner): Result<void> {
    const holder = this.#seat.owner;
    if (holder !== undefined)
      return fail(problem("M110", `process ${holder.pid} on "${holder.host}" holds it`, "stop it"));
    this.#seat.owner = owner;
    this.#isHolder = true;
    return ok(undefined);
  }

  current(): Owner | undefined {
    return this.#seat.owner;
  }

  release(): void {
    if (this.#isHolder) this.#seat.owner = undefined;
    this.#isHolder = false;
  }
}
