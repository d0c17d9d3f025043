import type { z } from "./schema.ts";
import type { Fault } from "./fault.ts";
import { LATER_KEYS } from "./later-keys.ts";
import { nearest } from "./nearest.ts";
import { show, valueAt, type Path } from "./plain.ts";
import { keysAt } from "./schema-walk.ts";

/** What of a definition a schema was applied to. */
interface Checked {
  readonly schema: z.core.$ZodType;
  /** The whole definition. */
  readonly definition: unknown;
  /** Where the checked part is in it. */
  readonly base: Path;
  /** Why a key that this schema does not know may belong elsewhere: the message and the hint. */
  readonly misplaced?: (key: string) => readonly [string, string] | undefined;
}

/** The faults that a schema found in a part of a definition, each with a message, a hint and the nearest right spelling. */
export function faultsOf(issues: readonly z.core.$ZodIssue[], checked: Checked): readonly Fault[] {
  return issues.flatMap((issue) => faultsOfIssue(issue, [], checked));
}

/** How a message names the thing at a path: `"timeout"`, `"env[0]"`, `stage "echo"`, `the definition`. */
export function subjectOf(definition: unknown, path: Path): string {
  if (path.length === 0) return "the definition";
  if (path.length === 2 && path[0] === "stages") {
    const id = valueAt(definition, [...path, "id"]);
    return typeof id === "string" ? `stage ${show(id)}` : `stage ${Number(path[1]) + 1}`;
  }
  const lastKey = path.findLastIndex((step) => typeof step === "string");
  const indexes = path.slice(lastKey + 1).map((index) => `[${index}]`);
  return `"${String(path[lastKey] ?? "")}${indexes.join("")}"`;
}

function faultsOfIssue(issue: z.core.$ZodIssue, outer: Path, checked: Checked): readonly Fault[] {
  const inner = [...outer, ...issue.path.map((step) => (typeof step === "number" ? step : String(step)))];
  const path = [...checked.base, ...inner];
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(key, inner, checked));
  if (issue.code === "invalid_key") {
    const [what, hint] = expectedOf(issue.issues[0]) ?? ["another key", "choose another key"];
    return [{ code: "M203", path, at: "key", message: `the key ${show(path.at(-1))} must be ${what}`, hint }];
  }
  const value = valueAt(checked.definition, path);
  if (value === undefined && typeof path.at(-1) === "string") return [missingKey(issue, path, checked)];
  if (issue.code === "invalid_union" && expectedOf(issue) === undefined) {
    const best = bestBranch(issue);
    if (best !== undefined) return best.flatMap((branch) => faultsOfIssue(branch, inner, checked));
  }
  return [wrongValue(issue, path, value, checked)];
}

function unknownKey(key: string, inner: Path, { schema, base, definition, misplaced }: Checked): Fault {
  const parent = [...base, ...inner];
  const path = [...parent, key];
  // A node's data may use any words; "later" keys are words of pipelines, stages and inputs only.
  if (LATER_KEYS.has(key) && !path.includes("data")) return laterKey(key, path);
  const elsewhere = inner.length === 0 ? misplaced?.(key) : undefined;
  if (elsewhere !== undefined) return { code: "M218", path, at: "key", message: elsewhere[0], hint: elsewhere[1] };
  const known = keysAt(schema, inner);
  const guess = nearest(key, known);
  const hint =
    guess !== undefined
      ? `did you mean "${guess}"?`
      : known.length === 0
        ? "remove it"
        : `keys here: ${known.join(", ")}`;
  return { code: "M202", path, at: "key", message: `${subjectOf(definition, parent)} has no key ${show(key)}`, hint };
}

/** The fault of a key that is known, but to a later release. */
export function laterKey(key: string, path: Path): Fault {
  const hint = `remove "${key}"; a later release brings it`;
  return { code: "M212", path, at: "key", message: `"${key}" is not in this release`, hint };
}

function missingKey(issue: z.core.$ZodIssue, path: Path, { definition }: Checked): Fault {
  const key = String(path.at(-1));
  const what = expectedOf(issue)?.[0];
  return {
    code: "M217",
    path,
    message: `${subjectOf(definition, path.slice(0, -1))} lacks "${key}"`,
    hint: `add "${key}"${what === undefined ? "" : `: ${what}`}`,
  };
}

function wrongValue(issue: z.core.$ZodIssue, path: Path, value: unknown, { definition }: Checked): Fault {
  const subject = subjectOf(definition, path);
  const expected = expectedOf(issue);
  if (expected === undefined)
    return { code: "M203", path, message: `${subject}: ${issue.message}`, hint: "correct this value" };
  const [what, advice] = expected;
  const guess =
    issue.code === "invalid_value" && typeof value === "string" ? nearest(value, issue.values.map(String)) : undefined;
  const hint = guess === undefined ? advice : `did you mean "${guess}"?`;
  return { code: "M203", path, message: `${subject} is ${show(value)}, but must be ${what}`, hint };
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "text in double quotes",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
  tuple: "a list",
};

/** What the value must be, and what to do; `undefined` when only the schema's own message says it. */
function expectedOf(issue: z.core.$ZodIssue | undefined): readonly [string, string] | undefined {
  if (issue === undefined) return undefined;
  // Our own schemas say both, with a bar between.
  const [what, advice] = issue.message.split(" | ");
  if (what !== undefined && advice !== undefined) return [what, advice];
  const words = expectedWords(issue);
  return words === undefined ? undefined : [words, `write ${words}`];
}

function expectedWords(issue: z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      return TYPE_WORDS[issue.expected] ?? issue.expected;
    case "too_small":
      return bound("at least", issue.inclusive === false ? "more than" : "at least", issue.minimum, issue.origin);
    case "too_big":
      return bound("at most", issue.inclusive === false ? "less than" : "at most", issue.maximum, issue.origin);
    case "invalid_value":
      return issue.values.length === 1
        ? show(issue.values[0])
        : `one of ${issue.values.map((v) => `"${String(v)}"`).join(", ")}`;
    case "invalid_format":
      return issue.pattern === undefined ? undefined : `text that matches ${issue.pattern}`;
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_union":
      return typeof issue.discriminator === "string" && "options" in issue && Array.isArray(issue.options)
        ? `one of ${issue.options.map((v) => `"${String(v)}"`).join(", ")}`
        : undefined;
    default:
      return undefined;
  }
}

function bound(counted: string, compared: string, limit: number | bigint, origin: string): string {
  const one = origin === "string" ? "character" : "item";
  const thing = origin === "string" ? "text" : "a list";
  if (origin !== "string" && origin !== "array") return `${compared} ${limit}`;
  return `${thing} of ${counted} ${limit} ${limit === 1 ? one : `${one}s`}`;
}

/** The issues of the union's member that understood most of the value. */
function bestBranch(issue: z.core.$ZodIssueInvalidUnion): readonly z.core.$ZodIssue[] | undefined {
  const depth = (issues: readonly z.core.$ZodIssue[]) =>
    Math.min(...issues.map((one) => (one.code === "unrecognized_keys" ? 1 : one.path.length)));
  return issue.errors
    .filter((branch) => branch.length > 0)
    .toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)[0];
}
