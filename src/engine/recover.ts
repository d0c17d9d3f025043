import { type Problem, problem } from "../core/model/problem.ts";
import type { Intent, IntentRecord, IntentStore, StateReader } from "../ports.ts";
import { isDiskError } from "./disk-error.ts";
import { type ManifestBook, withEntry } from "./manifest-book.ts";
import type { NamedTimers } from "./named-timers.ts";

/** How long after a refused look at what was left there is another, in milliseconds. */
const AGAIN_MS = 5000;

/**
 * Finishes what a process that died left behind, from what is on disk alone: an output whose bytes are those of an intent
 * was renamed before the manifest was written, so the manifest gets the record it was about to get. It says what the
 * output was made from; whether that still holds is for the planner. Everything else in `tmp` never became visible and goes.
 *
 * A disk that refuses (full, read-only, a folder that cannot be removed) fails nothing: intents stay until their manifests
 * are written, by a later flush of the book or by the next start.
 *
 * @param onFound told of the intents before anything is done about them
 * @returns what could not be read or finished there, for the log
 */
export function recover(
  intents: IntentStore,
  book: ManifestBook,
  reader: StateReader,
  onFound: (intents: readonly Intent[]) => void = () => {},
): readonly Problem[] {
  const problems: Problem[] = [];
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (!isDiskError(error)) throw error;
      problems.push(unfinished(error.message));
    }
  };
  attempt(() => {
    const left = intents.readAll();
    problems.push(...left.unreadable.map((unreadable) => unreadable.problem));
    onFound(left.intents);
    for (const intent of left.intents) attempt(() => finish(intent, book, reader));
  });
  attempt(() => book.flushAll());
  attempt(() => intents.clear());
  return [...new Map(problems.map((found) => [found.message, found])).values()];
}

/**
 * The same for a process that goes on: while the disk does not even let it see what was left, it tries again.
 *
 * @param onLate told when that was finished later, after work has begun: records may have changed
 */
export function recoverSoon(
  from: {
    readonly intents: IntentStore;
    readonly book: ManifestBook;
    readonly reader: StateReader;
    readonly timers: NamedTimers;
  },
  onFound: (intents: readonly Intent[]) => void,
  onLate: () => void,
): readonly Problem[] {
  let isSeen = false;
  const problems = recover(from.intents, from.book, from.reader, (left) => {
    isSeen = true;
    onFound(left);
  });
  const again = (): void => {
    let isFound = false;
    const found = (left: readonly Intent[]): void => {
      isFound = true;
      onFound(left);
    };
    recoverSoon(from, found, onLate);
    if (isFound) onLate();
  };
  if (!isSeen) from.timers.once("recover", AGAIN_MS, again);
  return problems;
}

/** Puts the records of one intent into the book; when they are written, the batch is over. */
function finish({ batchId, records }: Intent, book: ManifestBook, reader: StateReader): void {
  book.hold(batchId);
  for (const intent of records) adopt(intent, batchId, book, reader);
  book.release(batchId);
}

function adopt(
  { entityId, pattern, path, record }: IntentRecord,
  batchId: string,
  book: ManifestBook,
  reader: StateReader,
): void {
  if (record === null) return;
  const there = reader.hashNow(path);
  if (there.is !== "hashed" || there.hash !== record.contentHash) return;
  const before = book.get(entityId);
  // A manifest of a later release is not ours to write: its output is told by its bytes when that release is back.
  if (book.refusal(entityId)) return;
  const known = Object.hasOwn(before.states, pattern) ? before.states[pattern] : undefined;
  // Times compare only records of the same bytes: a manifest with other bytes is not of what lies there.
  const newer = known?.contentHash === record.contentHash && known.producedAt >= record.producedAt;
  if (newer) return;
  book.put(withEntry(withEntry(before, "states", pattern, record), "failures", pattern, undefined), { batchId });
}

function unfinished(why: string): Problem {
  return {
    ...problem(
      "M412",
      `what a process that died left behind cannot be finished now: ${why}`,
      "nothing, if the message is about a full or read-only disk: it is finished when that is mended; else at the next start",
    ),
    severity: "warning",
  };
}
