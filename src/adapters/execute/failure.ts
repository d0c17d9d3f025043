import type { AttemptRequest } from "../../ports.ts";
import type { ErrorCategory } from "../../core/model/manifest.ts";
import { NodeFailure } from "./node-type.ts";

const RESOURCE_CODES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]);
// Shorter values would mask parts of ordinary words and numbers.
const MIN_MASKED_LENGTH = 4;

/** What was thrown in an attempt, as its failure; `undefined` for what is no failure of an attempt but a fault of ours. */
export function failureOf(error: unknown): { readonly error: string; readonly category: ErrorCategory } | undefined {
  if (error instanceof NodeFailure) return { error: error.message, category: error.category };
  const code = codeOf(error);
  if (code === undefined || !(error instanceof Error)) return undefined;
  return { error: error.message, category: RESOURCE_CODES.has(code) ? "resource" : "output" };
}

/** Node's code of a system error, such as `ENOSPC`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/**
 * The text without the values of environment variables that the attempt declared or read; `***NAME***` stands for each, also
 * where it was written as part of a URL or of JSON. Values of fewer than four characters stay: they would be found inside
 * ordinary words.
 */
export function maskEnv(text: string, request: AttemptRequest, envReads: readonly string[]): string {
  let masked = text;
  for (const name of [...request.work.env, ...envReads]) {
    const value = process.env[name];
    if (value === undefined || value.length < MIN_MASKED_LENGTH) continue;
    for (const form of formsOf(value)) masked = masked.replaceAll(form, `***${name}***`);
  }
  return masked;
}

/** A value as it may stand in a message: plain, or as services and libraries say it back; longer forms first. */
function formsOf(value: string): string[] {
  const inJson = JSON.stringify(value).slice(1, -1);
  const forms = [value, inJson, JSON.stringify(inJson).slice(1, -1)];
  for (const encode of [encodeURIComponent, encodeURI]) {
    const encoded = encode(value.toWellFormed());
    const small = encoded.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
    forms.push(encoded, small, encoded.replaceAll("%20", "+"), small.replaceAll("%20", "+"));
  }
  return [...new Set(forms)].toSorted((a, b) => b.length - a.length);
}
