import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Disk } from "../../ports.ts";
import { codeOf } from "./error-code.ts";

/** Where a path of a root really is. */
export type RealPlace =
  | { readonly is: "at"; readonly path: AbsPath }
  | { readonly is: "absent" }
  | { readonly is: "refused"; readonly reason: string };

const ABSENT: RealPlace = { is: "absent" };

/**
 * Resolves symlinks and refuses those that lead out of the root.
 * What it found of a folder counts until the current job of the event loop ends, so a batch pays once for each folder and
 * a folder that was replaced by a link is noticed by the next batch.
 */
export class Confinement {
  readonly #disk: Disk;
  readonly #root: AbsPath;
  readonly #folders = new Map<RelPath, RealPlace>();
  #realRoot: AbsPath | undefined;

  constructor(disk: Disk, root: AbsPath) {
    this.#disk = disk;
    this.#root = root.endsWith("/") ? root.slice(0, -1) : root;
  }

  /** The path itself with every folder above it resolved; the last segment may be a link. */
  locate(path: RelPath): RealPlace {
    const slash = path.lastIndexOf("/");
    if (slash === -1) return { is: "at", path: `${this.#root}/${path}` };
    const folder = this.#folder(path.slice(0, slash));
    return folder.is === "at" ? { is: "at", path: `${folder.path}${path.slice(slash)}` } : folder;
  }

  /** Where a link leads, which is inside the root. */
  follow(link: AbsPath): RealPlace {
    const target = this.#resolve(link);
    if (target === undefined) return { is: "refused", reason: "dangling link" };
    if (target === LOOP) return { is: "refused", reason: "link that leads to itself" };
    this.#realRoot ??= this.#disk.realpath(this.#root === "" ? "/" : this.#root);
    if (this.#realRoot === undefined) return ABSENT;
    if (target !== this.#realRoot && !target.startsWith(this.#realRoot === "/" ? "/" : `${this.#realRoot}/`)) {
      return { is: "refused", reason: `link that leads outside the state root, to "${target}"` };
    }
    return { is: "at", path: target };
  }

  #folder(path: RelPath): RealPlace {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const place = this.#look(path);
    // Only what is there is kept: the batch itself may be about to make a folder that was absent.
    if (place.is !== "at") return place;
    if (this.#folders.size === 0) queueMicrotask(() => this.#forget());
    this.#folders.set(path, place);
    return place;
  }

  #look(path: RelPath): RealPlace {
    const place = this.locate(path);
    if (place.is !== "at") return place;
    const stat = this.#disk.lstat(place.path);
    if (stat?.kind === "folder") return place;
    if (stat?.kind === "symlink") return this.follow(place.path);
    return ABSENT;
  }

  #resolve(link: AbsPath): AbsPath | undefined {
    try {
      return this.#disk.realpath(link);
    } catch (error) {
      if (codeOf(error) === "ELOOP") return LOOP;
      throw error;
    }
  }

  #forget(): void {
    this.#folders.clear();
    this.#realRoot = undefined;
  }
}

/** No absolute path. */
const LOOP = "";
