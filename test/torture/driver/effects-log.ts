/** What the nodes of the workload wrote of their runs. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Effect } from "../checker/plan.ts";

/** One line: the beginning of a run, or (without a stage) its end. */
export interface Told {
  readonly nonce: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly stage?: string;
  readonly entity?: string;
  /** Of the input. */
  readonly path?: string;
  /** The input's content. */
  readonly input?: string;
  readonly code?: string;
  readonly output?: string;
  readonly failed?: boolean;
}

/** Reads what is new in the log since the last call; a line that is still being written waits for the next. */
export class EffectsLog {
  readonly #file: string;
  #at = 0;
  readonly all: Told[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  news(): Told[] {
    let file: number;
    try {
      file = openSync(this.#file, "r");
    } catch {
      // No node has run yet.
      return [];
    }
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - this.#at));
      const count = readSync(file, bytes, 0, bytes.byteLength, this.#at);
      const whole = bytes.subarray(0, count).lastIndexOf(10) + 1;
      this.#at += whole;
      const lines = bytes.subarray(0, whole).toString("utf8").split("\n").slice(0, -1);
      const news = lines.map((line) => JSON.parse(line) as Told);
      for (const told of news) this.all.push(told);
      return news;
    } finally {
      closeSync(file);
    }
  }
}

/** The runs, each with its end where it told of one. */
export function effectsOf(told: readonly Told[], lifeAt: (at: number) => number): Effect[] {
  const ends = new Map(told.filter((line) => line.stage === undefined).map((line) => [line.nonce, line]));
  return told
    .filter((line) => line.stage !== undefined)
    .map(({ nonce, at, stage, entity, input, code, output }) => {
      const end = ends.get(nonce);
      return {
        stage: stage!,
        entity: entity!,
        input: input!,
        ...(code === undefined ? {} : { code }),
        nonce,
        start: at,
        end: end?.at ?? null,
        ...(end?.failed === true ? { failed: true } : {}),
        ...(output === undefined ? {} : { output }),
        life: lifeAt(at),
      };
    });
}
