/** What the code of a stage is today. */
import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { canonicalJson, hashBytes, loadHasher } from "../../../core/hash/hash.ts";
import type { NodeSpec } from "../../../core/model/pipeline.ts";
import { problem, type Problem } from "../../../core/model/problem.ts";
import { InternalError } from "../../../core/model/problems.ts";
import { fail, ok, type Result } from "../../../core/model/result.ts";
import type { AbsPath, ContentHash } from "../../../core/model/words.ts";
import type { InspectRequest, NodeCode } from "../../../ports.ts";
import type { ModuleReference, NodePlace, NodeType } from "../node-type.ts";
import { compileModule, type CompiledModule } from "./compiled.ts";
import { hashTools } from "./tools.ts";

/** What one node contributes; canonical JSON of these parts is hashed. */
interface NodeParts {
  readonly code: unknown;
  readonly params: unknown;
  readonly files: readonly AbsPath[];
  readonly packages: Readonly<Record<string, string>>;
  readonly module: AbsPath | undefined;
}

/**
 * The hashes of a stage's nodes (`node`, then its branches), the files that they depend on and the modules that run.
 * Imported packages stand among the tools as `npm:<name>`, so that another version is `tool-changed`.
 * All problems of the stage at once: M310 to M316.
 */
export async function inspectCode(
  request: InspectRequest,
  nodeTypes: ReadonlyMap<string, NodeType>,
): Promise<Result<NodeCode>> {
  await loadHasher();
  const problems: Problem[] = [];
  const parts: Partial<Record<NodePlace, NodeParts>> = {};
  for (const place of ["node", "then", "else"] as const) {
    const spec = request[place];
    if (spec === undefined) continue;
    const found = await inspectNode(spec, typeOf(spec, nodeTypes), request);
    if (found.ok) parts[place] = found.value;
    else problems.push(...found.problems);
  }
  const tools = await hashTools(request.tools, dirname(request.pipelinesFolder), request.node.place);
  if (!tools.ok) problems.push(...tools.problems);
  return !tools.ok || problems.length > 0 ? fail(...problems) : ok(combine(parts, tools.value));
}

function typeOf(spec: NodeSpec, nodeTypes: ReadonlyMap<string, NodeType>): NodeType {
  const type = nodeTypes.get(spec.typeId);
  if (type === undefined)
    throw new InternalError(`node type "${spec.typeId}" passed the definition's check but is not known`);
  return type;
}

function combine(parts: Partial<Record<NodePlace, NodeParts>>, tools: Readonly<Record<string, string>>): NodeCode {
  const all = Object.entries(parts);
  const versions = new Map<string, Set<string>>();
  for (const [, { packages }] of all) {
    for (const [name, version] of Object.entries(packages)) {
      versions.set(name, (versions.get(name) ?? new Set()).add(version));
    }
  }
  return {
    codeHash: hashBytes(canonicalJson(all.map(([place, { code }]) => [place, code]))),
    paramsHash: hashBytes(canonicalJson(all.map(([place, { params }]) => [place, params]))),
    toolHashes: {
      ...tools,
      ...Object.fromEntries([...versions].map(([name, set]) => [`npm:${name}`, hashBytes([...set].sort().join(" "))])),
    },
    files: [...new Set(all.flatMap(([, { files }]) => files))].sort(),
    modules: Object.fromEntries(all.flatMap(([place, { module }]) => (module === undefined ? [] : [[place, module]]))),
  };
}

async function inspectNode(spec: NodeSpec, type: NodeType, request: InspectRequest): Promise<Result<NodeParts>> {
  const files = hashCodeFiles(spec, type, request);
  if (!files.ok) return files;
  const identity = { typeId: type.typeId, version: type.version, files: Object.fromEntries(files.value.hashes) };
  const reference = type.moduleOf?.(spec.data);
  if (reference === undefined) {
    const isCode = type.dataIs === "code";
    return ok({
      code: isCode ? { ...identity, data: spec.data } : identity,
      params: isCode ? null : spec.data,
      files: files.value.paths,
      packages: {},
      module: undefined,
    });
  }
  const compiled = await compileReference(reference, spec, request);
  if (!compiled.ok) return compiled;
  const { codeHash, packages, path } = compiled.value;
  return ok({
    code: { ...identity, module: codeHash, export: reference.exportName },
    params: reference.params ?? null,
    files: [...files.value.paths, ...compiled.value.files],
    packages,
    module: path,
  });
}

async function compileReference(
  reference: ModuleReference,
  spec: NodeSpec,
  { pipelinesFolder, cacheFolder }: InspectRequest,
): Promise<Result<CompiledModule>> {
  const entry = resolve(pipelinesFolder, reference.path);
  const compiled = await compileModule({ entry, pipelinesFolder, cacheFolder, place: spec.place });
  if (!compiled.ok) return compiled;
  const { exports, openExports } = compiled.value;
  if (exports.includes(reference.exportName) || (openExports && reference.exportName !== "default")) return compiled;
  const named = exports.length === 0 ? "it exports nothing" : `it exports: ${exports.join(", ")}`;
  const wanted = reference.exportName === "default" ? "no default export" : `no export "${reference.exportName}"`;
  return fail(
    problem("M312", `"${reference.path}" has ${wanted}`, 'export the function, or name another one in "export"', {
      place: spec.place,
      notes: [named],
    }),
  );
}

interface HashedFiles {
  /** As the definition names them, to the hash of their bytes. */
  readonly hashes: ReadonlyMap<string, ContentHash>;
  readonly paths: readonly AbsPath[];
}

function hashCodeFiles(spec: NodeSpec, type: NodeType, request: InspectRequest): Result<HashedFiles> {
  const hashes = new Map<string, ContentHash>();
  const paths: AbsPath[] = [];
  const problems: Problem[] = [];
  for (const name of type.codeFiles(spec.data)) {
    const path = resolve(request.pipelinesFolder, name);
    try {
      hashes.set(name, hashBytes(readFileSync(path)));
      paths.push(path);
    } catch (error) {
      const why =
        (error as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : `cannot be read (${String(error)})`;
      problems.push(
        problem(
          "M315",
          `file "${name}" ${why}`,
          "create it, or correct the path; it is relative to the pipelines folder",
          {
            place: spec.place,
          },
        ),
      );
    }
  }
  for (const word of type.codeWords?.(spec.data) ?? []) {
    const path = findWord(word, request);
    if (path === undefined) continue;
    try {
      hashes.set(word, hashBytes(readFileSync(path)));
      paths.push(path);
    } catch (error) {
      // Executable but not readable: it counts by its name, which is in the data.
      if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    }
  }
  return problems.length > 0 ? fail(...problems) : ok({ hashes, paths });
}

/** The project's file that a word of a command names, from the project folder or the pipelines folder; never one of the state root. */
function findWord(word: string, { pipelinesFolder, cacheFolder }: InspectRequest): AbsPath | undefined {
  const project = dirname(pipelinesFolder);
  const root = dirname(dirname(cacheFolder));
  const isState = (path: AbsPath): boolean => isInside(project, root) && isInside(root, path);
  return [resolve(project, word), resolve(pipelinesFolder, word)].find(
    (path) => isInside(project, path) && !isState(path) && isFile(path),
  );
}

function isFile(path: AbsPath): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    // Most words name no file, and some could not (too long, a NUL): they count as text only.
    return false;
  }
}

function isInside(folder: AbsPath, path: AbsPath): boolean {
  const below = relative(folder, path);
  return below !== "" && below !== ".." && !below.startsWith(`..${sep}`) && !isAbsolute(below);
}
