import { loadHasher } from "../../core/hash/hash.ts";
import type { AbsPath } from "../../core/model/words.ts";
import type { AttemptRequest, StageWork } from "../../ports.ts";
import { AttemptFacts, shapeOf } from "./attempt-facts.ts";
import { AttemptReads, Overtaken, WantsToBeAlone } from "./attempt-reads.ts";
import { type Program, valueProgram } from "./expression/program.ts";
import { Interrupted, Sandbox, type Shape, type Yield } from "./expression/sandbox.ts";
import { failureOf, maskEnv } from "./failure.ts";
import { type BatchContext, type Made, NodeFailure, type NodePlace } from "./node-type.ts";
import { NODE_TYPES } from "./nodes/index.ts";
import { measureStaged, type Staged, stageMade } from "./staged-result.ts";
import { createValidator, type Validator } from "./validate.ts";
import type { ExecutePorts, Piece, PieceEnd, RootAccess } from "./wire.ts";

/** An expression that takes longer in a thread that others wait for goes to one of its own. */
const SHARED_LIMIT_MS = 100;

// A sandbox's memory grows to what its largest file needed; above this it is replaced.
const MAX_IDLE_HEAP_BYTES = 64 << 20;
/** Of an attempt whose root cannot be opened. */
const NOTHING_READ = { reads: [], envReads: [], durationMs: 0, log: "" } as const;

/** How a piece is done: whether others wait for this thread, whether it was tried before, and whether somebody cancelled it. */
export interface PieceConditions {
  readonly isAlone: boolean;
  readonly isAgain: boolean;
  isCancelled(): boolean;
}

/** When the piece that runs now has to stop. */
interface Limits {
  deadlineMs: number;
  isCancelled: () => boolean;
}

/** What is made ready once for all attempts of a stage in one message. */
interface Prepared {
  readonly runs: Map<NodePlace, (context: BatchContext) => Made>;
  readonly validator: Validator;
  readonly shape: Shape;
}

/** Does pieces one after the other, synchronously. */
export class PieceWorker {
  readonly #ports: ExecutePorts;
  #sandbox: Sandbox;
  readonly #limits: Limits;
  #prepared = new WeakMap<StageWork, Prepared>();
  #roots = new Map<AbsPath, RootAccess>();

  private constructor(ports: ExecutePorts, sandbox: Sandbox, limits: Limits) {
    this.#ports = ports;
    this.#sandbox = sandbox;
    this.#limits = limits;
  }

  static async create(ports: ExecutePorts): Promise<PieceWorker> {
    const limits: Limits = { deadlineMs: Infinity, isCancelled: () => false };
    const [sandbox] = await Promise.all([loadSandbox(limits), loadHasher()]);
    return new PieceWorker(ports, sandbox, limits);
  }

  /** Forgets what was true for the last message only, and gives memory back. To be awaited before a message's first piece. */
  async startMessage(): Promise<void> {
    this.#roots = new Map();
    this.#sandbox.tidy();
    if (this.#sandbox.heapBytes > MAX_IDLE_HEAP_BYTES) this.#sandbox = await loadSandbox(this.#limits);
  }

  /** How the piece ended. Throws only for faults of ours. */
  do(piece: Piece, conditions: PieceConditions): PieceEnd {
    const startedAt = performance.now();
    const { request } = piece;
    const root = this.#openRoot(request);
    if ("kind" in root) return { ...root, ...NOTHING_READ, attemptId: request.attemptId };
    const reads = new AttemptReads(root.reader, conditions.isAlone);
    const facts = new AttemptFacts(request, reads);
    this.#limits.deadlineMs = conditions.isAlone
      ? Infinity
      : startedAt + Math.min(SHARED_LIMIT_MS, request.work.timeoutMs);
    this.#limits.isCancelled = () => conditions.isCancelled();
    const end = this.#attempt(piece, conditions, reads, facts);
    return {
      ...end,
      attemptId: request.attemptId,
      reads: reads.records(),
      envReads: facts.envReads,
      durationMs: performance.now() - startedAt,
      log: "",
    };
  }

  #attempt(piece: Piece, conditions: PieceConditions, reads: AttemptReads, facts: AttemptFacts): BareEnd {
    try {
      switch (piece.do) {
        case "run":
          if (conditions.isAgain) this.#ports.disk.removeTree(piece.request.output.staged);
          reads.readDeclared(piece.request);
          return this.#run(piece.request, piece.place, conditions, reads, facts);
        case "fill":
          return { kind: "filled", value: plainValue(this.#fill(piece.request, piece.value, facts)) };
        case "measure": {
          const root = this.#root(piece.request);
          const { validator } = this.#prepare(piece.request);
          return produced(measureStaged(this.#ports, root, piece.request, validator, conditions.isAlone));
        }
      }
    } catch (error) {
      return this.#caught(error, piece.request, conditions, facts);
    }
  }

  #run(
    request: AttemptRequest,
    place: NodePlace,
    conditions: PieceConditions,
    reads: AttemptReads,
    facts: AttemptFacts,
  ): BareEnd {
    const prepared = this.#prepare(request);
    const context = this.#context(request, prepared, facts);
    let made = this.#runOf(request.work, place, prepared)(context);
    if (made.kind === "branch") {
      const chosen = chooseBranch(request.work, place, made.place);
      if (chosen !== "here") return chosen;
      made = this.#runOf(request.work, made.place, prepared)(context);
    }
    const root = this.#root(request);
    return produced(stageMade(this.#ports, root, request, made, reads, prepared.validator, conditions.isAlone));
  }

  #context(request: AttemptRequest, { shape }: Prepared, facts: AttemptFacts): BatchContext {
    return {
      request,
      make: (program) => madeOf(this.#sandbox.run(program, shape, facts)),
      holds: (program) => {
        const yielded = this.#sandbox.run(program, shape, facts);
        return yielded.is === "truth" && yielded.truth;
      },
    };
  }

  #fill(request: AttemptRequest, value: unknown, facts: AttemptFacts): Yield {
    const program: Program = valueProgram(value);
    return this.#sandbox.run(program, this.#prepare(request).shape, facts);
  }

  #caught(error: unknown, request: AttemptRequest, conditions: PieceConditions, facts: AttemptFacts): BareEnd {
    if (error instanceof Overtaken) return { kind: "overtaken", path: error.path };
    if (error instanceof WantsToBeAlone) return { kind: "alone", because: "large" };
    if (error instanceof Interrupted) {
      return conditions.isCancelled() ? { kind: "interrupted" } : { kind: "alone", because: "slow" };
    }
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    return { kind: "failed", ...failure, error: maskEnv(failure.error, request, facts.envReads) };
  }

  #prepare(request: AttemptRequest): Prepared {
    const { work } = request;
    let prepared = this.#prepared.get(work);
    if (prepared === undefined) {
      prepared = { runs: new Map(), validator: createValidator(work.validation), shape: shapeOf(request) };
      this.#prepared.set(work, prepared);
    }
    return prepared;
  }

  #runOf(work: StageWork, place: NodePlace, { runs }: Prepared): (context: BatchContext) => Made {
    let run = runs.get(place);
    if (run === undefined) {
      const spec = work[place];
      const type = spec && NODE_TYPES.get(spec.typeId);
      if (spec === undefined || type === undefined) {
        throw new NodeFailure(`node type "${spec?.typeId}" does not run in a worker`, "definition");
      }
      run = type.prepare(spec.data, (path) => this.#codeFile(work, path));
      runs.set(place, run);
    }
    return run;
  }

  #codeFile(work: StageWork, path: string): string {
    const bytes = this.#ports.disk.read(`${work.pipelinesFolder}/${path}`);
    if (bytes === undefined) {
      throw new NodeFailure(
        `file "${path}" is not in the pipelines folder; create it or correct the path`,
        "definition",
      );
    }
    return Buffer.from(bytes).toString("utf8");
  }

  /** The root, or how an attempt ends when the disk does not let it be opened. */
  #openRoot(request: AttemptRequest): RootAccess | BareEnd {
    try {
      return this.#root(request);
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      return { kind: "failed", ...failure };
    }
  }

  #root({ root }: AttemptRequest): RootAccess {
    let access = this.#roots.get(root);
    if (access === undefined) {
      access = this.#ports.openRoot(root);
      this.#roots.set(root, access);
    }
    return access;
  }
}

function loadSandbox(limits: Limits): Promise<Sandbox> {
  return Sandbox.load(() => performance.now() > limits.deadlineMs || limits.isCancelled());
}

type BareEnd = PieceEnd extends infer End
  ? End extends PieceEnd
    ? Omit<End, "attemptId" | "reads" | "envReads" | "durationMs" | "log">
    : never
  : never;

/** What becomes of a chosen branch: it runs here, in another lane, or there is none. */
function chooseBranch(work: StageWork, from: NodePlace, place: "then" | "else"): BareEnd | "here" {
  if (from !== "node") throw new NodeFailure(`an "if" cannot be a branch of another "if"`, "definition");
  const spec = work[place];
  if (spec === undefined) return { kind: "skipped" };
  return NODE_TYPES.has(spec.typeId) ? "here" : { kind: "branch", place };
}

function madeOf(yielded: Yield): Made {
  switch (yielded.is) {
    case "text":
      return { kind: "text", text: yielded.text };
    case "json":
      return { kind: "text", text: `${yielded.json}\n` };
    case "bytes":
      return { kind: "bytes", bytes: yielded.bytes };
    case "truth":
      return { kind: "text", text: `${yielded.truth}\n` };
  }
}

function plainValue(yielded: Yield): unknown {
  switch (yielded.is) {
    case "text":
      return yielded.text;
    case "json":
      return JSON.parse(yielded.json);
    case "bytes":
      return yielded.bytes;
    case "truth":
      return yielded.truth;
  }
}

function produced({ hash, size }: Staged): BareEnd {
  return { kind: "produced", hash, size };
}
