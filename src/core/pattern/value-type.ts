/** The types that a variable may have: `int`, `date`, `week`, `slug`, `uuid`, `hex`, or an expression between slashes. */
import { accepts, compile, type Program } from "./automaton.ts";
import { NAME_CHARS } from "./char-set.ts";
import { literalRegex, parseRegex, type Regex, reverse, type TextFault } from "./regex.ts";

/** What the values of a variable must look like. */
export interface ValueType {
  /** As written after the colon, or in words. */
  readonly text: string;
  /** Never matches the empty text. */
  readonly regex: Regex;
  readonly program: Program;
  /** Matches the same texts, read from their ends. */
  readonly reversed: Program;
  /** The same as a native expression where that is known to take linear time; it is faster. */
  readonly native: RegExp | undefined;
  /** A value that looks like one; `undefined` where we know none. */
  readonly example: string | undefined;
}

const LEAP_YEAR = String.raw`(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)`;
const DATE = [
  String.raw`\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])`,
  String.raw`\d{4}-(?:0[13-9]|1[0-2])-(?:29|30)`,
  String.raw`\d{4}-(?:0[13578]|1[02])-31`,
  `${LEAP_YEAR}-02-29`,
].join("|");
const WEEK = [String.raw`\d{4}-W(?:0[1-9]|[1-4]\d|5[0-2])`, `(?:${longYears()})-W53`].join("|");

const BUILT_IN: ReadonlyMap<string, { readonly source: string; readonly example: string }> = new Map([
  ["int", { source: "-?[0-9]+", example: "1" }],
  ["date", { source: DATE, example: "2026-01-31" }],
  ["week", { source: WEEK, example: "2026-W05" }],
  ["slug", { source: "[a-z0-9]+(?:-[a-z0-9]+)*", example: "a" }],
  [
    "uuid",
    { source: "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", example: "0188f3a0-0000-7000-8000-000000000001" },
  ],
  ["hex", { source: "[0-9a-fA-F]+", example: "a1" }],
]);

/** The names of the built-in types. */
export const TYPE_NAMES: readonly string[] = [...BUILT_IN.keys()];

/**
 * The years with 53 ISO weeks, as an expression: those whose 1 January is a Thursday, and leap years where it is a Wednesday.
 * The calendar repeats every 400 years, so a year's century counts modulo 4 only.
 */
function longYears(): string {
  const centuries = [
    "[02468][048]|[13579][26]",
    "[02468][159]|[13579][37]",
    "[02468][26]|[13579][048]",
    "[02468][37]|[13579][159]",
  ];
  return centuries
    .map((century, remainder) => {
      const years = Array.from({ length: 100 }, (_, year) => year).filter((year) =>
        hasLongYear(2000 + remainder * 100 + year),
      );
      return `(?:${century})(?:${years.map((year) => String(year).padStart(2, "0")).join("|")})`;
    })
    .join("|");
}

function hasLongYear(year: number): boolean {
  const y = year - 1;
  const firstDay = (1 + 5 * (y % 4) + 4 * (y % 100) + 6 * (y % 400)) % 7; // Gauss: 0 is Sunday
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return firstDay === 4 || (isLeap && firstDay === 3);
}

function makeType(text: string, regex: Regex, native: RegExp | undefined, example: string | undefined): ValueType {
  const nonEmpty: Regex = { kind: "nonEmpty", of: regex };
  return { text, regex: nonEmpty, program: compile(nonEmpty), reversed: compile(reverse(nonEmpty)), native, example };
}

const made = new Map<string, ValueType>();

/** The built-in type of this name; `undefined` when there is none. */
export function builtInType(name: string): ValueType | undefined {
  const found = BUILT_IN.get(name);
  if (found === undefined) return undefined;
  let type = made.get(name);
  if (type === undefined) {
    type = makeType(
      name,
      parseRegex(found.source, NAME_CHARS).regex,
      new RegExp(`^(?:${found.source})$`, "u"),
      found.example,
    );
    made.set(name, type);
  }
  return type;
}

/** The type of an expression, given without its slashes; offsets of faults count from its first character. */
export function expressionType(source: string): { readonly type: ValueType; readonly faults: readonly TextFault[] } {
  const { regex, faults } = parseRegex(source, NAME_CHARS);
  return { type: makeType(`/${source}/`, faults.length > 0 ? literalRegex("x") : regex, undefined, undefined), faults };
}

/** One or more characters of a name: what a variable without a type holds. */
export const FREE_REGEX: Regex = { kind: "repeat", of: { kind: "set", set: NAME_CHARS }, min: 1, max: Infinity };

/** One or more pieces with `/` between them, each of the type (or of any characters of a name): what `{name...}` holds. */
export function piecesType(piece: ValueType | undefined): ValueType {
  const one = piece?.regex ?? FREE_REGEX;
  const more: Regex = { kind: "sequence", parts: [literalRegex("/"), one] };
  const regex: Regex = { kind: "sequence", parts: [one, { kind: "repeat", of: more, min: 0, max: Infinity }] };
  const example = piece === undefined ? "a" : piece.example;
  return makeType(piece?.text ?? "", regex, piece === undefined ? /^[^/]+(?:\/[^/]+)*$/u : undefined, example);
}

/** Whether the value is one of the type. */
export function fitsType(type: ValueType, value: string): boolean {
  return type.native === undefined ? accepts(type.program, value) : type.native.test(value);
}
