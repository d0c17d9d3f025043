import type { Element, Pattern, PatternFault, Segment, Span, Use, Variable } from "./shape.ts";
import { MAX_REGEX_SIZE, sizeOf } from "./regex.ts";
import { OWN_FOLDER } from "./reserved.ts";
import { builtInType, expressionType, piecesType, TYPE_NAMES, type ValueType } from "./value-type.ts";

/** A pattern's variables and length are bounded, so that every operation on it is. */
const MAX_VARIABLES = 16;
const MAX_BYTES = 4096;
const MAX_EXPRESSIONS_SIZE = 4 * MAX_REGEX_SIZE;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The pattern that the text says, or everything that is wrong with it, in the order of the text.
 * The language is described in `pattern.ts`.
 */
export function parsePattern(
  text: string,
): { readonly ok: true; readonly pattern: Pattern } | { readonly ok: false; readonly faults: readonly PatternFault[] } {
  const parser = new PatternParser(text);
  parser.parse();
  if (parser.faults.length > 0) return { ok: false, faults: parser.faults.toSorted((a, b) => a.offset - b.offset) };
  return { ok: true, pattern: assemble(asKey(text), parser.segments, parser.variables, parser.spans) };
}

class PatternParser {
  readonly faults: PatternFault[] = [];
  readonly segments: Segment[] = [];
  readonly variables: Variable[] = [];
  readonly spans: Span[] = [];
  readonly #uses = new Map<string, Use>();
  readonly #text: string;
  #at = 0;
  #segmentStart = 0;
  #elements: Element[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  parse(): void {
    const bytes = utf8Length(this.#text);
    if (this.#text === "")
      return this.#fault(0, 1, "the pattern is empty", "write a path with variables, such as input/{id}.txt");
    if (bytes > MAX_BYTES)
      return this.#fault(
        0,
        this.#text.length,
        `the pattern is ${bytes} bytes long, at most ${MAX_BYTES} are allowed`,
        "write a shorter one",
      );
    while (this.#at < this.#text.length) this.#step();
    if (this.#segmentStart < this.#text.length) this.#endSegment();
    this.#checkSize();
  }

  #step(): void {
    const char = this.#text.charAt(this.#at);
    if (char === "{" && !this.#isDoubled("{")) return this.#variable();
    if (char === "/") {
      this.#endSegment();
      this.#segmentStart = ++this.#at;
      return;
    }
    if (char === "}" && !this.#isDoubled("}"))
      this.#fault(this.#at, 1, `"}" closes no variable`, 'write "}}" for the character itself');
    else if (char === "\\")
      this.#fault(this.#at, 1, String.raw`"\" does not separate folders`, 'write "/" between folders');
    else if (char === "\0" || !this.#codePoint().isWellFormed())
      this.#fault(this.#at, 1, `a character that no file name can hold: ${JSON.stringify(char)}`, "leave it out");
    this.#addLiteral(this.#codePoint());
    this.#at += char === "{" || char === "}" ? (this.#isDoubled(char) ? 2 : 1) : this.#codePoint().length;
  }

  #isDoubled(char: string): boolean {
    return this.#text.startsWith(char + char, this.#at);
  }

  #codePoint(): string {
    return String.fromCodePoint(this.#text.codePointAt(this.#at)!);
  }

  #addLiteral(text: string): void {
    const last = this.#elements.at(-1);
    if (typeof last === "string") this.#elements[this.#elements.length - 1] = last + text;
    else this.#elements.push(text);
  }

  #endSegment(): void {
    const offset = this.#segmentStart;
    const text = this.#text.slice(offset, this.#at);
    const elements = this.#elements;
    this.#elements = [];
    const literal = elements.length === 1 && typeof elements[0] === "string" ? elements[0] : undefined;
    const fault = text === "" ? emptySegmentFault(offset) : literalFault(literal, offset === 0);
    if (fault !== undefined) this.#fault(offset, Math.max(1, text.length), fault[0], fault[1]);
    this.segments.push({ text, elements });
  }

  /** `{name}`, `{name...}`, `{name:type}`, `{name...:type}`. */
  #variable(): void {
    const from = this.#at;
    const { name, dots, type, closed, end } = scanVariable(this.#text, from);
    this.#at = end;
    const written = this.#text.slice(from, end);
    if (!closed)
      return this.#fault(
        from,
        end - from,
        `"${written}" is not closed`,
        'add "}", or write "{{" for the character itself',
      );
    if (!NAME.test(name)) this.#nameFault(from, written, name);
    const rest = dots !== "";
    const valueType = type === undefined ? undefined : this.#type(type.text, type.offset, name, rest);
    const use: Use = { name, rest, type: rest ? piecesType(valueType) : valueType };
    if (typeof this.#elements.at(-1) === "object")
      this.#fault(
        from,
        end - from,
        `"${written}" touches the variable before it`,
        'put text between them, such as "-" or "/"',
      );
    this.#elements.push(use);
    this.#declare(use, type?.text, from, written);
  }

  #nameFault(from: number, written: string, name: string): void {
    if (name === "")
      return this.#fault(from, written.length, `the variable "${written}" has no name`, "write a name, such as {id}");
    const better = name
      .trim()
      .replaceAll(/[^A-Za-z0-9_]+/g, "_")
      .replace(/^(?=[0-9])/, "_");
    const hint = `use letters, digits and "_", and no digit first${NAME.test(better) && better !== "_" ? `: {${better}}` : ""}`;
    this.#fault(from, written.length, `"${name}" is no name of a variable`, hint);
  }

  #type(text: string, offset: number, name: string, rest: boolean): ValueType | undefined {
    if (text.startsWith("/") && text.length > 1) {
      const { type, faults } = expressionType(text.slice(1, -1));
      for (const fault of faults) this.#fault(offset + 1 + fault.offset, fault.length, fault.message, fault.hint);
      return type;
    }
    const type = builtInType(text);
    if (type !== undefined) return type;
    if (text.endsWith("...") && !rest) {
      this.#fault(offset, text.length, `"..." stands after the type`, `write {${name}...:${text.slice(0, -3)}}`);
      return undefined;
    }
    const lower = text.trim().toLowerCase();
    const hint = TYPE_NAMES.includes(lower)
      ? `write ${lower}`
      : `use ${TYPE_NAMES.join(", ")}, or an expression: /[a-z]+/`;
    this.#fault(
      offset,
      Math.max(1, text.length),
      text === "" ? `{${name}:} names no type` : `"${text}" is no type`,
      hint,
    );
    return undefined;
  }

  #declare(use: Use, type: string | undefined, from: number, written: string): void {
    const before = this.variables.find((variable) => variable.name === use.name);
    if (use.rest && (before !== undefined || this.variables.some((variable) => variable.rest)))
      return this.#fault(
        from,
        written.length,
        `"${written}" is a second variable across folders`,
        "use {name...} once in a pattern",
      );
    if (before !== undefined) {
      if (before.type === type && before.rest === use.rest) return;
      const first = `{${before.name}${before.rest ? "..." : ""}${before.type === undefined ? "" : `:${before.type}`}}`;
      return this.#fault(
        from,
        written.length,
        `"${written}" was "${first}" before`,
        `write ${first} in both places, or use another name`,
      );
    }
    this.variables.push({ name: use.name, rest: use.rest, type });
    this.spans.push({ offset: from, length: written.length });
    this.#uses.set(use.name, use);
    if (this.variables.length === MAX_VARIABLES + 1)
      this.#fault(from, written.length, `the pattern has more than ${MAX_VARIABLES} variables`, "use fewer");
  }

  #checkSize(): void {
    const expressions = [...this.#uses.values()].filter(({ type }) => type?.text.startsWith("/"));
    const size = expressions.reduce((sum, { type }) => sum + sizeOf(type!.regex), 0);
    if (size > MAX_EXPRESSIONS_SIZE)
      this.#fault(
        0,
        this.#text.length,
        `the expressions of the pattern have ${size} steps together, at most ${MAX_EXPRESSIONS_SIZE} are allowed`,
        "use smaller counts, or + and *",
      );
  }

  #fault(offset: number, length: number, message: string, hint: string): void {
    this.faults.push({ offset, length, message, hint });
  }
}

function emptySegmentFault(offset: number): readonly [message: string, hint: string] {
  return offset === 0
    ? ["the path is absolute", 'leave out the first "/": patterns are relative to the state root']
    : ["a folder without a name", 'leave out one "/"'];
}

function literalFault(
  literal: string | undefined,
  isFirst: boolean,
): readonly [message: string, hint: string] | undefined {
  if (literal === "..") return [`".." leads out of the folder`, "name the folder itself, relative to the state root"];
  if (literal === ".") return [`"." names no folder`, "leave it out"];
  if (literal === OWN_FOLDER && isFirst) return [`"${OWN_FOLDER}" is Millrace's own folder`, "choose another folder"];
  if (literal === "~" && isFirst)
    return [`"~" does not stand for the home folder here`, "name a folder relative to the state root"];
  return undefined;
}

interface ScannedVariable {
  readonly name: string;
  readonly dots: string;
  readonly type: { readonly text: string; readonly offset: number } | undefined;
  readonly closed: boolean;
  readonly end: number;
}

/**
 * The same text, as the very string that objects have as a key. Values are looked up by variables' names and patterns'
 * texts all the time: two equal strings cut out of different texts make that slow, and the code for it is compiled anew each time.
 */
function asKey(text: string): string {
  return Object.keys({ [text]: 0 })[0]!;
}

/** The parts of the variable whose `{` is at `from`; when it is not closed it ends with its segment. */
function scanVariable(text: string, from: number): ScannedVariable {
  const nameEnd = endOf(text, from + 1, "}:/{");
  const [, name, dots] = /^(.*?)(\.{3}|)$/s.exec(text.slice(from + 1, nameEnd))!;
  const hasType = text[nameEnd] === ":";
  const offset = nameEnd + 1;
  const typeEnd = !hasType ? nameEnd : text[offset] === "/" ? expressionEnd(text, offset) : endOf(text, offset, "}/{");
  const closed = text[typeEnd] === "}";
  const type = hasType ? { text: text.slice(offset, typeEnd), offset } : undefined;
  return { name: asKey(name!), dots: dots!, type, closed, end: closed ? typeEnd + 1 : typeEnd };
}

function endOf(text: string, from: number, stops: string): number {
  let at = from;
  while (at < text.length && !stops.includes(text[at]!)) at++;
  return at;
}

/** The offset after the slash that ends the expression whose first slash is at `from`; a slash in a class or after a backslash ends none. */
function expressionEnd(text: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") at++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if (char === "/" && !inClass) return at + 1;
  }
  return text.length;
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (const char of text) {
    const code = char.codePointAt(0)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

function assemble(
  text: string,
  segments: readonly Segment[],
  variables: readonly Variable[],
  spans: readonly Span[],
): Pattern {
  const isFolder = text.endsWith("/");
  const elements = joinSegments(segments, isFolder);
  const uses = usesIn(elements);
  const [first, last] = [elements[0]!, elements.at(-1)!];
  const restAt = segments.findIndex(({ elements: own }) => usesIn(own).some(({ rest }) => rest));
  const folders = segments.slice(0, -1);
  const firstOpen = folders.findIndex(({ elements: own }) => usesIn(own).length > 0);
  const base = folders.slice(0, firstOpen < 0 ? folders.length : firstOpen);
  return {
    text,
    variables,
    spans,
    isFolder,
    base: base.flatMap(({ elements: own }) => own.filter((element) => typeof element === "string")).join("/"),
    depth: restAt < 0 ? segments.length - base.length : Infinity,
    segments,
    restAt,
    elements,
    prefix: typeof first === "string" ? first : "",
    suffix: typeof last === "string" ? last : "",
    sole: uses.length === 1 ? uses[0] : undefined,
    order: matchingOrder(segments),
    hasRepeats: uses.length > variables.length,
    isUnambiguous: segments.every(({ elements: own }) => usesIn(own).length < 2),
    mayBeReserved: restAt >= 0 || segments.some(mayBeReserved),
  };
}

function joinSegments(segments: readonly Segment[], isFolder: boolean): readonly Element[] {
  const elements: Element[] = [];
  segments.forEach((segment, index) => {
    const between = index > 0 ? ["/"] : [];
    const end = isFolder && index === segments.length - 1 ? ["/"] : [];
    for (const element of [...between, ...segment.elements, ...end]) {
      const last = elements.at(-1);
      if (typeof element === "string" && typeof last === "string") elements[elements.length - 1] = last + element;
      else elements.push(element);
    }
  });
  return elements;
}

/** Segments with a single unknown variable first, as each one makes its variable known to the others; else from the left. */
function matchingOrder(segments: readonly Segment[]): readonly number[] {
  const known = new Set<string>();
  const open = segments.map(({ elements }, index) => ({
    index,
    names: new Set(usesIn(elements).map(({ name }) => name)),
  }));
  const order: number[] = [];
  while (open.length > 0) {
    const easy = open.findIndex(({ names }) => names.difference(known).size <= 1);
    const [next] = open.splice(Math.max(0, easy), 1);
    order.push(next!.index);
    for (const name of next!.names) known.add(name);
  }
  return order;
}

/** Whether some values can make the segment `.` or `..`, or the first one Millrace's own; may say yes too often. */
function mayBeReserved({ elements }: Segment, index: number): boolean {
  if (usesIn(elements).length === 0) return false;
  const literal = elements.filter((element) => typeof element === "string").join("");
  return literal === "" || literal === "." || (index === 0 && literal.length < OWN_FOLDER.length);
}

function usesIn(elements: readonly Element[]): readonly Use[] {
  return elements.filter((element) => typeof element !== "string");
}
