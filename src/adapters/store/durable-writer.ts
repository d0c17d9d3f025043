import type { AbsPath } from "../../core/model/words.ts";
import type { Disk, Random } from "../../ports.ts";

/**
 * Replaces small files whole: a reader, or a restart after a kill at any instant, sees the old text or the new one.
 *
 * The new text goes to a file in the temp folder, is forced to the medium where asked, and is renamed; then the folder is forced.
 * Calls are synchronous and each ends with the rename, so one temp name per writer is enough.
 */
export class DurableWriter {
  readonly #disk: Disk;
  readonly #tempFolder: AbsPath;
  readonly #temp: AbsPath;
  /** The disk has refused to remove the temp file. */
  #isLeft = false;

  /** `tempFolder` must be on the file system of what is written; it is made when it is not there. */
  constructor(tempFolder: AbsPath, ports: { readonly disk: Disk; readonly random: Random }) {
    this.#disk = ports.disk;
    this.#tempFolder = tempFolder;
    this.#temp = `${tempFolder}/write-${ports.random.id()}`;
  }

  /**
   * Throws Node's error (ENOSPC, EACCES ...); then the old file is as it was, and no temp file is left unless the disk refuses
   * its removal, too: then `tidy` is for later.
   */
  write(path: AbsPath, text: string, options: { readonly sync?: boolean; readonly mode?: number } = {}): void {
    try {
      this.#replace(path, text, options);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      // Somebody removed our folders: make them again, once.
      this.#disk.makeFolders(this.#tempFolder);
      this.#disk.makeFolders(parentOf(path));
      this.#replace(path, text, options);
    }
    if (options.sync === true) this.#disk.sync(parentOf(path));
  }

  /** Removes a file, if it is there; with `sync` its absence is on the medium when this returns. */
  remove(path: AbsPath, options: { readonly sync?: boolean } = {}): void {
    if (this.#disk.remove(path) && options.sync === true) this.#disk.sync(parentOf(path));
  }

  #replace(path: AbsPath, text: string, options: { readonly sync?: boolean; readonly mode?: number }): void {
    try {
      this.#disk.write(this.#temp, text, options);
      this.#disk.rename(this.#temp, path);
      this.#isLeft = false;
    } catch (error) {
      this.#isLeft = true;
      this.tidy();
      throw error;
    }
  }

  /** Removes what a refused write left in the temp folder; `false` while the disk refuses that. */
  tidy(): boolean {
    if (!this.#isLeft) return true;
    try {
      this.#disk.remove(this.#temp);
      this.#isLeft = false;
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
    }
    return !this.#isLeft;
  }
}

function parentOf(path: AbsPath): AbsPath {
  return path.slice(0, path.lastIndexOf("/"));
}
