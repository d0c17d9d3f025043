import { type Problem, problem } from "../../core/model/problem.ts";
import type { AbsPath } from "../../core/model/words.ts";
import type { Disk, FileStat } from "../../ports.ts";
import { isDiskError } from "../disk-error.ts";

const BACK = "bring it back (mount it, move it back); work goes on by itself, and nothing counts as deleted meanwhile";
const RESTART = "bring the right one back, or restart the daemon to work on what is there now";

/** What tells a root from another one in its place. */
interface Identity {
  /** `.millrace/key`: every root that a process owned has one of its own; `undefined` in a root without. */
  readonly key: string | undefined;
  /** The lock file, whose descriptor is held: another file of that name is not what we have locked. Never opened here. */
  readonly lock: FileStat | undefined;
}

/**
 * Is the root still there, and still the one that this process took? A root whose folder, `.millrace` or key is missing, or whose
 * key is another one, is away: unmounted, moved, removed, or covered by something else. Then every absence below it means nothing.
 *
 * One `lstat` per question; the key is read only when its stat is another one. Until `remember` is called the root counts as there.
 */
export class RootPresence {
  readonly #root: AbsPath;
  readonly #name: string;
  readonly #disk: Disk;
  #known: Identity | undefined;
  #keyStat: FileStat | undefined;
  #problem: Problem | null = null;

  /** `name`: the root as definitions name it. */
  constructor(root: AbsPath, name: string, disk: Disk) {
    this.#root = root;
    this.#name = name;
    this.#disk = disk;
  }

  /** Takes the root as it is now for the right one. */
  remember(): void {
    this.#keyStat = this.#disk.lstat(`${this.#root}/.millrace/key`);
    this.#known = { key: this.#readKey(), lock: this.#disk.lstat(`${this.#root}/.millrace/owner`) };
    this.#problem = null;
  }

  /** Why the root is away, as of the last look; `null` when it was there. */
  get problem(): Problem | null {
    return this.#problem;
  }

  /** Looks. A root that was away is there again only when it is the very one whose lock this process holds. */
  isHere(): boolean {
    if (this.#known !== undefined) {
      const wasAway = this.#problem !== null;
      this.#problem = this.#why(this.#known, wasAway);
    }
    return this.#problem === null;
  }

  #why(known: Identity, wasAway: boolean): Problem | null {
    try {
      const isSame = known.key === undefined ? this.#isOwnFolderThere() : this.#isKeyUntouched();
      if (isSame && !wasAway) return null;
      return this.#compare(known) ?? (wasAway ? this.#compareLock(known) : null);
    } catch (error) {
      if (!isDiskError(error)) throw error;
      return this.#away(`cannot be looked at: ${error.message}`, BACK);
    }
  }

  #isOwnFolderThere(): boolean {
    return this.#disk.lstat(`${this.#root}/.millrace`)?.kind === "folder";
  }

  #isKeyUntouched(): boolean {
    const now = this.#disk.lstat(`${this.#root}/.millrace/key`);
    const known = this.#keyStat;
    return (
      now !== undefined &&
      known !== undefined &&
      now.ino === known.ino &&
      now.dev === known.dev &&
      now.size === known.size &&
      now.ctimeMs === known.ctimeMs
    );
  }

  #compare(known: Identity): Problem | null {
    if (this.#disk.stat(this.#root)?.kind !== "folder") return this.#away("is not there", BACK);
    if (!this.#isOwnFolderThere())
      return this.#away(
        'has no ".millrace": it is another folder, or one that was emptied',
        `${BACK}; if it was emptied on purpose, restart the daemon: it then begins anew there`,
      );
    if (known.key === undefined) return null;
    const key = this.#readKey();
    if (key === undefined)
      return this.#away(
        'has no ".millrace/key"',
        "put the file back, or bring the right root back; or restart the daemon: it makes a new key, and tasks that use environment variables run once more",
      );
    if (key !== known.key) return this.#away('is another root now: its ".millrace/key" is not the same', RESTART);
    this.#keyStat = this.#disk.lstat(`${this.#root}/.millrace/key`);
    return null;
  }

  #compareLock({ lock }: Identity): Problem | null {
    const now = this.#disk.lstat(`${this.#root}/.millrace/owner`);
    if (now?.ino === lock?.ino && now?.dev === lock?.dev) return null;
    const what =
      'came back as a copy: this daemon has locked another ".millrace/owner", and its databases are of the old one';
    return this.#away(what, "restart the daemon: it takes the copy as it is");
  }

  #readKey(): string | undefined {
    const bytes = this.#disk.read(`${this.#root}/.millrace/key`);
    return bytes && new TextDecoder().decode(bytes);
  }

  #away(what: string, hint: string): Problem {
    return problem("M512", `the root "${this.#name}" ${what}`, hint);
  }
}

/** Removes an empty folder; `false` for one that is not empty or not ours to remove. */
function removed(disk: Disk, folder: AbsPath): boolean {
  try {
    return disk.remove(folder);
  } catch (error) {
    if (!isDiskError(error)) throw error;
    return false;
  }
}

/**
 * The same disk, on which nothing is made below a root that is away: no `.millrace` on the bare mount point, nothing written
 * into another root. Such a call throws ENOENT, as it would where the folder is missing.
 */
export function whileHere(disk: Disk, root: AbsPath, presence: RootPresence): Disk {
  const check = (path: AbsPath, isHere: boolean): void => {
    if (isHere || !path.startsWith(`${root}/`)) return;
    throw Object.assign(new Error(`ENOENT: ${presence.problem?.message ?? "the root is away"}, '${path}'`), {
      code: "ENOENT",
      path,
    });
  };
  const known = (): boolean => presence.problem === null;
  return {
    lstat: (path) => disk.lstat(path),
    stat: (path) => disk.stat(path),
    realpath: (path) => disk.realpath(path),
    readLink: (path) => disk.readLink(path),
    open: (path) => disk.open(path),
    list: (path) => disk.list(path),
    listBytes: (path) => disk.listBytes(path),
    read: (path) => disk.read(path),
    sync: (path) => disk.sync(path),
    makeFolders(path) {
      check(path, presence.isHere());
      disk.makeFolders(path);
      if (presence.isHere()) return;
      // It went in between: what was made in its place is taken away again.
      for (let at = path; at.startsWith(`${root}/`) && removed(disk, at); at = at.slice(0, at.lastIndexOf("/")));
      check(path, false);
    },
    write: (path, bytes, options) => (check(path, known()), disk.write(path, bytes, options)),
    rename: (from, to) => (check(to, known()), disk.rename(from, to)),
    copy: (from, to) => (check(to, known()), disk.copy(from, to)),
    remove: (path) => (check(path, known()), disk.remove(path)),
    removeTree: (path) => (check(path, known()), disk.removeTree(path)),
  };
}
