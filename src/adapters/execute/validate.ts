import { isUtf8 } from "node:buffer";
import { containsMatch, parseTextMatch, type TextMatch } from "../../core/pipeline/text-match.ts";
import type { Validation } from "../../core/model/pipeline.ts";
import { NodeFailure } from "./node-type.ts";

/** A stage's `validation`, made ready once for many results. */
export interface Validator {
  /** Whether the content is looked at, and not only the size. */
  readonly wantsContent: boolean;
  /** Throws `NodeFailure` of category `validation` when the size in bytes is wrong. */
  checkSize(size: number): void;
  /** Throws `NodeFailure` of category `validation` when the content is wrong. */
  checkContent(bytes: Uint8Array): void;
}

/** The validator of a stage. */
export function createValidator(validation: Validation): Validator {
  const { minSize, maxSize, json, matches } = validation;
  const match = matches === undefined ? undefined : parseTextMatch(matches);
  return {
    wantsContent: json === true || match !== undefined,
    checkSize(size) {
      if (minSize !== undefined && size < minSize) {
        throw broken(`the result has ${size} bytes, "minSize" wants at least ${minSize}`);
      }
      if (maxSize !== undefined && size > maxSize) {
        throw broken(`the result has ${size} bytes, "maxSize" allows at most ${maxSize}`);
      }
    },
    checkContent(bytes) {
      if (json === true) checkJson(bytes);
      if (match !== undefined) checkMatch(bytes, match, matches ?? "");
    },
  };
}

function checkJson(bytes: Uint8Array): void {
  if (!isUtf8(bytes)) throw broken("the result is no JSON: it is not UTF-8");
  try {
    JSON.parse(textOf(bytes));
  } catch (error) {
    throw broken(`the result is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function checkMatch(bytes: Uint8Array, match: TextMatch, source: string): void {
  if (!match.ok) {
    const reasons = match.faults.map(({ message }) => message).join("; ");
    throw new NodeFailure(`"matches" is no expression that can be used: ${reasons}`, "definition");
  }
  if (!containsMatch(match.program, textOf(bytes))) throw broken(`the result has no match of "matches": /${source}/`);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function broken(message: string): NodeFailure {
  return new NodeFailure(message, "validation");
}
