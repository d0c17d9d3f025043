/** The real program in a real temporary folder: what the tests of `test/e2e/` drive. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { onTestFinished } from "vitest";

const CHECKOUT = join(import.meta.dirname, "../..");
const BUILT = join(CHECKOUT, "dist/millrace.js");
const SOURCE = join(CHECKOUT, "src/cli/main.ts");
/** How long a condition may take to come true; generous, since it is only ever waited out by a failing test. */
const DEADLINE_MS = 20_000;
const POLL_MS = 5;
/** In the line that a daemon logs when it is ready. */
const READY = '"event":"ready"';

/** The built program when it is newer than every source, else the sources. */
const PROGRAM: string = isBuiltNewest() ? BUILT : SOURCE;

function isBuiltNewest(): boolean {
  if (!existsSync(BUILT)) return false;
  const builtAt = statSync(BUILT).mtimeMs;
  return globSync("src/**/*.ts", { cwd: CHECKOUT }).every((file) => statSync(join(CHECKOUT, file)).mtimeMs < builtAt);
}

/** How a process of the program ended. */
export interface Ended {
  /** The exit code; 128 and the signal's number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A line of the daemon's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A task as `list --json` shows it, as far as tests look at it. */
export interface ListedTask {
  readonly task: string;
  readonly pipeline: string;
  readonly path: string;
  readonly status: string;
  readonly reasons: readonly string[];
  readonly failure: { readonly error: string; readonly attempts: number; readonly nextRetryAt: string | null } | null;
}

/** An attempt as `history --json` shows it, as far as tests look at it. */
export interface Attempt {
  readonly task: string;
  readonly pipeline: string;
  readonly result: string;
  readonly reasons: string;
  readonly attempt: number;
  readonly error: string | null;
}

/** How a process is started. */
export interface HowToStart {
  readonly env?: Readonly<Record<string, string>>;
  /** A program and its arguments that runs what follows, such as `setpriv`. */
  readonly under?: readonly string[];
  readonly cwd?: string;
}

/** Waits for a condition, looking every few milliseconds; an error names what never came true. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string = condition.toString(),
  deadlineMs: number = DEADLINE_MS,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`it never came true in ${deadlineMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}

// ---------------------------------------------------------------- processes

class Process {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(dir: string, args: readonly string[], { env = {}, under = [], cwd = dir }: HowToStart) {
    const [program, ...rest] = [...under, process.execPath, PROGRAM, "-C", dir, ...args];
    this.child = spawn(program!, rest, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (code, signal) =>
        resolve({ code: code ?? (signal === "SIGKILL" ? 137 : 128), stdout: this.stdout, stderr: this.stderr }),
      );
    });
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}

/** A running `millrace start`. */
export class Daemon {
  readonly #process: Process;

  constructor(started: Process) {
    this.#process = started;
  }

  get pid(): number {
    return this.#process.child.pid!;
  }

  get hasEnded(): boolean {
    return this.#process.hasEnded;
  }

  /** Resolves when it has ended, however. */
  get ended(): Promise<Ended> {
    return this.#process.ended;
  }

  /** The whole lines of its log so far. */
  get lines(): LogLine[] {
    return this.#process.stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** The lines of its log whose text holds `part`. */
  said(part: string): LogLine[] {
    return this.lines.filter((line) => JSON.stringify(line).includes(part));
  }

  /** Resolves when the first scan is done and the watcher lives. */
  async ready(): Promise<this> {
    const isReady = (): boolean => this.#process.stdout.includes(READY);
    await until(() => isReady() || this.hasEnded, "the daemon is ready");
    if (!isReady()) throw new Error(`the daemon ended: ${this.#process.stdout}${this.#process.stderr}`);
    return this;
  }

  /** Asks it to end, and waits until it has. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    this.#process.child.kill(signal);
    return this.ended;
  }

  /** Ends it in the middle of whatever it does. */
  kill(): Promise<Ended> {
    return this.stop("SIGKILL");
  }
}

// ---------------------------------------------------------------- projects

/** A project in a temporary folder. It and every process in it are gone when the test ends. */
export class Project {
  readonly dir: string = realpathSync(mkdtempSync(join(tmpdir(), "millrace-e2e-")));
  readonly #processes: Process[] = [];
  #attemptsSeen = 0;

  constructor(definitions: readonly object[]) {
    mkdirSync(join(this.dir, "pipelines"));
    mkdirSync(join(this.dir, "state/input"), { recursive: true });
    for (const definition of definitions) this.define(definition as { name: string });
  }

  // ------------------------------------------------------------ files

  /** The absolute path of something in the state root. */
  at(path: string): string {
    return join(this.dir, "state", path);
  }

  /** Writes `pipelines/<name>.json`. */
  define(definition: { readonly name: string }): void {
    this.code(`${definition.name}.json`, JSON.stringify(definition, null, 2));
  }

  /** Writes a file of the pipelines folder. */
  code(path: string, text: string): void {
    const file = join(this.dir, "pipelines", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  removeCode(path: string): void {
    rmSync(join(this.dir, "pipelines", path));
  }

  /** Puts a file in place whole, so that nobody sees it half-written: one change, one attempt. */
  drop(path: string, content: string | Uint8Array = ""): void {
    const folder = dirname(this.at(path));
    const beside = join(folder, ".being-dropped");
    mkdirSync(folder, { recursive: true });
    writeFileSync(beside, content);
    renameSync(beside, this.at(path));
  }

  /** Writes the file that is there anew in its place: what is linked to it changes, too. */
  rewrite(path: string, content: string): void {
    writeFileSync(this.at(path), content);
  }

  remove(path: string): void {
    // A daemon may make files anew in a folder while it is being emptied.
    rmSync(this.at(path), { recursive: true, maxRetries: 20, retryDelay: 10 });
  }

  read(path: string): string {
    return readFileSync(this.at(path), "utf8");
  }

  has(path: string): boolean {
    return existsSync(this.at(path));
  }

  /** Is the file there with this text? */
  holds(path: string, text: string): boolean {
    return this.has(path) && this.read(path) === text;
  }

  /** The names in a folder of the state root, sorted; none when it is not there. */
  names(folder: string): string[] {
    return this.has(folder) ? readdirSync(this.at(folder)).toSorted() : [];
  }

  /** Every file below a folder of the state root, path to text, without Millrace's own. */
  files(folder = ""): Record<string, string> {
    const found: Record<string, string> = {};
    for (const name of this.names(folder)) {
      const path = folder === "" ? name : `${folder}/${name}`;
      if (name === ".millrace") continue;
      if (lstatSync(this.at(path)).isDirectory()) Object.assign(found, this.files(path));
      else found[path] = this.read(path);
    }
    return found;
  }

  /** The texts of everything in the trash, notes left out. */
  trashed(): string[] {
    const inTrash = globSync("**/*", { cwd: this.at(".millrace/trash"), withFileTypes: true });
    return inTrash
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
  }

  // ------------------------------------------------------------ the program

  /** Starts the program with arguments. */
  start(args: readonly string[], how: HowToStart = {}): Process {
    const started = new Process(this.dir, args, how);
    this.#processes.push(started);
    return started;
  }

  /** Runs the program with arguments to its end. */
  run(...args: string[]): Promise<Ended> {
    return this.start(args).ended;
  }

  /** What a command prints with `--json`. */
  async json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    const { stdout, stderr } = await this.run(...args, "--json");
    if (stdout === "") throw new Error(`millrace ${args.join(" ")} printed nothing: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** A daemon that is on its way; `ready()` waits for it. */
  launch(args: readonly string[] = [], how: HowToStart = {}): Daemon {
    return new Daemon(this.start(["start", ...args], how));
  }

  /** A daemon that is ready. */
  daemon(args: readonly string[] = [], how: HowToStart = {}): Promise<Daemon> {
    return this.launch(args, how).ready();
  }

  // ------------------------------------------------------------ what it did

  /** Every attempt so far, the oldest first. */
  async attempts(): Promise<Attempt[]> {
    const { attempts } = await this.json<{ attempts: (Attempt & { stage: string; entity: string })[] }>(
      "history",
      "--limit",
      "1000000",
    );
    return attempts.toReversed().map((row) => ({ ...row, task: `${row.stage}@${row.entity}` }));
  }

  /** The attempts since the last call, in order: `transformed@001 ran`. */
  async ran(): Promise<string[]> {
    const attempts = await this.attempts();
    const news = attempts.slice(this.#attemptsSeen);
    this.#attemptsSeen = attempts.length;
    return news.map(({ task, result }) => `${task} ${result}`);
  }

  /** Every task with its status, by `stage@entity`. */
  async statuses(...targets: string[]): Promise<Record<string, string>> {
    return Object.fromEntries((await this.tasks(...targets)).map(({ task, status }) => [task, status]));
  }

  async tasks(...targets: string[]): Promise<readonly ListedTask[]> {
    const listed = await this.json<{ tasks: readonly ListedTask[] }>("list", ...targets, "--limit", "1000000");
    return listed.tasks;
  }

  /** The task `stage@entity`. */
  async task(name: string): Promise<ListedTask> {
    const found = (await this.tasks()).find(({ task }) => task === name);
    if (!found) throw new Error(`there is no task ${name}`);
    return found;
  }

  // ------------------------------------------------------------ gates

  /** A shell line that tells when it begins, copies its input to its output, and ends when the test opens its gate. */
  gateLine(): string {
    const gates = join(this.dir, "gates");
    mkdirSync(gates, { recursive: true });
    return [
      `cd '${gates}'`,
      'echo "$$" >> "$MILLRACE_ENTITY.begun"',
      'while [ ! -e "$MILLRACE_ENTITY.open" ]; do sleep 0.01; done',
      'cat "$MILLRACE_INPUT"',
    ].join("; ");
  }

  /** Resolves when an attempt waits at the entity's gate for the `times`th time; says the process ids so far. */
  async begun(entity: string, times = 1): Promise<number[]> {
    const file = join(this.dir, "gates", `${entity}.begun`);
    const pids = (): number[] =>
      existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1).map(Number) : [];
    await until(() => pids().length >= times, `an attempt for ${entity} has begun`);
    return pids();
  }

  open(entity: string): void {
    writeFileSync(join(this.dir, "gates", `${entity}.open`), "");
  }

  close(entity: string): void {
    rmSync(join(this.dir, "gates", `${entity}.open`));
  }

  // ------------------------------------------------------------ end

  /** Processes that have to do with this project and still live: pid and command line. */
  survivors(): string[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((pid) => tells(pid).includes(this.dir))
      .map((pid) => `${pid} ${fileOf(pid, "cmdline").replaceAll("\0", " ")}`);
  }

  /** Ends everything and removes the folder; complains about a process that outlives its daemon, and about words on a daemon's stderr. */
  async end(): Promise<void> {
    for (const { child, hasEnded } of this.#processes) if (!hasEnded) child.kill("SIGKILL");
    await Promise.all(this.#processes.map((started) => started.ended.catch(() => undefined)));
    try {
      await until(() => this.survivors().length === 0, `no process survives: ${this.survivors().join(", ")}`, 10_000);
    } finally {
      for (const survivor of this.survivors()) process.kill(Number(survivor.split(" ")[0]), "SIGKILL");
      rmSync(this.dir, { recursive: true, force: true });
    }
    const noise = this.#processes.filter(({ stdout, stderr }) => stdout.includes(READY) && stderr !== "");
    if (noise.length > 0) throw new Error(`a daemon wrote to stderr: ${noise.map(({ stderr }) => stderr).join("\n")}`);
  }
}

function tells(pid: string): string {
  let cwd = "";
  try {
    cwd = readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // It has ended, or is none of ours.
  }
  return [cwd, fileOf(pid, "cmdline"), fileOf(pid, "environ")].join("\0");
}

function fileOf(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

/** A project with these definitions, for the running test. */
export function newProject(...definitions: readonly object[]): Project {
  const project = new Project(definitions);
  onTestFinished(() => project.end());
  return project;
}

// ---------------------------------------------------------------- definitions

/** A source that settles quickly. */
export function source(id: string, pattern: string, more: object = {}): object {
  return { id, type: "source", pattern, settle: "20ms", ...more };
}

/** A transform; a text for `node` is an expression. */
export function stage(id: string, input: string, pattern: string, node?: string | object, more: object = {}): object {
  const spec = typeof node === "string" ? { typeId: "transform", data: { expression: node } } : node;
  return { id, type: "transform", input, pattern, ...(spec ? { node: spec } : {}), ...more };
}

/** A node that runs a function of a file of the pipelines folder. */
export function moduleNode(path: string, params: object = {}): object {
  return { typeId: "module", data: { path, params } };
}

/** A node that runs a shell line. */
export function shell(command: string): object {
  return { typeId: "run_command", data: { command } };
}

/** The pipeline of the design: `input/{id}.txt` in upper case, then as JSON. */
export function echo(more: object = {}): { name: string; stages: object[] } {
  return {
    name: "echo",
    stages: [
      source("input", "input/{id}.txt"),
      stage("transformed", "input", "transformed/{id}.txt", "$.input.content.toUpperCase()"),
      stage("output", "transformed", "output/{id}.json", "({ id: $.entity.id, text: $.transformed.content })"),
    ],
    ...more,
  };
}

/** One stage: `input/{id}.txt` to `output/{id}.txt`. */
export function single(
  node?: string | object,
  more: object = {},
  pipeline: object = {},
): { name: string; stages: object[] } {
  return {
    name: "single",
    stages: [source("input", "input/{id}.txt"), stage("output", "input", "output/{id}.txt", node, more)],
    ...pipeline,
  };
}
