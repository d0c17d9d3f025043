import { documentText } from "../../core/model/document-json.ts";
import { isPathInRoot } from "../../core/model/manifest-json.ts";
import { InternalError } from "../../core/model/problems.ts";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Clock, Disk, Random, Trash } from "../../ports.ts";
import { isSameStat } from "./same-stat.ts";

/**
 * `.millrace/trash/<UTC time>-<id>/note.json`: why something was moved aside. Documented JSON, keys sorted.
 * Beside it is the thing itself under its path in the root, so that moving it back needs no other knowledge.
 */
export interface TrashNote {
  /** Where it was, relative to the root. */
  readonly path: RelPath;
  /** Where it is now, relative to the root: `.millrace/trash/<entry>/<path>` (with `_/` before a path that begins with `note.json`). */
  readonly kept: RelPath;
  readonly why: string;
  /** When, ISO 8601, UTC. */
  readonly at: string;
}

const TRASH = ".millrace/trash";
const NOTE = "note.json";

/** `.millrace/trash/` of one root. */
export class FileTrash implements Trash {
  readonly #root: AbsPath;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(root: AbsPath, ports: { readonly disk: Disk; readonly clock: Clock; readonly random: Random }) {
    this.#root = root;
    this.#disk = ports.disk;
    this.#clock = ports.clock;
    this.#random = ports.random;
  }

  /** Throws Node's error: ENOENT when nothing is at `path`, EBUSY when it changed while it was copied from another file system. */
  put(path: RelPath, why: string): RelPath {
    if (!isPathInRoot(path) || path === ".millrace/" || path === ".millrace" || `${path}/`.startsWith(`${TRASH}/`)) {
      throw new InternalError(`"${path}" cannot be moved to the trash`);
    }
    const at = new Date(this.#clock.wallMs()).toISOString();
    const entry = this.#makeEntry(at);
    // The note's own name is taken in an entry; disks may ignore case.
    const kept: RelPath = `${entry}/${/^note\.json(?:\/|$)/i.test(path) ? "_/" : ""}${path}`;
    const note: TrashNote = { path, kept, why, at };
    let isCopy: boolean;
    try {
      // The note goes first: a kill in between leaves a note without a thing, never a thing without its reason.
      this.#disk.write(`${this.#root}/${entry}/${NOTE}`, documentText(note) + "\n");
      isCopy = this.#moveOrCopy(this.#absolute(path), this.#absolute(kept));
    } catch (error) {
      this.#discard(entry);
      throw error;
    }
    // From here on the copy may be all there is, so a failure leaves it where it is.
    if (isCopy) this.#disk.removeTree(this.#absolute(path));
    return kept;
  }

  #makeEntry(at: string): RelPath {
    const time = at.replace(/[-:.]/g, "");
    for (;;) {
      const entry: RelPath = `${TRASH}/${time}-${this.#random.id()}`;
      if (this.#disk.lstat(`${this.#root}/${entry}`) !== undefined) continue;
      this.#disk.makeFolders(`${this.#root}/${entry}`);
      return entry;
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
    this.#disk.copy(from, to);
    // What was written since is not in the copy, so removing the original would lose it.
    if (before === undefined || !isSameStat(before, this.#disk.lstat(from))) {
      throw Object.assign(new Error(`EBUSY: it changed while it was copied to the trash, '${from}'`), {
        code: "EBUSY",
      });
    }
    return true;
  }

  /** Removes what a failed `put` made; the thing itself is still at its place, or was never there. */
  #discard(entry: RelPath): void {
    try {
      this.#disk.removeTree(`${this.#root}/${entry}`);
    } catch {
      // The first error says what is wrong; an entry that holds a note only does no harm.
    }
  }

  #absolute(path: RelPath): AbsPath {
    return `${this.#root}/${path.endsWith("/") ? path.slice(0, -1) : path}`;
  }
}
