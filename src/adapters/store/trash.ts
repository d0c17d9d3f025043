import { InternalError } from "../../core/model/problems.ts";
import { problem } from "../../core/model/problem.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Clock, Disk, Random, Trash, TrashedResult, TrashEntry } from "../../ports.ts";
import { RetractedIndex } from "./retracted-index.ts";
import { isSameStat } from "./same-stat.ts";
import { canBeTrashed, entryName, formatNote, keptPath, parseNote, timeOfName, TRASH_FOLDER } from "./trash-note.ts";

const NOTE = "note.json";
/** No note that we write is larger than a manifest's record; a larger one is not read. */
const MAX_NOTE_BYTES = 16 * 1024 * 1024;

/** `.millrace/trash/` of one root. */
export class FileTrash implements Trash {
  readonly #root: AbsPath;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #random: Random;
  /** What was read once: a note never changes. */
  readonly #known = new Map<string, TrashEntry>();
  /** Made when it is first asked for. */
  #retracted: RetractedIndex | undefined;

  constructor(root: AbsPath, ports: { readonly disk: Disk; readonly clock: Clock; readonly random: Random }) {
    this.#root = root;
    this.#disk = ports.disk;
    this.#clock = ports.clock;
    this.#random = ports.random;
  }

  /** Throws Node's error: ENOENT when nothing is at `path`, EBUSY when it changed while it was copied from another file system. */
  put(path: RelPath, why: string, of?: TrashedResult): RelPath {
    if (!canBeTrashed(path)) throw new InternalError(`"${path}" cannot be moved to the trash`);
    const at = new Date(this.#clock.wallMs()).toISOString();
    const name = this.#makeEntry(at);
    const kept = keptPath(name, path);
    let isCopy: boolean;
    try {
      // The note goes first: a kill in between leaves a note without a thing, never a thing without its reason.
      const note = formatNote({ path, kept, why, at, ...(of === undefined ? {} : { of }) });
      this.#disk.write(`${this.#folder(name)}/${NOTE}`, note, { sync: of === undefined });
      // Somebody's own bytes, or a damaged manifest: something takes their place next, and a power cut may lose what is not on the medium.
      if (of === undefined) this.#forceFolders(this.#absolute(kept));
      isCopy = this.#moveOrCopy(this.#absolute(path), this.#absolute(kept));
    } catch (error) {
      this.#discard(name);
      throw error;
    }
    this.#retracted?.add({ name, path, kept, why, at, of: of ?? null });
    // From here on the copy may be all there is, so a failure leaves it where it is.
    if (isCopy) this.#disk.removeTree(this.#absolute(path));
    return kept;
  }

  entries(): TrashEntry[] {
    const names = (this.#disk.list(`${this.#root}/${TRASH_FOLDER}`) ?? []).filter((name) => timeOfName(name));
    const there = new Set(names);
    for (const name of this.#known.keys()) if (!there.has(name)) this.#forget(name);
    const found: TrashEntry[] = [];
    // Names begin with their time.
    for (const name of names.sort().reverse()) {
      const entry = this.#known.get(name) ?? this.#read(name);
      if (entry === undefined) continue;
      if (entry.path !== "") this.#known.set(name, entry);
      this.#retracted?.add(entry);
      found.push(entry);
    }
    return found;
  }

  retracted(path: RelPath): readonly TrashEntry[] {
    this.#retracted ??= new RetractedIndex(this.entries());
    return this.#retracted.at(path);
  }

  #forget(name: string): void {
    this.#known.delete(name);
    this.#retracted?.delete(name);
  }

  /** Problems: M140 something is in the way, M141 there is no such entry or it is damaged. Throws Node's error for what the disk refuses. */
  restore(name: string): Result<TrashEntry> {
    const entry = timeOfName(name) === undefined ? undefined : this.#read(name);
    if (entry === undefined) {
      return fail(problem("M141", `the trash has no entry "${name}"`, "see its entries with millrace trash list"));
    }
    if (entry.path === "") {
      return fail(
        problem("M141", `the trash entry "${name}" cannot be put back: ${entry.why}`, `look in ${entry.kept}`),
      );
    }
    const to = this.#absolute(entry.path);
    if (this.#disk.lstat(to) !== undefined) {
      const hint = `move what is at ${entry.path} away, or take what you need from ${entry.kept}`;
      return fail(problem("M140", `"${entry.path}" was not put back: something is there now`, hint));
    }
    const outside = this.#wayOutside(entry.path);
    if (outside !== undefined) {
      const message = `"${entry.path}" was not put back: "${outside}" is not a folder inside the root`;
      return fail(problem("M140", message, `move "${outside}" away, or take what you need from ${entry.kept}`));
    }
    // Copied or moved: in both cases what is left of the entry goes.
    this.#moveOrCopy(this.#absolute(entry.kept), to);
    this.remove(name);
    return ok(entry);
  }

  remove(name: string): void {
    if (timeOfName(name) === undefined) throw new InternalError(`"${name}" is no entry of a trash`);
    this.#forget(name);
    this.#disk.removeTree(this.#folder(name));
  }

  /** `undefined`: there is no such entry. One whose note or thing is not what it must be has the path "". */
  #read(name: string): TrashEntry | undefined {
    const folder = this.#folder(name);
    if (this.#disk.lstat(folder)?.kind !== "folder") return undefined;
    const damaged = (why: string): TrashEntry => ({
      name,
      path: "",
      kept: `${TRASH_FOLDER}/${name}/`,
      why,
      at: timeOfName(name)!,
      of: null,
    });
    let text: string | undefined;
    try {
      text = this.#noteText(`${folder}/${NOTE}`);
    } catch (error) {
      return damaged(`its note cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
    }
    const entry = text === undefined ? undefined : parseNote(name, text);
    if (entry === undefined) return damaged(text === undefined ? "its note is not there" : "its note is damaged");
    return this.#holds(entry) ? entry : damaged(`"${entry.path}" is no longer in it`);
  }

  /** `undefined` when there is none that could be read: reading a FIFO would block for ever. */
  #noteText(path: AbsPath): string | undefined {
    const stat = this.#disk.lstat(path);
    if (stat?.kind !== "file" || stat.size > MAX_NOTE_BYTES) return undefined;
    const bytes = this.#disk.read(path);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  /** Whether the thing lies in the entry itself: no link on the way to it may lead elsewhere. */
  #holds(entry: TrashEntry): boolean {
    const segments = entry.kept.replace(/\/$/, "").split("/");
    const depth = TRASH_FOLDER.split("/").length + 1;
    for (let end = depth + 1; end < segments.length; end++) {
      if (this.#disk.lstat(`${this.#root}/${segments.slice(0, end).join("/")}`)?.kind !== "folder") return false;
    }
    return this.#disk.lstat(this.#absolute(entry.kept)) !== undefined;
  }

  /** The first folder above a path that leads out of the root or is no folder; `undefined` when it can be written to. */
  #wayOutside(path: RelPath): RelPath | undefined {
    const root = this.#disk.realpath(this.#root);
    const segments = path.replace(/\/$/, "").split("/");
    for (let end = 1; end < segments.length; end++) {
      const folder = segments.slice(0, end).join("/");
      const stat = this.#disk.lstat(`${this.#root}/${folder}`);
      // Nothing can be below what is not there.
      if (stat === undefined) return undefined;
      if (stat.kind === "folder") continue;
      const real = stat.kind === "symlink" ? this.#disk.realpath(`${this.#root}/${folder}`) : undefined;
      if (real === undefined || !real.startsWith(`${root}/`) || this.#disk.lstat(real)?.kind !== "folder")
        return folder;
    }
    return undefined;
  }

  /** Makes the folders above a path of an entry and forces them to the medium, the innermost first. */
  #forceFolders(path: AbsPath): void {
    const trash = `${this.#root}/${TRASH_FOLDER}`;
    let folder = path.slice(0, path.lastIndexOf("/"));
    this.#disk.makeFolders(folder);
    for (; folder.length >= trash.length; folder = folder.slice(0, folder.lastIndexOf("/"))) this.#disk.sync(folder);
  }

  #makeEntry(at: string): string {
    for (;;) {
      const name = entryName(at, this.#random.id());
      if (this.#disk.lstat(this.#folder(name)) !== undefined) continue;
      this.#disk.makeFolders(this.#folder(name));
      return name;
    }
  }

  /** True when it lies on another file system and was copied: the original is still there. */
  #moveOrCopy(from: AbsPath, to: AbsPath): boolean {
    this.#disk.makeFolders(to.slice(0, to.lastIndexOf("/")));
    try {
      this.#disk.rename(from, to);
      return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    }
    const before = this.#disk.lstat(from);
    try {
      this.#disk.copy(from, to);
    } catch (error) {
      // Half a copy must not pass for the thing.
      this.#disk.removeTree(to);
      throw error;
    }
    // What was written since is not in the copy, so removing the original would lose it.
    if (before === undefined || !isSameStat(before, this.#disk.lstat(from))) {
      throw Object.assign(new Error(`EBUSY: it changed while it was copied to the trash, '${from}'`), {
        code: "EBUSY",
      });
    }
    return true;
  }

  /** Removes what a failed `put` made; the thing itself is still at its place, or was never there. */
  #discard(name: string): void {
    try {
      this.#disk.removeTree(this.#folder(name));
    } catch {
      // The first error says what is wrong; an entry that holds a note only does no harm.
    }
  }

  #folder(name: string): AbsPath {
    return `${this.#root}/${TRASH_FOLDER}/${name}`;
  }

  #absolute(path: RelPath): AbsPath {
    return `${this.#root}/${path.endsWith("/") ? path.slice(0, -1) : path}`;
  }
}
