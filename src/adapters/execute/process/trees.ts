/** Processes that end together with everything they started. */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { AbsPath } from "../../../core/model/words.ts";
import { environmentHas, groupExists, listProcesses } from "./listing.ts";
import { Supervisor } from "./supervisor.ts";

/** The environment variable whose value tells which of our trees a process belongs to, whatever parent or session it has now. */
export const MARK_VARIABLE = "MILLRACE_PROCESS_MARK";

/** How long a tree has between SIGTERM and SIGKILL. */
export const STOP_GRACE_MS = 2_000;

const POLL_MS = 20;
// What resists SIGKILL sits in the kernel (a dead network disk): nobody can end it, and waiting for it would hold up the rest.
const KILL_PATIENCE_MS = 5_000;

/** What to start. */
export interface TreeCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: AbsPath;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdio: StdioOptions;
}

/** One started process, leader of a session and group of its own, with everything it starts. */
export interface ProcessTree {
  readonly child: ChildProcess;
  /** SIGTERM to all of it, SIGKILL to what is left after `graceMs`. Resolves when none of it lives. */
  stop(graceMs: number): Promise<void>;
  /** After the leader has exited: gives its group `graceMs` to follow by itself (ends the wait when `signal` aborts), then stops it. */
  finish(graceMs: number, signal: AbortSignal): Promise<void>;
}

/** Starts processes and can end all of them; when this process dies, even by SIGKILL, they are ended too. */
export class ProcessTrees {
  readonly #mark = randomUUID().replaceAll("-", "");
  readonly #supervisor = new Supervisor(`${this.#mark}.`);
  readonly #living = new Set<ProcessTree>();
  #started = 0;

  /** The process, started; a start that fails is its `error` event. Throws when there is no `/bin/sh`. */
  start({ file, args, cwd, env, stdio }: TreeCommand): ProcessTree {
    this.#supervisor.ensure();
    const mark = `${this.#mark}.${++this.#started};`;
    // A daemon may itself run inside a command of another one: marks are added, so that both can find the process.
    const marks = `${process.env[MARK_VARIABLE] ?? ""}${mark}`;
    const child = spawn(file, args, { cwd, env: { ...env, [MARK_VARIABLE]: marks }, stdio, detached: true });
    const group = child.pid;
    const forget = (): void => {
      this.#living.delete(tree);
      if (group !== undefined) this.#supervisor.remove(group);
    };
    const stop = async (graceMs: number): Promise<void> => {
      if (group !== undefined) await endAll(group, mark, graceMs);
      forget();
    };
    const tree: ProcessTree = {
      child,
      stop,
      async finish(graceMs, signal) {
        const until = performance.now() + graceMs;
        while (group !== undefined && groupExists(group)) {
          if (performance.now() >= until || signal.aborted) return stop(signal.aborted ? STOP_GRACE_MS : 0);
          await sleep(POLL_MS);
        }
        if (signal.aborted) await stop(STOP_GRACE_MS);
        forget();
      },
    };
    if (group !== undefined) {
      this.#living.add(tree);
      this.#supervisor.add(group);
    }
    return tree;
  }

  /** Ends every tree, also what has left its tree, and the supervisor. */
  async close(): Promise<void> {
    await Promise.all([...this.#living].map((tree) => tree.stop(STOP_GRACE_MS)));
    await this.#supervisor.close();
  }
}

async function endAll(group: number, mark: string, graceMs: number): Promise<void> {
  const seen = new Set<number>([group]);
  const termUntil = performance.now() + graceMs;
  const giveUpAt = termUntil + KILL_PATIENCE_MS;
  const asked = new Set<number>();
  for (;;) {
    const living = findTree(group, mark, seen);
    const now = performance.now();
    if (living.length === 0 || now >= giveUpAt) return;
    for (const pid of living) {
      if (now >= termUntil) send(pid, "SIGKILL");
      else if (!asked.has(pid)) {
        asked.add(pid);
        send(pid, "SIGTERM");
      }
    }
    await sleep(POLL_MS);
  }
}

/** The living processes of a tree: by group, by parents (`seen` remembers those whose parents are gone) and by mark. */
function findTree(group: number, mark: string, seen: Set<number>): number[] {
  const rows = listProcesses();
  const wanted = new Set(
    rows.filter((row) => row.group === group || environmentHas(row.pid, mark)).map((row) => row.pid),
  );
  for (const { pid } of rows) if (seen.has(pid)) wanted.add(pid);
  for (let before = -1; before !== wanted.size;) {
    before = wanted.size;
    for (const { pid, parent } of rows) if (wanted.has(parent)) wanted.add(pid);
  }
  wanted.delete(process.pid);
  for (const pid of wanted) seen.add(pid);
  return [...wanted].filter((pid) => rows.some((row) => row.pid === pid));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended, or changed its user and is out of our reach; the next look decides.
  }
}
