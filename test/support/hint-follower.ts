import { type Dirent, lstatSync, readdirSync } from "node:fs";
import { setTimeout as later } from "node:timers/promises";
import type { ChangeHint } from "../../src/ports.ts";

const DEADLINE_MS = 15_000;

/** What somebody believes to be in a root who looks only where hints tell them to: files by path with what their stat said. */
export class HintFollower {
  readonly hints: ChangeHint[] = [];
  readonly files: Map<string, string> = new Map();
  readonly #root: string;
  readonly #isIgnored: (path: string) => boolean;

  constructor(root: string, isIgnored: (path: string) => boolean = () => false) {
    this.#root = root;
    this.#isIgnored = isIgnored;
  }

  /** To be given to `start`. */
  readonly onHint: (hint: ChangeHint) => void = (hint) => {
    this.hints.push(hint);
    if (hint.kind === "path") this.#lookAt(hint.path);
    else this.lookThrough(hint.path);
  };

  /** A look at everything below a folder. */
  lookThrough(folder: string): void {
    for (const path of this.files.keys()) {
      if (folder === "" || path === folder || path.startsWith(`${folder}/`)) this.files.delete(path);
    }
    for (const [path, mark] of filesBelow(this.#root, folder)) if (!this.#isIgnored(path)) this.files.set(path, mark);
  }

  /** Whether the belief is true of a folder. */
  isRightAbout(folder: string): boolean {
    const real = [...filesBelow(this.#root, folder)].filter(([path]) => !this.#isIgnored(path));
    const believed = [...this.files].filter(([path]) => folder === "" || path.startsWith(`${folder}/`));
    return JSON.stringify(real.toSorted(byPath)) === JSON.stringify(believed.toSorted(byPath));
  }

  /** Resolves when the belief is true; rejects, telling the difference, when it does not become so. */
  async becomesRightAbout(folder: string): Promise<void> {
    await until(
      () => this.isRightAbout(folder),
      () => {
        const real = filesBelow(this.#root, folder);
        const missed = [...real].filter(([path, mark]) => this.files.get(path) !== mark).map(([path]) => path);
        const gone = [...this.files.keys()].filter((path) => !real.has(path));
        return `missed ${missed.length}: ${missed.slice(0, 5).join()}; gone but believed ${gone.length}: ${gone.slice(0, 5).join()}`;
      },
    );
  }

  /** Causes of folder hints about a folder. */
  causesOf(folder: string): string[] {
    return this.hints.flatMap((hint) => (hint.kind === "folder" && hint.path === folder ? [hint.cause] : []));
  }

  hasPath(path: string): boolean {
    return this.hints.some((hint) => hint.kind === "path" && hint.path === path);
  }

  #lookAt(path: string): void {
    const mark = markOf(`${this.#root}/${path}`);
    if (mark === undefined || this.#isIgnored(path)) this.files.delete(path);
    else this.files.set(path, mark);
  }
}

/** Resolves when a condition holds. */
export async function until(holds: () => boolean, explain: () => string = () => ""): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it did not come true: ${holds.toString()} ${explain()}`);
    await later(5);
  }
}

function filesBelow(root: string, folder: string): Map<string, string> {
  const found = new Map<string, string>();
  const pending = [folder];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const entry of entriesOf(at === "" ? root : `${root}/${at}`)) {
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) pending.push(path);
      const mark = markOf(`${root}/${path}`);
      if (mark !== undefined) found.set(path, mark);
    }
  }
  return found;
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    // Gone, or never there: nothing is below it.
    return [];
  }
}

function markOf(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined || stats.isDirectory() ? undefined : `${stats.size} ${stats.mtimeMs} ${stats.ino}`;
}

function byPath([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : Number(a > b);
}
