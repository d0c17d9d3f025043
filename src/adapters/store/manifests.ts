import { LowSync, type SyncAdapter } from "lowdb";
import { hashBytes } from "../../core/hash/hash.ts";
import { entityOfFileName, manifestFileName } from "../../core/model/entity-file-name.ts";
import { formatManifest, manifestOf, parseManifest, type ParsedManifest } from "../../core/model/manifest-json.ts";
import type { Manifest } from "../../core/model/manifest.ts";
import { problem, type Problem } from "../../core/model/problem.ts";
import { InternalError } from "../../core/model/problems.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import type { AbsPath, EntityId, RelPath } from "../../core/model/words.ts";
import type { Disk, FileStat, ManifestStore, Random, Trash } from "../../ports.ts";
import { readText } from "./document-text.ts";
import { DurableWriter } from "./durable-writer.ts";
import { isSameStat } from "./same-stat.ts";

/** What the manifests of a root need from outside. */
export interface ManifestPorts {
  readonly disk: Disk;
  readonly random: Random;
  /** Where corrupt files go; `undefined` for a process that does not own the root: it moves nothing. */
  readonly trash: Trash | undefined;
  readonly onProblem: (problem: Problem) => void;
}

const FOLDER: RelPath = ".millrace/manifests";
const CACHED_ENTITIES = 4096;

/**
 * `.millrace/manifests/*.json` of one root: one lowdb database per entity, on an adapter that replaces files whole.
 *
 * The databases of the entities used last are kept, and are valid while `lstat` of their file is unchanged. Ids that are
 * no plain file names may be hashed: await `loadHasher` first.
 */
export class FileManifestStore implements ManifestStore {
  readonly #root: AbsPath;
  readonly #ports: ManifestPorts;
  readonly #writer: DurableWriter;
  /** In the order of their last use, oldest first. */
  readonly #databases = new Map<EntityId, Database>();

  constructor(root: AbsPath, ports: ManifestPorts) {
    this.#root = root;
    this.#ports = ports;
    this.#writer = new DurableWriter(`${root}/.millrace/tmp`, ports);
  }

  tidy(): boolean {
    return this.#writer.tidy();
  }

  fileOf(id: EntityId): RelPath {
    return `${FOLDER}/${manifestFileName(id, hashBytes)}`;
  }

  read(id: EntityId): Result<Manifest | undefined> {
    const stat = this.#statOf(id);
    // A new entity, of which there are many: nothing is made or kept for it.
    if (stat === undefined && !this.#databases.has(id)) return ok(undefined);
    let database: Database;
    try {
      database = this.#look(id, stat);
    } catch (error) {
      return fail(this.#unreadable(id, error));
    }
    return database.file.refusal === undefined ? ok(database.data ?? undefined) : fail(database.file.refusal);
  }

  /** What the disk says against reading costs the entity's tasks, not the daemon. */
  #unreadable(id: EntityId, error: unknown): Problem {
    if (!(error instanceof Error && "code" in error)) throw error;
    return problem(
      "M411",
      `the manifest "${this.fileOf(id)}" cannot be read: ${error.message}`,
      "mend what the message names; it is tried again at each scan",
    );
  }

  /** Throws Node's error when the disk refuses, and InternalError for a manifest that `read` refused or that is none. */
  write(manifest: Manifest, options: { readonly sync?: boolean } = {}): void {
    const sync = options.sync === true;
    const clean = manifestOf(manifest);
    if (typeof clean === "string") throw new InternalError(`the manifest to be written ${clean}`);
    const database = this.#look(manifest.entityId, this.#statOf(manifest.entityId));
    const { refusal } = database.file;
    if (refusal !== undefined) throw new InternalError(`a refused manifest was written: ${refusal.message}`);
    if (isEmpty(clean)) {
      this.#writer.remove(database.file.path, { sync });
      this.#databases.delete(manifest.entityId);
      return;
    }
    database.file.isSynced = sync;
    database.data = clean;
    try {
      database.write();
    } finally {
      // It is seldom read soon again, and what it would take to know the file's new stat is what reading it anew begins with.
      this.#databases.delete(manifest.entityId);
    }
  }

  ids(): EntityId[] {
    const ids: EntityId[] = [];
    for (const name of this.#ports.disk.list(`${this.#root}/${FOLDER}`) ?? []) {
      const named = entityOfFileName(name);
      if (named.is === "entity") ids.push(named.id);
      else if (named.is === "hashed") ids.push(...this.#idInside(name));
    }
    return ids.sort();
  }

  /** The id that a hashed file's content names; none when it is not readable: then nobody can know. */
  #idInside(name: string): EntityId[] {
    const text = readText(this.#ports.disk, `${this.#root}/${FOLDER}/${name}`);
    const parsed = typeof text === "string" ? parseManifest(text) : undefined;
    if (parsed?.is !== "manifest") return [];
    const id = parsed.manifest.entityId;
    return manifestFileName(id, hashBytes) === name ? [id] : [];
  }

  #statOf(id: EntityId): FileStat | undefined {
    return this.#ports.disk.lstat(`${this.#root}/${this.fileOf(id)}`);
  }

  /** The database of an entity as its file, of this stat, is now. */
  #look(id: EntityId, stat: FileStat | undefined): Database {
    const known = this.#databases.get(id);
    const database =
      known ?? new Database(new ManifestFile(id, this.#root, this.fileOf(id), this.#ports, this.#writer));
    const { file } = database;
    if (known === undefined || !isCurrent(file.stat, stat)) {
      // Only what was read to its end is kept.
      this.#databases.delete(id);
      file.stat = stat;
      // lowdb keeps what it had when there is nothing to read.
      database.data = null;
      database.read();
      if (file.damage !== undefined) this.#setAside(database, file.damage);
    }
    this.#keep(id, database);
    return database;
  }

  #keep(id: EntityId, database: Database): void {
    this.#databases.delete(id);
    this.#databases.set(id, database);
    if (this.#databases.size <= CACHED_ENTITIES) return;
    for (const oldest of this.#databases.keys()) {
      this.#databases.delete(oldest);
      return;
    }
  }

  #setAside({ file }: Database, damage: string): void {
    const path = file.place;
    const kept = this.#ports.trash?.put(path, `the manifest ${damage}`);
    if (kept !== undefined) file.forget();
    this.#ports.onProblem({
      ...problem("M401", `the manifest "${path}" ${damage}`, "nothing: the record is made again from the outputs", {
        notes: [
          kept === undefined ? "it was left where it is: another process owns this root" : `it was moved to ${kept}`,
        ],
      }),
      severity: "warning",
    });
  }
}

class Database extends LowSync<Manifest | null> {
  readonly file: ManifestFile;
  constructor(file: ManifestFile) {
    super(file, null);
    this.file = file;
  }
}

/** lowdb's adapter for the manifest of one entity; knows what it saw of the file. */
class ManifestFile implements SyncAdapter<Manifest | null> {
  readonly id: EntityId;
  readonly place: RelPath;
  readonly path: AbsPath;
  /** Of the file when it was read or written; `undefined` when there was none. */
  stat: FileStat | undefined;
  /** Why the file there may neither be used nor replaced. */
  refusal: Problem | undefined;
  /** Why the file there is no manifest, as the end of a sentence. */
  damage: string | undefined;
  /** Whether writes force the bytes to the medium. */
  isSynced = false;
  #text: string | undefined;
  readonly #disk: Disk;
  readonly #writer: DurableWriter;

  constructor(id: EntityId, root: AbsPath, place: RelPath, ports: ManifestPorts, writer: DurableWriter) {
    this.id = id;
    this.place = place;
    this.path = `${root}/${place}`;
    this.#disk = ports.disk;
    this.#writer = writer;
  }

  /** The manifest; `null` when there is none, also for the reasons in `refusal` and `damage`. */
  read(): Manifest | null {
    const { stat } = this;
    this.forget();
    if (stat === undefined) return null;
    this.stat = stat;
    // Reading a FIFO would block for ever.
    if (stat.kind !== "file") return this.#damaged("is no regular file");
    const text = readText(this.#disk, this.path);
    if (text === undefined) return null;
    if (text === null) return this.#damaged("is not UTF-8");
    return this.#take(text, parseManifest(text));
  }

  write(manifest: Manifest | null): void {
    if (manifest === null) return;
    const text = formatManifest(manifest);
    // Equal bytes may not be on the medium, and a second fsync would not tell that a first one failed: they are written anew.
    if (text === this.#text && !this.isSynced) return;
    this.#text = undefined;
    this.#writer.write(this.path, text, { sync: this.isSynced });
    this.#text = text;
    this.damage = undefined;
  }

  /** As if nothing had been there. */
  forget(): void {
    this.stat = undefined;
    this.#text = undefined;
    this.refusal = undefined;
    this.damage = undefined;
  }

  #take(text: string, parsed: ParsedManifest): Manifest | null {
    switch (parsed.is) {
      case "corrupt":
        return this.#damaged(parsed.reason);
      case "newer":
        this.refusal = problem(
          "M402",
          `the manifest of "${this.id}" has the version ${parsed.version}, which this Millrace does not know`,
          "use the Millrace that wrote it, or a later one; the file was not touched",
          { notes: [this.place] },
        );
        return null;
      case "manifest":
        if (parsed.manifest.entityId !== this.id) return this.#foreign(parsed.manifest.entityId);
        this.#text = text;
        return parsed.manifest;
    }
  }

  /** A file that names another entity: a copy made by hand, or one of two long ids that have the same hash. */
  #foreign(owner: EntityId): null {
    if (entityOfFileName(this.path.slice(this.path.lastIndexOf("/") + 1)).is !== "hashed") {
      return this.#damaged(`is that of "${owner}"`);
    }
    this.refusal = problem(
      "M403",
      `the entities "${this.id}" and "${owner}" have the same manifest file`,
      "rename the files of one of them",
      { notes: [this.place] },
    );
    return null;
  }

  #damaged(reason: string): null {
    this.damage = reason;
    return null;
  }
}

function isCurrent(known: FileStat | undefined, now: FileStat | undefined): boolean {
  return known === undefined ? now === undefined : isSameStat(known, now);
}

function isEmpty(manifest: Manifest): boolean {
  for (const _ in manifest.states) return false;
  for (const _ in manifest.failures) return false;
  return true;
}
