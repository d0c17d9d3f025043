/** The processes that run users' modules: started when needed, one attempt at a time, reused, ended when idle. */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { StringDecoder } from "node:string_decoder";
import { fileURLToPath } from "node:url";
import { InternalError } from "../../../core/model/problems.ts";
import { STOP_GRACE_MS, type ProcessTree, type ProcessTrees } from "../process/trees.ts";
import type { HostMessage, HostReply, RunMessage } from "./protocol.ts";

/** Megabytes of JavaScript heap that an attempt may use. */
const HEAP_LIMIT_MB = 512;

/** How long the function has between `signal` and the end of its process. */
const ABORT_GRACE_MS = 250;
const IDLE_MS = 30_000;
const MOST_IDLE = 8;
// How long a dead process's last words may take.
const LAST_WORDS_MS = 250;

export interface ModulePoolOptions {
  readonly trees: ProcessTrees;
  /** `host.ts`, or what it was built to. */
  readonly hostUrl: URL;
}

/** What an attempt needs beside its message. */
export interface AttemptPorts {
  readonly signal: AbortSignal;
  readonly log: (text: string) => void;
}

export class ModulePool {
  readonly #options: ModulePoolOptions;
  readonly #workers = new Set<Worker>();

  constructor(options: ModulePoolOptions) {
    this.#options = options;
  }

  /** How the attempt ended. When it was stopped, or took its process along, nothing of the process is left. */
  async run(message: Omit<RunMessage, "kind" | "nonce">, { signal, log }: AttemptPorts): Promise<HostReply> {
    const worker = this.#take(message.module, message.projectFolder);
    const replied = worker.attempt({ ...message, kind: "run", nonce: `\0${randomUUID()}` }, log);
    const stopped = Promise.withResolvers<undefined>();
    const stop = (): void => {
      worker.send({ kind: "abort" });
      setTimeout(() => stopped.resolve(undefined), ABORT_GRACE_MS);
    };
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      const answer = await Promise.race([replied, stopped.promise]);
      if (signal.aborted || worker.ended) await this.#end(worker);
      else this.#keep(worker);
      return answer ?? { kind: "failed", error: "the attempt was stopped", category: "node" };
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Ends every process. */
  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => this.#end(worker)));
  }

  #take(module: string, folder: string): Worker {
    for (const worker of this.#workers) {
      if (worker.module === module && worker.idleTimer !== undefined && !worker.ended) {
        clearTimeout(worker.idleTimer);
        worker.idleTimer = undefined;
        worker.hold(true);
        return worker;
      }
    }
    const worker = new Worker(module, folder, this.#options);
    this.#workers.add(worker);
    return worker;
  }

  #keep(worker: Worker): void {
    worker.hold(false);
    worker.idleTimer = setTimeout(() => void this.#end(worker), IDLE_MS).unref();
    const idle = [...this.#workers].filter(({ idleTimer }) => idleTimer !== undefined);
    for (const oldest of idle.slice(0, Math.max(0, idle.length - MOST_IDLE))) void this.#end(oldest);
  }

  async #end(worker: Worker): Promise<void> {
    clearTimeout(worker.idleTimer);
    worker.idleTimer = undefined;
    await worker.tree.stop(STOP_GRACE_MS);
    this.#workers.delete(worker);
  }
}

interface Current {
  readonly nonce: Buffer;
  readonly log: (text: string) => void;
  readonly resolve: (reply: HostReply) => void;
  readonly decoder: StringDecoder;
  /** Bytes that may be the beginning of the reply. */
  rest: Buffer;
}

class Worker {
  readonly module: string;
  readonly tree: ProcessTree;
  /** Set while it waits for work. */
  idleTimer: NodeJS.Timeout | undefined;
  ended = false;
  #current: Current | undefined;
  #lastWords = "";

  constructor(module: string, folder: string, { trees, hostUrl }: ModulePoolOptions) {
    this.module = module;
    this.tree = trees.start({
      file: process.execPath,
      args: ["--enable-source-maps", `--max-old-space-size=${HEAP_LIMIT_MB}`, fileURLToPath(hostUrl)],
      cwd: folder,
      env: process.env,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const { child } = this.tree;
    child.stdout?.on("data", (chunk: Buffer) => this.#read(chunk));
    child.stderr?.on("data", (chunk: Buffer) => {
      const text = chunk.toString();
      this.#lastWords = (this.#lastWords + text).slice(-8_192);
      this.#current?.log(text);
    });
    child.on("exit", (code, signal) => {
      this.ended = true;
      const tell = (): void => this.#fail(`${this.#why()} (${signal === null ? `exit code ${code}` : signal})`);
      const timer = setTimeout(tell, LAST_WORDS_MS);
      child.once("close", () => {
        clearTimeout(timer);
        tell();
      });
    });
    child.on("error", (error) => {
      this.ended = true;
      this.#fail(`the process for the module cannot be started or reached: ${error.message}`);
    });
  }

  /** Resolves when the attempt has replied or its process is gone. */
  attempt(message: RunMessage, log: (text: string) => void): Promise<HostReply> {
    if (this.#current !== undefined) throw new InternalError("a module's process was given a second attempt");
    return new Promise((resolve) => {
      const decoder = new StringDecoder("utf8");
      this.#current = { nonce: Buffer.from(message.nonce), log, resolve, decoder, rest: Buffer.alloc(0) };
      this.send(message);
    });
  }

  send(message: HostMessage): void {
    // A process that is gone says so by its exit.
    if (this.tree.child.connected) this.tree.child.send(message, () => undefined);
  }

  /** Whether this process keeps ours alive. */
  hold(held: boolean): void {
    const { child } = this.tree;
    const how = held ? "ref" : "unref";
    child[how]();
    child.channel?.[how]();
    (child.stdout as Socket | null)?.[how]();
    (child.stderr as Socket | null)?.[how]();
  }

  #read(chunk: Buffer): void {
    const current = this.#current;
    // Printed by what a former attempt left running: it belongs to nobody.
    if (current === undefined) return;
    const bytes = current.rest.length === 0 ? chunk : Buffer.concat([current.rest, chunk]);
    const start = bytes.indexOf(current.nonce);
    const keepFrom = start === -1 ? possibleStart(bytes, current.nonce) : start;
    if (keepFrom > 0) current.log(current.decoder.write(bytes.subarray(0, keepFrom)));
    current.rest = Buffer.from(bytes.subarray(keepFrom));
    const end = start === -1 ? -1 : current.rest.indexOf("\n", current.nonce.length);
    if (end !== -1) this.#finish(JSON.parse(current.rest.toString("utf8", current.nonce.length, end)) as HostReply);
  }

  #why(): string {
    if (this.#lastWords.includes("heap out of memory"))
      return `the node ran out of memory: it may use ${HEAP_LIMIT_MB} MB`;
    return "the node ended its process";
  }

  #fail(error: string): void {
    const current = this.#current;
    if (current !== undefined && current.rest.length > 0) current.log(current.decoder.write(current.rest));
    this.#finish({ kind: "failed", error, category: "node" });
  }

  #finish(reply: HostReply): void {
    const current = this.#current;
    this.#current = undefined;
    current?.resolve(reply);
  }
}

/** Where the last bytes could begin the nonce, whose first byte is a NUL; the length when they could not. */
function possibleStart(bytes: Buffer, nonce: Buffer): number {
  const nul = bytes.indexOf(0, Math.max(0, bytes.length - nonce.length + 1));
  return nul === -1 ? bytes.length : nul;
}
