import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline/promises";
import { setTimeout as delay } from "node:timers/promises";
import { isatty } from "node:tty";
import type { EngineDoor } from "./engine-door.ts";
import { exitCodeOfInterrupt } from "./exit-codes.ts";
import type { Interrupt, Interrupts, Output, ProjectFiles, World } from "./world.ts";

/** The world of this process. */
export function processWorld(openDoor: () => Promise<EngineDoor>): World {
  const closed = new AbortController();
  // `millrace list | head`: nobody reads any more. What is left to say is dropped; nothing is torn down for it.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    closed.abort();
  });
  return {
    cwd: process.cwd(),
    env: process.env,
    nodeVersion: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    out: outputOf(process.stdout, 1, closed.signal),
    err: outputOf(process.stderr, 2, undefined),
    files: FILES,
    outClosed: closed.signal,
    nowMs: () => Date.now(),
    sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
    get canAsk() {
      return isatty(0) && isatty(2);
    },
    ask,
    listenForInterrupts,
    openDoor,
  };
}

/** Resolves when everything written so far has left the process. */
export async function flushOutput(): Promise<void> {
  const flush = (stream: NodeJS.WriteStream) =>
    stream.writableLength === 0 ? Promise.resolve() : new Promise<void>((resolve) => stream.write("", () => resolve()));
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
}

function outputOf(stream: NodeJS.WriteStream, fd: number, closed: AbortSignal | undefined): Output {
  return {
    write: (text) => {
      if (closed?.aborted !== true) stream.write(text);
    },
    get isTerminal() {
      return isatty(fd);
    },
    get columns() {
      // Some terminals do not tell, or tell 0.
      return stream.columns > 0 ? stream.columns : 80;
    },
  };
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // Nothing typed and the terminal closed: nobody answered.
    const closed = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
    return await Promise.race([terminal.question(question), closed]);
  } finally {
    terminal.close();
  }
}

function listenForInterrupts(): Interrupts {
  const controller = new AbortController();
  const hear = (interrupt: Interrupt) => {
    if (controller.signal.aborted) process.exit(exitCodeOfInterrupt(interrupt));
    controller.abort(interrupt);
  };
  process.on("SIGINT", hear);
  process.on("SIGTERM", hear);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      process.off("SIGINT", hear);
      process.off("SIGTERM", hear);
    },
  };
}

const FILES: ProjectFiles = {
  exists: existsSync,
  read: (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined),
  create: (path, text) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: "wx" });
  },
  append: (path, text) => appendFileSync(path, text),
  makeFolders: (path) => void mkdirSync(path, { recursive: true }),
};
