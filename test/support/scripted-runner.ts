import { basename, dirname } from "node:path/posix";
import { createStateReader } from "../../src/adapters/system/state-reader.ts";
import { canonicalJson, hashBytes } from "../../src/core/hash/hash.ts";
import type { NodeTypeInfo } from "../../src/core/pipeline/node-type.ts";
import type { ErrorCategory } from "../../src/core/model/manifest.ts";
import { problem } from "../../src/core/model/problem.ts";
import { fail, ok, type Result } from "../../src/core/model/result.ts";
import type {
  AttemptOutcome,
  AttemptRequest,
  Disk,
  InspectRequest,
  InputSet,
  NodeCode,
  NodeRunner,
  ReadRecord,
  StateReader,
  StageWork,
} from "../../src/ports.ts";
import { isDiskError } from "../../src/engine/disk-error.ts";
import { NODE_TYPES } from "./definitions.ts";

/** How a scripted attempt fails. */
export class ScriptedFailure extends Error {
  readonly category: ErrorCategory;
  readonly retryAfterMs: number | undefined;
  constructor(message: string, category: ErrorCategory = "node", retryAfterMs?: number) {
    super(message);
    this.category = category;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a script sees of its attempt. */
export interface ScriptedAttempt {
  /** `stage@entity`. */
  readonly task: string;
  readonly input: string;
  readonly attempt: number;
  readonly expression: string;
  /** The content of an ancestor stage's state, recorded as a read; `undefined` when it is absent. */
  readonly read: (stage: string) => string | undefined;
  readonly readEnv: (name: string) => void;
}

/** The text an attempt makes (files of a folder state by name), or `null` for nothing. */
export type Made = string | Readonly<Record<string, string>> | null;
/** Stands in for what a test does to one task; `undefined` leaves the attempt to its expression. */
export type Script = (attempt: ScriptedAttempt) => Made | undefined | Promise<Made | undefined>;

/** Hears of attempts as they happen. */
export interface RunnerEars {
  /** An attempt has read its input (`undefined`: it was not there) and begins. */
  readonly begun?: (request: AttemptRequest, input: string | undefined) => void;
  /** It has made a whole result, which is about to be staged. */
  readonly made?: (request: AttemptRequest, made: Exclude<Made, null>) => void;
  /** Results are staged in two writes, as real nodes do: only the second one completes them. */
  readonly writesInPieces?: boolean;
}

interface RunnerPorts {
  readonly disk: Disk;
  readonly reader: StateReader;
}

/**
 * A runner whose nodes are expressions of one word, so that code is in the definition:
 * `upper`, `wrap:x` (x around the input), `with:stage` (the input, then what the stage holds), `first` (the first letter only),
 * `skip:x` (nothing for inputs that contain x, else the input). Any other word is put in front of the input.
 */
export class ScriptedRunner implements NodeRunner {
  readonly nodeTypes: ReadonlyMap<string, NodeTypeInfo> = NODE_TYPES;
  readonly #ports: RunnerPorts;
  readonly #ears: RunnerEars;
  readonly #cancels = new Map<string, () => void>();
  /** Every attempt that began, `stage@entity`, in order. */
  readonly ran: string[];
  /** Asked first, by `stage@entity` or `stage`. */
  readonly scripts: Map<string, Script>;
  /** Expressions whose code does not compile. */
  readonly broken: Set<string> = new Set();
  lane: "batch" | "single" = "batch";
  /** Attempts end by themselves only, as when their results were on the way already. */
  ignoresCancel = false;

  constructor(
    ports: RunnerPorts,
    world: { readonly ran: string[]; readonly scripts: Map<string, Script> },
    ears: RunnerEars = {},
  ) {
    this.#ports = ports;
    this.#ears = ears;
    this.ran = world.ran;
    this.scripts = world.scripts;
  }

  async inspect({ node }: InspectRequest): Promise<Result<NodeCode>> {
    if (this.broken.has(node.data["expression"] as string))
      return fail(problem("M311", "it does not compile", "fix it"));
    return ok({
      codeHash: hashBytes(canonicalJson([node.typeId, node.data])),
      paramsHash: "",
      toolHashes: {},
      files: [],
      modules: {},
    });
  }

  laneOf(): "batch" | "single" {
    return this.lane;
  }

  async run(requests: readonly AttemptRequest[], emit: (outcomes: readonly AttemptOutcome[]) => void): Promise<void> {
    const later: Promise<void>[] = [];
    const now: AttemptOutcome[] = [];
    for (const request of requests) {
      const outcome = this.#attempt(request);
      if (outcome instanceof Promise) later.push(outcome.then((late) => emit([late])));
      else now.push(outcome);
    }
    // Never in the turn of the caller, as with threads.
    await Promise.resolve();
    if (now.length > 0) emit(now);
    await Promise.all(later);
  }

  cancel(attemptId: string): void {
    if (!this.ignoresCancel) this.#cancels.get(attemptId)?.();
  }

  async close(): Promise<void> {
    for (const cancel of this.#cancels.values()) cancel();
  }

  /** How many attempts have not ended. */
  get hanging(): number {
    return this.#cancels.size;
  }

  // ------------------------------------------------------------ one attempt

  #attempt(request: AttemptRequest): AttemptOutcome | Promise<AttemptOutcome> {
    const { attemptId, work, entity } = request;
    const stage = work.stageKey.slice(work.stageKey.indexOf("#") + 1);
    const task = `${stage}@${entity.id}`;
    this.ran.push(task);
    const reads: ReadRecord[] = [];
    const envReads: string[] = [];
    const common = { attemptId, reads, envReads, durationMs: 1, log: "" };
    const input = this.#read(request.inputs[0]!, reads, request.inputs[0]);
    this.#ears.begun?.(request, input);
    if (input === undefined) return { ...common, ...this.#withoutInput(request.inputs[0]!.items[0]!.path) };
    const expression = (work.node.data["expression"] as string | undefined) ?? "";
    const attempt: ScriptedAttempt = {
      task,
      input,
      attempt: request.attempt,
      expression,
      read: (id) =>
        this.#read(
          [...request.inputs, ...request.ancestors].find((set) => set.name === id)!,
          reads,
        ),
      readEnv: (name) => void envReads.push(name),
    };
    const end = (made: Made | undefined): AttemptOutcome => {
      const result = made === undefined ? evaluate(work, attempt) : made;
      return result === null ? { ...common, kind: "skipped" } : { ...common, ...this.#stage(request, result) };
    };
    const failed = (error: unknown): AttemptOutcome => {
      if (isDiskError(error)) return { ...common, kind: "failed", error: error.message, category: "resource" };
      if (!(error instanceof ScriptedFailure)) throw error;
      const { message, category, retryAfterMs } = error;
      return { ...common, kind: "failed", error: message, category, ...(retryAfterMs ? { retryAfterMs } : {}) };
    };
    try {
      const made = (this.scripts.get(task) ?? this.scripts.get(stage))?.(attempt);
      if (!(made instanceof Promise)) return end(made);
      const cut: AttemptOutcome = { ...common, kind: "interrupted" };
      let isCut = false;
      const cancelled = new Promise<AttemptOutcome>((resolve) =>
        this.#cancels.set(attemptId, () => {
          isCut = true;
          resolve(cut);
        }),
      );
      // What was cut short stages nothing any more.
      return Promise.race([made.then((late) => (isCut ? cut : end(late))).catch(failed), cancelled]).finally(() =>
        this.#cancels.delete(attemptId),
      );
    } catch (error) {
      return failed(error);
    }
  }

  /** What is gone or changing has overtaken the attempt; what the system does not let us read fails it. */
  #withoutInput(
    path: string,
  ): { kind: "overtaken"; path: string } | { kind: "failed"; error: string; category: "input" | "resource" } {
    const look = this.#ports.reader.hashNow(path);
    if (look.is === "changing" && look.shortOf !== undefined)
      return { kind: "failed", error: `input "${path}" cannot be read now: ${look.shortOf}`, category: "resource" };
    if (look.is !== "refused") return { kind: "overtaken", path };
    return { kind: "failed", error: `input "${path}" cannot be read: ${look.reason}`, category: "input" };
  }

  #read(set: InputSet, reads: ReadRecord[], first?: InputSet): string | undefined {
    const { path } = set.items[0]!;
    const { reader } = this.#ports;
    if (path.endsWith("/")) {
      const hashed = reader.hashNow(path);
      if (hashed.is === "hashed" || hashed.is === "absent")
        reads.push({ path, ...(hashed.is === "hashed" ? hashed : { hash: null, stat: undefined }) });
      return hashed.is === "hashed" ? hashed.hash : undefined;
    }
    const read = reader.read(path);
    // What cannot be read was not read.
    if ((read.is === "read" || read.is === "absent") && !reads.some((known) => known.path === path))
      reads.push({ path, ...(read.is === "read" ? read : { hash: null, stat: undefined }) });
    if (read.is !== "read" && read.is !== "absent" && set !== first)
      throw new ScriptedFailure(`"${path}" cannot be read`, read.is === "refused" ? "input" : "resource");
    return read.is === "read" ? new TextDecoder().decode(read.bytes) : undefined;
  }

  #stage(request: AttemptRequest, made: Exclude<Made, null>): Produced {
    const { staged, path } = request.output;
    const { disk } = this.#ports;
    this.#ears.made?.(request, made);
    if (typeof made === "string") {
      if (this.#ears.writesInPieces) disk.write(staged, made.slice(0, made.length >> 1));
      disk.write(staged, made);
      return { kind: "produced", hash: hashBytes(made), size: made.length };
    }
    disk.makeFolders(staged);
    for (const [name, text] of Object.entries(made)) disk.write(`${staged}/${name}`, text);
    const hashed = createStateReader(disk, dirname(staged)).hashNow(`${basename(staged)}/`);
    if (hashed.is !== "hashed") throw new ScriptedFailure(`${path} was not staged: ${hashed.is}`, "resource");
    return { kind: "produced", hash: hashed.hash, size: 0 };
  }
}

type Produced = { readonly kind: "produced"; readonly hash: string; readonly size: number };

function evaluate(work: StageWork, { input, expression, read }: ScriptedAttempt): Made {
  if (work.node.typeId === "copy" || expression === "") return input;
  const [word = "", argument = ""] = expression.split(":");
  switch (word) {
    case "upper":
      return input.toUpperCase();
    case "first":
      return input.slice(0, 1);
    case "wrap":
      return `${argument}(${input})`;
    case "with":
      return `${input}+${read(argument) ?? "nothing"}`;
    case "skip":
      return input.includes(argument) ? null : input;
    default:
      return `${word} ${input}`;
  }
}
