import type { Problem } from "../core/model/problem.ts";
import type { IntentStore, StateReader } from "../ports.ts";
import { type ManifestBook, withEntry } from "./manifest-book.ts";

/**
 * Finishes what a process that died left behind, from what is on disk alone: an output whose bytes are those of an intent
 * was renamed before the manifest was written, so the manifest gets the record it was about to get. It says what the
 * output was made from; whether that still holds is for the planner. Everything else in `tmp` never became visible and goes.
 *
 * @returns what could not be read there, for the log
 */
export function recover(intents: IntentStore, book: ManifestBook, reader: StateReader): readonly Problem[] {
  const left = intents.readAll();
  for (const intent of left.intents) {
    for (const { entityId, pattern, path, record } of intent.records) {
      if (record === null) continue;
      const there = reader.hashNow(path);
      if (there.is !== "hashed" || there.hash !== record.contentHash) continue;
      const before = book.get(entityId);
      // A manifest of a later release is not ours to write: its output is told by its bytes when that release is back.
      if (book.refusal(entityId)) continue;
      const known = Object.hasOwn(before.states, pattern) ? before.states[pattern] : undefined;
      // Times compare only records of the same bytes: a manifest with other bytes is not of what lies there.
      const newer = known?.contentHash === record.contentHash && known.producedAt >= record.producedAt;
      if (!newer) book.put(withEntry(withEntry(before, "states", pattern, record), "failures", pattern, undefined));
    }
  }
  book.flushAll();
  for (const { batchId } of left.intents) intents.remove(batchId);
  intents.clear();
  return left.unreadable.map(({ problem }) => problem);
}
