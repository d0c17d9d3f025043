import { InternalError } from "../../../core/model/problems.ts";
import type { ValueTree } from "./program.ts";
import { shorten } from "./template.ts";

/** What to do about a value that cannot be a result, by what it is. */
export const UNUSABLE_HINTS: Readonly<Record<string, string>> = {
  undefined: "check the names it reads, or say what to use instead: (... ?? null)",
  "a promise": "expressions cannot wait: use a module node for asynchronous work",
  "a function": "call it",
};

/** An expression as messages name it. */
export function quote(expression: string): string {
  return `expression "${shorten(expression)}"`;
}

/** An error as the sandbox gives it away. */
export interface SandboxError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** The error in a dumped value, whatever was thrown. */
export function errorOf(dumped: unknown): SandboxError {
  const { name = "", message = String(dumped), stack = "" } = Object(dumped) as Partial<SandboxError>;
  return { name, message, stack };
}

/** The first place of a stack that is in an expression: which one, and ` at line:column` in its own text. */
export function placeIn(stack: string): { readonly number: number | undefined; readonly text: string } {
  const match = /\bexpression(\d+):(\d+):(\d+)/.exec(stack);
  if (match === null) return { number: undefined, text: "" };
  return { number: Number(match[1]), text: ` at ${Math.max(1, Number(match[2]) - 1)}:${match[3]}` };
}

/** One value of an answer. */
export interface Segment {
  readonly isJson: boolean;
  readonly text: string;
}

/** The segments of an answer; `undefined` when the lengths in it do not fit. */
export function readSegments(answer: string): readonly Segment[] | undefined {
  const segments: Segment[] = [];
  for (let at = 0; at < answer.length;) {
    const tag = answer[at];
    const colon = answer.indexOf(":", at);
    if ((tag !== "s" && tag !== "j") || colon === -1) return undefined;
    const end = colon + 1 + Number(answer.slice(at + 1, colon));
    if (!(end <= answer.length)) return undefined;
    segments.push({ isJson: tag === "j", text: answer.slice(colon + 1, end) });
    at = end;
  }
  return segments;
}

/** As `JSON.stringify(record, null, 2)`, but in field order: JavaScript would put names such as "2" first. */
export function recordJson(fields: readonly (readonly [string, ValueTree])[], segments: readonly Segment[]): string {
  if (segments.length !== fields.length) throw new InternalError("the sandbox answered other fields than asked");
  if (fields.length === 0) return "{}";
  const lines = fields.map(([name], index) => {
    const { isJson, text } = segments[index] ?? { isJson: true, text: "null" };
    return `  ${JSON.stringify(name)}: ${isJson ? text.replaceAll("\n", "\n  ") : JSON.stringify(text)}`;
  });
  return `{\n${lines.join(",\n")}\n}`;
}
