import { EngineRig } from "../../support/engine-rig.ts";
import { LosingDisk } from "../../support/losing-disk.ts";
import { diskError } from "../../support/memory-disk.ts";
import { Killed, type Operation } from "../../support/mortal-disk.ts";
import type { AttemptRequest, Intent } from "../../../src/ports.ts";
import { Acks } from "./acks.ts";
import { definitionsOf, type Family } from "./family.ts";
import { isWriting, placeOf, ROOT } from "./places.ts";
import type { CrashPoint } from "./script.ts";
import { Tally, TraceHash } from "./statistics.ts";
import { Watchman } from "./watchman.ts";

/** A fault of the disk that waits for its operation. */
interface ArmedFault {
  readonly code: string;
  skip: number;
  readonly once: boolean;
  readonly on: string;
}

const decoder = new TextDecoder();
/** Many times what a life needs. */
const MOST_OPERATIONS = 100_000;
const READS: ReadonlySet<string> = new Set(["open", "read", "list"]);

/** One run of a node. */
export interface Run {
  readonly request: AttemptRequest;
  /** `pipeline#stage`. */
  readonly stage: string;
  readonly input: string;
  /** The expression, and how often somebody had interfered with the task before. */
  readonly code: string;
  readonly life: number;
  readonly start: number;
  end: number | null;
  result: string | undefined;
}

/**
 * The engine of a life on its disk, with what the simulator adds: crashes at a chosen operation, faults, an eye on every
 * operation, a record of every run. One process after the other.
 */
export class SimProcess {
  readonly rig: EngineRig;
  readonly watchman: Watchman = new Watchman(() => this.rig.disk);
  readonly acks: Acks = new Acks((path) => this.rig.files(path), this.watchman);
  readonly tally: Tally = new Tally();
  readonly trace: TraceHash = new TraceHash();
  /** Places of the protocol that were passed, and those where a process died. */
  readonly passed: Tally = new Tally();
  readonly diedAt: Tally = new Tally();
  readonly runs: Run[] = [];
  /** Told of each line of the trace, for people. */
  say: ((line: string) => void) | undefined;
  /** The number of the process, from 1. */
  life = 1;
  /** Counts everything that happens: the one clock of plan and effects. */
  tick = 0;
  isRecovering = false;
  /** Told where something was written; empty for what is derived. */
  onWrite: ((path: string) => void) | undefined;
  /** Writing operations of this process so far. */
  writes = 0;
  readonly #family: Family;
  #dieAt: string | undefined;
  #crash: CrashPoint | undefined;
  #crashAfter = Infinity;
  #fault: ArmedFault | undefined;
  #deadAt: string | undefined;
  #losing: LosingDisk | undefined;
  readonly #epochs = new Map<string, number>();
  #everywhere = 0;
  /** The disk refused something since this process began. */
  #isFaultNew = false;
  #operations = 0;

  /**
   * @param losesPower whether what is not synced can be lost: costs time
   * @param dieAt a place at which a process dies when one comes there for the first time
   */
  constructor(family: Family, seed: number, losesPower: boolean, dieAt?: string) {
    this.#family = family;
    this.#dieAt = dieAt;
    const ears = {
      begun: (request: AttemptRequest, input: string | undefined): void => this.#begun(request, input),
      made: (request: AttemptRequest, made: string | Readonly<Record<string, string>>): void => {
        const { path } = request.output;
        if (typeof made === "string") this.watchman.made(path, made);
        else for (const [name, text] of Object.entries(made)) this.watchman.made(path + name, text);
      },
      writesInPieces: true,
    };
    const hooks = {
      before: (operation: Operation): void => this.#before(operation),
      after: (operation: Operation): void => this.#after(operation),
    };
    this.rig = new EngineRig(definitionsOf(family), {
      seed,
      settleMs: 200,
      racyMs: family.racyMs,
      hooks,
      ears,
      hasControlsFile: true,
      ...(losesPower ? { diskOf: (memory) => (this.#losing = new LosingDisk(memory)) } : {}),
    });
    this.#prepare();
  }

  // ------------------------------------------------------------ lives

  get isDead(): boolean {
    return this.rig.isDead;
  }

  /** Starts the next process; it may die on the way. */
  async revive(crash: CrashPoint | undefined): Promise<void> {
    this.life++;
    this.writes = 0;
    this.#deadAt = undefined;
    this.arm(crash);
    this.isRecovering = true;
    this.#isFaultNew = false;
    await this.begin(true);
    this.isRecovering = false;
  }

  /** A process begins to work; the first one is there already. */
  async begin(isNew: boolean = false): Promise<void> {
    await this.#alive(async () => {
      try {
        if (isNew) {
          this.rig.renew();
          this.#prepare();
        }
        await this.rig.begin();
      } catch (error) {
        // A disk that refuses at the very start: the command fails and is given again when the disk is well.
        if (!this.hasFault && !this.#isFaultNew) throw error;
        if (!(error instanceof Error && "code" in error)) throw error;
        this.tally.add("start refused by the disk");
        this.lift();
        this.rig.kill();
      }
    }, isNew);
  }

  #prepare(): void {
    this.rig.runner.lane = this.#family.lane;
    this.rig.root.endings.add(({ runId, result, task }) => {
      const isDone = result.is === "ran" || result.is === "unchanged" || result.is === "restored";
      if (isDone && task.stage.durability === "sync") this.acks.done(task.path);
      const run = this.runs.findLast(({ request }) => request.attemptId === runId);
      if (run === undefined) return;
      run.result = result.is;
      run.end = ++this.tick;
    });
  }

  arm(crash: CrashPoint | undefined): void {
    this.#crash = crash;
    this.#crashAfter = crash?.after === undefined ? Infinity : this.writes + crash.after;
  }

  /** Dies now, between two operations. */
  kill(): void {
    if (this.isDead) return;
    this.rig.kill();
    this.#deadAt = this.rig.root.isQuiet ? "idle" : "between operations";
    this.tally.add(`crash ${this.#deadAt}`);
  }

  /** The power failed with the death: a part of what was not on the medium is lost. */
  cutPower(random: { next(): number }): void {
    if (this.#losing === undefined) return;
    this.tally.add("power loss");
    this.tally.add("changes not on the medium at a power loss", this.#losing.unsynced);
    this.watchman.powerWasCut = true;
    this.interfered();
    this.#losing.powerCut(random);
    this.rig.machine.reboot();
  }

  // ------------------------------------------------------------ operations

  #before(operation: Operation): void {
    if (++this.#operations > MOST_OPERATIONS) {
      this.watchman.complain("runaway", "it works on and on");
      this.rig.kill();
      return;
    }
    const writing = isWriting(operation);
    if (writing) {
      const place = placeOf(operation);
      const isDue = this.#crash?.place === place || this.writes >= this.#crashAfter;
      if (isDue || this.#dieAt === place) this.#die(place);
      this.passed.add(place);
      this.writes++;
      this.tick++;
    }
    if (this.#fault !== undefined) this.#maybeFail(operation, writing);
    this.watchman.before(operation);
    this.acks.touched(operation);
  }

  #die(place: string): never {
    this.rig.kill();
    if (this.#dieAt === place) this.#dieAt = undefined;
    this.#crash = undefined;
    this.#crashAfter = Infinity;
    this.#deadAt = place;
    this.diedAt.add(place);
    this.tally.add(this.isRecovering ? "crash while starting" : "crash at work");
    this.say?.(`     dead before: ${place}`);
    throw new Killed("the process is dead");
  }

  #after(operation: Operation): void {
    if (isWriting(operation)) {
      const line = `${operation.name} ${operation.path}${operation.to === undefined ? "" : ` -> ${operation.to}`}`;
      this.trace.add(line);
      this.say?.(`     ${line}`);
      this.watchman.after(operation);
      this.onWrite?.(operation.name.includes(".") ? "" : (operation.to ?? operation.path));
      if (this.#family.echoes) this.#echo(operation);
    }
  }

  #echo({ name, path, to }: Operation): void {
    if (name.includes(".") || name === "sync") return;
    for (const each of [path, to ?? path]) {
      const at = each.slice("/project/state/".length);
      if (at.startsWith(".millrace")) continue;
      const { changes } = this.rig;
      this.rig.clock.after(1, () => changes.changed(at));
    }
  }

  // ------------------------------------------------------------ faults of the disk

  breakDisk(fault: ArmedFault): void {
    this.#fault = { ...fault };
  }

  lift(): void {
    this.#fault = undefined;
  }

  get hasFault(): boolean {
    return this.#fault !== undefined;
  }

  #maybeFail({ name, path }: Operation, writing: boolean): void {
    const fault = this.#fault!;
    if (name.includes(".") || (fault.on === "reads" ? !READS.has(name) : !writing)) return;
    // Taking away needs no room and no new file.
    if (writing && fault.code !== "EROFS" && fault.code !== "EIO" && name.startsWith("remove")) return;
    if (fault.skip-- > 0) return;
    if (fault.once) this.#fault = undefined;
    this.tally.add(`${fault.code} on ${fault.on}`);
    this.interfered();
    this.#isFaultNew = true;
    this.say?.(`     ${fault.code}: ${name} ${path}`);
    throw diskError(fault.code, path);
  }

  // ------------------------------------------------------------ runs

  /** Somebody interfered with an entity, or with all: what was done may have to be done again. */
  interfered(id?: string): void {
    if (id === undefined) this.#everywhere++;
    else this.#epochs.set(id, (this.#epochs.get(id) ?? 0) + 1);
  }

  /** The runs of this process that its death cost: no manifest names them, and no intent whose result is in its place. */
  cost(): string[] {
    const runs = this.runs.filter(({ life }) => life === this.life);
    if (runs.length === 0) return [];
    const known = new Set([...this.#recorded(), ...this.#putInPlace()]);
    return runs.map(({ request }) => request.attemptId).filter((id) => !known.has(id));
  }

  *#recorded(): Generator<string> {
    const folder = `${ROOT}/.millrace/manifests`;
    for (const name of this.rig.disk.list(folder) ?? [])
      for (const [, id] of decoder.decode(this.rig.disk.read(`${folder}/${name}`)).matchAll(/"runId": "([^"]*)"/g))
        yield id!;
  }

  *#putInPlace(): Generator<string> {
    const { disk } = this.rig;
    for (const batch of this.rig.own("tmp")) {
      const folder = `${ROOT}/.millrace/tmp/${batch}`;
      const text = disk.lstat(`${folder}/intent.json`) && disk.read(`${folder}/intent.json`);
      const intent = text === undefined ? undefined : intentIn(decoder.decode(text));
      for (const { staged, record } of intent?.records ?? [])
        if (staged !== "" && record && disk.lstat(`${folder}/${staged}`) === undefined) yield record.runId;
    }
  }

  #begun(request: AttemptRequest, input: string | undefined): void {
    this.trace.add(`run ${request.taskKey}`);
    this.say?.(`     run ${request.taskKey} ${JSON.stringify(input)}`);
    if (input === undefined) return;
    const { stageKey: stage } = request.work;
    const epoch = this.#everywhere + (this.#epochs.get(request.entity.id) ?? 0);
    const code = `${(request.work.node.data["expression"] as string | undefined) ?? ""} ${epoch}`;
    this.runs.push({ request, stage, input, code, life: this.life, start: ++this.tick, end: null, result: undefined });
  }

  // ------------------------------------------------------------ time

  /** Time passes; what goes wrong beyond a death is a fault of the engine. */
  async pass(ms: number): Promise<void> {
    await this.#alive(() => this.rig.pass(ms));
  }

  async quiet(limitMs: number = 3_600_000): Promise<void> {
    const { rig } = this;
    await this.#alive(() => rig.until(() => this.isDead || (rig.root.isQuiet && rig.runner.hanging === 0), limitMs));
    this.#now(() => rig.root.flushManifests());
  }

  async stop(): Promise<void> {
    let isStopped = false;
    const stopped = this.rig.root.stop(0).then(
      () => (isStopped = true),
      (error: unknown) => {
        if (!(error instanceof Killed)) throw error;
      },
    );
    await this.#alive(() => this.rig.until(() => isStopped || this.isDead));
    if (!this.isDead) await stopped;
  }

  /** Does something with the engine that takes turns, unless it dies. */
  async during(work: () => Promise<unknown>): Promise<void> {
    if (this.isDead) return;
    let isDone = false;
    void work().then(
      () => (isDone = true),
      (error: unknown) => {
        if (error instanceof Killed) return;
        this.watchman.complain("rejected", String(error));
        isDone = true;
      },
    );
    await this.#alive(() => this.rig.until(() => isDone || this.isDead));
  }

  /** Does something with the engine at once, unless it dies. */
  now(work: () => void): void {
    this.#now(work);
  }

  #now(work: () => void): void {
    if (this.isDead) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Killed)) this.#fell(error);
    }
  }

  async #alive(work: () => Promise<void>, evenDead: boolean = false): Promise<void> {
    if (this.isDead && !evenDead) return;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Killed)) this.#fell(error);
    }
    if (this.rig.faults.length > 0) this.#fell(this.rig.faults.shift());
  }

  #fell(error: unknown): void {
    const told = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.watchman.complain(told.includes("it never came to be") ? "never-quiet" : "daemon-fell", told);
    this.rig.kill();
  }
}

/** `undefined` for one that a power cut has torn. */
function intentIn(text: string): Intent | undefined {
  try {
    return JSON.parse(text) as Intent;
  } catch {
    return undefined;
  }
}
