import type { AbsPath, RelPath } from "../../core/model/words.ts";
import { createIgnore, type IgnoreRules } from "../../core/pattern/ignore.ts";
import type { Disk, FileStat, Look, ShortOf, StateHash, StateRead, StateReader } from "../../ports.ts";
import { Confinement } from "./confine.ts";
import { codeOf } from "./error-code.ts";
import { hashFile, readFile, sameStat } from "./file-hash.ts";
import { hashTree, runNow, walkTree, type Tree } from "./tree.ts";

/**
 * A reader of one root's states. `loadHasher` must have resolved.
 *
 * A file state follows symlinks inside the root. A folder state is everything below it but what `ignore` names: regular files
 * by content, folders by name, symlinks by their text; modes, FIFOs, sockets and devices do not count. Its stat stands
 * for the whole tree (see `walkTree`), so looking at a folder state costs a walk.
 * What cannot be read is `refused` with a reason; where the system runs short (too many open files, no memory), `shortOf` says so.
 */
export function createStateReader(disk: Disk, root: AbsPath, ignore: IgnoreRules = createIgnore()): StateReader {
  return new DiskStateReader(disk, root, ignore);
}

class DiskStateReader implements StateReader {
  readonly #disk: Disk;
  readonly #ignore: IgnoreRules;
  readonly #confinement: Confinement;

  constructor(disk: Disk, root: AbsPath, ignore: IgnoreRules) {
    this.#disk = disk;
    this.#ignore = ignore;
    this.#confinement = new Confinement(disk, root);
  }

  look(path: RelPath): Look {
    try {
      const found = this.#find(path);
      if (found.is !== "found") return found;
      if (found.stat.kind === "file") return { is: "file", stat: found.stat };
      const tree = this.#walk(path, found);
      return tree.is === "tree" ? { is: "folder", stat: tree.stat } : tree;
    } catch (error) {
      const why = whyUnreadable(error);
      if (why.is !== "changing") return why;
      const shortOf = why.shortOf && { shortOf: why.shortOf };
      return { is: "refused", reason: `cannot be read (${codeOf(error)})`, ...shortOf };
    }
  }

  read(path: RelPath): StateRead {
    try {
      if (path.endsWith("/")) return { is: "refused", reason: "folder, not a file" };
      const place = this.#confinement.locate(path);
      if (place.is !== "at") return place;
      try {
        return readFile(this.#disk, place.path);
      } catch (error) {
        if (codeOf(error) !== "ELOOP") throw error;
      }
      const target = this.#confinement.follow(place.path);
      return target.is === "at" ? readFile(this.#disk, target.path) : target;
    } catch (error) {
      return whyUnreadable(error);
    }
  }

  hashNow(path: RelPath): StateHash {
    try {
      return runNow(this.#hash(path));
    } catch (error) {
      return whyUnreadable(error);
    }
  }

  async hash(path: RelPath): Promise<StateHash> {
    const steps = this.#hash(path);
    try {
      for (;;) {
        const step = steps.next();
        if (step.done === true) return step.value;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      return whyUnreadable(error);
    }
  }

  countFiles(path: RelPath): number {
    try {
      const found = this.#find(path);
      if (found.is !== "found") return 0;
      if (found.stat.kind === "file") return 1;
      const tree = this.#walk(path, found);
      return tree.is === "tree" ? tree.nodes.filter(({ kind }) => kind === "file").length : 0;
    } catch (error) {
      // What cannot be read has no files yet; `look` says why.
      whyUnreadable(error);
      return 0;
    }
  }

  *#hash(path: RelPath): Generator<void, StateHash> {
    if (path.endsWith("/")) return yield* this.#hashFolder(path);
    const place = this.#confinement.locate(path);
    if (place.is !== "at") return place;
    try {
      return yield* hashFile(this.#disk, place.path);
    } catch (error) {
      if (codeOf(error) !== "ELOOP") throw error;
    }
    const target = this.#confinement.follow(place.path);
    return target.is === "at" ? yield* hashFile(this.#disk, target.path) : target;
  }

  *#hashFolder(path: RelPath): Generator<void, StateHash> {
    const found = this.#find(path);
    if (found.is !== "found") return found;
    const tree = this.#walk(path, found);
    if (tree.is === "refused") return tree;
    const hash = yield* hashTree(this.#disk, found.at, tree.nodes);
    if (typeof hash !== "string") return hash;
    const again = this.#find(path);
    if (again.is !== "found" || again.at !== found.at) return { is: "changing" };
    const after = this.#walk(path, again);
    return after.is === "tree" && sameStat(tree.stat, after.stat)
      ? { is: "hashed", hash, stat: after.stat }
      : { is: "changing" };
  }

  #walk(path: RelPath, found: Found): Tree {
    return walkTree(this.#disk, found.at, found.stat, { path, ignore: this.#ignore });
  }

  /** The file or folder at a path, links followed; refused when it is not what the path's last character says. */
  #find(path: RelPath): Found | Exclude<Look, { readonly is: "file" | "folder" }> {
    const isFolder = path.endsWith("/");
    const place = this.#confinement.locate(isFolder ? path.slice(0, -1) : path);
    if (place.is !== "at") return place;
    let at = place.path;
    let stat = this.#disk.lstat(at);
    if (stat?.kind === "symlink") {
      const target = this.#confinement.follow(at);
      if (target.is !== "at") return target;
      at = target.path;
      stat = this.#disk.lstat(at);
    }
    if (stat === undefined) return { is: "absent" };
    if (stat.kind === "file" && isFolder) return { is: "refused", reason: "file, not a folder" };
    if (stat.kind === "folder" && !isFolder) return { is: "refused", reason: "folder, not a file" };
    if (stat.kind === "file" || stat.kind === "folder") return { is: "found", at, stat };
    return { is: "refused", reason: "FIFO, socket or device", isSpecial: true };
  }
}

interface Found {
  readonly is: "found";
  readonly at: AbsPath;
  readonly stat: FileStat;
}

function whyUnreadable(
  error: unknown,
): { is: "absent" } | { is: "refused"; reason: string } | { is: "changing"; shortOf?: ShortOf } {
  const code = codeOf(error);
  switch (code) {
    case undefined:
      // Too large for one buffer; anything else without a code is no failure of the disk.
      if (error instanceof RangeError) return { is: "refused", reason: "too large to read at once" };
      throw error;
    case "ENAMETOOLONG":
      return { is: "absent" };
    case "EACCES":
    case "EPERM":
      return { is: "refused", reason: `no permission to read it (${code})` };
    case "ENXIO":
      return { is: "refused", reason: "FIFO, socket or device" };
    // Swapped for a link between the look and the opening: the next try tells.
    case "ELOOP":
      return { is: "changing" };
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
    case "EAGAIN":
      return { is: "changing", shortOf: code };
    default:
      return { is: "refused", reason: `cannot be read (${code})` };
  }
}
