import type { Fault } from "./fault.ts";
import { nearest } from "./nearest.ts";
import type { NodeTypeInfo } from "./node-type.ts";
import { isRecord, show, type Path } from "./plain.ts";
import { faultsOf } from "./zod-faults.ts";

/** The node types there are, by `typeId`. */
export type NodeTypes = ReadonlyMap<string, NodeTypeInfo>;

/** A node as its type's schema gave it back, defaults filled in. */
export interface CheckedNode {
  readonly typeId: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly path: Path;
}
type NodeKey = "node" | "then" | "else";
/** What is right of a stage's nodes, and what is not. */
export interface CheckedNodes {
  readonly nodes: Readonly<Partial<Record<NodeKey, CheckedNode>>>;
  readonly faults: readonly Fault[];
}

/** Checks `node`, `then` and `else` of a stage. Faults of their outer shape are the stage schema's to tell. */
export function checkNodes(
  stage: Readonly<Record<string, unknown>>,
  stagePath: Path,
  definition: unknown,
  types: NodeTypes,
): CheckedNodes {
  const faults: Fault[] = [];
  const nodes: Partial<Record<NodeKey, CheckedNode>> = {};
  for (const key of ["node", "then", "else"] as const) {
    const raw = Object.hasOwn(stage, key) ? stage[key] : key === "node" ? { typeId: "copy" } : undefined;
    if (raw === undefined) continue;
    const path = [...stagePath, key];
    const checked = checkNode(raw, path, definition, types);
    faults.push(...checked.faults);
    if (checked.node) nodes[key] = checked.node;
    if (key !== "node") faults.push(...misplacedBranch(stage["node"], raw, path, types));
  }
  return { nodes, faults };
}

function checkNode(
  raw: unknown,
  path: Path,
  definition: unknown,
  types: NodeTypes,
): { readonly node?: CheckedNode; readonly faults: readonly Fault[] } {
  const typeId = typeIdOf(raw);
  if (typeId === undefined || !isRecord(raw)) return { faults: [] };
  const type = types.get(typeId);
  if (type === undefined) return { faults: [unknownType(typeId, [...path, "typeId"], types)] };
  const data = Object.hasOwn(raw, "data") ? raw["data"] : {};
  if (!isRecord(data)) return { faults: [] };
  const dataPath = [...path, "data"];
  const parsed = type.data.safeParse(data);
  if (!parsed.success)
    return { faults: faultsOf(parsed.error.issues, { schema: type.data, definition, base: dataPath }) };
  const faults = type.findFaults(parsed.data).map((fault): Fault => ({
    code: "M219",
    path: [...dataPath, ...fault.path],
    message: fault.message,
    hint: fault.hint,
  }));
  return { node: { typeId, data: isRecord(parsed.data) ? parsed.data : {}, path: dataPath }, faults };
}

function typeIdOf(node: unknown): string | undefined {
  const typeId = isRecord(node) ? node["typeId"] : undefined;
  return typeof typeId === "string" && typeId !== "" ? typeId : undefined;
}

function unknownType(typeId: string, path: Path, types: NodeTypes): Fault {
  const guess = nearest(typeId, types.keys());
  const hint =
    guess === undefined ? `node types: ${[...types.keys()].toSorted().join(", ")}` : `did you mean "${guess}"?`;
  return { code: "M205", path, message: `there is no node type ${show(typeId)}`, hint };
}

function misplacedBranch(node: unknown, branch: unknown, path: Path, types: NodeTypes): readonly Fault[] {
  const key = String(path.at(-1));
  const typeId = node === undefined ? "copy" : typeIdOf(node);
  const type = typeId === undefined ? undefined : types.get(typeId);
  if (type !== undefined && !type.branches) {
    const message = `"${key}" needs a node that chooses, and ${show(typeId)} does not`;
    return [{ code: "M218", path, at: "key", message, hint: `remove "${key}", or use ${choosers(types)} as "node"` }];
  }
  const branchType = typeIdOf(branch);
  if (branchType === undefined || types.get(branchType)?.branches !== true) return [];
  const message = `"${key}" cannot choose again: ${show(branchType)} needs a "then" of its own`;
  return [
    { code: "M218", path: [...path, "typeId"], message, hint: "use a node that does something, or a stage of its own" },
  ];
}

function choosers(types: NodeTypes): string {
  const names = [...types.values()].filter((type) => type.branches).map((type) => `"${type.typeId}"`);
  return names.length === 0 ? "a node that chooses" : names.join(" or ");
}
