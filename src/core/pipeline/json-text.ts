import { createScanner, parseTree, type Node, type ParseError } from "jsonc-parser";
import { problem, type Problem } from "../model/problem.ts";
import { Lines, type Locator, type Span } from "./locator.ts";
import { DEEPEST, pointerOf, type Path } from "./plain.ts";

/** What a JSON text says, and where. */
export interface JsonText {
  /** Without repeated keys (the first counts) and without `__proto__`; `undefined` when the text cannot be understood. */
  readonly value: unknown;
  readonly locator: Locator;
  /** Faults of syntax, repeated keys and `__proto__`. */
  readonly problems: readonly Problem[];
}

/** Reads JSON with comments and trailing commas, a byte order mark at its start tolerated. Never throws. */
export function readJson(source: string, file: string): JsonText {
  const text = source.startsWith("\uFEFF") ? source.slice(1) : source;
  const lines = new Lines(file, text);
  const tooDeep = findTooDeep(text);
  if (tooDeep !== undefined) {
    const place = lines.place(tooDeep, 1, "");
    const fault = problem("M201", `values are nested more than ${DEEPEST} deep`, "write a flatter definition", {
      place,
    });
    return { value: undefined, locator: locatorOf(undefined, text, lines), problems: [fault] };
  }
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  const problems = syntaxProblems(errors, text, lines);
  const value = tree === undefined ? undefined : valueOf(tree, [], lines, problems);
  // Where only commas are missing the parser's idea of the rest is sound, so the other faults can be told as well.
  const codes: readonly number[] = errors.map((error) => error.error);
  const understood = codes.every((code) => code === COMMA_EXPECTED);
  return { value: understood ? value : undefined, locator: locatorOf(tree, text, lines), problems };
}

const COMMA_EXPECTED: number = 6;
const BRACE_EXPECTED: number = 7;
const BRACKET_EXPECTED: number = 8;

/** The parser's error codes, in words: what is wrong, what to do. */
const SYNTAX: Readonly<Record<number, readonly [string, string]>> = {
  1: [
    "this is no JSON value",
    "put text in double quotes; beside text there are numbers, true, false, null, [...] and {...}",
  ],
  2: ["this is no number", "write digits, with a point and an exponent where needed"],
  3: ["a key in double quotes is missing", 'write "key": value'],
  4: ["a value is missing", "write a value here, or remove what asks for one"],
  5: ['":" is missing after the key', 'write "key": value'],
  6: ['"," is missing', "put a comma between the two values"],
  7: ['"}" is missing', "close the object"],
  8: ['"]" is missing', "close the list"],
  9: ["there is something after the definition's end", "remove it; a file holds one definition"],
  10: ["comments are not allowed here", "remove the comment"],
  11: ['the comment does not end: "*/" is missing', "close the comment"],
  12: ["the text does not end: a double quote is missing", 'close it with a double quote; write a line break as "\\n"'],
  13: ["the number does not end", "write the digits that are missing"],
  14: ['this "\\u" is not followed by four hex digits', 'write "\\u" and four hex digits, or the character itself'],
  15: [
    "no such escape",
    'write \\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u and four hex digits; a backslash itself is "\\\\"',
  ],
  16: ["a control character stands in the text", 'write it as an escape, such as "\\t"'],
};

function syntaxProblems(errors: readonly ParseError[], text: string, lines: Lines): Problem[] {
  const problems: Problem[] = [];
  const seenLines = new Set<number>();
  for (const { error, offset, length } of errors) {
    const place = lines.place(offset, length, "");
    // One slip makes the parser stumble several times; the first complaint of a line is the one that helps.
    if (seenLines.has(place.line)) continue;
    seenLines.add(place.line);
    const [what, hint] = text.trim() === "" ? EMPTY : (SYNTAX[misread(error, text[offset])] ?? UNKNOWN_SYNTAX);
    problems.push(problem("M201", what, hint, { place }));
  }
  return problems;
}

/** Before the wrong closing bracket the parser asks for a comma; what is missing is the right bracket. */
function misread(error: number, char: string | undefined): number {
  if (error !== COMMA_EXPECTED) return error;
  return char === "}" ? BRACKET_EXPECTED : char === "]" ? BRACE_EXPECTED : error;
}
const EMPTY = ["the file is empty", 'write a definition: { "stages": [ ... ] }'] as const;
const UNKNOWN_SYNTAX = ["this is not valid JSON", "correct it"] as const;

/** The offset of the first bracket that is nested too deep. Looks at tokens only, so it needs no stack itself. */
function findTooDeep(text: string): number | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let token: number = scanner.scan(); token !== END_OF_FILE; token = scanner.scan()) {
    if (token === OPEN_BRACE || token === OPEN_BRACKET) depth++;
    if (token === CLOSE_BRACE || token === CLOSE_BRACKET) depth--;
    if (depth > DEEPEST) return scanner.getTokenOffset();
  }
  return undefined;
}
// The parser's own names for these are a `const enum`, which no module can import with isolated modules.
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET, END_OF_FILE] = [1, 2, 3, 4, 17];

function valueOf(node: Node, path: Path, lines: Lines, problems: Problem[]): unknown {
  if (node.type === "array")
    return (node.children ?? []).map((child, i) => valueOf(child, [...path, i], lines, problems));
  if (node.type !== "object") return node.value as unknown;
  const object: Record<string, unknown> = {};
  const first = new Map<string, Node>();
  for (const property of node.children ?? []) {
    const [keyNode, valueNode] = property.children ?? [];
    if (keyNode === undefined) continue;
    const key = String(keyNode.value);
    const here = [...path, key];
    const place = lines.place(keyNode.offset, keyNode.length, pointerOf(here));
    const earlier = first.get(key);
    if (key === "__proto__") {
      problems.push(problem("M202", 'the key "__proto__" is not allowed', "remove it", { place }));
    } else if (earlier !== undefined) {
      const where = lines.place(earlier.offset, 1, "");
      const notes = [`first: ${where.file}:${where.line}:${where.column}`];
      problems.push(problem("M208", `the key "${key}" is written twice`, "keep one of the two", { place, notes }));
    } else {
      first.set(key, keyNode);
      if (valueNode !== undefined) object[key] = valueOf(valueNode, here, lines, problems);
    }
  }
  return object;
}

function locatorOf(tree: Node | undefined, text: string, lines: Lines): Locator {
  const value = (path: Path, span?: Span) => {
    const { node, whole } = nodeAt(tree, path);
    const pointer = pointerOf(path);
    if (node === undefined) return lines.place(0, 1, pointer);
    const opening = node.type === "object" || node.type === "array";
    if (!whole || opening) return lines.place(node.offset, opening ? 1 : node.length, pointer);
    if (node.type !== "string" || span === undefined) return lines.place(node.offset, node.length, pointer);
    const raw = text.slice(node.offset, node.offset + node.length);
    const from = writtenOffset(raw, span.offset);
    return lines.place(node.offset + from, writtenOffset(raw, span.offset + span.length) - from, pointer);
  };
  const key = (path: Path) => {
    const parent = nodeAt(tree, path.slice(0, -1)).node;
    const property = propertyOf(parent, path.at(-1));
    const keyNode = property?.children?.[0];
    return keyNode === undefined ? value(path) : lines.place(keyNode.offset, keyNode.length, pointerOf(path));
  };
  return { value, key };
}

/** The node at a path, or the last one on the way there. */
function nodeAt(tree: Node | undefined, path: Path): { readonly node: Node | undefined; readonly whole: boolean } {
  let node = tree;
  for (const step of path) {
    const next = typeof step === "number" ? node?.children?.[step] : propertyOf(node, step)?.children?.[1];
    if (next === undefined) return { node, whole: false };
    node = next;
  }
  return { node, whole: true };
}

function propertyOf(node: Node | undefined, key: string | number | undefined): Node | undefined {
  if (node?.type !== "object") return undefined;
  return node.children?.find((property) => property.children?.[0]?.value === key);
}

/** Where unit `offset` of a text's value stands in the text as it is written, quotes and escapes included. */
function writtenOffset(raw: string, offset: number): number {
  let at = 1;
  for (let units = 0; units < offset && at < raw.length - 1; units++) {
    at += raw[at] !== "\\" ? 1 : raw[at + 1] === "u" ? 6 : 2;
  }
  return at;
}
