import { join } from "node:path";
import { runCli } from "../../src/cli/program.ts";
import type { EngineDoor, RunningDaemon } from "../../src/cli/engine-door.ts";
import type { Interrupt, ProjectFiles, World } from "../../src/cli/world.ts";
import { ok, type Result } from "../../src/core/model/result.ts";
import type { Problem } from "../../src/core/model/problem.ts";
import type { Control } from "../../src/engine/control.ts";
import * as sample from "./sample-reports.ts";

/** What one command line did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** Calls of the engine, in order: `openProject read`, `status {"scan":false}`, `close` ... */
  readonly calls: readonly string[];
  readonly files: ReadonlyMap<string, string>;
}

/** How the world of one command line differs from a quiet one without a terminal. */
export interface Setting {
  readonly terminal?: boolean;
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly control?: Partial<Control>;
  readonly door?: Partial<EngineDoor>;
  readonly problems?: readonly Problem[];
  readonly files?: Readonly<Record<string, string>>;
  readonly fileFault?: NodeJS.ErrnoException;
  /** Called instead of sleeping, with how often it was called before. */
  readonly onSleep?: (times: number, world: FakeWorld) => void;
  /** `false`: opening the engine is an error. */
  readonly engine?: false;
  /** A signal that came before the command could finish. */
  readonly interrupted?: Interrupt;
  /** What a person at the terminal types when asked; left out: nobody can be asked. */
  readonly answer?: string;
}

/** Handles on a fake world for those inside it. */
export interface FakeWorld {
  interrupt(by: Interrupt): void;
  closeOut(): void;
}

/** Runs one command line in a fake world, whose engine answers with the sample reports. */
export async function millrace(line: string | readonly string[], setting: Setting = {}): Promise<Ran> {
  const calls: string[] = [];
  const written = { out: "", err: "" };
  const files = new Map(Object.entries(setting.files ?? {}));
  const interrupts = new AbortController();
  const outClosed = new AbortController();
  if (setting.interrupted !== undefined) interrupts.abort(setting.interrupted);
  const handles: FakeWorld = { interrupt: (by) => interrupts.abort(by), closeOut: () => outClosed.abort() };
  const output = (to: "out" | "err") => ({
    write: (text: string) => void (written[to] += text),
    isTerminal: setting.terminal ?? false,
    columns: setting.columns ?? 80,
  });
  let sleeps = 0;
  const world: World = {
    cwd: "/project",
    env: setting.env ?? {},
    nodeVersion: "24.21.0",
    platform: "linux x64",
    out: output("out"),
    err: output("err"),
    files: filesOf(files, setting.fileFault),
    outClosed: outClosed.signal,
    nowMs: () => Date.parse(sample.NOW),
    sleep: async () => setting.onSleep?.(sleeps++, handles),
    canAsk: setting.answer !== undefined,
    ask: async (question) => {
      written.err += question;
      return setting.answer ?? "";
    },
    listenForInterrupts: () => ({
      signal: interrupts.signal,
      [Symbol.dispose]: () => void calls.push("stop listening"),
    }),
    openDoor: async () => {
      if (setting.engine === false) throw new Error("this command must not load the engine");
      return doorOf(setting, calls, handles);
    },
  };
  const code = await runCli(typeof line === "string" ? line.split(" ").filter(Boolean) : line, world);
  return { code, ...written, calls, files };
}

function doorOf(setting: Setting, calls: string[], handles: FakeWorld): EngineDoor {
  const control = recorded(setting.control ?? {}, calls);
  return {
    openProject: async ({ projectFolder, mode }) => {
      calls.push(`openProject ${mode} ${projectFolder}`);
      return ok({ control, problems: setting.problems ?? [], close: async () => void calls.push("close") });
    },
    startDaemon: async (options) => {
      calls.push(`startDaemon ${JSON.stringify(options)}`);
      return ok(fakeDaemon(calls, handles));
    },
    runOnce: async ({ onProgress, signal: _signal, ...options }) => {
      calls.push(`runOnce ${JSON.stringify(options)}`);
      onProgress({ done: 1, total: 2, running: ["output@001"] });
      return ok(sample.RUN);
    },
    validateProject: async () => ({ pipelines: [], problems: [] }),
    examineProject: async () => sample.DOCTOR,
    verifyProject: async ({ repair, targets, rebuild }) => {
      const isToldToStop = rebuild?.().aborted;
      calls.push(`verifyProject ${JSON.stringify({ repair, targets, isToldToStop })}`);
      return ok(sample.VERIFY);
    },
    ...setting.door,
  };
}

/** Stops when it is asked to, or by itself with code 0 when nobody does. */
function fakeDaemon(calls: string[], handles: FakeWorld): RunningDaemon {
  const { promise, resolve } = Promise.withResolvers<number>();
  queueMicrotask(() => handles.interrupt("SIGTERM"));
  return {
    stopped: promise,
    stop: async (reason) => {
      calls.push(`stop ${reason}`);
      resolve(0);
    },
  };
}

const SAMPLES: Control = {
  status: async () => ok(sample.STATUS),
  plan: async () => ok(sample.PLAN),
  explain: async () => ok(sample.EXPLAIN),
  whyNot: async () => ok(sample.WHY_NOT),
  list: async () => ok(sample.LIST),
  show: async () => ok(sample.SHOW),
  history: async () => ok(sample.HISTORY),
  logs: async () => ok(sample.LOGS),
  graph: async () => ok(sample.GRAPH),
  retry: async () => ok(sample.ACTION),
  invalidate: async () => ok(sample.ACTION),
  accept: async () => ok(sample.ACTION),
  acceptDeletions: async () => ok(sample.ACTION),
  hold: async () => ok(sample.ACTION),
  release: async () => ok(sample.ACTION),
  trash: async () => ok(sample.TRASH),
  restore: async () => ok(sample.RESTORE),
  emptyTrash: async () => ok(sample.ACTION),
  clean: async ({ remove = false }) => ok({ ...sample.CLEAN, removed: remove }),
  quarantine: async () => ok(sample.QUARANTINE),
  run: async () => ok(sample.RUN),
  repair: async () => ok({ version: 1, repaired: [] }),
};

/** The samples, or what the test put in their place; every call is written down. */
function recorded(instead: Partial<Control>, calls: string[]): Control {
  const control = { ...SAMPLES, ...instead };
  return Object.fromEntries(
    Object.entries(control).map(([name, call]) => [
      name,
      (query: never): Promise<Result<unknown>> => {
        calls.push(`${name} ${JSON.stringify(query)}`);
        return call(query);
      },
    ]),
  ) as unknown as Control;
}

/** Files by absolute path; a folder is a key that ends with `/`. */
function filesOf(files: Map<string, string>, fault: Error | undefined): ProjectFiles {
  return {
    exists: (path) => [...files.keys()].some((key) => key === path || key.startsWith(`${path}/`)),
    read: (path) => files.get(path),
    create: (path, text) => {
      if (fault !== undefined) throw fault;
      if (files.has(path)) throw new Error(`EEXIST: ${path}`);
      files.set(path, text);
    },
    append: (path, text) => void files.set(path, (files.get(path) ?? "") + text),
    makeFolders: (path) => void files.set(join(path, "/"), ""),
  };
}
