import { createLocalQueue } from "../../src/adapters/queue/local.ts";
import { openControlsStore } from "../../src/adapters/store/controls.ts";
import { FileIntents } from "../../src/adapters/store/intents.ts";
import { FileManifestStore } from "../../src/adapters/store/manifests.ts";
import { prepareMillraceFolder } from "../../src/adapters/store/millrace-folder.ts";
import { FileTrash } from "../../src/adapters/store/trash.ts";
import { createStateReader } from "../../src/adapters/system/state-reader.ts";
import { loadHasher } from "../../src/core/hash/hash.ts";
import type { Manifest } from "../../src/core/model/manifest.ts";
import type { Pipeline } from "../../src/core/model/pipeline.ts";
import type { RelPath, Status } from "../../src/core/model/words.ts";
import { RootPresence, whileHere } from "../../src/engine/health/root-presence.ts";
import { Root } from "../../src/engine/root.ts";
import type { AttemptRow, ControlsStore, Disk, Log } from "../../src/ports.ts";
import { loaded } from "./definitions.ts";
import { FakeChangeSource } from "./fake-change-source.ts";
import { FakeMachine } from "./fake-machine.ts";
import { LosingDisk } from "./losing-disk.ts";
import { ManualClock } from "./manual-clock.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { MemoryLedger } from "./memory-ledger.ts";
import { MemoryScanner } from "./memory-scanner.ts";
import { MemoryControlsStore, MemoryIndexStore } from "./memory-store.ts";
import { Killed, mortal, type MortalDisk, type OperationHooks } from "./mortal-disk.ts";
import { type RunnerEars, type Script, ScriptedRunner } from "./scripted-runner.ts";
import { SeededRandom } from "./seeded-random.ts";

await loadHasher();

const ROOT = "/project/state";

export interface RigOptions {
  readonly settleMs?: number;
  readonly racyMs?: number;
  /** Of the ids and of chance; 1 when left out. */
  readonly seed?: number;
  /** What processes have instead of the disk in memory itself: one that loses what was not synced. */
  readonly diskOf?: (memory: MemoryDisk) => Disk;
  /** Hear of every operation of a process on what outlives it. */
  readonly hooks?: OperationHooks;
  /** Hear of every attempt. */
  readonly ears?: RunnerEars;
  /** The controls are a file of the disk, too. */
  readonly hasControlsFile?: boolean;
}

/** What a process of the rig is made of; thrown away by `restart` and `kill`. */
interface Life {
  readonly root: Root;
  readonly mortal: MortalDisk;
  readonly runner: ScriptedRunner;
  readonly changes: FakeChangeSource;
  readonly clock: ManualClock;
}

/** More attempts of one task at one instant than any change asks for: then it runs in a circle. */
const CIRCLE = 40;

/** One root with everything in memory, driven by hand: time passes only in `quiet`, `until` and `pass`. */
export class EngineRig {
  readonly disk: MemoryDisk;
  readonly index: MemoryIndexStore = new MemoryIndexStore();
  readonly controls: MemoryControlsStore = new MemoryControlsStore();
  readonly ledger: MemoryLedger = new MemoryLedger();
  readonly scripts: Map<string, Script> = new Map<string, Script>();
  /** Every attempt that began, in all lives. */
  readonly ran: string[] = [];
  /** Errors that reached the queue: faults of the engine. */
  readonly faults: unknown[] = [];
  readonly logged: string[] = [];
  readonly env: Map<string, string> = new Map();
  #pipelines: readonly Pipeline[];
  readonly #options: RigOptions;
  readonly #random: SeededRandom;
  /** The disk as processes have it. */
  readonly shared: Disk;
  readonly machine: FakeMachine;
  #life: Life;
  /** How much had run when time last went on. */
  #ranBefore = 0;

  constructor(definitions: readonly unknown[], options: RigOptions = {}) {
    this.#options = options;
    this.#pipelines = parse(definitions);
    this.#random = new SeededRandom(options.seed);
    let clock = new ManualClock();
    this.disk = new MemoryDisk({ wallMs: () => (this.#life ? this.#life.clock : clock).wallMs() });
    this.disk.makeFolders(ROOT);
    prepareMillraceFolder(ROOT, this.disk);
    this.shared = options.diskOf?.(this.disk) ?? this.disk;
    this.machine = new FakeMachine(this.shared instanceof LosingDisk ? this.shared : undefined);
    this.#life = this.#live(clock);
    clock = this.#life.clock;
  }

  get root(): Root {
    return this.#life.root;
  }
  get runner(): ScriptedRunner {
    return this.#life.runner;
  }
  get changes(): FakeChangeSource {
    return this.#life.changes;
  }
  get clock(): ManualClock {
    return this.#life.clock;
  }
  /** Operations on the disk in this life. */
  get operations(): number {
    return this.#life.mortal.operations();
  }
  get isDead(): boolean {
    return this.#life.mortal.isDead();
  }

  // ------------------------------------------------------------ lives

  #live(clock: ManualClock, lastOperation?: number): Life {
    const life = mortal(this.shared, lastOperation, this.#options.hooks);
    // Not mortal: a look at the root is no operation that a death could come between.
    const presence = new RootPresence(ROOT, "state/", this.disk);
    const disk = whileHere(life.disk, ROOT, presence);
    const random = this.#random;
    const trash = new FileTrash(ROOT, { disk, clock, random });
    const reader = untilDeath(createStateReader(disk, ROOT), "hash");
    const runner = new ScriptedRunner({ disk, reader }, this, this.#options.ears);
    const changes = new FakeChangeSource();
    const root = new Root({
      root: ROOT,
      name: "state/",
      pipelinesFolder: "/project/pipelines",
      cacheFolder: `${ROOT}/.millrace/cache`,
      clock,
      random,
      disk,
      reader,
      manifests: new FileManifestStore(ROOT, { disk, random, trash, onProblem: () => {} }),
      intents: new FileIntents(ROOT, disk),
      index: life.hold(this.index, "index", ["load", "loadMeta", "save", "saveMeta", "close"]),
      controls: this.#controlsOn(disk, trash),
      trash,
      ledger: life.hold(this.ledger, "ledger", ["add", "attempts", "close"]),
      scanner: untilDeath(new MemoryScanner(disk, ROOT), "scan"),
      machine: this.machine,
      changes,
      refreshIgnore: () => false,
      runner,
      envHash: (name) => `hmac of ${name}=${this.env.get(name) ?? ""}`,
      log: this.#log(),
      makeQueue: (limits, run) =>
        createLocalQueue({
          clock,
          limits,
          slots: 8,
          run,
          onError: (error) => {
            if (!(error instanceof Killed)) this.faults.push(error);
          },
        }),
      onReconcile: () => {},
      presence,
      defaultSettleMs: this.#options.settleMs ?? 200,
      racyMs: this.#options.racyMs ?? 0,
    });
    return { root, mortal: life, runner, changes, clock };
  }

  #controlsOn(disk: Disk, trash: FileTrash): ControlsStore {
    if (this.#options.hasControlsFile !== true) return this.controls;
    const opened = openControlsStore(ROOT, { disk, random: this.#random, trash, onProblem: () => {} });
    if (!opened.ok) throw new Error("the controls were refused");
    return opened.value;
  }

  #log(): Log {
    const say = (fields: object, message: string): void =>
      void this.logged.push(`${message} ${JSON.stringify(fields)}`);
    return {
      debug: () => {},
      info: () => {},
      warn: say,
      error: say,
      problem: (found) => void this.logged.push(found.message),
      flush: () => {},
    };
  }

  /** Opens and starts the root and waits until all is quiet, or until the process is dead. */
  async start(): Promise<this> {
    await this.begin();
    await this.quiet();
    return this;
  }

  /** The same without waiting for the work that the first look found. */
  async begin(): Promise<void> {
    const { root } = this.#life;
    let isStarted = false;
    const started = root
      .open(this.#pipelines, [])
      .then(() => root.start())
      .catch((error: unknown) => {
        if (!(error instanceof Killed)) throw error;
      })
      .finally(() => (isStarted = true));
    // It is awaited only when turns have passed.
    started.catch(() => {});
    await this.until(() => isStarted || this.isDead);
    if (!this.isDead) await started;
  }

  /** Ends the process well. */
  async stop(graceMs = 0): Promise<void> {
    let isStopped = false;
    const stopped = this.root.stop(graceMs).finally(() => (isStopped = true));
    await this.until(() => isStopped);
    await stopped;
  }

  /** Another process on the same disk, after the old one was stopped or killed. Its wall clock goes on, moved by `jumpMs`. */
  async restart(jumpMs = 0): Promise<this> {
    if (!this.isDead) await this.stop();
    return this.revive({ jumpMs });
  }

  /** The same without stopping the old process, which is dead or was never started. */
  async revive(options: { readonly jumpMs?: number; readonly lastOperation?: number } = {}): Promise<this> {
    this.renew(options);
    return this.start();
  }

  /** The next process is there, and has done nothing yet. */
  renew(options: { readonly jumpMs?: number; readonly lastOperation?: number } = {}): void {
    this.kill();
    this.#ranBefore = this.ran.length;
    const clock = new ManualClock(this.clock.wallMs() + (options.jumpMs ?? 0));
    this.#life = this.#live(clock, options.lastOperation);
  }

  /** The process is gone in the middle of whatever it did. */
  kill(): void {
    this.#life.mortal.kill();
  }

  // ------------------------------------------------------------ time

  /** Lets promises and timers have their turns, as far as time need not pass beyond `limitMs`, until a condition holds. */
  async until(condition: () => boolean, limitMs = 3_600_000): Promise<void> {
    const end = this.clock.monoMs() + limitMs;
    for (;;) {
      await turn();
      if (condition()) return;
      this.#checkCircles();
      const due = this.clock.nextDue();
      if (due === undefined || due > end) {
        // Promises may need several turns.
        for (let i = 0; i < 20; i++) await turn();
        if (condition()) return;
        if (this.clock.nextDue() === due) throw new Error("it never came to be");
        continue;
      }
      this.#advance(Math.max(0, due - this.clock.monoMs()));
    }
  }

  /** Until nothing is left to do now and every manifest is written; retries that are due later wait. */
  async quiet(): Promise<void> {
    await this.until(() => this.isDead || (this.root.isQuiet && this.runner.hanging === 0));
    if (this.isDead) return;
    try {
      this.root.flushManifests();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    if (this.faults.length > 0) throw this.faults[0];
  }

  /** Time passes, and all that is due in it happens. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.monoMs() + ms;
    await turn();
    for (let due = this.clock.nextDue(); due !== undefined && due <= end; due = this.clock.nextDue()) {
      if (this.isDead) return;
      this.#checkCircles();
      this.#advance(Math.max(0, due - this.clock.monoMs()));
      await turn();
    }
    this.#advance(end - this.clock.monoMs());
    await turn();
  }

  /** Work costs no time here: what runs again and again while none passes has no reason to. */
  #checkCircles(): void {
    if (this.ran.length - this.#ranBefore <= CIRCLE) return;
    const counts = new Map<string, number>();
    for (const task of this.ran.slice(this.#ranBefore)) counts.set(task, (counts.get(task) ?? 0) + 1);
    for (const [task, count] of counts) if (count > CIRCLE) throw new Error(`${task} runs again and again`);
  }

  #advance(ms: number): void {
    if (ms > 0) this.#ranBefore = this.ran.length;
    try {
      this.clock.advance(ms);
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }

  // ------------------------------------------------------------ files

  /** Writes a file of the root without anybody being told. */
  put(path: RelPath, text: string): void {
    const at = `${ROOT}/${path}`;
    this.disk.makeFolders(at.slice(0, at.lastIndexOf("/")));
    this.disk.write(at, text);
  }

  /** Writes a file, and the watcher sees it. */
  write(path: RelPath, text: string): void {
    this.put(path, text);
    this.changes.changed(path);
  }

  remove(path: RelPath): void {
    this.disk.removeTree(`${ROOT}/${path}`);
    this.changes.changed(path);
  }

  text(path: RelPath): string | undefined {
    const bytes = this.disk.read(`${ROOT}/${path}`);
    return bytes && new TextDecoder().decode(bytes);
  }

  /** Every file below the root but Millrace's own, path to text. */
  files(folder = ""): Record<RelPath, string> {
    const found: Record<RelPath, string> = {};
    for (const name of this.disk.list(`${ROOT}/${folder}`) ?? []) {
      if (name === ".millrace") continue;
      const path = `${folder}${name}`;
      if (this.disk.lstat(`${ROOT}/${path}`)?.kind === "folder") Object.assign(found, this.files(`${path}/`));
      else found[path] = this.text(path)!;
    }
    return found;
  }

  /** The texts of what was moved aside, sorted. */
  trashed(): string[] {
    const kept = Object.entries(this.files(".millrace/trash/")).filter(([path]) => !path.endsWith("/note.json"));
    return kept.map(([, text]) => text).toSorted();
  }

  /** What lies in a folder of Millrace's own, such as `tmp`. */
  own(folder: string): string[] {
    return this.disk.list(`${ROOT}/.millrace/${folder}`) ?? [];
  }

  // ------------------------------------------------------------ what is known

  status(path: RelPath): Status | undefined {
    const row = this.root.table.find(path);
    return row === undefined ? undefined : this.root.table.statusOf(row);
  }

  manifest(entity: string): Manifest {
    return this.root.book.get(entity);
  }

  /** The attempts since the last call, in order. */
  news(): string[] {
    this.#ranBefore = 0;
    return this.ran.splice(0);
  }

  /** The last attempts in the ledger, oldest first. */
  attempts(stage: string): AttemptRow[] {
    return this.ledger.attempts({ stage }).toReversed();
  }

  // ------------------------------------------------------------ definitions

  /** Other definitions take effect in the running process; they hold for later lives, too. */
  async redefine(definitions: readonly unknown[]): Promise<number> {
    let changed: number | undefined;
    const replaced = this.redefineNow(definitions).then((count) => (changed = count));
    await this.until(() => changed !== undefined);
    return replaced;
  }

  /** The same; time does not pass by itself. */
  redefineNow(definitions: readonly unknown[]): Promise<number> {
    this.#pipelines = parse(definitions);
    return this.root.replaceDefinitions(this.#pipelines, []);
  }

  /** The same for the next life only. */
  redefineUnseen(definitions: readonly unknown[]): void {
    this.#pipelines = parse(definitions);
  }
}

/** Loaded pipelines by file and text: nobody changes them, and lives of many processes load the same ones. */
const known = new Map<string, Pipeline>();

function parse(definitions: readonly unknown[]): Pipeline[] {
  return definitions.map((definition, i) => {
    const file = `pipelines/${i}.json`;
    const key = `${file} ${JSON.stringify(definition)}`;
    const pipeline = known.get(key) ?? loaded(definition, file);
    if (known.size >= 200) known.clear();
    known.set(key, pipeline);
    return pipeline;
  });
}

/** A promise that a dead process waits for never settles: nothing is left that could take its failure. */
function untilDeath<T extends object>(thing: T, method: keyof T & string): T {
  const act = thing[method] as (...given: unknown[]) => Promise<unknown>;
  const dead = (error: unknown): Promise<never> => {
    if (error instanceof Killed) return new Promise(() => {});
    throw error;
  };
  return Object.defineProperty(thing, method, {
    value: (...given: unknown[]): Promise<unknown> => act.apply(thing, given).catch(dead),
  });
}

/** Lets every promise that can be settled settle. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

// ---------------------------------------------------------------- definitions for tests

/** A transform of `input` by an expression of the scripted runner. */
export function stage(id: string, input: string, pattern: string, expression: string, more: object = {}): object {
  return { id, type: "transform", input, pattern, node: { typeId: "transform", data: { expression } }, ...more };
}

/** A source of the given pattern. */
export function source(id: string, pattern: string, more: object = {}): object {
  return { id, type: "source", pattern, ...more };
}

/** Two stages in a row: `input/{id}.txt` in upper case, then in brackets. */
export function echo(
  expressions: { readonly first?: string; readonly second?: string } = {},
  more: object = {},
): object {
  return {
    name: "echo",
    ...more,
    stages: [
      source("input", "input/{id}.txt"),
      stage("upper", "input", "upper/{id}.txt", expressions.first ?? "upper"),
      stage("output", "upper", "output/{id}.txt", expressions.second ?? "wrap:out"),
    ],
  };
}
