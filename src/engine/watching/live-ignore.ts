import { createIgnore, type IgnoreRules } from "../../core/pattern/ignore.ts";
import type { AbsPath } from "../../core/model/words.ts";
import type { Disk } from "../../ports.ts";
import { isDiskError } from "../disk-error.ts";

/** The file of a root's own rules, in gitignore syntax. */
export const IGNORE_FILE = ".millraceignore";

/** The ignore rules of a root as they are now: the defaults and `.millraceignore`, taken anew by `refresh`. */
export class LiveIgnore implements IgnoreRules {
  readonly #path: AbsPath;
  readonly #disk: Disk;
  #text: string | undefined;
  #rules: IgnoreRules = createIgnore();

  constructor(root: AbsPath, disk: Disk) {
    this.#path = `${root}/${IGNORE_FILE}`;
    this.#disk = disk;
    this.#take(disk.read(this.#path));
  }

  test(path: string, isFolder: boolean): string | undefined {
    return this.#rules.test(path, isFolder);
  }

  /** Reads the file again; says whether the rules are others now. While it cannot be read the rules stay as they were. */
  refresh(): boolean {
    try {
      return this.#take(this.#disk.read(this.#path));
    } catch (error) {
      // Every scan asks again; to work by the last rules is better than to end, or to take what they kept out.
      if (!isDiskError(error)) throw error;
      return false;
    }
  }

  #take(bytes: Uint8Array | undefined): boolean {
    const text = bytes === undefined ? "" : Buffer.from(bytes).toString("utf8");
    if (text === this.#text) return false;
    this.#text = text;
    this.#rules = createIgnore(text);
    return true;
  }
}
