/** A copy of the project in which faults are planted, and runs of tests there. */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { environmentHas, listProcesses } from "../../src/adapters/execute/process/listing.ts";
import { type Mutation, plant } from "./mutation.ts";
import { MARK, type Told } from "./reporter.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const COPIED = [
  "src",
  "test",
  "docs",
  "pipelines",
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "vitest.config.ts",
  "README.md",
];
/** An environment variable by which everything that a run starts is known. */
const MARK_VARIABLE = "MILLRACE_MUTATION";
const LINKED = ["node_modules", "dist"];
const NOTHING_RAN = "no test ran";
/** A run that takes so long hangs where no time limit of a test can end it, in milliseconds. */
const PATIENCE_MS = 240_000;
/** How long a run may go on after a test has failed, in milliseconds. */
const LAST_WORDS_MS = 2_000;

/** What became of a planted fault. */
export interface Outcome {
  readonly noticed: boolean;
  readonly told: string;
}

/** A test that failed, by its file and its full name. */
interface FailedTest {
  readonly file: string;
  readonly name: string;
}

interface Run {
  readonly passed: number;
  /** The first one; there the run ends. */
  readonly failed: FailedTest | undefined;
  /** Why tests could not run. */
  readonly broken: string | undefined;
}

/** One copy of the project; tries one fault at a time. */
export class Trial {
  readonly #copy = mkdtempSync(join(tmpdir(), "millrace-mutation-"));
  /** Tests that pass where nothing is planted. */
  readonly #sound = new Set<string>();
  #running: number | undefined;

  constructor() {
    for (const name of COPIED) cpSync(join(PROJECT, name), join(this.#copy, name), { recursive: true });
    for (const name of LINKED) symlinkSync(join(PROJECT, name), join(this.#copy, name));
  }

  /** Plants the fault, runs its tests, and takes it out again. Noticed is a fault with which a test fails that passes without it. */
  async tryOut(mutation: Mutation): Promise<Outcome> {
    const file = join(this.#copy, mutation.file);
    const before = readFileSync(file, "utf8");
    const planted = plant(before, mutation);
    if ("wrong" in planted) return { noticed: false, told: planted.wrong };
    writeFileSync(file, planted.source);
    let run: Run;
    try {
      run = await this.#run(mutation.tests, mutation.only);
      // On a busy machine vitest itself may fail to start.
      if (run.broken === NOTHING_RAN) run = await this.#run(mutation.tests, mutation.only);
    } finally {
      writeFileSync(file, before);
    }
    return this.#judge(run);
  }

  /** Ends what runs, and takes the copy away. */
  remove(): void {
    if (this.#running !== undefined) kill(-this.#running);
    killMarked(`${MARK_VARIABLE}=${this.#copy}`);
    rmSync(this.#copy, { recursive: true, force: true });
  }

  async #judge({ failed, broken, passed }: Run): Promise<Outcome> {
    if (broken !== undefined) return { noticed: false, told: `nothing is known: ${broken}` };
    if (failed === undefined) return { noticed: false, told: `${passed} tests passed: nobody noticed` };
    const told = `noticed by ${failed.file} > ${failed.name}`;
    if (await this.#isSound(failed)) return { noticed: true, told };
    return { noticed: false, told: `${told}, which fails without the fault, too` };
  }

  async #isSound({ file, name }: FailedTest): Promise<boolean> {
    const key = `${file} ${name}`;
    if (this.#sound.has(key)) return true;
    const { failed, broken, passed } = await this.#run([file], `^${escaped(name)}$`);
    if (failed !== undefined || broken !== undefined || passed === 0) return false;
    this.#sound.add(key);
    return true;
  }

  /** Runs tests until the first fails. What hangs is ended; it counts only by the tests that failed before. */
  #run(tests: readonly string[], only: string | undefined): Promise<Run> {
    const args = [
      "node_modules/vitest/vitest.mjs",
      "run",
      "--bail=1",
      "--reporter=./test/mutations/reporter.ts",
      ...tests,
    ];
    if (only !== undefined) args.push("-t", only);
    const child = spawn(process.execPath, args, {
      cwd: this.#copy,
      detached: true,
      // Few lives of the simulator: a fault that only thousands find has no test that is quick enough.
      env: { ...process.env, MILLRACE_LIVES: "200", [MARK_VARIABLE]: this.#copy },
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#running = child.pid;
    let passed = 0;
    let failed: FailedTest | undefined;
    let broken: string | undefined;
    const end = (): void => {
      if (child.pid !== undefined) kill(-child.pid);
    };
    let timer = setTimeout(() => {
      broken ??= failed ? undefined : `the run hung for ${PATIENCE_MS / 1000} s`;
      end();
    }, PATIENCE_MS);
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (!line.startsWith(MARK)) return;
      const told = JSON.parse(line.slice(MARK.length)) as Told;
      if (told.is === "passed") passed++;
      else if (told.is === "broken") broken ??= `${told.file} cannot be loaded: ${told.why}`;
      else if (failed === undefined) {
        failed = told;
        clearTimeout(timer);
        timer = setTimeout(end, LAST_WORDS_MS);
      }
    });
    return new Promise((resolve) => {
      child.once("close", () => {
        clearTimeout(timer);
        end();
        // A fault may be that something is left running.
        killMarked(`${MARK_VARIABLE}=${this.#copy}`);
        this.#running = undefined;
        if (failed === undefined && passed === 0) broken ??= NOTHING_RAN;
        resolve({ passed, failed, broken: failed ? undefined : broken });
      });
    });
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

/** Ends every process with this text in its environment, and what those have started; where there is no `/proc`, none. */
function killMarked(mark: string): void {
  const rows = listProcesses();
  const wanted = new Set(rows.flatMap(({ pid }) => (environmentHas(pid, mark) ? [pid] : [])));
  for (let before = -1; before !== wanted.size;) {
    before = wanted.size;
    for (const { pid, parent } of rows) if (wanted.has(parent)) wanted.add(pid);
  }
  for (const pid of wanted) kill(pid);
}

/** `pid` as `process.kill` has it: below zero a group. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
