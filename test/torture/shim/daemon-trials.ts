/** One real daemon that lives through many faults: each round drops a file, spoils a call of what follows, and waits for the right bytes. */
import { type ChildProcess, spawn } from "node:child_process";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Action, type CompiledShim, Shim } from "./shim.ts";
import { SmallWorld } from "./small-world.ts";
import { NAMES, SQLITE_NAMES } from "./trials.ts";

const POLL_MS = 5;
const DEADLINE_MS = 60_000;
/** Waited out only by a daemon that does no more calls. */
const NOT_HIT_MS = 1_500;

export interface Round {
  /** Which call after the drop is the first to be spoiled. */
  readonly after: number;
  readonly action: Action;
  readonly sticky: boolean;
}

export interface DaemonTally {
  readonly rounds: number;
  readonly hit: number;
  readonly wrong: readonly string[];
}

/** The daemon in a world of its own below `folder`. */
export async function runDaemonRounds(
  shim: CompiledShim,
  rounds: readonly Round[],
  folder: string,
): Promise<DaemonTally> {
  const life = await DaemonLife.begin(shim, folder);
  const wrong: string[] = [];
  let hit = 0;
  try {
    for (const [number, round] of rounds.entries()) {
      const found = await life.live(round, number);
      if (found.call !== "") hit++;
      const { action, sticky, after } = round;
      const told = `${action} ${sticky ? "from" : "at"} call ${after} of round ${number} (${found.call})`;
      if (found.wrong.length > 0) wrong.push(`${told}: ${found.wrong.join("\n    ")}`);
      if (life.hasEnded) {
        wrong.push(`the daemon ended in the round before: ${life.lastWords}`);
        break;
      }
    }
    wrong.push(...(await life.end()));
  } finally {
    life.remove();
  }
  return { rounds: rounds.length, hit, wrong };
}

class DaemonLife {
  readonly #world: SmallWorld;
  readonly #shim: Shim;
  readonly #child: ChildProcess;
  #said = "";
  /** Everything that was ever dropped, by file name: what may be seen of it. */
  readonly #dropped = new Map<string, Set<string>>();

  private constructor(world: SmallWorld, shim: Shim, child: ChildProcess) {
    this.#world = world;
    this.#shim = shim;
    this.#child = child;
    child.stdout!.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.#said += text));
  }

  static async begin(compiled: CompiledShim, folder: string): Promise<DaemonLife> {
    const world = await SmallWorld.make(join(folder, "daemon"), "fresh");
    const shim = new Shim(compiled, world.root, join(folder, "daemon.state"));
    const child = spawn(process.execPath, world.daemonArgs, {
      cwd: world.dir,
      env: { ...process.env, ...shim.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const life = new DaemonLife(world, shim, child);
    if (!(await life.#until(() => life.#said.includes('"event":"ready"')))) throw new Error(`no daemon: ${life.#said}`);
    return life;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get lastWords(): string {
    return `${this.#child.exitCode ?? this.#child.signalCode} ${this.#said.slice(-2000)}`;
  }

  /** One round; ends when the dropped file has its results. */
  async live({ after, action, sticky }: Round, number: number): Promise<{ call: string; wrong: string[] }> {
    const wrong: string[] = [];
    const name = `f${number % 4}`;
    const text = `round ${number} of the file ${name}\n`;
    this.#dropped.set(name, (this.#dropped.get(name) ?? new Set()).add(text));
    const beside = join(this.#world.dir, ".dropped");
    writeFileSync(beside, text);
    this.#shim.arm({ at: this.#shim.count + after, action, sticky, fitting: sticky });
    renameSync(beside, join(this.#world.root, `input/${name}.txt`));
    if (sticky) {
      await this.#until(() => this.#shim.hits > 2 || this.#isDone(name, text), NOT_HIT_MS);
      if (this.#shim.hits > 2 && !this.#isDone(name, text)) wrong.push(...(await this.#unnamed(action)));
      this.#shim.lift();
    }
    if (!(await this.#until(() => this.#isDone(name, text)))) {
      const { said } = await this.#world.command("status");
      wrong.push(`it never came to its results: ${said}\n${this.#said.slice(-1500)}`);
    }
    this.#shim.lift();
    return { call: this.#shim.first, wrong: [...wrong, ...this.#torn()] };
  }

  /** `status`, `list` and the log together name the fault while it stands, within a while. */
  async #unnamed(action: Action): Promise<string[]> {
    let said = "";
    for (let tries = 0; tries < 10; tries++) {
      const [status, list] = await Promise.all([this.#world.command("status"), this.#world.command("list", "--json")]);
      said = status.said + list.said;
      if (NAMES[action].test(said) || SQLITE_NAMES.test(said)) return [];
      await delay(50);
    }
    return [`status does not name it: ${said.slice(0, 1500)}`];
  }

  #isDone(name: string, text: string): boolean {
    return this.#world.files()[`last/${name}.txt`] === `${text.toUpperCase()}!\n`;
  }

  #torn(): string[] {
    const wrong: string[] = [];
    const files = this.#world.files();
    for (const [name, texts] of this.#dropped) {
      for (const [path, make] of Object.entries(MADE)) {
        const there = files[`${path}/${name}.txt`];
        if (there !== undefined && ![...texts].some((text) => make(text) === there))
          wrong.push(`torn: ${path}/${name}.txt ${JSON.stringify(there)}`);
      }
    }
    return wrong;
  }

  /** Waits; whatever is visible meanwhile must be whole. `false` when the time is over or the daemon has ended. */
  async #until(condition: () => boolean, deadlineMs: number = DEADLINE_MS): Promise<boolean> {
    const end = performance.now() + deadlineMs;
    while (!condition()) {
      if (performance.now() > end || this.hasEnded) return false;
      await delay(POLL_MS);
    }
    return true;
  }

  /** Stops it as a person would; everything is then as a fresh run wants it. */
  async end(): Promise<string[]> {
    const wrong: string[] = [];
    this.#shim.lift();
    if (!this.hasEnded) {
      this.#child.kill("SIGTERM");
      await this.#until(() => this.hasEnded);
    }
    if (this.#child.exitCode !== 0 && this.#child.exitCode !== 143)
      wrong.push(`the daemon did not stop: ${this.lastWords}`);
    const run = await this.#world.run({}, "--wait");
    if (run.code !== 0) wrong.push(`the next run ended with ${run.code}: ${run.said}`);
    for (const [name, texts] of this.#dropped) {
      const last = [...texts].at(-1)!;
      if (!this.#isDone(name, last)) wrong.push(`${name} has not the result of its last text`);
    }
    if (this.#world.temporary().length > 0) wrong.push(`left in tmp: ${this.#world.temporary().join(" ")}`);
    return wrong;
  }

  remove(): void {
    if (!this.hasEnded) this.#child.kill("SIGKILL");
    this.#shim.end();
    rmSync(this.#world.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

const MADE: Readonly<Record<string, (text: string) => string>> = {
  input: (text) => text,
  upper: (text) => text.toUpperCase(),
  marked: (text) => `${text.toUpperCase()}!\n`,
  last: (text) => `${text.toUpperCase()}!\n`,
};
