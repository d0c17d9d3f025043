/**
 * The trials with the shim: the real program is killed at a call, or a call is made to fail, in a copy of the small
 * world; then everything is compared with a run that nothing happened to. A trial's answer is what was wrong.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Action, type CompiledShim, type Ended, type Plan, Shim } from "./shim.ts";
import { type Clean, SmallWorld, type Story } from "./small-world.ts";

/** How the messages name each fault; `SHORT` is no fault for the one who writes on. */
export const NAMES: Readonly<Record<Action, RegExp>> = {
  ENOSPC: /ENOSPC|no space|is full/i,
  EDQUOT: /EDQUOT|quota|is full/i,
  EIO: /EIO|i\/o error|input\/output error/i,
  EMFILE: /EMFILE|too many (open files|files are open)|no more open files/i,
  EACCES: /EACCES|permission denied|readonly|not permitted/i,
  EROFS: /EROFS|read-only|readonly/i,
  SHORT: /(?:)/,
  KILL: /(?:)/,
};
/** SQLite tells of an error by what it was doing: its result codes stand for several errnos at once. */
export const SQLITE_NAMES: RegExp =
  /disk i\/o error|unable to open database|database or disk is full|readonly database|authorization/i;

/** What a trial did. */
export interface Trial {
  readonly plan: Plan;
  /** The call that was hit, such as `rename /last/1.txt`; empty when the run ended before it. */
  readonly call: string;
  readonly wrong: readonly string[];
}

/** A story with what a clean run makes of it, ready to be tried again and again. */
export class Stage {
  readonly #shim: CompiledShim;
  readonly #base: SmallWorld;
  readonly #folder: string;
  readonly clean: Clean;
  /** The calls of a clean run in order, such as `rename /last/1.txt`. */
  readonly calls: readonly string[];
  #trials = 0;

  private constructor(shim: CompiledShim, base: SmallWorld, folder: string, clean: Clean, calls: readonly string[]) {
    this.#shim = shim;
    this.#base = base;
    this.#folder = folder;
    this.clean = clean;
    this.calls = calls;
  }

  /** `folder`: a new one, below which everything happens. */
  static async set(shim: CompiledShim, story: Story, folder: string): Promise<Stage> {
    const base = await SmallWorld.make(join(folder, "base"), story);
    const world = base.copyTo(join(folder, "clean"));
    const counter = new Shim(shim, world.root, join(folder, "clean.state"));
    const before = world.files();
    const trace = join(folder, "trace");
    const { code, said } = await world.run({ ...counter.env, FS_TRACE: trace });
    if (code !== 0) throw new Error(`the clean run failed: ${said}`);
    const calls = readFileSync(trace, "utf8").split("\n").slice(0, -1);
    const named = calls.map((line) => line.slice(line.indexOf(" ") + 1));
    const stage = new Stage(shim, base, folder, world.clean(before), named);
    counter.end();
    world.remove();
    return stage;
  }

  /** Every call, counted from 1, and two after the last. */
  points(): number[] {
    return Array.from({ length: this.calls.length + 2 }, (_, index) => index + 1);
  }

  /**
   * The calls before which the disk holds something else than before the call before: a kill at any other finds what a kill
   * at one of these finds. Of the others, of the clock's probe (one file that nobody reads) and of SQLite's shared memory, which
   * does not outlive its process, one in eight.
   */
  changes(): number[] {
    const isChange = (at: number): boolean => {
      const before = this.calls[at - 2] ?? "";
      return /^\w+! /.test(before) && !/\.timestamps-|\.db-shm/.test(before);
    };
    return this.points().filter((at) => at % 8 === 0 || isChange(at));
  }

  end(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Kills the process before call `at`, `again` counts the calls after which the restart is killed as well. */
  kill(at: number, again?: number): Promise<Trial> {
    const plan: Plan = { at, action: "KILL" };
    return this.#try(plan, async (world, shim, wrong) => {
      const died = await world.run(shim.env);
      if (shim.hits > 0 && died.signal !== "SIGKILL") wrong.push(`it was to be killed and ended with ${told(died)}`);
      wrong.push(...world.torn(this.clean));
      if (again === undefined) return;
      const second = new Shim(this.#shim, world.root, `${world.dir}.again`);
      second.arm({ at: again, action: "KILL" });
      await world.run(second.env);
      second.end();
      wrong.push(...world.torn(this.clean));
    });
  }

  /** Makes the call fail. */
  fault(plan: Plan): Promise<Trial> {
    return this.#try(plan, async (world, shim, wrong) => {
      const ended = await world.run(shim.env);
      wrong.push(...world.torn(this.clean));
      if (ended.code === undefined || ![0, 1, 2].includes(ended.code)) wrong.push(`it ended with ${told(ended)}`);
      const different = world.differences(this.clean);
      if (ended.code === 0 && plan.action !== "SHORT" && different.some(isOfOutputs))
        wrong.push(`it said that all is done: ${told(ended)} ${different.join("; ").slice(0, 1000)}`);
      const isNamed = NAMES[plan.action].test(ended.said) || SQLITE_NAMES.test(ended.said);
      if (ended.code !== 0 && !isNamed) wrong.push(`it does not name the fault: ${told(ended)}`);
      if (/^\s+at .*:\d+:\d+\)?$|InternalError/m.test(ended.said)) wrong.push(`it shows its insides: ${told(ended)}`);
    });
  }

  async #try(plan: Plan, act: (world: SmallWorld, shim: Shim, wrong: string[]) => Promise<void>): Promise<Trial> {
    const world = this.#base.copyTo(join(this.#folder, `trial-${++this.#trials}`));
    const shim = new Shim(this.#shim, world.root, `${world.dir}.state`);
    const wrong: string[] = [];
    try {
      shim.arm(plan);
      await act(world, shim, wrong);
      const { first: call } = shim;
      const next = await world.run({}, "--wait");
      if (next.code !== 0) wrong.push(`the next run ended with ${told(next)}`);
      wrong.push(...world.differences(this.clean), ...world.torn(this.clean));
      return { plan, call, wrong };
    } finally {
      shim.end();
      world.remove();
    }
  }
}

function isOfOutputs(difference: string): boolean {
  return !difference.startsWith("left in tmp") && !difference.startsWith("the trash");
}

function told({ code, signal, said }: Ended): string {
  return `${code ?? signal}: ${said.trim()}`;
}

/** What many trials came to. */
export interface Tally {
  readonly trials: number;
  /** Trials in which the shim acted. */
  readonly hit: number;
  /** Kinds of calls that were hit, with how often: `rename last/*`. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Trials with something wrong, told. */
  readonly wrong: readonly string[];
}

/** Runs trials, two at a time; a function each, so that none begins before its turn. */
export async function runTrials(trials: readonly (() => Promise<Trial>)[]): Promise<Tally> {
  const kinds = new Map<string, number>();
  const wrong: string[] = [];
  let [next, hit] = [0, 0];
  const work = async (): Promise<void> => {
    while (next < trials.length) {
      const { plan, call, wrong: found } = await trials[next++]!();
      if (call !== "") {
        hit++;
        kinds.set(kindOf(call), (kinds.get(kindOf(call)) ?? 0) + 1);
      }
      const { at, action, sticky } = plan;
      if (found.length > 0)
        wrong.push(`${action} ${sticky ? "from" : "at"} call ${at} (${call}): ${found.join("\n    ")}`);
    }
  };
  await Promise.all([work(), work()]);
  return { trials: trials.length, hit, kinds, wrong };
}

/** `rename /upper/1.txt` is `rename upper/*`. */
function kindOf(call: string): string {
  const [name = "", path = ""] = call.split(" ");
  const inRoot = path.replace(/^\//, "").replace(/^\.millrace\/tmp\/.*\//, ".millrace/tmp/");
  const slash = inRoot.lastIndexOf("/");
  const isNamed = /\.(db|json)|owner/.test(inRoot) && !/manifests|tmp/.test(inRoot);
  return `${name} ${isNamed || slash < 0 ? inRoot : `${inRoot.slice(0, slash)}/*`}`;
}
