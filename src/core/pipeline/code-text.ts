import { Lines, type Locator } from "./locator.ts";
import type { Fault } from "./fault.ts";
import { DEEPEST, pointerOf, valueAt, type Path } from "./plain.ts";

/**
 * Places in a definition written as code, found by looking for its words: a stage by the text of its id, a key by its name after that.
 * A key that is computed is placed at the nearest thing that is written out, at worst at the file's first line.
 */
export function codeLocator(source: string, file: string, definition: unknown): Locator {
  const text = source.startsWith("\uFEFF") ? source.slice(1) : source;
  const lines = new Lines(file, text);
  const find = (path: Path) => {
    const { offset, length } = findInCode(text, path, definition);
    return lines.place(offset, length, pointerOf(path));
  };
  return { value: find, key: find };
}

interface Found {
  readonly offset: number;
  readonly length: number;
}

function findInCode(text: string, path: Path, definition: unknown): Found {
  const inStage = path[0] === "stages" && typeof path[1] === "number";
  let found = inStage ? findStage(text, Number(path[1]), definition) : { offset: 0, length: 1 };
  const end = inStage ? findStage(text, Number(path[1]) + 1, definition).offset : text.length;
  for (const step of path.slice(inStage ? 2 : 0)) {
    const key =
      typeof step === "string" ? findKey(text, step, found.offset, end > found.offset ? end : text.length) : undefined;
    if (key === undefined) continue;
    found = key;
  }
  return found;
}

/** Where the object of a stage begins, as far as its id tells; the file's start when it does not. */
function findStage(text: string, index: number, definition: unknown): Found {
  const id = valueAt(definition, ["stages", index, "id"]);
  if (typeof id !== "string" || id === "") return { offset: 0, length: 1 };
  const written = RegExp(`\\bid["']?\\s*:\\s*(["'\`])${RegExp.escape(id)}\\1`).exec(text);
  if (written === null) return { offset: 0, length: 1 };
  const brace = text.lastIndexOf("{", written.index);
  const onlySpaceBetween = brace >= 0 && text.slice(brace + 1, written.index).trim() === "";
  return { offset: onlySpaceBetween ? brace : written.index, length: onlySpaceBetween ? 1 : written[0].length };
}

function findKey(text: string, key: string, from: number, to: number): Found | undefined {
  const pattern = RegExp(`(?<![\\p{L}\\p{N}_$])(["']?)${RegExp.escape(key)}\\1\\s*:`, "gu");
  pattern.lastIndex = from;
  const written = pattern.exec(text);
  return written === null || written.index >= to ? undefined : { offset: written.index, length: written[0].length };
}

/** A value as JSON would have it, or why it cannot be: keys whose value is `undefined` are left out, as JSON does. */
export function plainCopy(value: unknown): { readonly value: unknown; readonly faults: readonly Fault[] } {
  const faults: Fault[] = [];
  return { value: copy(value, [], faults), faults };
}

function copy(value: unknown, path: Path, faults: Fault[]): unknown {
  if (path.length > DEEPEST) {
    // A value that holds itself ends here too.
    faults.push({
      code: "M203",
      path: path.slice(0, 2),
      message: `values are nested more than ${DEEPEST} deep`,
      hint: "write a flatter definition",
    });
    return null;
  }
  if (Array.isArray(value))
    return value.length > MOST_PARTS
      ? tooMany(path, faults)
      : Array.from(value, (item, i) => copy(item, [...path, i], faults));
  if (typeof value === "object" && value !== null) return copyObject(value, path, faults);
  const isJson =
    value === null ||
    typeof value === "string" ||
    typeof value === "boolean" ||
    (typeof value === "number" && Number.isFinite(value));
  if (isJson) return value;
  const isNode = typeof value === "function" && ["node", "then", "else"].includes(String(path.at(-1)));
  const hint = isNode
    ? 'put the function into a file below pipelines/ and name it: { typeId: "module", data: { path: "nodes/..." } }'
    : "use text, numbers, true, false, null, lists and plain objects";
  faults.push({ code: "M203", path, message: `a ${typeof value} cannot be part of a definition`, hint });
  return null;
}

const MOST_PARTS = 100_000;

function tooMany(path: Path, faults: Fault[]): null {
  faults.push({ code: "M203", path, message: `a list has more than ${MOST_PARTS} items`, hint: "make it shorter" });
  return null;
}

function copyObject(value: object, path: Path, faults: Fault[]): unknown {
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object of another realm has that realm's Object.prototype, whose own prototype is null.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  if (!isPlain) {
    const hint = "use text, numbers, true, false, null, lists and plain objects";
    faults.push({ code: "M203", path, message: "an instance of a class cannot be part of a definition", hint });
    return null;
  }
  const plain: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    if (key === "__proto__") {
      faults.push({
        code: "M202",
        path: [...path, key],
        message: 'the key "__proto__" is not allowed',
        hint: "remove it",
      });
    } else if (part !== undefined) plain[key] = copy(part, [...path, key], faults);
  }
  return plain;
}
