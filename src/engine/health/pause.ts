import type { Problem } from "../../core/model/problem.ts";

/** Who may stop a root's work: the medium is full or read-only, the root itself is away, too many files are open, memory is short. */
export type PauseName = "space" | "read-only" | "away" | "open-files" | "memory";

/** The order in which standing reasons are told: what must be mended first comes first. */
const ORDER: readonly PauseName[] = ["away", "read-only", "space", "open-files", "memory"];

/**
 * Why no work of a root is started now. Reasons have names and stand until whoever set them clears them; while any
 * stands, running attempts end, statuses stay and `status` is served.
 */
export class Pauses {
  readonly #reasons = new Map<PauseName, Problem>();
  readonly #onChange: (current: Problem | null) => void;

  /** `onChange` is told when work stops, goes on, or stands still for another reason; not when a reason is only told anew. */
  constructor(onChange: (current: Problem | null) => void) {
    this.#onChange = onChange;
  }

  /** Stops work for this reason; a second call under one name replaces its problem (other numbers in it are no change). */
  set(name: PauseName, problem: Problem): void {
    const before = this.current;
    this.#reasons.set(name, problem);
    this.#tell(before);
  }

  /** This reason stands no more; nothing happens when it did not. */
  clear(name: PauseName): void {
    const before = this.current;
    if (this.#reasons.delete(name)) this.#tell(before);
  }

  has(name: PauseName): boolean {
    return this.#reasons.has(name);
  }

  /** Why no work is started now; `null` when it is. */
  get current(): Problem | null {
    for (const name of ORDER) {
      const problem = this.#reasons.get(name);
      if (problem) return problem;
    }
    return null;
  }

  #tell(before: Problem | null): void {
    const now = this.current;
    if (before?.code !== now?.code) this.#onChange(now);
  }
}
