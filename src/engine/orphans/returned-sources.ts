import type { RelPath } from "../../core/model/words.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { Verdict } from "../../core/plan/verdict.ts";
import type { FactSources } from "../facts.ts";
import { withEntry } from "../manifest-book.ts";
import { missingSources, resultRecord } from "./source-records.ts";

/** How many sources are remembered; of older ones a start that reads every manifest puts the records back. */
const MOST = 50_000;

/**
 * Puts the records of sources back that were forgotten when they went and are there again: what was made of them may still
 * be right, so nothing that runs would record them.
 */
export class ReturnedSources {
  readonly #facts: FactSources;
  /** Sources that may have no record, oldest first. */
  readonly #paths = new Set<RelPath>();

  constructor(facts: FactSources) {
    this.#facts = facts;
  }

  /** A source was seen for the first time, or its record was forgotten. */
  add(path: RelPath): void {
    this.#paths.add(path);
    if (this.#paths.size > MOST) this.#paths.delete(this.#paths.keys().next().value!);
  }

  /** A task was judged: where its result is right, its record tells what it was made from. */
  judged(task: Task, { status, retract }: Verdict): void {
    if (this.#paths.size === 0 || retract || (status !== "fresh" && status !== "skipped")) return;
    const paths = task.inputs.flatMap(({ path }) => (this.#paths.has(path) ? [path] : []));
    if (paths.length === 0) return;
    const { book, stages } = this.#facts;
    const record = resultRecord(book.get(task.entity.id), task.stage.pattern.text);
    if (record === undefined) return;
    const from = { topology: stages().topology, book, nowMs: Date.parse(record.producedAt) };
    for (const source of missingSources(task, record, from))
      if (paths.includes(source.record.path))
        book.put(withEntry(book.get(source.entityId), "states", source.pattern, source.record));
    for (const path of paths) this.#paths.delete(path);
  }
}
