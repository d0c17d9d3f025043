import type { Operation } from "../../support/mortal-disk.ts";
import { ROOT } from "./places.ts";
import type { Watchman } from "./watchman.ts";

/** What was acknowledged as done and safe from a power cut (`durability: "sync"`), and must be there after any death (I10). */
export class Acks {
  readonly #filesAt: (folder: string) => Readonly<Record<string, string>>;
  readonly #watchman: Watchman;
  /** Path to what lay there when it was done; for a folder its files. */
  readonly #safe = new Map<string, string>();

  constructor(filesIn: (folder: string) => Readonly<Record<string, string>>, watchman: Watchman) {
    this.#filesAt = filesIn;
    this.#watchman = watchman;
  }

  /** A result was told to be done. */
  done(path: string): void {
    this.#safe.set(path, this.#contentOf(path));
  }

  /** Something else is about to happen to a path, by Millrace or by people: what was said of it before holds no more. */
  touched({ name, path, to }: Pick<Operation, "name" | "path" | "to">): void {
    if (this.#safe.size === 0 || !CHANGING.has(name)) return;
    for (const at of [path, to ?? path]) this.forget(at.slice(ROOT.length + 1));
  }

  /** The same for a path of the root, and for the folder whose file it is. */
  forget(path: string): void {
    this.#safe.delete(path);
    this.#safe.delete(`${path}/`);
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
      this.#safe.delete(path.slice(0, at + 1));
  }

  /** After a death: all that was acknowledged is there. Returns how many were looked for. */
  check(): number {
    for (const [path, content] of this.#safe) {
      const now = this.#contentOf(path);
      if (now !== content) this.#watchman.complain("I10 ACKED-LOST", `${path}: ${content} was done, now ${now}`);
    }
    return this.#safe.size;
  }

  #contentOf(path: string): string {
    const isFolder = path.endsWith("/");
    const files = Object.entries(this.#filesAt(isFolder ? path : path.slice(0, path.lastIndexOf("/") + 1)));
    return JSON.stringify(isFolder ? files : files.filter(([name]) => name === path));
  }
}

const CHANGING: ReadonlySet<string> = new Set(["write", "rename", "copy", "remove", "removeTree"]);
