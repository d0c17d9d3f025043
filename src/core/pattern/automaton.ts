/**
 * Expressions as automata. A run keeps the set of instructions it may be at, so its cost per character is at most the size of the
 * program, whatever the text (Thompson, 1968; Cox, "Regular Expression Matching: the Virtual Machine Approach", 2009).
 */
import { type CharSet, hasChar } from "./char-set.ts";
import { isNullable, type Regex } from "./regex.ts";

/** With `set`: reads one character of it and goes on at `next`. Without: goes on at `next` and at `other` (-1: nowhere). */
export interface Instruction {
  readonly set: CharSet | undefined;
  readonly next: number;
  readonly other: number;
}

/** A compiled expression. Instruction 0 is the end: being there is a match. */
export interface Program {
  readonly start: number;
  readonly instructions: readonly Instruction[];
}

/** The program of an expression; its size is at most twice `sizeOf`, and one. */
export function compile(regex: Regex): Program {
  const instructions: Instruction[] = [{ set: undefined, next: -1, other: -1 }];
  const start = emit(regex, 0, instructions);
  return { start, instructions };
}

/** Appends what matches `regex` and then goes on at `next`; returns where it starts. */
function emit(regex: Regex, next: number, out: Instruction[]): number {
  switch (regex.kind) {
    case "set":
      return out.push({ set: regex.set, next, other: -1 }) - 1;
    case "sequence":
      return regex.parts.reduceRight((to, part) => emit(part, to, out), next);
    case "choice":
      return regex.options.map((option) => emit(option, next, out)).reduceRight((to, entry) => fork(entry, to, out));
    case "repeat":
      return emitRepeat(regex.min, regex.max, next, out, (to) => emit(regex.of, to, out));
    case "nonEmpty":
      return isNullable(regex.of) ? emitNonEmpty(regex.of, -1, next, out)[0] : emit(regex.of, next, out);
  }
}

function emitRepeat(min: number, max: number, next: number, out: Instruction[], body: (to: number) => number): number {
  let entry = next;
  if (max === Infinity) {
    entry = fork(-1, next, out);
    const loop = body(entry);
    out[entry] = { set: undefined, next: loop, other: next };
  } else {
    for (let i = min; i < max; i++) entry = fork(body(entry), next, out);
  }
  for (let i = 0; i < min; i++) entry = body(entry);
  return entry;
}

/**
 * Appends `regex` twice, as a pair of entries: `before` anything was read, from where the end is `nextBefore`, and `after`.
 * Reading a character leads from the one to the other, so both share the reading instructions.
 */
function emitNonEmpty(
  regex: Regex,
  nextBefore: number,
  nextAfter: number,
  out: Instruction[],
): readonly [before: number, after: number] {
  switch (regex.kind) {
    case "set": {
      const at = emit(regex, nextAfter, out);
      return [at, at];
    }
    case "sequence":
      return regex.parts.reduceRight<readonly [number, number]>(
        ([before, after], part) => emitNonEmpty(part, before, after, out),
        [nextBefore, nextAfter],
      );
    case "choice": {
      const entries = regex.options.map((option) => emitNonEmpty(option, nextBefore, nextAfter, out));
      return entries.reduceRight(([b, a], [before, after]) => [fork(before, b, out), fork(after, a, out)]);
    }
    case "repeat":
      return emitNonEmptyRepeat(regex, nextBefore, nextAfter, out);
    case "nonEmpty": {
      const [entry] = emitNonEmpty(regex.of, -1, nextAfter, out);
      return [entry, entry];
    }
  }
}

function emitNonEmptyRepeat(
  { of, min, max }: Regex & { readonly kind: "repeat" },
  nextBefore: number,
  nextAfter: number,
  out: Instruction[],
): readonly [before: number, after: number] {
  let [before, after] = [nextBefore, nextAfter];
  if (max === Infinity) {
    [before, after] = [fork(-1, nextBefore, out), fork(-1, nextAfter, out)];
    const [loopBefore, loopAfter] = emitNonEmpty(of, before, after, out);
    out[before] = { set: undefined, next: loopBefore, other: nextBefore };
    out[after] = { set: undefined, next: loopAfter, other: nextAfter };
  } else {
    for (let i = min; i < max; i++) {
      const [b, a] = emitNonEmpty(of, before, after, out);
      [before, after] = [fork(b, nextBefore, out), fork(a, nextAfter, out)];
    }
  }
  for (let i = 0; i < min; i++) [before, after] = emitNonEmpty(of, before, after, out);
  return [before, after];
}

function fork(next: number, other: number, out: Instruction[]): number {
  return out.push({ set: undefined, next, other }) - 1;
}

/** Where one run of a program may be. Empty until `enter`. */
export class Run {
  readonly #program: Program;
  /** Per instruction: the step in which it was last reached, so that each is reached once a step. */
  readonly #reachedIn: Uint32Array;
  #step = 1;
  #readers: number[] = [];
  #spare: number[] = [];
  #accepting = false;

  constructor(program: Program) {
    this.#program = program;
    this.#reachedIn = new Uint32Array(program.instructions.length);
  }

  /** Whether what was read since an `enter` is a match. */
  get isAccepting(): boolean {
    return this.#accepting;
  }

  /** Whether nothing that follows can make a match, unless `enter` is called again. */
  get isDead(): boolean {
    return this.#readers.length === 0;
  }

  /** Starts a match here, beside those under way. */
  enter(): void {
    this.#reach(this.#program.start);
  }

  /** Reads one character. */
  read(codePoint: number): void {
    const from = this.#readers;
    this.#readers = this.#spare;
    this.#spare = from;
    this.#readers.length = 0;
    this.#accepting = false;
    this.#step++;
    for (const at of from) {
      const { set, next } = this.#program.instructions[at]!;
      if (hasChar(set!, codePoint)) this.#reach(next);
    }
  }

  #reach(at: number): void {
    if (at < 0 || this.#reachedIn[at] === this.#step) return;
    this.#reachedIn[at] = this.#step;
    if (at === 0) {
      this.#accepting = true;
      return;
    }
    const { set, next, other } = this.#program.instructions[at]!;
    if (set !== undefined) {
      this.#readers.push(at);
    } else {
      this.#reach(next);
      this.#reach(other);
    }
  }
}

/** Whether the whole text is a match. */
export function accepts(program: Program, text: string): boolean {
  const run = new Run(program);
  run.enter();
  for (let at = 0; at < text.length && !run.isDead;) {
    const codePoint = text.codePointAt(at)!;
    run.read(codePoint);
    at += codePoint > 0xffff ? 2 : 1;
    if (at === text.length) return run.isAccepting;
  }
  return text.length === 0 && run.isAccepting;
}

/** The first offset after `from` that is in `ends` (1: it is) and where a match that starts at `from` may end; -1 when none is. */
export function shortestEnd(program: Program, text: string, from: number, ends: Uint8Array): number {
  const run = new Run(program);
  run.enter();
  for (let at = from; at < text.length && !run.isDead;) {
    const codePoint = text.codePointAt(at)!;
    run.read(codePoint);
    at += codePoint > 0xffff ? 2 : 1;
    if (run.isAccepting && ends[at] === 1) return at;
  }
  return -1;
}

/** Per offset of the text 1 where a match may start that ends at one of `ends`. `reversed` is the program of the reversed expression. */
export function possibleStarts(reversed: Program, text: string, ends: Uint8Array): Uint8Array {
  const starts = new Uint8Array(text.length + 1);
  const run = new Run(reversed);
  for (let at = text.length; at >= 0;) {
    if (run.isAccepting) starts[at] = 1;
    if (ends[at] === 1) run.enter();
    const codePoint = codePointBefore(text, at);
    run.read(codePoint);
    at -= codePoint > 0xffff ? 2 : 1;
  }
  return starts;
}

function codePointBefore(text: string, at: number): number {
  const pair = at >= 2 ? text.codePointAt(at - 2)! : 0;
  return pair > 0xffff ? pair : at >= 1 ? text.charCodeAt(at - 1) : 0;
}
