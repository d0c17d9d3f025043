/** A real daemon under load, killed again and again at moments that hurt, and what is found when all is over. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Daemon } from "../../support/rig.ts";
import { Project } from "../../support/rig.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import type { Plan } from "../checker/plan.ts";
import type { Extras } from "../checker/view.ts";
import { Driver } from "../driver/driver.ts";
import { EffectsLog, effectsOf } from "../driver/effects-log.ts";
import { planOf } from "../driver/plan-log.ts";
import { definitionsOf, EFFECTS_FILE, MARK_NODE } from "../driver/workload.ts";
import { batchesOf, costOf, type Hit } from "./post-mortem.ts";

const CHECKER = join(import.meta.dirname, "../checker/main.ts");
/** A life in which nothing comes under way for so long is killed idle. */
const PATIENCE_MS = 3_000;
const WRAP_EVERY = 6;
const MARK_EVERY = 17;
const EDIT_EVERY = 5;

export interface KillsOptions {
  /** Kills that hit something. */
  readonly kills: number;
  /** Files over all lives. */
  readonly files: number;
  readonly seed: number;
}

/** What came of it. Everything that must be empty or equal is here to be asserted. */
export interface KillsResult {
  readonly seed: number;
  readonly hits: Readonly<Record<Hit, number>>;
  readonly files: number;
  readonly liveEdits: number;
  /** Runs that told of themselves, and how many of them a kill made void. */
  readonly runs: number;
  readonly lost: number;
  /** Acknowledged results. */
  readonly acks: number;
  /** How long the last recovery took until quiet, in milliseconds. */
  readonly recoveryMs: number;
  /** What the checker printed, one line each: findings, then the counts. */
  readonly checker: readonly string[];
  readonly checkerExit: number | null;
  /** What `verify` found. */
  readonly verify: NonNullable<Extras["verify"]>;
  readonly verifyExit: number;
  /** Paths whose bytes differ from those of a run that nobody disturbed. */
  readonly different: readonly string[];
  /** How many files were compared. */
  readonly compared: number;
  /** What a second start without any change did. */
  readonly ranAgain: readonly string[];
}

/** What is wrong, one line each; none when every promise held. */
export function faultsOf(result: KillsResult): string[] {
  const { hits, checker, checkerExit, verify, verifyExit, different, ranAgain, seed } = result;
  const counted = hits.attempt + hits.commit + hits.recovery;
  const faults = [
    ...(checkerExit === 0 ? [] : checker.map((line) => `checker: ${line}`)),
    ...(verifyExit === 0 ? [] : verify.map((finding) => `verify: ${JSON.stringify(finding)}`)),
    ...different.map((path) => `differs from a clean run: ${path}`),
    ...ranAgain.map((what) => `a second start without any change: ${what}`),
    ...(2 * (hits.attempt + hits.commit) < counted ? [`too few kills hit work: ${JSON.stringify(hits)}`] : []),
  ];
  if (faults.length === 0 && (checkerExit !== 0 || verifyExit !== 0))
    faults.push(`exit codes ${checkerExit}, ${verifyExit}`);
  return faults.length === 0 ? [] : [...faults, `seed ${seed}`];
}

/** Tortures a project and judges it. The project is gone afterwards. */
export async function torment(options: KillsOptions): Promise<KillsResult> {
  const project = new Project([]);
  try {
    return await new Torment(project, options).run();
  } finally {
    await project.end();
  }
}

class Torment {
  readonly #project: Project;
  readonly #options: KillsOptions;
  readonly #random: SeededRandom;
  readonly #driver: Driver;
  readonly #effects: EffectsLog;
  readonly #hits: Record<Hit, number> = { attempt: 0, commit: 0, recovery: 0, idle: 0 };
  #lives = 0;
  #liveEdits = 0;
  #lost = 0;

  constructor(project: Project, options: KillsOptions) {
    this.#project = project;
    this.#options = options;
    this.#random = new SeededRandom(options.seed ^ 0x5eed);
    this.#driver = new Driver(project, options.seed);
    this.#effects = new EffectsLog(join(project.dir, EFFECTS_FILE));
  }

  async run(): Promise<KillsResult> {
    const { kills, files, seed } = this.#options;
    const perLife = Math.ceil(files / kills);
    this.#driver.batch(Math.min(files, 2 * perLife));
    while (this.#hits.attempt + this.#hits.commit + this.#hits.recovery < kills) {
      if (this.#lives > 3 * kills + 20)
        throw new Error(`too many idle kills: ${JSON.stringify(this.#hits)}, seed ${seed}`);
      await this.#life(Math.min(perLife, files - this.#driver.dropped));
    }
    this.#driver.batch(files - this.#driver.dropped);
    return this.#judge();
  }

  // ------------------------------------------------------------ lives

  async #life(files: number): Promise<void> {
    const project = this.#project;
    const life = ++this.#lives;
    if (life % EDIT_EVERY === 0) this.#driver.editResult();
    const before = batchesOf(project.at(""));
    this.#driver.launched(life, Date.now());
    const daemon = project.launch();
    const isEarly = this.#random.next() < 0.2;
    if (isEarly) await delay(this.#random.next() * 400);
    else await this.#work(daemon, files);
    await daemon.kill();
    // What it started dies with it, a moment later; only then is it over.
    while (project.survivors().length > 0) await delay(5);
    this.#driver.killed(life, Date.now(), this.#costOfLife(life));
    this.#hits[this.#hitOf(daemon, before)]++;
    this.#driver.acknowledge(20);
  }

  /** Gives it something to do, lets it get on for a while, and returns at a moment that hurts. */
  async #work(daemon: Daemon, files: number): Promise<void> {
    await daemon.ready();
    this.#driver.batch(Math.max(files, 5));
    const life = this.#lives;
    if (life % WRAP_EVERY === 0 || life % MARK_EVERY === 0) {
      this.#driver.define({ wrap: life % WRAP_EVERY === 0, mark: life % MARK_EVERY === 0 });
      this.#liveEdits++;
    }
    await delay(this.#random.next() * 600);
    const wanted = this.#random.next() < 0.55 ? "commit" : "attempt";
    const end = Date.now() + PATIENCE_MS;
    const isUnderWay = (): boolean => {
      const batches = [...batchesOf(this.#project.at("")).values()];
      return wanted === "commit" ? batches.includes("commit") : batches.length > 0;
    };
    while (!isUnderWay() && Date.now() < end) await new Promise((resolve) => setImmediate(resolve));
    if (wanted === "attempt") await delay(this.#random.next() * 6);
  }

  /** The runs of this life that the kill made void. All that told of themselves since the last kill are of this life. */
  #costOfLife(life: number): ReturnType<typeof costOf> {
    const found = costOf(
      this.#project.at(""),
      effectsOf(this.#effects.news(), () => life),
    );
    this.#lost += found.cost.length;
    return found;
  }

  #hitOf(daemon: Daemon, before: ReadonlyMap<string, unknown>): Hit {
    const after = [...batchesOf(this.#project.at(""))];
    const fresh = after.filter(([batch]) => !before.has(batch));
    if (fresh.some(([, is]) => is === "commit")) return "commit";
    if (fresh.length > 0) return "attempt";
    const isReady = daemon.said("ready").length > 0;
    return !isReady && before.size > 0 ? "recovery" : "idle";
  }

  // ------------------------------------------------------------ the end

  async #judge(): Promise<KillsResult> {
    const project = this.#project;
    this.#driver.launched(this.#lives + 1, Date.now());
    const began = performance.now();
    await project.run("run", "--wait");
    const recoveryMs = Math.round(performance.now() - began);
    this.#effects.news();
    const runs = this.#effects.all.length;
    const again = await project.run("run", "--json");
    const ranAgain = this.#effects.news().map(({ stage, entity }) => `${stage}@${entity}`);
    const { results } = JSON.parse(again.stdout) as { results: Readonly<Record<string, number>> };
    for (const [result, count] of Object.entries(results)) if (count > 0) ranAgain.push(`${count} ${result}`);
    const verify = await project.run("verify", "--json");
    const plan = planOf(this.#driver.logFile, this.#effects.all);
    const { roots } = JSON.parse(verify.stdout) as { roots: readonly { findings: KillsResult["verify"] }[] };
    const { findings } = roots[0]!;
    const { checker, checkerExit } = await this.#check(plan, findings);
    const { different, compared } = await this.#compare();
    return {
      seed: this.#options.seed,
      hits: this.#hits,
      files: this.#driver.dropped,
      liveEdits: this.#liveEdits,
      runs: Math.round(runs / 2),
      lost: this.#lost,
      acks: plan.acks!.length,
      recoveryMs,
      checker,
      checkerExit,
      verify: findings,
      verifyExit: verify.code,
      different,
      compared,
      ranAgain,
    };
  }

  async #check(
    plan: Plan,
    verify: KillsResult["verify"],
  ): Promise<{ checker: readonly string[]; checkerExit: number | null }> {
    const project = this.#project;
    const listed = await project.tasks();
    const attempts: Record<string, number> = {};
    for (const { pipeline, task } of await project.attempts()) {
      const key = `${pipeline}#${task}`;
      attempts[key] = (attempts[key] ?? 0) + 1;
    }
    const sourceCounts = await this.#sourceCounts();
    const extras: Extras = { listed, attempts, verify, sourceCounts, leaks: project.survivors() };
    const [planFile, extrasFile] = [join(project.dir, "plan.json"), join(project.dir, "extras.json")];
    writeFileSync(planFile, JSON.stringify(plan));
    writeFileSync(extrasFile, JSON.stringify(extras));
    const args = [CHECKER, project.at(""), planFile, extrasFile];
    const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 28 });
    return { checker: [...stdout.split("\n").slice(0, -1), ...(stderr === "" ? [] : [stderr])], checkerExit: status };
  }

  async #sourceCounts(): Promise<Record<string, number>> {
    interface StageCounts {
      readonly pipeline: string;
      readonly stage: string;
      readonly counts: Readonly<Record<string, number>>;
    }
    const { roots } = await this.#project.json<{ roots: readonly { stages: readonly StageCounts[] }[] }>("status");
    const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
    return Object.fromEntries(
      roots[0]!.stages.map(({ pipeline, stage, counts }) => [`${pipeline}#${stage}`, sum(counts)]),
    );
  }

  /** The same files, run once by a program that nobody disturbs. */
  async #compare(): Promise<{ different: readonly string[]; compared: number }> {
    const clean = new Project([]);
    try {
      clean.code("nodes/mark.ts", MARK_NODE);
      for (const definition of definitionsOf(clean.dir, this.#driver.versions)) clean.define(definition);
      for (const [path, content] of this.#driver.living) clean.drop(path, content);
      await clean.run("run", "--wait");
      const [is, should] = [this.#project.files(), clean.files()];
      const paths = new Set([...Object.keys(is), ...Object.keys(should)]);
      return { different: [...paths].filter((path) => is[path] !== should[path]), compared: paths.size };
    } finally {
      await clean.end();
    }
  }
}
