/**
 * The definitions of a project: read, checked one by one and together, and read again when they change.
 * The checker and its schema library are loaded when the first definition is checked, not when this file is imported.
 */
import { isAbsolute, resolve, dirname, basename, join } from "node:path";
import type { NodeTypeInfo } from "../core/pipeline/node-type.ts";
import type { Pipeline } from "../core/model/pipeline.ts";
import { problem, type Problem } from "../core/model/problem.ts";
import type { Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Disk } from "../ports.ts";

/** What reading definitions needs from the world. */
export interface ProjectSources {
  /** The folder that holds `pipelines/`. */
  readonly projectFolder: AbsPath;
  readonly disk: Pick<Disk, "list" | "read" | "stat">;
  /** The node types, or a function that loads them when the first definition is checked. */
  readonly nodeTypes: ReadonlyMap<string, NodeTypeInfo> | (() => Promise<ReadonlyMap<string, NodeTypeInfo>>);
  /** What a definition written as code exports by default. */
  importDefinition(file: AbsPath): Promise<Result<unknown>>;
  /** The real path of what exists; `undefined` for what does not. */
  realpath(path: AbsPath): AbsPath | undefined;
}

/** One definition file as it was last read. */
export interface DefinitionFile {
  /** Relative to the project folder: `pipelines/echo.json`. */
  readonly file: string;
  readonly path: AbsPath;
  /** Changes whenever what the file says may have changed. */
  readonly fingerprint: string;
  /** The version that counts: the newest that is right by itself and together with the others. */
  readonly running: Pipeline | undefined;
  /** The newest version that is right by itself; not `running` where it contradicts other definitions. */
  readonly newest: Pipeline | undefined;
  /** What is wrong with the file as it is now. */
  readonly problems: readonly Problem[];
}

/** A state root and the pipelines that work in it. */
export interface ProjectRoot {
  /** Absolute; real as far as it exists. */
  readonly root: AbsPath;
  /** Disabled ones too: see `enabled`. */
  readonly pipelines: readonly Pipeline[];
}

/** All definitions of a project. */
export interface Project {
  /** In the order of their files; disabled ones too. */
  readonly pipelines: readonly Pipeline[];
  readonly roots: readonly ProjectRoot[];
  /** Everything that is wrong now. */
  readonly problems: readonly Problem[];
  /** Of `problems`, those that the previous reading did not have: what to report. */
  readonly newProblems: readonly Problem[];
  readonly files: readonly DefinitionFile[];
}

/** The folder of definitions, in the project folder. */
const PIPELINES_FOLDER = "pipelines";

/** Reads and checks every definition. A wrong one, or one that contradicts those before it, leaves its problems and hides no other. */
export async function loadProject(sources: ProjectSources): Promise<Project> {
  const listed = listDefinitions(sources);
  const none = listed.ok ? (listed.value.length === 0 ? [noDefinitions()] : undefined) : listed.problems;
  if (!listed.ok || none !== undefined)
    return { pipelines: [], roots: [], problems: none ?? [], newProblems: none ?? [], files: [] };
  const files: DefinitionFile[] = [];
  for (const file of listed.value) files.push(await readDefinition(file, undefined, sources));
  const running = files.map((file) => ({ ...file, running: file.newest }));
  const conflicts = await conflictsOf(running, sources);
  // Of definitions that contradict each other the first that fit together count, in the order of their files.
  return projectOf(conflicts.length === 0 ? running : await mostThatFits(files, sources), conflicts, [], sources);
}

/**
 * Reads what changed since `previous`. A changed definition that is wrong, by itself or together with the others, keeps its
 * previous version running; one whose file is gone is gone. Problems that `previous` had already are not in `newProblems`.
 */
export async function reloadProject(previous: Project, sources: ProjectSources): Promise<Project> {
  const listed = listDefinitions(sources);
  if (!listed.ok) {
    // A folder that is moved or unmounted is no order to stop everything: what ran goes on, and the reason is told once.
    const newProblems = newIn(listed.problems, previous.problems);
    return { ...previous, problems: [...previous.problems, ...newProblems], newProblems };
  }
  const before = new Map(previous.files.map((file) => [file.file, file]));
  const files: DefinitionFile[] = [];
  for (const file of listed.value) files.push(await readDefinition(file, before.get(file.file), sources));
  const newest = files.map((file) => ({ ...file, running: file.newest }));
  const conflicts = await conflictsOf(newest, sources);
  if (conflicts.length === 0) return projectOf(newest, [], previous.problems, sources);
  return projectOf(await mostThatFits(files, sources), conflicts, previous.problems, sources);
}

/** The files with as many of their newest versions running as go together; the others keep what ran. */
async function mostThatFits(
  files: readonly DefinitionFile[],
  sources: ProjectSources,
): Promise<readonly DefinitionFile[]> {
  let fits = files;
  let known = keysOf(await conflictsOf(fits, sources));
  for (let changed = true; changed;) {
    changed = false;
    // Taking one over can make room for one before it, so go round until nothing more fits.
    for (const [i, file] of fits.entries()) {
      if (file.running === file.newest) continue;
      const candidate = fits.with(i, { ...file, running: file.newest });
      const conflicts = keysOf(await conflictsOf(candidate, sources));
      if (conflicts.isSubsetOf(known)) [fits, known, changed] = [candidate, conflicts, true];
    }
  }
  return fits;
}

function noDefinitions(): Problem {
  const message = `there is no definition in the folder "${PIPELINES_FOLDER}"`;
  return problem("M215", message, 'write one with "millrace new pipeline <name>"');
}

interface Listed {
  readonly file: string;
  readonly path: AbsPath;
}

/** The definition files directly in the pipelines folder, sorted by code units. */
function listDefinitions({ projectFolder, disk }: ProjectSources): Result<readonly Listed[]> {
  const folder = join(projectFolder, PIPELINES_FOLDER);
  const names = readOrProblem(() => disk.list(folder), PIPELINES_FOLDER);
  if (!names.ok) return names;
  if (names.value === undefined) {
    const message = `there is no folder "${PIPELINES_FOLDER}" in "${projectFolder}"`;
    return {
      ok: false,
      problems: [problem("M215", message, 'run "millrace init" there, or name the project folder with -C')],
    };
  }
  const files = names.value.filter(isDefinitionName).toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const listed = files.map((name) => ({ file: `${PIPELINES_FOLDER}/${name}`, path: join(folder, name) }));
  return { ok: true, value: listed.filter(({ path }) => isNoFolder(disk, path)) };
}

function isNoFolder(disk: ProjectSources["disk"], path: AbsPath): boolean {
  try {
    return disk.stat(path)?.kind !== "folder";
  } catch {
    // What cannot be looked at is no folder that we know of: reading it says why, with its name.
    return true;
  }
}

function isDefinitionName(name: string): boolean {
  return /\.(?:jsonc?|ts|m?js)$/.test(name) && !name.startsWith(".") && !name.endsWith(".d.ts");
}

function isCode(file: string): boolean {
  return !/\.jsonc?$/.test(file);
}

/** A file's newest state; that of `before` when nothing changed. */
async function readDefinition(
  { file, path }: Listed,
  before: DefinitionFile | undefined,
  sources: ProjectSources,
): Promise<DefinitionFile> {
  const broken = (problems: readonly Problem[], fingerprint: string): DefinitionFile =>
    before?.fingerprint === fingerprint
      ? before
      : { file, path, fingerprint, running: before?.running, newest: before?.running, problems };
  const bytes = readOrProblem(() => sources.disk.read(path), file);
  if (!bytes.ok) return broken(bytes.problems, `unreadable ${JSON.stringify(bytes.problems)}`);
  if (bytes.value === undefined) return broken([gone(file)], "absent");
  const text = decode(bytes.value);
  if (text === undefined) return broken([notText(file)], "not UTF-8");
  // The modules that code imports may have changed though its own text did not.
  const exported = isCode(file) ? await sources.importDefinition(path) : undefined;
  if (exported?.ok === false) return broken(exported.problems, `${text}\0${JSON.stringify(exported.problems)}`);
  const fingerprint = exported === undefined ? text : `${text}\0${print(exported.value)}`;
  if (before?.fingerprint === fingerprint) return before;
  const { loadDefinition, loadCodeDefinition } = await import("../core/pipeline/load.ts");
  const nodeTypes = typeof sources.nodeTypes === "function" ? await sources.nodeTypes() : sources.nodeTypes;
  const context = { file, nodeTypes };
  const { pipeline, problems } =
    exported === undefined ? loadDefinition(text, context) : loadCodeDefinition(exported.value, text, context);
  if (pipeline === undefined) return broken(problems, fingerprint);
  return { file, path, fingerprint, running: before?.running, newest: pipeline, problems };
}

function gone(file: string): Problem {
  return problem("M216", `"${file}" is listed but not there: a broken link, or just removed`, "repair or remove it");
}

function notText(file: string): Problem {
  return problem("M201", `"${file}" is not UTF-8 text`, "save it as UTF-8");
}

/** What reading gave; what the disk refused becomes a problem that names the file. */
function readOrProblem<T>(read: () => T, name: string): Result<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return {
      ok: false,
      problems: [problem("M216", `"${name}" cannot be read: ${reason}`, "make it readable for this user")],
    };
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A text that differs where the values differ; for what JSON cannot print, one that stays the same. */
function print(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_, part: unknown) => (typeof part === "function" ? String(part) : part)) ?? "undefined"
    );
  } catch {
    return "unprintable";
  }
}

async function conflictsOf(files: readonly DefinitionFile[], sources: ProjectSources): Promise<readonly Problem[]> {
  const pipelines = files.flatMap(({ running }) => running ?? []);
  if (pipelines.length === 0) return [];
  const { checkTogether } = await import("../core/pipeline/together.ts");
  return checkTogether(pipelines, (pipeline) => rootOf(pipeline, sources));
}

/** The root of a pipeline: absolute, and real as far as it exists. */
function rootOf({ stateRoot }: Pipeline, sources: ProjectSources): AbsPath {
  const path = isAbsolute(stateRoot) ? resolve(stateRoot) : resolve(sources.projectFolder, stateRoot);
  const missing: string[] = [];
  for (let existing = path; ; existing = dirname(existing)) {
    const real = sources.realpath(existing);
    if (real !== undefined) return resolve(real, ...missing);
    if (dirname(existing) === existing) return path;
    missing.unshift(basename(existing));
  }
}

function projectOf(
  files: readonly DefinitionFile[],
  conflicts: readonly Problem[],
  before: readonly Problem[],
  sources: ProjectSources,
): Project {
  const pipelines = files.flatMap(({ running }) => running ?? []);
  const byRoot = Map.groupBy(pipelines, (pipeline) => rootOf(pipeline, sources));
  const problems = [...files.flatMap((file) => file.problems), ...conflicts];
  return {
    pipelines,
    roots: [...byRoot].map(([root, group]) => ({ root, pipelines: group })),
    problems,
    newProblems: newIn(problems, before),
    files,
  };
}

function newIn(problems: readonly Problem[], before: readonly Problem[]): readonly Problem[] {
  const known = keysOf(before);
  return problems.filter((one) => !known.has(JSON.stringify(one)));
}

function keysOf(problems: readonly Problem[]): Set<string> {
  return new Set(problems.map((one) => JSON.stringify(one)));
}
