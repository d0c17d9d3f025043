/**
 * The process that runs users' modules: the entry file of a child process, one attempt at a time.
 *
 * It is a process and no thread of the daemon because a thread that runs out of memory takes the whole process along
 * (with Node 24: four of five ways to fill the heap of a worker with `resourceLimits` abort the process).
 */
import { writeSync } from "node:fs";
import { relative } from "node:path";
import { Writable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inspect } from "node:util";
import type { ErrorCategory } from "../../../core/model/manifest.ts";
import { makeContext } from "./context.ts";
import type { HostMessage, HostReply, RunMessage } from "./protocol.ts";
import { ResultFault, writeResult } from "./result.ts";

interface Running {
  readonly message: RunMessage;
  readonly controller: AbortController;
}
let running: Running | undefined;

// All that is printed goes one way and at once, so that it arrives in order and before the reply.
for (const name of ["stdout", "stderr"] as const) {
  const stream = new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      print(chunk);
      done();
    },
  });
  Object.defineProperty(process, name, { value: Object.assign(stream, { fd: 1 }), configurable: true });
}

process.on("message", (message: HostMessage) => {
  if (message.kind === "run") void run(message);
  else running?.controller.abort(new Error("the attempt is being stopped"));
});
// The daemon is gone or wants no more.
process.once("disconnect", () => process.exit(0));
process.on("uncaughtException", (error) => {
  reply(failure(error));
  process.exit(1);
});

async function run(message: RunMessage): Promise<void> {
  const mine: Running = { message, controller: new AbortController() };
  running = mine;
  const answer = await attempt(mine);
  if (running === mine) reply(answer);
}

async function attempt({ message, controller }: Running): Promise<HostReply> {
  try {
    const loaded = (await import(pathToFileURL(message.module).href)) as Readonly<Record<string, unknown>>;
    const node = loaded[message.exportName];
    if (typeof node !== "function") {
      const error = `export "${message.exportName}" is no function, but ${node === null ? "null" : `a value of type ${typeof node}`}`;
      return { kind: "failed", error, category: "definition" };
    }
    await writeResult(await node(makeContext(message, controller.signal, print)), message.output);
    return { kind: "done" };
  } catch (error) {
    return failure(error);
  }
}

function failure(error: unknown): HostReply {
  if (error instanceof ResultFault) return { kind: "failed", error: error.message, category: "node" };
  print(`${inspect(error)}\n`);
  return { kind: "failed", error: describe(error), category: categoryOf(error) };
}

function categoryOf(error: unknown): ErrorCategory {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code === "ENOSPC" || code === "EMFILE" || code === "ENFILE" || code === "EDQUOT" ? "resource" : "node";
}

/** The error in one line, with the place in the user's sources where it arose. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${inspect(error, { breakLength: Infinity })}`;
  const place = placeIn(error.stack ?? "");
  const text = error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
  return place === undefined ? text : `${text} (${place})`;
}

/** `file:line:column` of the innermost frame that lies in the user's own files, relative to the project folder. */
function placeIn(stack: string): string | undefined {
  const folder = running?.message.projectFolder ?? "/";
  for (const [, location = "", line, column] of stack.matchAll(/^\s+at .*?(\/.*|file:\/\/.*?):(\d+):(\d+)\)?$/gm)) {
    const url = /file:\/\/.*/.exec(location)?.[0];
    const path = relative(folder, url === undefined ? location : fileURLToPath(url));
    if (!path.startsWith("..") && !path.includes("node_modules/") && !path.includes(".millrace/"))
      return `${path}:${line}:${column}`;
  }
  return undefined;
}

function reply(answer: HostReply): void {
  if (running === undefined) return;
  const { nonce } = running.message;
  running = undefined;
  print(`${nonce}${JSON.stringify(answer)}\n`);
}

const waiter = new Int32Array(new SharedArrayBuffer(4));

/** Returns when all is written, however slowly it is read. */
function print(text: string | Uint8Array): void {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(waiter, 0, 0, 1);
    }
  }
}
