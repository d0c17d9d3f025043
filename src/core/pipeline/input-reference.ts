import { ID_TEXT } from "./definition-schema.ts";
import type { Fault } from "./fault.ts";
import { nearest } from "./nearest.ts";
import { isRecord, show, type Path } from "./plain.ts";
import { laterKey } from "./zod-faults.ts";

/** One input as it was written: what expressions call it, which stage it names, and where it names it. */
export interface InputReference {
  readonly alias: string;
  readonly stage: string;
  readonly path: Path;
}

/** The value of a stage's `input` key: the reference as far as there is one, and the faults. */
export interface ReadInput {
  readonly reference?: InputReference;
  readonly faults: readonly Fault[];
}

/** Reads `input`: a stage id, a list with one id, or an object with one alias for an id or for `{ stage }`. */
export function readInput(raw: unknown, path: Path): ReadInput {
  if (Array.isArray(raw)) return readList(raw, path);
  if (isRecord(raw)) return readAliases(raw, path);
  return readId(raw, raw, path);
}

const SHAPES = 'write a stage id, a list with one id, or { "alias": "id" }';

function readId(alias: unknown, stage: unknown, path: Path): ReadInput {
  if (typeof stage === "string" && typeof alias === "string") return { reference: { alias, stage, path }, faults: [] };
  return refuse({ code: "M203", path, message: `"input" is ${show(stage)}, but must name a stage`, hint: SHAPES });
}

function readList(list: readonly unknown[], path: Path): ReadInput {
  if (list.length === 0) return refuse({ code: "M203", path, message: '"input" is an empty list', hint: SHAPES });
  if (list.length > 1) return refuse(severalInputs([...path, 1]));
  return readId(list[0], list[0], [...path, 0]);
}

function readAliases(aliases: Readonly<Record<string, unknown>>, path: Path): ReadInput {
  const [alias, second] = Object.keys(aliases);
  if (alias === undefined) return refuse({ code: "M203", path, message: '"input" is an empty object', hint: SHAPES });
  if (second !== undefined) return refuse(severalInputs([...path, second]));
  const here = [...path, alias];
  const faults = ID_TEXT.test(alias) ? [] : [badAlias(alias, here)];
  const value = aliases[alias];
  if (!isRecord(value)) return faults.length > 0 ? { faults } : readId(alias, value, here);
  for (const key of Object.keys(value)) {
    if (key === "optional") faults.push(laterKey(key, [...here, key]));
    else if (key !== "stage") faults.push(unknownKey(key, [...here, key]));
  }
  if (!Object.hasOwn(value, "stage")) {
    faults.push({
      code: "M217",
      path: [...here, "stage"],
      message: `the input "${alias}" lacks "stage"`,
      hint: 'add "stage": a stage id',
    });
  }
  if (!Object.hasOwn(value, "stage")) return { faults };
  const read = readId(alias, value["stage"], [...here, "stage"]);
  return { ...read, faults: [...faults, ...read.faults] };
}

function refuse(fault: Fault): ReadInput {
  return { faults: [fault] };
}

function severalInputs(path: Path): Fault {
  return { code: "M212", path, message: "several inputs (joins) are not in this release", hint: "name one stage" };
}

function badAlias(alias: string, path: Path): Fault {
  const hint = 'use letters, digits, "_", "-" and "."; "entity" is taken';
  return { code: "M203", path, at: "key", message: `the alias ${show(alias)} is no name an expression can use`, hint };
}

function unknownKey(key: string, path: Path): Fault {
  const hint = nearest(key, ["stage"]) === undefined ? 'an input has the key "stage" only' : 'did you mean "stage"?';
  return { code: "M202", path, at: "key", message: `an input has no key ${show(key)}`, hint };
}
