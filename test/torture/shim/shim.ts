/** The preloaded library of `shim.c`: compiled where there is a C compiler, and one armed process of it. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

/** What a call does instead of what it was asked for. */
export type Action = "KILL" | "SHORT" | "ENOSPC" | "EDQUOT" | "EIO" | "EMFILE" | "EACCES" | "EROFS";
/** The errors that every call is made to fail with. */
export const FAULTS: readonly Action[] = ["ENOSPC", "EDQUOT", "EIO", "EMFILE", "EACCES", "EROFS", "SHORT"];

const OWN_NUMBERS: Readonly<Record<string, number>> = { SHORT: 1000, KILL: 1001 };
const [COUNT, AT, ACTION, STICKY, HITS, NOSYNC, FITTING, FIRST] = [0, 2, 3, 4, 5, 6, 7, 8] as const;
const STATE_BYTES = 4096;

/** A folder with the library compiled into it; `undefined` where there is no gcc. */
export interface CompiledShim {
  readonly library: string;
  readonly folder: string;
}

/** Compiles the library into a temporary folder; the caller removes `folder`. */
export function compileShim(): CompiledShim | undefined {
  if (process.platform !== "linux" || spawnSync("gcc", ["--version"]).status !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "millrace-shim-"));
  const library = join(folder, "shim.so");
  const source = join(import.meta.dirname, "shim.c");
  execFileSync("gcc", ["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-ldl"]);
  return { library, folder };
}

/** How the shim acts, and from which call on. */
export interface Plan {
  /** The call, counted from 1. */
  readonly at: number;
  readonly action: Action;
  /** Every call from there on, until it is lifted. */
  readonly sticky?: boolean;
  /** Only calls that can really fail so: a full disk fails no read. */
  readonly fitting?: boolean;
}

/** The numbers that a shim shares with the processes it is loaded into. */
export class Shim {
  readonly #fd: number;
  readonly #file: string;
  readonly #library: string;
  readonly #prefix: string;

  /** `prefix`: the folder whose calls count, a real path. `file`: where the numbers are kept. */
  constructor({ library }: CompiledShim, prefix: string, file: string) {
    writeFileSync(file, Buffer.alloc(STATE_BYTES));
    this.#fd = openSync(file, "r+");
    this.#file = file;
    this.#library = library;
    this.#prefix = prefix;
  }

  /** What a process needs in its environment. One thread for the disk makes the order of calls repeatable. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      FS_STATE: this.#file,
      FS_PREFIX: this.#prefix,
      UV_THREADPOOL_SIZE: "1",
    };
  }

  /** Calls so far. */
  get count(): number {
    return this.#get(COUNT);
  }

  /** How often it acted. */
  get hits(): number {
    return this.#get(HITS);
  }

  /** The first call it acted at, such as `rename /output/1.txt`; empty before. */
  get first(): string {
    const text = readFileSync(this.#file).subarray(FIRST * 8);
    return text.subarray(0, text.indexOf(0)).toString();
  }

  /** Acts from now on. The call is counted from the process's first, so add `count` for one that runs. */
  arm({ at, action, sticky = false, fitting = false }: Plan): void {
    this.lift();
    this.#set(HITS, 0);
    writeSync(this.#fd, Buffer.alloc(512), 0, 512, FIRST * 8);
    this.#set(ACTION, OWN_NUMBERS[action] ?? constants.errno[action as keyof typeof constants.errno]);
    this.#set(STICKY, sticky ? 1 : 0);
    this.#set(FITTING, fitting ? 1 : 0);
    this.#set(AT, at);
  }

  /** Acts no more. */
  lift(): void {
    this.#set(AT, 0);
  }

  /** From now on a forced write is said to be on the medium and is not. */
  dropSyncs(): void {
    this.#set(NOSYNC, 1);
  }

  end(): void {
    closeSync(this.#fd);
    rmSync(this.#file, { force: true });
  }

  #get(index: number): number {
    const bytes = Buffer.alloc(8);
    readSync(this.#fd, bytes, 0, 8, index * 8);
    return Number(bytes.readBigInt64LE());
  }

  #set(index: number, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(this.#fd, bytes, 0, 8, index * 8);
  }
}

/** How a process ended. */
export interface Ended {
  /** `undefined` when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** Both outputs. */
  readonly said: string;
}

const DEADLINE_MS = 60_000;

/** Runs a program to its end; one that does not end in a minute is killed and has the signal `HANG`. */
export function runToEnd(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    let hung = false;
    const late = setTimeout(() => {
      hung = true;
      child.kill("SIGKILL");
    }, DEADLINE_MS);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(late);
      resolve({ code: code ?? undefined, signal: hung ? "HANG" : (signal ?? undefined), said });
    });
  });
}
