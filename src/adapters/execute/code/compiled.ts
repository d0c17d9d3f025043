/** Compiled modules and what is remembered about them in `.millrace/cache`. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { hashBytes, loadHasher } from "../../../core/hash/hash.ts";
import { problem, type Place } from "../../../core/model/problem.ts";
import { fail, ok, type Result } from "../../../core/model/result.ts";
import type { AbsPath, CodeHash, ContentHash } from "../../../core/model/words.ts";
import { bundleModule, type Bundle } from "./bundle.ts";

/** A module that is ready to run. */
export interface CompiledModule {
  /** 16 hex digits: changes with what the code means, not with comments, formatting or the place of the project. */
  readonly codeHash: CodeHash;
  /** The file that runs. */
  readonly path: AbsPath;
  readonly exports: readonly string[];
  /** `exports` may lack names. */
  readonly openExports: boolean;
  /** Imported package to its versions, sorted, joined by a space. */
  readonly packages: Readonly<Record<string, string>>;
  /** Every file it was made from, absolute. */
  readonly files: readonly AbsPath[];
}

/** A module to compile. */
export interface CompileRequest {
  readonly entry: AbsPath;
  readonly pipelinesFolder: AbsPath;
  readonly cacheFolder: AbsPath;
  /** Where the definition names the module. */
  readonly place?: Place;
}

/**
 * `.millrace/cache/<XXH64 of the module's path>.module.json`: what was compiled from which bytes; JSON, 2 spaces, final newline.
 * While every file of `files` has its recorded hash, `codeHash` stays valid, whatever a newer bundler would make of the sources.
 * Beside it lies `compiled`, named by the hash of its content. Paths are relative to the pipelines folder, with `/`.
 * Version 1; a record of another version, or a damaged one, counts as none. Everything here may be deleted.
 */
interface ModuleRecord {
  readonly version: 1;
  readonly entry: string;
  readonly codeHash: CodeHash;
  readonly exports: readonly string[];
  readonly openExports: boolean;
  readonly packages: Readonly<Record<string, string>>;
  /** Path to XXH64 of the bytes. */
  readonly files: Readonly<Record<string, ContentHash>>;
  /** File name of the compiled module, beside this record. */
  readonly compiled: string;
  /** The absolute pipelines folder it was compiled for: it contains absolute URLs. */
  readonly compiledFor: AbsPath;
}

/**
 * The compiled module; problems M310 (no such file), M311, M313 (its code) and M316 (the cache cannot be written).
 * Calls for one module wait for each other, so the work is done once and each answer is as new as its call.
 */
export function compileModule(request: CompileRequest): Promise<Result<CompiledModule>> {
  const key = `${request.cacheFolder}\n${request.entry}`;
  const before = running.get(key) ?? Promise.resolve();
  const mine = before.then(() => compile(request));
  const settled = mine.then(
    () => undefined,
    () => undefined,
  );
  running.set(key, settled);
  void settled.then(() => {
    if (running.get(key) === settled) running.delete(key);
  });
  return mine;
}

const running = new Map<string, Promise<void>>();
/** Records of this process by their file, to spare reading them again. */
const known = new Map<AbsPath, ModuleRecord>();

async function compile(request: CompileRequest): Promise<Result<CompiledModule>> {
  await loadHasher();
  const { entry, pipelinesFolder, cacheFolder } = request;
  const name = toRelative(pipelinesFolder, entry);
  if (!existsSync(entry)) {
    return fail(
      problem(
        "M310",
        `node file "${name}" does not exist`,
        "create it, or correct the path; it is relative to the pipelines folder",
        {
          place: request.place,
        },
      ),
    );
  }
  const recordFile = join(cacheFolder, `${hashBytes(name)}.module.json`);
  const record = known.get(recordFile) ?? readRecord(recordFile);
  const valid = record?.entry === name && filesAreEqual(record, pipelinesFolder) ? record : undefined;
  if (valid?.compiledFor === pipelinesFolder && existsSync(join(cacheFolder, valid.compiled))) {
    known.set(recordFile, valid);
    return ok(asModule(valid, request));
  }
  const bundled = await bundleModule({ entry, projectFolder: dirname(pipelinesFolder), outFolder: cacheFolder });
  if (!bundled.ok) return bundled;
  const made = recordOf(name, bundled.value, pipelinesFolder, valid?.codeHash);
  try {
    mkdirSync(cacheFolder, { recursive: true });
    writeWhole(join(cacheFolder, made.compiled), bundled.value.runnable);
    writeWhole(recordFile, `${JSON.stringify(made, undefined, 2)}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fail(
      problem("M316", `the compiled form of "${name}" cannot be written: ${reason}`, `make "${cacheFolder}" writable`),
    );
  }
  known.set(recordFile, made);
  return ok(asModule(made, request));
}

function recordOf(entry: string, bundle: Bundle, base: AbsPath, codeHash: CodeHash | undefined): ModuleRecord {
  return {
    version: 1,
    entry,
    codeHash: codeHash ?? hashBytes(bundle.minified),
    exports: bundle.exports,
    openExports: bundle.openExports,
    packages: Object.fromEntries([...bundle.packages].map(([name, versions]) => [name, versions.join(" ")])),
    files: Object.fromEntries([...bundle.files].map(([path, hash]) => [toRelative(base, path), hash])),
    compiled: `${hashBytes(bundle.runnable)}.mjs`,
    compiledFor: base,
  };
}

function asModule(record: ModuleRecord, { pipelinesFolder, cacheFolder }: CompileRequest): CompiledModule {
  const { codeHash, exports, openExports, packages } = record;
  const files = Object.keys(record.files).map((path) => resolve(pipelinesFolder, path));
  return { codeHash, exports, openExports, packages, files, path: join(cacheFolder, record.compiled) };
}

function readRecord(file: AbsPath): ModuleRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(file, "utf8")) as Partial<ModuleRecord> | null;
    return record?.version === 1 ? (record as ModuleRecord) : undefined;
  } catch {
    // Absent or damaged: the module is compiled again, which gives the same hash with the same bundler.
    return undefined;
  }
}

function filesAreEqual(record: ModuleRecord, base: AbsPath): boolean {
  return Object.entries(record.files).every(([path, hash]) => {
    try {
      return hashBytes(readFileSync(resolve(base, path))) === hash;
    } catch {
      // Gone or unreadable: bundling says what is wrong with it.
      return false;
    }
  });
}

let writes = 0;

/** Two processes may write the same name at once: each renames its own whole file over it. */
function writeWhole(path: AbsPath, text: string): void {
  const staged = `${path}.${process.pid}-${++writes}.tmp`;
  writeFileSync(staged, text);
  renameSync(staged, path);
}

function toRelative(base: AbsPath, path: AbsPath): string {
  return relative(base, path).split(sep).join("/");
}
