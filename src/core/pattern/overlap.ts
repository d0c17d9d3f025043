import type { RelPath } from "../model/words.ts";
import type { Program } from "./automaton.ts";
import { type CharSet, charSetOf, hasChar, intersect, invert, uniteRanges } from "./char-set.ts";
import { folderStateOf, programOf } from "./language.ts";
import { emptyVars, matchPattern } from "./match.ts";
import { renderPattern } from "./render.ts";
import { OWN_FOLDER } from "./reserved.ts";
import type { Element, Pattern, Use } from "./shape.ts";

/**
 * A path that both patterns match, or that one of them matches inside a folder state of the other; `undefined` only when there is none.
 *
 * The two languages are intersected as automata, so the answer is exact with types and rest variables. Uses of one variable count as
 * independent: `{a}/{a}` is taken for `{a}/{b}`, so such a pattern may be said to overlap where it does not, never the reverse.
 * A folder and a file of one name are two paths: `x/{id}/` and `x/{id}` do not overlap.
 */
export function findOverlap(a: Pattern, b: Pattern): RelPath | undefined {
  if (areClearlyDisjoint(a, b)) return undefined;
  return overlapByExample(a, b) ?? overlapByExample(b, a) ?? new Search(programOf(a), programOf(b)).run();
}

/**
 * Whether the literal text alone tells that there is no common path: most pairs of patterns are settled here.
 * Segments before a rest variable are compared one by one, and files without one need equally many.
 */
function areClearlyDisjoint(a: Pattern, b: Pattern): boolean {
  const isFixed = a.restAt < 0 && b.restAt < 0 && !a.isFolder && !b.isFolder;
  if (isFixed && a.segments.length !== b.segments.length) return true;
  const aligned = Math.min(alignedSegments(a), alignedSegments(b));
  return a.segments.slice(0, aligned).some(({ elements }, index) => {
    const [own, other] = [elements, b.segments[index]!.elements];
    return (
      !areEqualSoFar(literalOf(own[0]), literalOf(other[0])) ||
      !areEqualFromEnd(literalOf(own.at(-1)), literalOf(other.at(-1)))
    );
  });
}

function alignedSegments({ restAt, segments }: Pattern): number {
  return restAt < 0 ? segments.length : restAt;
}

function literalOf(element: Element | undefined): string {
  return typeof element === "string" ? element : "";
}

function areEqualSoFar(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function areEqualFromEnd(a: string, b: string): boolean {
  return a.endsWith(b) || b.endsWith(a);
}

/** A usual path of the first pattern, when it is one of the second. */
function overlapByExample(from: Pattern, to: Pattern): RelPath | undefined {
  const vars = emptyVars();
  for (const element of from.elements) {
    if (typeof element === "string") continue;
    const value = exampleOf(element);
    if (value === undefined) return undefined;
    vars[element.name] = value;
  }
  const rendered = renderPattern(from, vars);
  if (!rendered.ok) return undefined;
  const meets = matchPattern(to, rendered.path) !== undefined || folderStateOf(to, rendered.path) !== undefined;
  return meets ? rendered.path : undefined;
}

function exampleOf({ type }: Use): string | undefined {
  return type === undefined ? "001" : type.example;
}

/** Two instructions that can be reached by the same text, which has led the check of reserved paths to `form`. */
interface Node {
  readonly a: number;
  readonly b: number;
  readonly form: number;
  readonly char: string;
  readonly parent: Node | undefined;
}

/** A breadth-first search of the product of two programs: what it finds is a shortest common path. */
class Search {
  readonly #a: Reader;
  readonly #b: Reader;
  readonly #seen = new Set<number>();
  readonly #queue: Node[] = [];

  constructor(a: Program, b: Program) {
    this.#a = new Reader(a);
    this.#b = new Reader(b);
    this.#add({ a: a.start, b: b.start, form: 0, char: "", parent: undefined });
  }

  run(): RelPath | undefined {
    for (let at = 0; at < this.#queue.length; at++) {
      const node = this.#queue[at]!;
      if (this.#a.canEnd(node.a) && this.#b.canEnd(node.b) && canEndPath(node.form)) return spell(node);
      for (const readerA of this.#a.readers(node.a))
        for (const readerB of this.#b.readers(node.b)) this.#follow(node, readerA, readerB);
    }
    return undefined;
  }

  #follow(parent: Node, readerA: number, readerB: number): void {
    const [a, b] = [this.#a.program.instructions[readerA]!, this.#b.program.instructions[readerB]!];
    const both = intersect(a.set!, b.set!);
    if (both.length === 0) return;
    for (const codePoint of representatives(both, parent.form)) {
      const form = nextForm(parent.form, codePoint);
      if (form >= 0) this.#add({ a: a.next, b: b.next, form, char: String.fromCodePoint(codePoint), parent });
    }
  }

  #add(node: Node): void {
    const key = (node.a * this.#b.program.instructions.length + node.b) * FORMS + node.form;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#queue.push(node);
  }
}

function spell(node: Node): string {
  const chars: string[] = [];
  for (let at: Node | undefined = node; at !== undefined; at = at.parent) chars.push(at.char);
  return chars.reverse().join("");
}

/** What can be read next from each instruction of a program. */
class Reader {
  readonly program: Program;
  readonly #closures = new Map<number, readonly number[]>();

  constructor(program: Program) {
    this.program = program;
  }

  /** The reading instructions that are reached from here without reading, and 0 where that is the end. */
  readers(from: number): readonly number[] {
    return this.#closure(from).filter((at) => at !== 0);
  }

  canEnd(from: number): boolean {
    return this.#closure(from).includes(0);
  }

  #closure(from: number): readonly number[] {
    let closure = this.#closures.get(from);
    if (closure === undefined) {
      const reached = new Set<number>();
      const pending = [from];
      for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
        if (at < 0 || reached.has(at)) continue;
        reached.add(at);
        const { set, next, other } = this.program.instructions[at]!;
        if (set === undefined) pending.push(next, other);
      }
      closure = [...reached].filter((at) => at === 0 || this.program.instructions[at]!.set !== undefined);
      this.#closures.set(from, closure);
    }
    return closure;
  }
}

/*
 * The form of a path so far, a small automaton that knows reserved paths. In the first segment: 0 at its start, k after the first k
 * characters of ".millrace" (so 1 is "."), 10 after "..", 11 after anything else. In a later one: 12 at its start, 13 after ".", 14
 * after "..", 15 after anything else.
 */
const FORMS = 16;
const SLASH = 47;
const DOT = 46;
const UNFINISHED: ReadonlySet<number> = new Set([0, 1, 9, 10, 12, 13, 14]);

/** The form after one more character; -1 when no path goes on like that. */
function nextForm(form: number, codePoint: number): number {
  if (codePoint === SLASH) return UNFINISHED.has(form) ? -1 : 12;
  if (form < 12) {
    if (codePoint === OWN_FOLDER.codePointAt(form)) return form + 1;
    return form === 1 && codePoint === DOT ? 10 : 11;
  }
  return codePoint === DOT && form < 14 ? form + 1 : 15;
}

function canEndPath(form: number): boolean {
  return form === 12 || !UNFINISHED.has(form);
}

const LIKED = Array.from("a1x0b2-_", (char) => char.codePointAt(0)!);
const PLAIN: CharSet = uniteRanges([
  [48, 57],
  [65, 90],
  [97, 122],
]);

/** A character of the set for each way in which the form can go on; the plainest first. */
function representatives(set: CharSet, form: number): readonly number[] {
  const special = [DOT, SLASH, OWN_FOLDER.codePointAt(form) ?? DOT].filter((codePoint) => hasChar(set, codePoint));
  const others = special.reduce((rest, codePoint) => intersect(rest, invert(charSetOf(codePoint))), set);
  if (others.length === 0) return special;
  const liked = LIKED.find((codePoint) => hasChar(others, codePoint));
  return [liked ?? intersect(others, PLAIN)[0] ?? intersect(others, [33, 0x10ffff])[0] ?? others[0]!, ...special];
}
