import type { PlannedSource } from "../checker/plan.ts";
import type { RelPath } from "../../../src/core/model/words.ts";
import { ROOT } from "./places.ts";
import type { SimProcess } from "./process.ts";
import type { Seen } from "./script.ts";

interface Source {
  readonly versions: string[];
  last: string | null;
  since: number;
}

/** What people do to the files of a root, written down before it is done. */
export class Desk {
  readonly #process: SimProcess;
  readonly sources: Map<RelPath, Source> = new Map<RelPath, Source>();
  /** Edits of results and foreign files that nobody has taken back, path to text. */
  readonly keepsakes: Map<RelPath, string> = new Map<RelPath, string>();

  /** Foreign files outside all patterns. */
  readonly strays: Set<RelPath> = new Set<RelPath>();

  constructor(process: SimProcess) {
    this.#process = process;
  }

  /** The plan's sources. */
  planned(): PlannedSource[] {
    return [...this.sources].map(([path, { versions, last, since }]) => ({ path, versions, last, since }));
  }

  write(path: RelPath, text: string): void {
    const known = this.sources.get(path) ?? { versions: [], last: null, since: 0 };
    known.versions.push(text);
    known.last = text;
    known.since = ++this.#process.tick;
    this.sources.set(path, known);
    this.#put(path, text);
  }

  remove(path: RelPath): boolean {
    const known = this.sources.get(path);
    if (known === undefined || known.last === null) return false;
    known.last = null;
    known.since = ++this.#process.tick;
    this.#drop(path);
    return true;
  }

  rename(from: RelPath, to: RelPath): boolean {
    const known = this.sources.get(from);
    if (known === undefined || known.last === null || from === to) return false;
    const text = known.last;
    known.last = null;
    known.since = ++this.#process.tick;
    const target = this.sources.get(to) ?? { versions: [], last: null, since: 0 };
    target.versions.push(text);
    target.last = text;
    target.since = this.#process.tick;
    this.sources.set(to, target);
    this.#process.rig.shared.rename(`${ROOT}/${from}`, `${ROOT}/${to}`);
    this.#process.rig.shared.sync(`${ROOT}/in`);
    return true;
  }

  /** Puts something where results go, or anywhere else. */
  scribble(path: RelPath, text: string): void {
    this.#process.tick++;
    this.keepsakes.set(path, text);
    this.#process.watchman.written(path, text);
    this.#put(path, text);
  }

  /** Takes a result away. */
  lose(path: RelPath): void {
    this.#process.tick++;
    for (const kept of this.keepsakes.keys()) if (kept === path || kept.startsWith(path)) this.keepsakes.delete(kept);
    this.#drop(path);
  }

  text(path: RelPath): string | undefined {
    return path.endsWith("/") ? undefined : this.#process.rig.text(path);
  }

  #put(path: RelPath, text: string): void {
    const { shared } = this.#process.rig;
    this.#process.acks.forget(path);
    const at = `${ROOT}/${path}`;
    const folder = at.slice(0, at.lastIndexOf("/"));
    shared.makeFolders(folder);
    shared.write(at, text, { sync: true });
    for (let above = folder; above.length >= ROOT.length; above = above.slice(0, above.lastIndexOf("/")))
      shared.sync(above);
  }

  #drop(path: RelPath): void {
    const { shared } = this.#process.rig;
    this.#process.acks.forget(path.replace(/\/$/, ""));
    const at = `${ROOT}/${path.replace(/\/$/, "")}`;
    shared.removeTree(at);
    const folder = at.slice(0, at.lastIndexOf("/"));
    if (shared.lstat(folder) !== undefined) shared.sync(folder);
  }

  /** The watcher tells what happened, or does not. */
  tell(paths: readonly RelPath[], seen: Seen): void {
    const { rig, tally } = this.#process;
    const { changes, clock } = rig;
    if (seen !== "seen") tally.add(`events ${seen}`);
    switch (seen) {
      case "lost":
        return;
      case "seen":
        return changes.changed(...paths);
      case "twice":
        changes.changed(...paths);
        return void clock.after(30, () => changes.changed(...paths));
      case "late":
        // The last one first.
        for (const [i, path] of paths.entries()) clock.after(400 - i, () => changes.changed(path));
        return;
      case "storm":
        for (const folder of new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/") + 1))))
          if (folder !== "") changes.changed(folder);
    }
  }
}
