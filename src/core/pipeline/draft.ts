import { parsePattern, type Pattern } from "../pattern/pattern.ts";
import { checkNodes, type CheckedNodes, type NodeTypes } from "./check-node.ts";
import { stageSchemas, type ParsedSource, type ParsedTask } from "./definition-schema.ts";
import type { Fault } from "./fault.ts";
import { readInput, type InputReference } from "./input-reference.ts";
import { nearest } from "./nearest.ts";
import { isRecord, show, valueAt, type Path } from "./plain.ts";
import { sizeBytes } from "./quantities.ts";
import { keysAt } from "./schema-walk.ts";
import { parseTextMatch } from "./text-match.ts";
import { faultsOf, subjectOf } from "./zod-faults.ts";

export type StageType = "source" | "transform" | "sink";
const STAGE_TYPES: readonly StageType[] = ["source", "transform", "sink"];

/** What could be understood of one stage, faulty or not, so that one fault does not hide another. */
export interface Draft {
  readonly path: Path;
  readonly id: string | undefined;
  readonly type: StageType | undefined;
  readonly pattern: Pattern | undefined;
  readonly marker: Pattern | undefined;
  readonly input: InputReference | undefined;
  readonly nodes: CheckedNodes["nodes"];
  /** Every key checked; only of the stage's own type, and only when the schema found no fault. */
  readonly source: ParsedSource | undefined;
  readonly task: ParsedTask | undefined;
}

/** One stage by itself, and its faults. */
export function draftStage(
  raw: unknown,
  path: Path,
  definition: unknown,
  nodeTypes: NodeTypes,
): { readonly draft: Draft; readonly faults: readonly Fault[] } {
  if (!isRecord(raw)) {
    const hint = 'write { "id": ..., "type": ..., "pattern": ... }';
    const fault: Fault = { code: "M203", path, message: `a stage is ${show(raw)}, but must be an object`, hint };
    return { draft: { ...NOTHING, path }, faults: [fault] };
  }
  const { type, faults: typeFaults } = typeOf(raw, path, definition);
  const shape = checkShape(raw, type, path, definition);
  const pattern = readPattern(raw, "pattern", path);
  const marker = type === "source" ? readPattern(raw, "marker", path) : NO_PATTERN;
  const isTask = type === "transform" || type === "sink";
  const input = isTask && Object.hasOwn(raw, "input") ? readInput(raw["input"], [...path, "input"]) : { faults: [] };
  const { nodes, faults: nodeFaults } = isTask
    ? checkNodes(raw, path, definition, nodeTypes)
    : { nodes: {}, faults: [] };
  const draft: Draft = {
    path,
    id: typeof raw["id"] === "string" ? raw["id"] : undefined,
    type,
    pattern: pattern.pattern,
    marker: marker.pattern,
    input: input.reference,
    nodes,
    source: shape.source,
    task: shape.task,
  };
  // What the input's own reader refused it also explained; the schema's words on the same value would only repeat it.
  const shapeFaults =
    input.faults.length > 0 ? shape.faults.filter((fault) => fault.path[2] !== "input") : shape.faults;
  const faults = [...typeFaults, ...shapeFaults, ...pattern.faults, ...marker.faults, ...input.faults, ...nodeFaults];
  return { draft, faults: [...faults, ...matchFaults(raw, path), ...contradictions(raw, draft)] };
}

const NOTHING: Omit<Draft, "path"> = {
  id: undefined,
  type: undefined,
  pattern: undefined,
  marker: undefined,
  input: undefined,
  nodes: {},
  source: undefined,
  task: undefined,
};

/** The stage's type; one that is only misspelt counts as the one that was meant, so that its other keys are checked too. */
function typeOf(
  raw: Readonly<Record<string, unknown>>,
  path: Path,
  definition: unknown,
): { readonly type: StageType | undefined; readonly faults: readonly Fault[] } {
  const written = raw["type"];
  const type = STAGE_TYPES.find((one) => one === written);
  if (type !== undefined) return { type, faults: [] };
  const allowed = STAGE_TYPES.map((one) => `"${one}"`).join(", ");
  const subject = subjectOf(definition, path);
  if (written === undefined) {
    return {
      type,
      faults: [
        {
          code: "M217",
          path: [...path, "type"],
          message: `${subject} lacks "type"`,
          hint: `add "type": one of ${allowed}`,
        },
      ],
    };
  }
  const guess = typeof written === "string" ? nearest(written, STAGE_TYPES) : undefined;
  const hint = guess === undefined ? `write one of ${allowed}` : `did you mean "${guess}"?`;
  const message = `"type" is ${show(written)}, but must be one of ${allowed}`;
  return {
    type: STAGE_TYPES.find((one) => one === guess),
    faults: [{ code: "M203", path: [...path, "type"], message, hint }],
  };
}

interface Shape {
  readonly source?: ParsedSource;
  readonly task?: ParsedTask;
  readonly faults: readonly Fault[];
}

function checkShape(
  raw: Readonly<Record<string, unknown>>,
  type: StageType | undefined,
  path: Path,
  definition: unknown,
): Shape {
  if (type === undefined) return { faults: [] };
  const schema = stageSchemas[type];
  const parsed = schema.safeParse({ ...raw, type });
  if (parsed.success)
    return type === "source"
      ? { source: parsed.data as ParsedSource, faults: [] }
      : { task: parsed.data as ParsedTask, faults: [] };
  const misplaced = (key: string): readonly [string, string] | undefined => {
    const owners = STAGE_TYPES.filter((other) => other !== type && keysAt(stageSchemas[other], []).includes(key));
    if (owners.length === 0) return undefined;
    return [`a ${type} has no "${key}"`, `remove it; "${key}" belongs to a ${owners.join(" or a ")}`];
  };
  return { faults: faultsOf(parsed.error.issues, { schema, definition, base: path, misplaced }) };
}

interface ReadPattern {
  readonly pattern?: Pattern;
  readonly faults: readonly Fault[];
}
const NO_PATTERN: ReadPattern = { faults: [] };

function readPattern(raw: Readonly<Record<string, unknown>>, key: "pattern" | "marker", path: Path): ReadPattern {
  const text = raw[key];
  if (typeof text !== "string") return NO_PATTERN;
  const parsed = parsePattern(text);
  if (parsed.ok) return { pattern: parsed.pattern, faults: [] };
  const faults = parsed.faults.map((fault): Fault => {
    const { offset, length, message, hint } = fault;
    return { code: "M207", path: [...path, key], at: { offset, length }, message, hint };
  });
  return { faults };
}

function matchFaults(raw: Readonly<Record<string, unknown>>, path: Path): readonly Fault[] {
  const expression = valueAt(raw, ["validation", "matches"]);
  if (typeof expression !== "string" || expression === "" || raw["type"] === "source") return [];
  const parsed = parseTextMatch(expression);
  if (parsed.ok) return [];
  return parsed.faults.map(({ offset, length, message, hint }): Fault => {
    return { code: "M203", path: [...path, "validation", "matches"], at: { offset, length }, message, hint };
  });
}

/** Keys of one stage that cannot both mean what they say. */
function contradictions(
  raw: Readonly<Record<string, unknown>>,
  { path, type, pattern, marker }: Draft,
): readonly Fault[] {
  const faults: Fault[] = [];
  const say = (key: Path, message: string, hint: string) =>
    faults.push({ code: "M203", path: [...path, ...key], message, hint });
  const checks = type === "source" ? "filter" : "validation";
  const [minSize, maxSize] = ["minSize", "maxSize"].map((key) => sizeAt(raw, [checks, key]));
  if (minSize !== undefined && maxSize !== undefined && minSize > maxSize) {
    say([checks, "minSize"], '"minSize" is larger than "maxSize", so nothing could pass', "make it the smaller one");
  }
  if (checks === "filter" && pattern?.isFolder === false && valueAt(raw, ["filter", "minFiles"]) !== undefined) {
    say(
      ["filter", "minFiles"],
      '"minFiles" needs a pattern for folders',
      'end the pattern with "/", or remove "minFiles"',
    );
  }
  for (const key of ["json", "matches"]) {
    if (checks === "filter" || pattern?.isFolder !== true || valueAt(raw, ["validation", key]) === undefined) continue;
    const message = `"${key}" checks a file, and the stage makes a folder`;
    say(["validation", key], message, `remove "${key}", or take the final "/" off the pattern`);
  }
  if (marker?.isFolder === true)
    say(["marker"], "a marker is a file, and this pattern means a folder", 'take the final "/" off');
  return faults;
}

/** The size written at a path; `undefined` when none is, or none that can be understood. */
function sizeAt(raw: Readonly<Record<string, unknown>>, path: Path): number | undefined {
  const written = valueAt(raw, path);
  if (typeof written !== "number" && typeof written !== "string") return undefined;
  const bytes = sizeBytes(written);
  return Number.isNaN(bytes) ? undefined : bytes;
}
