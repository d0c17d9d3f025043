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
 * @param unread gets the batches of which something could not be read now, and loses those that are finished: their intents stay
 * @returns what could not be read or finished there, for the log
 */
export function recover(
  intents: IntentStore,
  book: ManifestBook,
  reader: StateReader,
  onFound: (intents: readonly Intent[]) => void = () => {},
  unread: Set<string> = new Set(),
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
    for (const intent of left.intents) attempt(() => finish(intent, book, reader, unread));
  });
  attempt(() => book.flushAll());
  attempt(() => intents.clear());
  return [...new Map(problems.map((found) => [found.message, found])).values()];
}

/**
 * The same for a process that goes on: while the disk does not let it see or read all that was left, it tries again.
 *
 * @param onLate told when something was finished later, after work has begun: records may have changed
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
  const { intents, book, reader, timers } = from;
  const unread = new Set<string>();
  let isSeen = false;
  const see = (left: readonly Intent[]): void => {
    if (!isSeen) onFound(left);
    isSeen = true;
  };
  const again = (): void => {
    const before = isSeen ? unread.size : Infinity;
    tryIt();
    if (isSeen && unread.size < before) onLate();
  };
  const tryIt = (): readonly Problem[] => {
    const problems = recover(intents, book, reader, see, unread);
    if (!isSeen || unread.size > 0) timers.once("recover", AGAIN_MS, again);
    return problems;
  };
  return tryIt();
}

/** Puts the records of one intent into the book; when they are written, the batch is over. */
function finish({ batchId, records }: Intent, book: ManifestBook, reader: StateReader, unread: Set<string>): void {
  if (!unread.has(batchId)) book.hold(batchId);
  unread.add(batchId);
  const isRead = records.map((intent) => adopt(intent, batchId, book, reader));
  if (!isRead.every(Boolean)) return;
  unread.delete(batchId);
  book.release(batchId);
}

/** `false` when it cannot be told now whether the result is in its place: what tells it cannot be read. */
function adopt(
  { entityId, pattern, path, record }: IntentRecord,
  batchId: string,
  book: ManifestBook,
  reader: StateReader,
): boolean {
  if (record === null) return true;
  const there = reader.hashNow(path);
  if (there.is === "changing" || there.is === "refused") return !["file", "folder"].includes(reader.look(path).is);
  if (there.is !== "hashed" || there.hash !== record.contentHash) return true;
  const before = book.get(entityId);
  // A manifest of a later release is not ours to write: its output is told by its bytes when that release is back.
  const refusal = book.refusal(entityId);
  if (refusal) return refusal.every(({ code }) => code !== "M411");
  const known = Object.hasOwn(before.states, pattern) ? before.states[pattern] : undefined;
  // Times compare only records of the same bytes: a manifest with other bytes is not of what lies there.
  const newer = known?.contentHash === record.contentHash && known.producedAt >= record.producedAt;
  if (newer) return true;
  book.put(withEntry(withEntry(before, "states", pattern, record), "failures", pattern, undefined), { batchId });
  return true;
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
