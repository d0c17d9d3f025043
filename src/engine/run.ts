import type { Result } from "../core/model/result.ts";
import { ok } from "../core/model/result.ts";
import type { Status } from "../core/model/words.ts";
import type { AttemptRow } from "../ports.ts";
import type { FrozenReport, RunReport } from "./control.ts";
import { type Ending, rowOf } from "./history.ts";
import type { Root } from "./root.ts";
import { addUp, taskCounts, troubledTasks, troubleOf } from "./calls/status.ts";

export interface RunOptions {
  readonly settleTimeoutMs: number;
  /** Waits for retries that are due later, too. */
  readonly wait: boolean;
  /** Looks at the whole disk first; not needed right after a start. */
  readonly scan: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onEnding?: (ending: Ending) => void;
  /** Starts the roots, so that what they run at once is counted, too. */
  readonly start?: () => Promise<void>;
}

/** Works until nothing can start any more, and says what happened. */
export async function runRoots(roots: readonly Root[], options: RunOptions): Promise<Result<RunReport>> {
  const clock = roots[0]?.ports.clock;
  const startedAt = clock?.monoMs() ?? 0;
  const results: Partial<Record<AttemptRow["result"], number>> = {};
  const count = (ending: Ending): void => {
    const { result } = rowOf(ending);
    results[result] = (results[result] ?? 0) + 1;
    options.onEnding?.(ending);
  };
  const taken = (): number => roots.reduce((sum, { retractions }) => sum + retractions.taken, 0);
  const takenBefore = taken();
  for (const root of roots) root.endings.add(count);
  try {
    await options.start?.();
    if (options.scan) for (const root of roots) await root.look();
    await Promise.all(roots.map((root) => workUntilQuiet(root, options)));
  } finally {
    for (const root of roots) root.endings.delete(count);
  }
  const unsettled = roots.flatMap((root) => root.settling.paths());
  const counts = addUp(roots.map(taskCounts));
  const trouble = roots.flatMap((root) => troubledTasks(root).tasks.map((task) => troubleOf(root, task)));
  const isRecorded = roots.map(areRecordsWritten).every(Boolean);
  const frozen = addUpFrozen(roots.flatMap((root) => root.retractions.report() ?? []));
  const isStuck = !isRecorded || roots.some(isHeldUp) || frozen !== null || unsettled.length > 0;
  const failed = isStuck || FAILED.some((status) => (counts[status] ?? 0) > 0);
  return ok({
    version: 1,
    results,
    counts,
    retracted: taken() - takenBefore,
    frozen,
    unsettled,
    trouble,
    troubleTotal: FAILED.reduce((sum, status) => sum + (counts[status] ?? 0), 0),
    incidents: roots.flatMap((root) => root.incidents.reports()).toSorted((a, b) => b.tasks - a.tasks),
    durationMs: Math.round((clock?.monoMs() ?? 0) - startedAt),
    failed,
  });
}

/** Work stands still for the machine's sake, something could not be taken away, or not everything was seen. Each has been told. */
function isHeldUp({ pauses, problems, retractions }: Root): boolean {
  return pauses.current !== null || retractions.refused > 0 || problems.some(({ code }) => code === "M514");
}

/**
 * Writes the manifests that wait; what the disk has refused once gets a second try. What it still refuses has been told, and
 * the intents keep it for the next start, but the run has not done all of its work.
 */
function areRecordsWritten(root: Root): boolean {
  for (let tries = 0; tries < 2 && root.book.waiting > 0; tries++) root.flushManifests();
  return root.book.waiting === 0;
}

function addUpFrozen(all: readonly FrozenReport[]): FrozenReport | null {
  if (all.length === 0) return null;
  return {
    total: all.reduce((sum, { total }) => sum + total, 0),
    since: all.map(({ since }) => since).toSorted()[0]!,
    why: all.flatMap(({ why }) => why),
    examples: all.flatMap(({ examples }) => examples).slice(0, 3),
  };
}

const FAILED: readonly Status[] = ["failed", "retrying", "blocked", "quarantined"];

async function workUntilQuiet(root: Root, { settleTimeoutMs, wait, signal }: RunOptions): Promise<void> {
  for (;;) {
    await root.whenQuiet({ settleTimeoutMs, signal });
    const due = root.journey.queue?.nextDue();
    if (!wait || due === undefined || signal?.aborted) return;
    await sleepUntil(root, due, signal);
  }
}

function sleepUntil(root: Root, due: number, signal: AbortSignal | undefined): Promise<void> {
  const { clock } = root.ports;
  return new Promise((resolve) => {
    const timer = clock.after(Math.max(0, due - clock.monoMs()), resolve);
    signal?.addEventListener("abort", () => (timer.cancel(), resolve()), { once: true });
  });
}
