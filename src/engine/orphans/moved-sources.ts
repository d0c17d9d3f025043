import type { MonoMs, RelPath, StageKey } from "../../core/model/words.ts";
import { entityIdOf } from "../../core/pattern/pattern.ts";
import type { GoneSource } from "../../core/plan/deletion-guard.ts";
import { learnHash, type LookSources } from "../look.ts";
import type { ManifestBook } from "../manifest-book.ts";

/** How many arrivals are remembered; older ones count as no move. */
const ARRIVALS_KEPT = 50_000;
/** How many moves are remembered for `explain`. */
const MOVES_KEPT = 1000;

/** Which vanished sources have reappeared under another name of the same pattern: same content, new within the last while. */
export class MovedSources {
  readonly #look: LookSources;
  readonly #book: () => ManifestBook;
  /** New source files, oldest first. */
  readonly #arrivals = new Map<RelPath, MonoMs>();
  readonly #moves = new Map<RelPath, RelPath>();

  constructor(look: LookSources, book: () => ManifestBook) {
    this.#look = look;
    this.#book = book;
  }

  /** A source was seen for the first time. */
  arrived(path: RelPath): void {
    this.#arrivals.delete(path);
    this.#arrivals.set(path, this.#look.clock.monoMs());
    this.#moves.delete(path);
    if (this.#arrivals.size > ARRIVALS_KEPT) this.#arrivals.delete(this.#arrivals.keys().next().value!);
  }

  /** Where a vanished source has reappeared, as far as it was found out. */
  movedTo(path: RelPath): RelPath | undefined {
    return this.#moves.get(path);
  }

  /** Forgets arrivals older than a scan interval. */
  forgetBefore(time: MonoMs): void {
    for (const [path, at] of this.#arrivals) {
      if (at >= time) break;
      this.#arrivals.delete(path);
    }
  }

  /**
   * The vanished sources that have reappeared, old path to new. Each arrival stands for one of them. `unknown` is how many
   * arrivals under their patterns could not be compared yet: still being written, or being hashed.
   */
  find(gone: readonly GoneSource[]): { readonly moves: ReadonlyMap<RelPath, RelPath>; readonly unknown: number } {
    const moves = new Map<RelPath, RelPath>();
    const wanted = this.#wanted(gone);
    const { table, stages } = this.#look;
    let unknown = 0;
    if (wanted.size === 0) return { moves, unknown };
    for (const path of this.#arrivals.keys()) {
      const row = table.find(path);
      if (row === undefined) continue;
      const keys = stages()
        .topology.role(table.roleOf(row))
        .sources.filter(({ key }) => wanted.has(key));
      if (keys.length === 0) continue;
      const hash = this.#hashOf(path);
      if (hash === undefined) unknown++;
      for (const { key } of keys) {
        const old = hash === undefined ? undefined : wanted.get(key)!.get(hash)?.shift();
        if (old !== undefined) moves.set(old, path);
      }
    }
    for (const [old, now] of moves) this.#remember(old, now);
    return { moves, unknown };
  }

  /** `undefined`: not known yet. */
  #hashOf(path: RelPath): string | undefined {
    const { table } = this.#look;
    const row = table.find(path)!;
    if (table.statusOf(row) === "settling") return undefined;
    if (table.isPresent(row) && table.lastHashOf(row) === undefined) void learnHash(path, this.#look);
    // What is not there or cannot be read is no content at all.
    return table.isPresent(row) ? table.lastHashOf(row) : "";
  }

  /** The vanished sources by stage and content, as their manifests have it. */
  #wanted(gone: readonly GoneSource[]): Map<StageKey, Map<string, RelPath[]>> {
    const { topology } = this.#look.stages();
    const wanted = new Map<StageKey, Map<string, RelPath[]>>();
    if (this.#arrivals.size === 0) return wanted;
    for (const { stage: key, path } of gone) {
      const stage = topology.stage(key);
      const vars = stage && topology.varsOf(stage, path);
      if (!stage || !vars) continue;
      const { states } = this.#book().get(entityIdOf(stage.pattern, vars));
      const text = stage.pattern.text;
      const hash = Object.hasOwn(states, text) ? states[text]!.contentHash : null;
      if (hash === null) continue;
      const byHash = wanted.get(key) ?? new Map<string, RelPath[]>();
      wanted.set(key, byHash.set(hash, [...(byHash.get(hash) ?? []), path]));
    }
    return wanted;
  }

  #remember(old: RelPath, now: RelPath): void {
    this.#moves.set(old, now);
    if (this.#moves.size > MOVES_KEPT) this.#moves.delete(this.#moves.keys().next().value!);
  }
}
