import type { Result } from "../../core/model/result.ts";
import type { AttemptOutcome, AttemptRequest, InspectRequest, NodeCode, NodeRunner, StageWork } from "../../ports.ts";
import { stopBundler } from "./code/bundle.ts";
import { inspectCode } from "./code/inspect.ts";
import type { NodeType } from "./node-type.ts";
import { SingleLane } from "./single/single-lane.ts";
import { PieceThreads } from "./threads/piece-threads.ts";
import type { ExecutePorts, Piece, PieceEnd } from "./wire.ts";

export interface NodeRunnerOptions {
  readonly ports: ExecutePorts;
  /** Every type of node by its id. */
  readonly nodeTypes: ReadonlyMap<string, NodeType>;
  /** The entry of the worker threads, which calls `servePieces`. */
  readonly batchWorker: URL;
  /** How many threads batches are spread over; one keeps up with a main thread that commits. */
  readonly batchThreads?: number;
}

/**
 * A runner of the given node types. No thread and no process is started before the first attempt.
 *
 * Attempts of the batch lane share a worker thread: an expression that takes longer than 0.1 s there ends as `alone`, as does the
 * one in which a thread died. Asked for again with `alone`, it gets a thread of its own and its stage's whole timeout. What
 * expressions do has no effects, so nothing is done twice. The single lane runs each attempt from this thread.
 */
export function createNodeRunner(options: NodeRunnerOptions): NodeRunner {
  return new ThreadedRunner(options);
}

class ThreadedRunner implements NodeRunner {
  readonly nodeTypes: ReadonlyMap<string, NodeType>;
  readonly #threads: PieceThreads;
  readonly #single: SingleLane;
  readonly #runs = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor({ ports, nodeTypes, batchWorker, batchThreads = 1 }: NodeRunnerOptions) {
    this.nodeTypes = nodeTypes;
    this.#threads = new PieceThreads(batchWorker, batchThreads);
    this.#single = new SingleLane(ports, nodeTypes, this.#threads);
  }

  inspect(stage: InspectRequest): Promise<Result<NodeCode>> {
    return inspectCode(stage, this.nodeTypes);
  }

  laneOf(work: StageWork): "batch" | "single" {
    return this.#isShareable(work) && !this.#threads.isSlow(work) ? "batch" : "single";
  }

  /** Do all its nodes run in a thread that attempts share? */
  #isShareable({ node, then, else: otherwise }: StageWork): boolean {
    const specs = [node, then, otherwise].filter((spec) => spec !== undefined);
    return specs.every(({ typeId }) => this.nodeTypes.get(typeId)?.lane === "batch");
  }

  async run(requests: readonly AttemptRequest[], emit: (outcomes: readonly AttemptOutcome[]) => void): Promise<void> {
    if (this.#closing !== undefined) {
      if (requests.length > 0) emit(requests.map(interrupted));
      return;
    }
    const run = this.#runBoth(requests, emit).finally(() => this.#runs.delete(run));
    this.#runs.add(run);
    await run;
  }

  byHand(request: AttemptRequest): string | undefined {
    const type = this.nodeTypes.get(request.work.node.typeId);
    return type?.lane === "single" ? type.byHand?.(request) : undefined;
  }

  cancel(attemptId: string): void {
    this.#threads.cancel(attemptId);
    this.#single.cancel(attemptId);
  }

  close(): Promise<void> {
    // Not at once: whoever is told that his attempt was interrupted may call this again.
    this.#closing ??= Promise.resolve().then(() => this.#close());
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#single.cancelAll();
    await this.#threads.close();
    await Promise.allSettled(this.#runs);
    await Promise.all([...this.nodeTypes.values()].map(async (type) => type.close?.()));
    await stopBundler();
  }

  async #runBoth(
    requests: readonly AttemptRequest[],
    emit: (outcomes: readonly AttemptOutcome[]) => void,
  ): Promise<void> {
    const shareable = new Map<StageWork, boolean>();
    const pieces = { together: [] as Piece[], alone: [] as Piece[] };
    const single: AttemptRequest[] = [];
    for (const request of requests) {
      let isShareable = shareable.get(request.work);
      if (isShareable === undefined) shareable.set(request.work, (isShareable = this.#isShareable(request.work)));
      if (!isShareable) single.push(request);
      else pieces[request.alone ? "alone" : "together"].push({ request, do: "run", place: "node" });
    }
    await Promise.all([
      this.#threads.run(pieces.together, (ends) => emit(ends.map(outcomeOf))),
      ...pieces.alone.map(async (piece) => emit([outcomeOf(await this.#threads.one(piece))])),
      ...single.map(async (request) => emit([await this.#single.run(request)])),
    ]);
  }
}

function interrupted({ attemptId }: AttemptRequest): AttemptOutcome {
  return { kind: "interrupted", attemptId, reads: [], envReads: [], durationMs: 0, log: "" };
}

/** In the batch lane every branch is a batch node, so another end is a definition that no longer fits the node types. */
function outcomeOf(end: PieceEnd): AttemptOutcome {
  if (end.kind !== "branch" && end.kind !== "filled") return end;
  const { attemptId, reads, envReads, durationMs, log } = end;
  const error = `the node ended as "${end.kind}", which the batch lane does not know`;
  return { kind: "failed", error, category: "definition", attemptId, reads, envReads, durationMs, log };
}
