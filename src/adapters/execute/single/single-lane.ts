import { InternalError } from "../../../core/model/problems.ts";
import type { AttemptOutcome, AttemptRequest } from "../../../ports.ts";
import { failureOf, maskEnv } from "../failure.ts";
import type { NodePlace, NodeType, SingleNodeType, SingleResult, StopReason } from "../node-type.ts";
import { withoutSlash } from "../staged-result.ts";
import type { FinalEnd, PieceThreads } from "../threads/piece-threads.ts";
import type { ExecutePorts } from "../wire.ts";
import { LogTail } from "./log-tail.ts";
import { findChanged, ReadBook, readyInputs } from "./read-book.ts";
import { stageValue } from "./stage-value.ts";

// setTimeout takes no longer ones.
const MAX_TIMER_MS = 2 ** 31 - 1;
// A node that does not end when told to is left behind after this; what it returns is ignored.
const STOP_GRACE_MS = 10_000;

/** Runs attempts one by one: those whose stage has a node that cannot run in a shared worker thread. */
export class SingleLane {
  readonly #ports: ExecutePorts;
  readonly #types: ReadonlyMap<string, NodeType>;
  readonly #threads: PieceThreads;
  readonly #running = new Map<string, Attempt>();

  constructor(ports: ExecutePorts, types: ReadonlyMap<string, NodeType>, threads: PieceThreads) {
    this.#ports = ports;
    this.#types = types;
    this.#threads = threads;
  }

  async run(request: AttemptRequest): Promise<AttemptOutcome> {
    const attempt = new Attempt(request, this.#ports, this.#types, this.#threads);
    this.#running.set(request.attemptId, attempt);
    try {
      return await attempt.run();
    } finally {
      this.#running.delete(request.attemptId);
    }
  }

  cancel(attemptId: string): void {
    this.#running.get(attemptId)?.stop("cancelled");
  }

  /** Cancels every attempt; their outcomes come as of any other. */
  cancelAll(): void {
    for (const attempt of this.#running.values()) attempt.stop("cancelled");
  }
}

/** What an outcome adds to what all have. */
type Ending = AttemptOutcome extends infer Outcome
  ? Outcome extends AttemptOutcome
    ? Omit<Outcome, "attemptId" | "reads" | "envReads" | "durationMs" | "log">
    : never
  : never;

class Attempt {
  readonly #request: AttemptRequest;
  readonly #ports: ExecutePorts;
  readonly #types: ReadonlyMap<string, NodeType>;
  readonly #threads: PieceThreads;
  readonly #controller = new AbortController();
  readonly #book = new ReadBook();
  readonly #log = new LogTail();

  constructor(
    request: AttemptRequest,
    ports: ExecutePorts,
    types: ReadonlyMap<string, NodeType>,
    threads: PieceThreads,
  ) {
    this.#request = request;
    this.#ports = ports;
    this.#types = types;
    this.#threads = threads;
  }

  stop(reason: StopReason): void {
    if (this.#controller.signal.aborted) return;
    this.#controller.abort(reason);
    this.#threads.cancel(this.#request.attemptId);
  }

  async run(): Promise<AttemptOutcome> {
    const startedAt = performance.now();
    const { timeoutMs } = this.#request.work;
    const timer = setTimeout(() => this.stop("timeout"), Math.min(timeoutMs, MAX_TIMER_MS));
    const ending = await this.#runFrom("node")
      .catch(failedByDisk)
      .finally(() => clearTimeout(timer));
    const { envReads } = this.#book;
    const mask = (text: string): string => maskEnv(text, this.#request, envReads);
    return {
      ...(ending.kind === "failed" ? { ...ending, error: mask(ending.error) } : ending),
      attemptId: this.#request.attemptId,
      reads: this.#book.records(),
      envReads,
      durationMs: performance.now() - startedAt,
      log: this.#log.render(mask),
    };
  }

  async #runFrom(place: NodePlace): Promise<Ending> {
    const spec = this.#request.work[place];
    const type = spec && this.#types.get(spec.typeId);
    if (type === undefined) {
      return { kind: "failed", error: `there is no node type "${spec?.typeId}"`, category: "definition" };
    }
    return type.lane === "single" ? this.#runSingle(type, place) : this.#runBatch(place);
  }

  async #runBatch(place: NodePlace): Promise<Ending> {
    const stopped = this.#stopped();
    if (stopped !== undefined) return stopped;
    const end = await this.#threads.one({ request: this.#request, do: "run", place });
    if (this.#isOvertakenBy(end)) return this.#overtaken();
    if (end.kind !== "branch") return this.#settled(end);
    if (place !== "node") throw new InternalError("a branch chose a branch");
    return this.#runFrom(end.place);
  }

  async #runSingle(type: SingleNodeType, place: NodePlace): Promise<Ending> {
    const inputs = await readyInputs(this.#ports, this.#request, this.#book);
    if ("kind" in inputs) return this.#stopped() ?? inputs;
    if (this.#book.overtaken !== undefined) return this.#overtaken();
    if (this.#request.output.path.endsWith("/")) {
      this.#ports.disk.makeFolders(withoutSlash(this.#request.output.staged));
    }
    const stopped = this.#stopped();
    if (stopped !== undefined) return stopped;
    const result = await this.#untilStopped(this.#call(type, place, inputs));
    return (await this.#verdictOnReads()) ?? (result.kind === "produced" ? this.#measure() : result);
  }

  async #call(
    type: SingleNodeType,
    place: NodePlace,
    inputs: Parameters<SingleNodeType["run"]>[0]["inputs"],
  ): Promise<SingleResult> {
    const node = this.#request.work[place];
    if (node === undefined) throw new InternalError(`there is no ${place}`);
    const { signal } = this.#controller;
    try {
      return await type.run({
        request: this.#request,
        node,
        place,
        modulePath: this.#request.work.code.modules[place],
        inputs,
        signal,
        stage: (value) => stageValue(this.#ports.disk, this.#request, value, signal),
        log: (text) => this.#log.add(text),
        fill: (value) => this.#fill(value),
      });
    } catch (error) {
      return { kind: "failed", error: error instanceof Error ? error.message : String(error), category: "node" };
    }
  }

  async #fill(value: unknown): ReturnType<Parameters<SingleNodeType["run"]>[0]["fill"]> {
    if (this.#controller.signal.aborted) return { kind: "stopped" };
    const end = await this.#threads.one({ request: this.#request, do: "fill", value });
    if (this.#isOvertakenBy(end)) return { kind: "stopped" };
    switch (end.kind) {
      case "filled":
        return { kind: "filled", value: end.value };
      case "failed":
        return { kind: "failed", error: end.error, category: end.category };
      default:
        return { kind: "stopped" };
    }
  }

  async #measure(): Promise<Ending> {
    const end = await this.#threads.one({ request: this.#request, do: "measure" });
    return this.#settled(end);
  }

  /** What the node returned; once told to stop, at most the grace time later. */
  #untilStopped(result: Promise<SingleResult>): Promise<SingleResult> {
    const { signal } = this.#controller;
    const { promise, resolve } = Promise.withResolvers<SingleResult>();
    let grace: NodeJS.Timeout | undefined;
    const startGrace = (): void => {
      grace = setTimeout(() => resolve({ kind: "skipped" }), STOP_GRACE_MS);
    };
    signal.addEventListener("abort", startGrace, { once: true });
    return Promise.race([result, promise]).finally(() => {
      signal.removeEventListener("abort", startGrace);
      clearTimeout(grace);
    });
  }

  /** What comes before whatever the node returned: it was stopped, or what it read is no longer there. */
  async #verdictOnReads(): Promise<Ending | undefined> {
    const stopped = this.#stopped();
    if (stopped !== undefined) return stopped;
    if (this.#book.overtaken !== undefined) return this.#overtaken();
    const path = await findChanged(this.#ports, this.#request, this.#book);
    return path === undefined ? this.#stopped() : { kind: "overtaken", path };
  }

  #stopped(): Ending | undefined {
    const { signal } = this.#controller;
    if (!signal.aborted) return undefined;
    const reason: StopReason = signal.reason;
    if (reason === "cancelled") return { kind: "interrupted" };
    return { kind: "failed", error: `no result within ${this.#request.work.timeoutMs / 1000} s`, category: "timeout" };
  }

  /** Takes over what a piece read; whether something is not what this attempt read before. */
  #isOvertakenBy(end: FinalEnd): boolean {
    this.#book.add(end);
    return this.#book.overtaken !== undefined;
  }

  #overtaken(): Ending {
    if (this.#book.overtaken === undefined) throw new InternalError("nothing was overtaken");
    return { kind: "overtaken", path: this.#book.overtaken };
  }

  #settled(end: FinalEnd): Ending {
    const stopped = this.#stopped();
    if (stopped !== undefined) return stopped;
    if (end.kind === "branch" || end.kind === "filled") throw new InternalError(`a piece ended as "${end.kind}"`);
    const { attemptId: _id, reads: _reads, envReads: _env, durationMs: _ms, log: _log, ...ending } = end;
    return ending;
  }
}

/** What the disk refuses on the way costs the attempt, not the daemon; any other rejection is a fault of ours. */
function failedByDisk(error: unknown): Ending {
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  return { kind: "failed", ...failure };
}
