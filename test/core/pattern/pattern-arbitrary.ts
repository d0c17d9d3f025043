/** Random patterns as a model, and a slow, obviously right matcher for them. */
import fc from "fast-check";
import { parsePattern, type Pattern } from "../../../src/core/pattern/pattern.ts";

export interface ModelUse {
  readonly name: string;
  readonly rest: boolean;
  readonly type: string | undefined;
}
export type ModelElement = string | ModelUse;
export interface Model {
  readonly text: string;
  /** Whole path, slashes included. */
  readonly elements: readonly ModelElement[];
}

/** The same types as native expressions. */
const NATIVE: Readonly<Record<string, RegExp>> = {
  int: /^-?[0-9]+$/,
  slug: /^[a-z0-9]+(-[a-z0-9]+)*$/,
  "/[ab]+/": /^[ab]+$/,
  "/(?:a|ab|-)*/": /^(?:a|ab|-)+$/,
  "/[^a].?/": /^[^a/].?$/,
};

/** The pattern of a text that is known to be right. */
export function pattern(text: string): Pattern {
  const parsed = parsePattern(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.pattern;
}

const literal = fc.constantFrom("a", "b", "-", ".", "ab", "a-", "-a");
const type = fc.option(fc.constantFrom(...Object.keys(NATIVE)), { nil: undefined, freq: 2 });

/** Patterns over the characters `a b - . 1 /`; with `names`, variables are drawn from these and so may be used twice. */
export function models(names?: readonly string[]): fc.Arbitrary<Model> {
  const use = fc.record({ pick: fc.nat(), rest: fc.nat(5).map((n) => n === 0), type });
  const segment = fc.tuple(
    fc.boolean(),
    fc.array(fc.tuple(literal, use), { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  );
  return fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 3 }), fc.nat(4))
    .map(([segments, folder]) => {
      const elements: ModelElement[] = [];
      const known = new Map<string, ModelUse>();
      let rests = 0;
      segments.forEach(([startsLiteral, pairs, endsLiteral], s) => {
        if (s > 0) elements.push("/");
        pairs.forEach(([text, { pick, rest, type: written }], i) => {
          if (i > 0 || startsLiteral) elements.push(text);
          if (i === pairs.length - 1 && endsLiteral && (i > 0 || startsLiteral)) return;
          const name = names === undefined ? `v${known.size}` : names[pick % names.length]!;
          const isRest = rest && rests === 0 && names === undefined;
          const found = known.get(name) ?? { name, rest: isRest, type: written };
          if (found.rest) rests++;
          known.set(name, found);
          elements.push(found);
        });
      });
      if (folder === 0) elements.push("/");
      return { text: elements.map(write).join(""), elements };
    })
    .filter(({ text }) => parsePattern(text).ok);
}

function write(element: ModelElement): string {
  if (typeof element === "string") return element;
  return `{${element.name}${element.rest ? "..." : ""}${element.type === undefined ? "" : `:${element.type}`}}`;
}

/** Short texts over the characters of the models. */
export const values: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom("a", "b", "-", ".", "1"),
  minLength: 1,
  maxLength: 4,
});

/** Paths that a model is likely to match: its elements with random values, or random text. */
export function pathsFor(model: Model): fc.Arbitrary<string> {
  const parts = model.elements.map((element) =>
    typeof element === "string" ? fc.constant(element) : rests(element.rest),
  );
  return fc.oneof(
    { weight: 4, arbitrary: fc.tuple(...parts).map((texts) => texts.join("")) },
    { weight: 1, arbitrary: rests(true) },
  );
}

function rests(isRest: boolean): fc.Arbitrary<string> {
  return isRest ? fc.array(values, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join("/")) : values;
}

/** Tries every split, the shortest value of the leftmost variable first. */
export function matchSlowly(model: Model, path: string): Record<string, string> | undefined {
  const segments = path.replace(/\/$/, "").split("/");
  if (segments[0] === ".millrace" || segments.some((segment) => segment === "." || segment === "..")) return undefined;
  return attempt(model.elements, path, {});
}

function attempt(
  elements: readonly ModelElement[],
  text: string,
  vars: Record<string, string>,
): Record<string, string> | undefined {
  const [first, ...more] = elements;
  if (first === undefined) return text === "" ? vars : undefined;
  if (typeof first === "string")
    return text.startsWith(first) ? attempt(more, text.slice(first.length), vars) : undefined;
  for (let end = 1; end <= text.length; end++) {
    const value = text.slice(0, end);
    if (!isValue(first, value) || (vars[first.name] ?? value) !== value) continue;
    const found = attempt(more, text.slice(end), { ...vars, [first.name]: value });
    if (found !== undefined) return found;
  }
  return undefined;
}

function isValue(use: ModelUse, value: string): boolean {
  const pieces = use.rest ? value.split("/") : [value];
  return pieces.every(
    (piece) => piece !== "" && !piece.includes("/") && (use.type === undefined || NATIVE[use.type]!.test(piece)),
  );
}

/** Every text over the characters up to a length. */
export function allTexts(chars: string, maxLength: number): string[] {
  let longest = [""];
  const all = [""];
  for (let length = 1; length <= maxLength; length++) {
    longest = longest.flatMap((text) => Array.from(chars, (char) => text + char));
    all.push(...longest);
  }
  return all;
}
