import type { ContentHash, RelPath } from "../core/model/words.ts";
import type { Intent } from "../ports.ts";

/**
 * The results that dead processes announced and may have put in their places. A manifest or a result that could not be read
 * when that was to be finished leaves no record of them; they are ours all the same.
 */
export class LeftResults {
  readonly #hashes = new Map<RelPath, Set<ContentHash>>();

  remember(intents: readonly Intent[]): void {
    for (const { path, record } of intents.flatMap(({ records }) => records)) {
      if (record === null || record.contentHash === null) continue;
      const known = this.#hashes.get(path);
      if (known) known.add(record.contentHash);
      else this.#hashes.set(path, new Set([record.contentHash]));
    }
  }

  /** Did a dead process announce these bytes for this place? */
  has(path: RelPath, hash: ContentHash): boolean {
    return this.#hashes.get(path)?.has(hash) ?? false;
  }
}
