import { builtinModules } from "node:module";
import { dirname, join } from "node:path/posix";
import { parseSync, Visitor } from "oxc-parser";

/** One import, re-export, dynamic import or import type. */
interface Import {
  readonly from: string;
  /** A path in `src/` for a relative one, else the name as written. */
  readonly to: string;
  readonly isRelative: boolean;
  readonly isType: boolean;
}

/** A layer: its files, and what they may import beside themselves. Paths are relative to `src/`. */
interface Layer {
  readonly files: RegExp;
  readonly may: readonly RegExp[];
  /** What may be imported as types only. */
  readonly mayType?: readonly RegExp[];
}

const CORE = /^core\//;
const PORTS = /^ports\.ts$/;
const ANYTHING = /^/;
/** The libraries that core may use: they compute and touch nothing. */
const PURE_LIBRARIES: ReadonlySet<string> = new Set(["ignore", "jsonc-parser", "xxhash-wasm", "zod"]);
const coreParts = (...names: readonly string[]): RegExp[] => names.map((name) => new RegExp(`^core/${name}/`));

/** Who may import whom; the first layer that fits a file counts. */
const LAYERS: readonly Layer[] = [
  { files: /^core\/model\/pipeline\.ts$/, may: coreParts("model"), mayType: coreParts("pattern") },
  { files: /^core\/model\//, may: coreParts("model") },
  ...["pattern", "hash", "resilience", "workflow"].map((part) => ({
    files: new RegExp(`^core/${part}/`),
    may: coreParts("model", part),
  })),
  { files: /^core\/pipeline\//, may: coreParts("model", "pattern", "workflow", "hash", "pipeline") },
  { files: /^core\/plan\//, may: coreParts("model", "pattern", "pipeline", "hash", "resilience", "plan") },
  { files: PORTS, may: [], mayType: [CORE] },
  // Each adapter may import itself: added per file below.
  { files: /^adapters\/[^/]+\//, may: [CORE, PORTS] },
  { files: /^engine\/(compose[^/]*|[^/]+-worker)\.ts$/, may: [CORE, PORTS, /^engine\//, /^adapters\//] },
  { files: /^engine\//, may: [CORE, PORTS, /^engine\//] },
  { files: /^cli\/main\.ts$/, may: [/^cli\//, /^core\/model\//, /^engine\/compose\.ts$/] },
  { files: /^cli\//, may: [/^cli\//, /^core\/model\//], mayType: [/^engine\/control[^/]*\.ts$/] },
  // The public names, and the script that builds the package.
  { files: /^(index|build)\.ts$/, may: [ANYTHING] },
];

/** What the check of a program's imports came to. */
export interface ImportCheck {
  readonly filesChecked: number;
  /** Sentences, sorted by file. */
  readonly violations: readonly string[];
}

/** Checks every import of a program against the table of layers. `files`: path in `src/` to text. */
export function checkImports(files: ReadonlyMap<string, string>): ImportCheck {
  const violations: string[] = [];
  const homes = new Map<string, Set<string>>();
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, text] of sorted) {
    const layer = LAYERS.find(({ files: pattern }) => pattern.test(path));
    if (layer === undefined) violations.push(`${path} is in no layer`);
    else for (const found of importsOf(path, text)) violations.push(...complain(found, layer, homes));
  }
  for (const [library, folders] of homes) {
    if (folders.size > 1) violations.push(`${library} is imported in more than one folder: ${[...folders].join(", ")}`);
  }
  return { filesChecked: files.size, violations };
}

function complain(found: Import, layer: Layer, homes: Map<string, Set<string>>): string[] {
  const { from, to, isRelative, isType } = found;
  if (isRelative) {
    const own = /^adapters\/[^/]+\//.exec(from)?.[0];
    const may = [...layer.may, ...(isType ? (layer.mayType ?? []) : [])];
    if (may.some((allowed) => allowed.test(to)) || (own !== undefined && to.startsWith(own))) return [];
    const asType = !isType && layer.mayType?.some((allowed) => allowed.test(to));
    return [`${from} must not import ${to}${asType ? " but as types" : ""}`];
  }
  if (isBuiltin(to)) return CORE.test(from) || PORTS.test(from) ? [`${from} must not import ${to}`] : [];
  const library = packageOf(to);
  if (PORTS.test(from) || (CORE.test(from) && !PURE_LIBRARIES.has(library))) return [`${from} must not import ${to}`];
  // The build is no part of what is shipped.
  if (from !== "build.ts") {
    homes.set(library, (homes.get(library) ?? new Set()).add(folderOf(from)));
  }
  return [];
}

function importsOf(path: string, text: string): Import[] {
  const { program, module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const found: { readonly name: string; readonly isType: boolean }[] = [];
  for (const { moduleRequest, entries } of module.staticImports) {
    found.push({ name: moduleRequest.value, isType: entries.length > 0 && entries.every((entry) => entry.isType) });
  }
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, isType } of entries)
      if (moduleRequest) found.push({ name: moduleRequest.value, isType });
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^["'`]([^"'`]*)["'`]$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[1];
    if (literal !== undefined) found.push({ name: literal, isType: false });
  }
  new Visitor({
    TSImportType: ({ source }) => {
      found.push({ name: source.value, isType: true });
    },
  }).visit(program);
  return found.map(({ name, isType }) => {
    const isRelative = name.startsWith(".");
    return { from: path, to: isRelative ? join(dirname(path), name) : name, isRelative, isType };
  });
}

function isBuiltin(name: string): boolean {
  return name.startsWith("node:") || builtinModules.includes(name);
}

function packageOf(name: string): string {
  return name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");
}

/** `core/hash` and `adapters/queue`, but `cli` and `engine`. */
function folderOf(path: string): string {
  const parts = path.split("/");
  return parts.slice(0, parts[0] === "core" || parts[0] === "adapters" ? 2 : 1).join("/");
}
