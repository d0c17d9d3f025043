import { basename, dirname, join } from "node:path/posix";
import type { AbsPath, RelPath } from "../core/model/words.ts";
import type { Disk, Random } from "../ports.ts";
import { copyName } from "./copies-left.ts";
import { isDiskError } from "./disk-error.ts";

/** Puts staged results in their place. Throws what the disk throws; then what was there before is there still. */
export class Publisher {
  readonly #ports: { readonly disk: Disk; readonly random: Random; readonly root: AbsPath };

  constructor(ports: { readonly disk: Disk; readonly random: Random; readonly root: AbsPath }) {
    this.#ports = ports;
  }

  /** Moves what is staged to its path, in one step where the file system can; `sync` forces it to the medium. */
  moveIntoPlace(path: RelPath, staged: AbsPath, sync: boolean): void {
    const { disk, root } = this.#ports;
    const target = join(root, path.replace(/\/$/, ""));
    if (sync) this.#syncTree(staged);
    const isFolder = path.endsWith("/");
    // A folder cannot replace a folder in one step: the old one steps aside first, and goes when the new one is in place.
    const aside = `${staged}.old`;
    const replaces = isFolder && disk.lstat(target) !== undefined;
    if (replaces) disk.rename(target, aside);
    try {
      this.#renameAcross(staged, target, sync);
    } catch (error) {
      if (replaces) disk.rename(aside, target);
      throw error;
    }
    if (replaces) this.#tryToRemove(aside);
    if (sync) disk.sync(dirname(target));
  }

  /** What the disk refuses to remove goes with the batch that it lies in: the result is in its place. */
  #tryToRemove(path: AbsPath): void {
    try {
      this.#ports.disk.removeTree(path);
    } catch (error) {
      if (!isDiskError(error)) throw error;
    }
  }

  /** A folder's content is on the medium only when each file and each folder in it is. */
  #syncTree(path: AbsPath): void {
    const { disk } = this.#ports;
    const kind = disk.lstat(path)?.kind;
    if (kind === "folder") for (const name of disk.list(path) ?? []) this.#syncTree(join(path, name));
    if (kind === "folder" || kind === "file") disk.sync(path);
  }

  /** Makes a folder of the root; a new folder's name lies in the folder above it. */
  #makeFolder(folder: AbsPath, sync: boolean): void {
    const { disk, root } = this.#ports;
    disk.makeFolders(folder);
    if (!sync) return;
    for (let above = dirname(folder); above.length >= root.length; above = dirname(above)) disk.sync(above);
  }

  #renameAcross(staged: AbsPath, target: AbsPath, sync: boolean): void {
    const { disk, random } = this.#ports;
    try {
      disk.rename(staged, target);
    } catch (error) {
      const code = isDiskError(error) ? error.code : undefined;
      if (code === "ENOENT" && disk.lstat(dirname(target)) === undefined) {
        this.#makeFolder(dirname(target), sync);
        this.#renameAcross(staged, target, sync);
      } else if (code === "EXDEV") {
        // The output folder is on another file system: a copy beside the target can be renamed.
        const beside = join(dirname(target), copyName(basename(target), random));
        try {
          disk.copy(staged, beside);
          if (sync) this.#syncTree(beside);
          disk.rename(beside, target);
        } catch (failed) {
          removeIfPossible(beside, disk);
          throw failed;
        }
        disk.removeTree(staged);
      } else throw error;
    }
  }
}

/** Part of a copy is of no use; what cannot be removed now is found by `verify`. */
function removeIfPossible(path: AbsPath, disk: Disk): void {
  try {
    disk.removeTree(path);
  } catch (error) {
    if (!isDiskError(error)) throw error;
  }
}
