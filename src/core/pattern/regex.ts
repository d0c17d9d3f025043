/**
 * The regular expressions that `{name:/.../}` may hold: the part of JavaScript's language (with the `u` flag) whose matching takes
 * linear time. Literals, `.`, classes, `\d \w \s` and their opposites, `\t \n \r`, groups, `|`, `? * + {m} {m,} {m,n}`.
 * Not in it: anchors (the whole value is compared anyway), back references, look-around, lazy marks, named groups, `\u` and `\p`.
 */
import type { CharSet } from "./char-set.ts";
import { charSetOf, hasChar, intersect, invert, rangesOf, uniteRanges } from "./char-set.ts";

/** A checked expression. */
export type Regex =
  | { readonly kind: "set"; readonly set: CharSet }
  | { readonly kind: "sequence"; readonly parts: readonly Regex[] }
  | { readonly kind: "choice"; readonly options: readonly Regex[] }
  | { readonly kind: "repeat"; readonly of: Regex; readonly min: number; readonly max: number }
  /** What `of` matches, without the empty text. */
  | { readonly kind: "nonEmpty"; readonly of: Regex };

/** One thing that is wrong in a text, by its place in that text in UTF-16 units. */
export interface TextFault {
  readonly offset: number;
  readonly length: number;
  /** What happened, values in quotes; one sentence without a final full stop. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}

/** The most steps an expression may have: `sizeOf`. */
export const MAX_REGEX_SIZE = 1000;
const MAX_NESTING = 50;

const DIGITS: CharSet = [48, 57];
const WORDS: CharSet = [48, 57, 65, 90, 95, 95, 97, 122];
/** The white space of JavaScript's `\s`. */
const SPACES: CharSet = uniteRanges([
  [9, 13],
  [32, 32],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);
const CLASS_ESCAPES: ReadonlyMap<string, CharSet> = new Map([
  ["d", DIGITS],
  ["D", invert(DIGITS)],
  ["w", WORDS],
  ["W", invert(WORDS)],
  ["s", SPACES],
  ["S", invert(SPACES)],
]);
const CHAR_ESCAPES: ReadonlyMap<string, number> = new Map([
  ["t", 9],
  ["n", 10],
  ["r", 13],
]);

/** Nothing: what the empty text matches. */
const NOTHING: Regex = { kind: "sequence", parts: [] };

/** The expression that matches exactly this text. */
export function literalRegex(text: string): Regex {
  return {
    kind: "sequence",
    parts: Array.from(text, (char) => ({ kind: "set", set: charSetOf(char.codePointAt(0)!) })),
  };
}

/** Whether the expression matches the empty text. */
export function isNullable(regex: Regex): boolean {
  switch (regex.kind) {
    case "set":
    case "nonEmpty":
      return false;
    case "sequence":
      return regex.parts.every(isNullable);
    case "choice":
      return regex.options.some(isNullable);
    case "repeat":
      return regex.min === 0 || isNullable(regex.of);
  }
}

/** How many characters and choices the expression has with its counted repeats written out: the bound of the cost per character matched. */
export function sizeOf(regex: Regex): number {
  switch (regex.kind) {
    case "set":
      return 1;
    case "nonEmpty":
      return sizeOf(regex.of);
    case "sequence":
      return regex.parts.reduce((sum, part) => sum + sizeOf(part), 0);
    case "choice":
      return regex.options.reduce((sum, option) => sum + sizeOf(option), regex.options.length - 1);
    case "repeat":
      return regex.max === Infinity
        ? Math.max(1, sizeOf(regex.of)) * (regex.min + 1) + 1
        : Math.max(1, sizeOf(regex.of)) * regex.max + regex.max - regex.min;
  }
}

/** Whether the expression matches at least one text that is not empty. */
function matchesSomething(regex: Regex): boolean {
  switch (regex.kind) {
    case "set":
      return true;
    case "nonEmpty":
      return matchesSomething(regex.of);
    case "sequence":
      return regex.parts.some(matchesSomething);
    case "choice":
      return regex.options.some(matchesSomething);
    case "repeat":
      return regex.max > 0 && matchesSomething(regex.of);
  }
}

/** The expression that matches every text of this one, written backwards. */
export function reverse(regex: Regex): Regex {
  switch (regex.kind) {
    case "set":
      return regex;
    case "sequence":
      return { kind: "sequence", parts: regex.parts.map(reverse).toReversed() };
    case "choice":
      return { kind: "choice", options: regex.options.map(reverse) };
    case "repeat":
    case "nonEmpty":
      return { ...regex, of: reverse(regex.of) };
  }
}

/**
 * The expression and everything that is wrong with it; usable only when `faults` is empty.
 * Every set is cut down to `alphabet`; a character outside it, asked for by name, is a fault.
 */
export function parseRegex(
  source: string,
  alphabet: CharSet,
): { readonly regex: Regex; readonly faults: readonly TextFault[] } {
  const parser = new RegexParser(source, alphabet);
  const regex = parser.parse();
  return { regex, faults: parser.faults };
}

class RegexParser {
  readonly faults: TextFault[] = [];
  readonly #source: string;
  readonly #alphabet: CharSet;
  #at = 0;
  #depth = 0;

  constructor(source: string, alphabet: CharSet) {
    this.#source = source;
    this.#alphabet = alphabet;
  }

  parse(): Regex {
    const regex = this.#choice();
    if (this.faults.length > 0) return regex;
    if (!matchesSomething(regex)) this.#fault(0, "the expression matches no text", "say at least one character");
    if (sizeOf(regex) > MAX_REGEX_SIZE)
      this.#fault(
        0,
        `the expression has ${sizeOf(regex)} steps with its repeats written out, at most ${MAX_REGEX_SIZE} are allowed`,
        "use smaller counts, or + and *",
      );
    return regex;
  }

  /** Alternatives up to the end or the closing parenthesis. */
  #choice(): Regex {
    const options = [this.#sequence()];
    while (this.#eat("|")) options.push(this.#sequence());
    return options.length === 1 ? options[0]! : { kind: "choice", options };
  }

  #sequence(): Regex {
    const parts: Regex[] = [];
    while (this.#at < this.#source.length && this.#peek() !== "|") {
      if (this.#peek() === ")") {
        if (this.#depth > 0) break;
        this.#fault(this.#at, `")" closes no group`, String.raw`write \) for the character itself`, ++this.#at);
        continue;
      }
      parts.push(this.#repeats(this.#atom()));
    }
    return parts.length === 1 ? parts[0]! : { kind: "sequence", parts };
  }

  /** An atom with the repeat that follows it. */
  #repeats(atom: Regex): Regex {
    const from = this.#at;
    const counts = this.#counts();
    if (counts === undefined) return atom;
    const after = this.#at;
    if (this.#eat("?"))
      this.#fault(
        after,
        `"?" after a repeat has no meaning here`,
        "leave it out: a variable takes as little as it can",
        this.#at,
      );
    else if (this.#counts() !== undefined)
      this.#fault(after, "two repeats follow one another", "put the first into a group: (?:...)", this.#at);
    const [min, max] = counts;
    if (min > max)
      this.#fault(from, `the repeat counts down: ${min} to ${max}`, "write the smaller number first", after);
    return { kind: "repeat", of: atom, min, max };
  }

  #counts(): readonly [min: number, max: number] | undefined {
    if (this.#eat("?")) return [0, 1];
    if (this.#eat("*")) return [0, Infinity];
    if (this.#eat("+")) return [1, Infinity];
    const found = /^\{(\d{1,9})(,(\d{0,9}))?\}/.exec(this.#source.slice(this.#at, this.#at + 24));
    if (found === null) return undefined;
    this.#at += found[0].length;
    const min = Number(found[1]);
    return [min, found[2] === undefined ? min : found[3] === "" ? Infinity : Number(found[3])];
  }

  #atom(): Regex {
    const from = this.#at;
    const char = this.#next();
    switch (char) {
      case "(":
        return this.#group(from);
      case "[":
        return this.#class(from);
      case ".":
        return { kind: "set", set: this.#alphabet };
      case "\\":
        return this.#escape(from);
      case "^":
      case "$":
        this.#fault(
          from,
          `"${char}" is not needed: the whole value is compared`,
          `leave it out, or write \\${char} for the character itself`,
          this.#at,
        );
        return NOTHING;
      case "*":
      case "+":
      case "?":
      case "{":
        this.#fault(from, `"${char}" repeats nothing`, `write \\${char} for the character itself`, this.#at);
        return NOTHING;
      case "]":
      case "}":
        this.#fault(from, `"${char}" closes nothing`, `write \\${char} for the character itself`, this.#at);
        return NOTHING;
      default:
        return this.#single(from, char.codePointAt(0)!);
    }
  }

  #group(from: number): Regex {
    if (this.#peek() === "?" && !this.#eat("?:")) {
      const mark = /^\?(?:<?[=!]|<\w*>?|.?)/su.exec(this.#source.slice(this.#at))![0];
      this.#at += mark.length;
      this.#fault(
        from,
        `"(${mark}" is not allowed: only plain groups take linear time`,
        "use ( or (?: and say what to match, not what to look for",
        this.#at,
      );
    }
    if (++this.#depth > MAX_NESTING) {
      this.#fault(from, `groups are nested more than ${MAX_NESTING} deep`, "write fewer groups", from + 1);
      this.#at = this.#source.length;
    }
    const inner = this.#choice();
    this.#depth--;
    if (!this.#eat(")") && this.#depth < MAX_NESTING)
      this.#fault(from, `"(" is not closed`, String.raw`add ")", or write \( for the character itself`, from + 1);
    return inner;
  }

  #escape(from: number): Regex {
    const set = CLASS_ESCAPES.get(this.#peek());
    if (set === undefined) return this.#single(from, this.#escapedChar(from));
    this.#at++;
    return { kind: "set", set: intersect(set, this.#alphabet) };
  }

  /** The character after a backslash that stands for one character. */
  #escapedChar(from: number): number {
    const char = this.#next();
    const code = CHAR_ESCAPES.get(char);
    if (code !== undefined) return code;
    if (char !== "" && !/[0-9A-Za-z]/.test(char)) return char.codePointAt(0)!;
    const [message, hint] = escapeFault(char);
    this.#fault(from, message, hint, this.#at);
    return 97;
  }

  #class(from: number): Regex {
    const negated = this.#eat("^");
    const ranges: (readonly [number, number])[] = [];
    while (this.#at < this.#source.length && this.#peek() !== "]") ranges.push(...this.#classItem(negated));
    if (!this.#eat("]"))
      this.#fault(from, `"[" is not closed`, String.raw`add "]", or write \[ for the character itself`, from + 1);
    const named = uniteRanges(ranges);
    const set = intersect(negated ? invert(named) : named, this.#alphabet);
    if (set.length === 0) this.#fault(from, "the class matches no character", "name at least one character", this.#at);
    return { kind: "set", set };
  }

  /** One character, range or escaped class of a class. */
  #classItem(negated: boolean): readonly (readonly [number, number])[] {
    const from = this.#at;
    const low = this.#classChar();
    const dash = this.#peek() === "-" && !["]", ""].includes(this.#source.charAt(this.#at + 1));
    if (!dash) {
      if (typeof low !== "number") return rangesOf(low);
      if (!negated) this.#single(from, low);
      return [[low, low]];
    }
    this.#at++;
    const high = this.#classChar();
    if (typeof low === "number" && typeof high === "number" && low <= high) return [[low, high]];
    this.#fault(
      from,
      `"${this.#source.slice(from, this.#at)}" is no range`,
      String.raw`write the smaller character first, or \- for the character itself`,
      this.#at,
    );
    return [];
  }

  #classChar(): number | CharSet {
    const from = this.#at;
    const char = this.#next();
    if (char !== "\\") return char.codePointAt(0) ?? 0;
    const set = CLASS_ESCAPES.get(this.#peek());
    if (set === undefined) return this.#escapedChar(from);
    this.#at++;
    return set;
  }

  /** One character, which must be in the alphabet. */
  #single(from: number, codePoint: number): Regex {
    if (!hasChar(this.#alphabet, codePoint))
      this.#fault(
        from,
        `a value never holds ${codePoint === 0 ? "NUL" : `"${String.fromCodePoint(codePoint)}"`}`,
        "leave it out",
        this.#at,
      );
    return { kind: "set", set: charSetOf(codePoint) };
  }

  #peek(): string {
    return this.#source.charAt(this.#at);
  }

  /** The next code point as text; empty at the end. */
  #next(): string {
    const code = this.#source.codePointAt(this.#at);
    if (code === undefined) return "";
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    return char;
  }

  #eat(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #fault(offset: number, message: string, hint: string, end: number = this.#source.length): void {
    this.faults.push({ offset, length: Math.max(1, end - offset), message, hint });
  }
}

function escapeFault(char: string): readonly [message: string, hint: string] {
  if (char === "") return [String.raw`"\" escapes nothing`, String.raw`write \\ for the character itself`];
  if (/[1-9k]/.test(char))
    return [
      `"\\${char}" refers back to a group, which cannot be matched in linear time`,
      "use the same variable twice in the pattern",
    ];
  if (char === "b" || char === "B") return [`"\\${char}" is not needed: the whole value is compared`, "leave it out"];
  return [
    `"\\${char}" is not known`,
    String.raw`write the character itself; known are \d \w \s \D \W \S \t \n \r and escaped punctuation`,
  ];
}
