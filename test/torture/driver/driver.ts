/** The one who uses the project while it is tortured: drops, changes and deletes files, edits definitions and results. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import type { Project } from "../../support/rig.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import type { PlannedStat } from "../checker/plan.ts";
import { PlanLog } from "./plan-log.ts";
import { definitionsOf, MARK_NODE, type Versions } from "./workload.ts";

/** One file in so many goes through a command; the same for those whose node fails always, or once. */
const COMMAND_EVERY = 25;
const POISON_EVERY = 40;
const FLAKY_EVERY = 30;

/** Writes down what it is about to do, does it, and writes down that it was done. */
export class Driver {
  readonly #project: Project;
  readonly #random: SeededRandom;
  readonly #log: PlanLog;
  readonly logFile: string;
  #versions: Versions = { mark: 0, wrap: 0 };
  #dropped = 0;
  #writes = 0;
  /** What each file holds. */
  readonly #living = new Map<string, string>();
  /** Entities whose result was edited: their sources stay. */
  readonly #kept = new Set<string>();

  constructor(project: Project, seed: number) {
    this.#project = project;
    this.#random = new SeededRandom(seed);
    this.logFile = join(project.dir, "plan.jsonl");
    this.#log = new PlanLog(this.logFile);
    project.code("nodes/mark.ts", MARK_NODE);
    this.define({});
  }

  /** How many files it has dropped so far, those it deleted since included. */
  get dropped(): number {
    return this.#dropped;
  }

  get versions(): Versions {
    return this.#versions;
  }

  /** What each living source holds, by path. */
  get living(): ReadonlyMap<string, string> {
    return this.#living;
  }

  /** Puts new definitions in force: the named stages get versions that never were. */
  define(changed: { readonly mark?: boolean; readonly wrap?: boolean }): void {
    const { mark, wrap } = this.#versions;
    this.#versions = {
      mark: mark + (changed.mark === true || mark === 0 ? 1 : 0),
      wrap: wrap + (changed.wrap === true || wrap === 0 ? 1 : 0),
    };
    this.#log.add({ is: "define", versions: this.#versions });
    for (const definition of definitionsOf(this.#project.dir, this.#versions)) this.#project.define(definition);
  }

  /** Drops new files, and changes or deletes some that are there. */
  batch(files: number): void {
    for (let i = 0; i < files; i++) this.#drop();
    const paths = [...this.#living.keys()];
    for (let i = 0; i < Math.ceil(files / 10) && paths.length > 20; i++) {
      const path = paths[Math.floor(this.#random.next() * paths.length)]!;
      const content = this.#living.get(path);
      if (content === undefined || /poison|flaky/.test(content)) continue;
      if (i === 0 && !this.#kept.has(idOf(path))) this.#remove(path);
      else this.#write(path, contentOf(idOf(path), ++this.#writes));
    }
  }

  #drop(): void {
    const number = this.#dropped++;
    const kind = number % POISON_EVERY === 7 ? "poison " : number % FLAKY_EVERY === 3 ? "flaky " : "";
    const id = `${number % COMMAND_EVERY === 0 ? "c-" : ""}${String(number).padStart(5, "0")}`;
    this.#write(`input/${id}.txt`, `${kind}${contentOf(id, ++this.#writes)}`);
  }

  #write(path: string, content: string): void {
    this.#log.add({ is: "write", path, content });
    this.#project.drop(path, content);
    this.#living.set(path, content);
    this.#log.add({ is: "wrote", path, stat: statOf(this.#project.at(path)) });
  }

  #remove(path: string): void {
    this.#log.add({ is: "remove", path });
    this.#project.remove(path);
    this.#living.delete(path);
  }

  /** Edits a result by hand; to be called while no daemon runs, so that nobody is about to replace the file. */
  editResult(): void {
    const results = this.#project
      .names("final")
      .filter((name) => this.#living.has(`input/${name.replace(".json", ".txt")}`));
    if (results.length === 0) return;
    const path = `final/${results[Math.floor(this.#random.next() * results.length)]!}`;
    const content = `edited by hand ${++this.#writes}`;
    this.#kept.add(path.slice("final/".length, -".json".length));
    this.#log.add({ is: "edit", path, content });
    this.#project.drop(path, content);
  }

  /** Takes note of results that are there and right: from now on they must stay while nothing that they are made from changes. */
  acknowledge(most: number): void {
    const { mark, wrap } = this.#versions;
    const paths = [...this.#living.keys()];
    for (let i = 0; i < most && paths.length > 0; i++) {
      const source = paths[Math.floor(this.#random.next() * paths.length)]!;
      const id = idOf(source);
      const upper = this.#living.get(source)!.toUpperCase();
      const marked = `m${mark}(${upper})`;
      const wrapped = `v${wrap}(${marked})`;
      for (const [path, content] of [
        [`upper/${id}.txt`, upper],
        [`marked/${id}.txt`, marked],
        [`wrapped/${id}.txt`, wrapped],
        [`final/${id}.json`, `final(${wrapped})`],
      ] as const)
        if (this.#project.holds(path, content)) this.#log.add({ is: "ack", path, content });
    }
  }

  /** Takes note of a daemon's start. */
  launched(life: number, at: number): void {
    this.#log.add({ is: "launch", life, at });
  }

  /** Takes note of a daemon's end by force. */
  killed(
    life: number,
    at: number,
    found: { readonly cost: readonly string[]; readonly untold: readonly string[] },
  ): void {
    this.#log.add({ is: "killed", life, at, ...found });
  }
}

function idOf(path: string): string {
  return path.slice("input/".length, -".txt".length);
}

/** No two writes have one content, and no content holds a quote. */
function contentOf(id: string, write: number): string {
  return `file ${id} write ${write}`;
}

function statOf(path: string): PlannedStat {
  const { size, mode, mtimeNs } = lstatSync(path, { bigint: true });
  return { size: Number(size), mode: Number(mode & 0o7777n), mtimeNs: String(mtimeNs) };
}
