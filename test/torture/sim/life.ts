import type { Kill } from "../checker/plan.ts";
import type { Task } from "../../../src/core/plan/topology.ts";
import { acceptTasks } from "../../../src/engine/calls/accept.ts";
import { withEntry } from "../../../src/engine/manifest-book.ts";
import { Desk } from "./desk.ts";
import { Dice } from "./dice.ts";
import { definitionsOf, type Family, keyOf, outputOf, stagesOf } from "./family.ts";
import { judged } from "./judge.ts";
import { troubledNode, workingNodes } from "./nodes.ts";
import { ROOT } from "./places.ts";
import { SimProcess } from "./process.ts";
import type { CrashPoint, LifeScript, Step } from "./script.ts";
import type { Violation } from "./watchman.ts";

/** What became of a life. */
export interface Outcome {
  readonly seed: number;
  /** Empty when all held. */
  readonly violations: readonly Violation[];
  readonly trace: string;
  readonly faults: Readonly<Record<string, number>>;
  readonly passed: Readonly<Record<string, number>>;
  readonly diedAt: Readonly<Record<string, number>>;
  readonly runs: number;
  readonly crashes: number;
  readonly events: number;
}

/** Plays a life to its end and judges it. The same script gives the same outcome, trace and all. */
export async function play(script: LifeScript, say?: (line: string) => void): Promise<Outcome> {
  const life = new Life(script, say);
  await life.play();
  return life.outcome();
}

/** A life under way. */
export class Life {
  readonly script: LifeScript;
  readonly process: SimProcess;
  readonly desk: Desk;
  family: Family;
  readonly #dice: Dice;
  readonly #say: ((line: string) => void) | undefined;
  /** What a process that dies is to leave behind, and where its successor is to die. */
  #again: CrashPoint | undefined;
  #power = false;
  readonly kills: Kill[] = [];
  #crashes = 0;
  /** A death may leave their marks behind: then they run once more. */
  readonly #forced = new Set<string>();
  #events = 0;

  constructor(script: LifeScript, say?: (line: string) => void) {
    this.script = script;
    this.family = script.family;
    this.#say = say;
    this.#dice = new Dice(script.seed ^ 0x5bd1e995);
    const losesPower = script.steps.some((step) => step.do === "crash" && step.power);
    this.process = new SimProcess(script.family, script.seed, losesPower, script.dieAt);
    this.process.say = say;
    this.desk = new Desk(this.process);
    this.cure();
  }

  async play(): Promise<void> {
    await this.process.begin();
    for (const [i, step] of this.script.steps.entries()) {
      if (this.#hasFailed) return;
      await this.#standUp();
      this.#say?.(`${i + 1} ${JSON.stringify(step)}`);
      this.process.trace.add(step.do);
      this.#events++;
      await this.#act(step);
      await this.process.pass(step.pauseMs);
    }
    if (this.#hasFailed) return;
    await this.#standUp();
    // A crash that has not come to pass comes now.
    if (this.#crashes === 0) {
      this.process.kill();
      await this.#standUp();
    }
    this.process.arm(undefined);
    await judged(this);
  }

  get #hasFailed(): boolean {
    return this.process.watchman.violations.length > 0;
  }

  outcome(): Outcome {
    const { process, script } = this;
    return {
      seed: script.seed,
      violations: process.watchman.violations,
      trace: process.trace.text,
      faults: process.tally.toJSON(),
      passed: process.passed.toJSON(),
      diedAt: process.diedAt.toJSON(),
      runs: process.runs.length,
      crashes: this.#crashes,
      events: this.#events,
    };
  }

  // ------------------------------------------------------------ death

  /** A dead process is followed by another, until one stands. */
  async #standUp(): Promise<void> {
    while (this.process.isDead && !this.#hasFailed) {
      this.#crashes++;
      this.kills.push({ life: this.process.life, at: ++this.process.tick, cost: this.process.cost() });
      if (this.#power) this.process.cutPower(this.#dice);
      this.process.tally.add("acknowledged results looked for after a death", this.process.acks.check());
      for (const id of this.#forced) this.process.interfered(id);
      const next = this.#again;
      this.#again = undefined;
      this.#power = false;
      this.#say?.(`     process ${this.process.life + 1} starts`);
      await this.process.revive(next);
    }
  }

  #crash({ at, again, power }: Extract<Step, { do: "crash" }>): void {
    this.#again = again ?? undefined;
    this.#power = power;
    this.process.arm(at);
  }

  // ------------------------------------------------------------ steps

  async #act(step: Step): Promise<void> {
    this.#note(step);
    const { process, desk } = this;
    const { rig } = process;
    switch (step.do) {
      case "write":
        desk.write(sourceOf(step.id), step.text);
        return desk.tell([sourceOf(step.id)], step.seen);
      case "slowWrite":
        for (const text of step.texts) {
          desk.write(sourceOf(step.id), text);
          desk.tell([sourceOf(step.id)], step.seen);
          await process.pass(step.gapMs);
        }
        return;
      case "touch": {
        const text = desk.text(sourceOf(step.id));
        if (text === undefined) return;
        desk.write(sourceOf(step.id), text);
        return desk.tell([sourceOf(step.id)], step.seen);
      }
      case "remove":
        if (desk.remove(sourceOf(step.id))) desk.tell([sourceOf(step.id)], step.seen);
        return;
      case "rename":
        if (desk.rename(sourceOf(step.id), sourceOf(step.to)))
          desk.tell([sourceOf(step.to), sourceOf(step.id)], step.seen);
        return;
      case "removeMany":
        return desk.tell(
          step.ids.map(sourceOf).filter((path) => desk.remove(path)),
          step.seen,
        );
      case "bringBack": {
        const gone = [...desk.sources].filter(([, { last }]) => last === null);
        for (const [path, { versions }] of gone) desk.write(path, versions.at(-1)!);
        return desk.tell(
          gone.map(([path]) => path),
          step.seen,
        );
      }
      case "edit":
      case "lose":
        return this.#meddle(step);
      case "foreign":
        desk.scribble(step.path, step.text);
        desk.strays.add(step.path);
        return desk.tell([step.path], step.seen);
      case "folderHint":
        process.tally.add("folder hints");
        return rig.changes.changed(`${step.folder}/`);
      case "code":
        this.family = { ...this.family, code: { ...this.family.code, [step.stage]: step.expression } };
        return this.#redefine();
      case "toggle": {
        const { has } = this.family;
        const isOn = has.includes(step.stage);
        if (step.stage === "bundle" && !has.includes("parts")) return;
        this.family = { ...this.family, has: isOn ? has.filter((id) => id !== step.stage) : [...has, step.stage] };
        return this.#redefine();
      }
      case "trouble":
        return troubledNode(this.process, step);
      case "cure":
        return this.cure();
      default:
        return this.#command(step);
    }
  }

  /** Whose tasks may have to run again for this. */
  #note(step: Step): void {
    if (step.do === "pass" || step.do === "quiet" || step.do === "scan" || step.do === "crash") return;
    const ids = "id" in step && step.id !== null ? [step.id, ...("to" in step ? [step.to] : [])] : [undefined];
    for (const id of ids) this.process.interfered(id);
  }

  async #command(step: Step): Promise<void> {
    const { process } = this;
    const { rig } = process;
    switch (step.do) {
      case "hold": {
        const key = keyOf(step.stage) + (step.id === null ? "" : `@${step.id}`);
        return this.#setHeld({ ...rig.root.controls.held, [key]: this.#now() });
      }
      case "release":
        return this.#setHeld({});
      case "force": {
        const task = this.taskOf(step.stage, step.id);
        if (task === undefined) return;
        this.#forced.add(step.id);
        const forced = { ...rig.root.controls.forced, [task.key]: this.#now() };
        return process.now(() =>
          this.#guarded(() => rig.root.setControls({ ...rig.root.controls, forced }, rig.root.withFollowers(task))),
        );
      }
      case "accept": {
        const task = this.taskOf(step.stage, step.id);
        // From here on it is theirs.
        if (task !== undefined) process.watchman.adopted(task.path);
        if (task !== undefined) await process.during(() => this.#guardedLater(() => acceptTasks(rig.root, [task])));
        return;
      }
      case "retry":
        return this.retryAll();
      case "scan":
        return process.during(() => rig.root.scan());
      case "quiet":
        return process.hasFault ? process.pass(1000) : process.quiet();
      case "restart":
        await process.stop();
        process.tally.add("clean restarts");
        if (!process.isDead) await process.revive(undefined);
        return;
      case "jump":
        process.tally.add(step.ms < 0 ? "clock set back" : "clock set forward");
        return rig.clock.jumpWall(step.ms);
      case "pass":
        return process.pass(step.ms);
      case "fault":
        return process.breakDisk({ code: step.code, skip: step.skip, once: step.once, on: step.on });
      case "lift":
        return process.lift();
      case "away":
        return this.#goAway(step.ms);
      case "crash":
        return this.#crash(step);
      default:
        throw new Error(`nobody knows what "${step.do}" is`);
    }
  }

  #meddle(step: Extract<Step, { do: "edit" | "lose" }>): void {
    const { desk } = this;
    const path = outputOf(step.stage, step.id);
    const at = path.endsWith("/") ? `${path}a.txt` : path;
    if (desk.text(at) === undefined) return;
    if (step.do === "edit") desk.scribble(at, step.text);
    else desk.lose(path);
    desk.tell([at], step.seen);
  }

  #now(): string {
    return new Date(this.process.rig.clock.wallMs()).toISOString();
  }

  #setHeld(held: Record<string, string>): void {
    const { root } = this.process.rig;
    this.process.now(() => this.#guarded(() => root.setControls({ ...root.controls, held }, this.tasks())));
  }

  /** Nothing is held any more. */
  release(): void {
    this.#setHeld({});
  }

  /** What the disk refuses to a command is told to who gave it. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }

  async #guardedLater(work: () => Promise<unknown>): Promise<void> {
    await work().catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error)) throw error;
    });
  }

  async #redefine(): Promise<void> {
    const { rig, tally } = this.process;
    tally.add("definition edits");
    await this.process.during(() => rig.redefineNow(definitionsOf(this.family)));
  }

  async #goAway(ms: number): Promise<void> {
    const { rig, tally } = this.process;
    tally.add("root away");
    rig.disk.rename(ROOT, `${ROOT}-away`);
    await this.process.pass(ms);
    rig.disk.rename(`${ROOT}-away`, ROOT);
  }

  // ------------------------------------------------------------ nodes

  /** Every node works again. */
  cure(): void {
    workingNodes(this.process);
  }

  // ------------------------------------------------------------ tasks

  /** The task of a stage and an entity, if there is one now. */
  taskOf(stage: string, id: string): Task | undefined {
    const { root } = this.process.rig;
    const path = outputOf(stage, id);
    const row = root.table.find(path);
    return row === undefined || root.table.statusOf(row) === undefined
      ? undefined
      : root.stages.topology.producerTask(path);
  }

  /** Every task of every entity that ever was. */
  readonly tasks = (): Task[] => {
    const { topology } = this.process.rig.root.stages;
    return stagesOf(this.family).flatMap(({ id }) =>
      this.ids().flatMap((entity) => topology.producerTask(outputOf(id, entity)) ?? []),
    );
  };

  ids(): string[] {
    return [...this.desk.sources.keys()].map((path) => path.slice(3, -4));
  }

  /** What somebody took for right is made again: a fresh run knows nothing of it. */
  makeAcceptedAnew(runId: string): void {
    const { root } = this.process.rig;
    const accepted = this.tasks().filter(({ entity, stage }) => {
      const { states } = root.book.get(entity.id);
      return states[stage.pattern.text]?.runId === runId;
    });
    const forced = { ...root.controls.forced, ...Object.fromEntries(accepted.map(({ key }) => [key, this.#now()])) };
    for (const { entity, path } of accepted) {
      this.process.interfered(entity.id);
      // Theirs it is, whatever its stage makes now.
      const text = this.desk.text(path);
      if (text !== undefined) this.desk.keepsakes.set(path, text);
    }
    this.process.now(() => root.setControls({ ...root.controls, forced }, accepted));
  }

  /** Does a stage make this now, of a source that is there? */
  isMade(path: string): boolean {
    const status = this.process.rig.status(path);
    return status !== undefined && status !== "orphaned" && status !== "skipped";
  }

  /** Failures of the past are forgotten, as by the command. */
  retryAll(): void {
    this.process.interfered();
    const { root } = this.process.rig;
    this.process.now(() =>
      this.#guarded(() => {
        for (const task of this.tasks()) {
          const manifest = root.book.get(task.entity.id);
          const pattern = task.stage.pattern.text;
          if (!Object.hasOwn(manifest.failures, pattern)) continue;
          root.book.put(withEntry(manifest, "failures", pattern, undefined));
          root.book.flush(task.entity.id);
          root.journey.replan(root.withFollowers(task));
        }
      }),
    );
  }
}

function sourceOf(id: string): string {
  return `in/${id}.txt`;
}
