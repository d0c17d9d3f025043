import { InternalError } from "./problems.ts";

/**
 * The text of a JSON document as we write it to disk: keys sorted by code units, 2 spaces, no final newline; equal values have equal texts.
 *
 * Unlike `JSON.stringify` it keeps that order for keys that look like numbers. Keys whose value is `undefined` are left out.
 * A number that JSON cannot hold, or a value that is no JSON, throws `InternalError`.
 */
export function documentText(value: unknown, indent = ""): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
      if (!Number.isFinite(value)) throw new InternalError(`"${value}" is no number of JSON`);
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? arrayText(value, indent) : objectText(value as Record<string, unknown>, indent);
    default:
      throw new InternalError(`a ${typeof value} is no value of JSON`);
  }
}

// Most strings are plain ASCII, for which this is several times as fast as JSON.stringify.
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

function arrayText(items: readonly unknown[], indent: string): string {
  if (items.length === 0) return "[]";
  const inner = indent + "  ";
  return `[\n${inner}${items.map((item) => documentText(item, inner)).join(`,\n${inner}`)}\n${indent}]`;
}

function objectText(object: Readonly<Record<string, unknown>>, indent: string): string {
  const inner = indent + "  ";
  let text = "";
  for (const key of Object.keys(object).sort()) {
    const value = object[key];
    if (value === undefined) continue;
    text += `${text === "" ? "{\n" : ",\n"}${inner}${quoted(key)}: ${documentText(value, inner)}`;
  }
  return text === "" ? "{}" : `${text}\n${indent}}`;
}
