/** Bundling a user's module with its local imports. The only file that knows esbuild; it is loaded when first needed. */
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildFailure, BuildOptions, Loader, Message, OnLoadResult, OnResolveResult, Plugin } from "esbuild";
import { hashBytes } from "../../../core/hash/hash.ts";
import { problem, type Place, type Problem } from "../../../core/model/problem.ts";
import { fail, ok, type Result } from "../../../core/model/result.ts";
import type { AbsPath, ContentHash } from "../../../core/model/words.ts";

/** A module and everything local it imports, in the two forms that are needed. */
export interface Bundle {
  /** Minified, without any path of this machine: what the code hash is made of. */
  readonly minified: string;
  /** What runs: packages by file URL, an inline source map, `import.meta` of each source file kept. */
  readonly runnable: string;
  /** Names the module exports. */
  readonly exports: readonly string[];
  /** It re-exports everything of some package, so `exports` may lack names. */
  readonly openExports: boolean;
  /** Every file that was read, the `package.json` of imported packages included, to the hash of its bytes. */
  readonly files: ReadonlyMap<AbsPath, ContentHash>;
  /** Imported package to its versions, sorted (usually one). */
  readonly packages: ReadonlyMap<string, readonly string[]>;
}

/** A module to bundle. */
export interface BundleRequest {
  readonly entry: AbsPath;
  /** Messages and the source map name files relative to it. */
  readonly projectFolder: AbsPath;
  /** Where the runnable form will be kept, for the paths of its source map. */
  readonly outFolder: AbsPath;
}

const LOADERS_BY_EXTENSION: readonly (readonly [Loader, string])[] = [
  ["ts", ".ts .mts .cts"],
  ["tsx", ".tsx"],
  ["js", ".js .mjs .cjs"],
  ["jsx", ".jsx"],
  ["json", ".json"],
  ["text", ".txt .md .html .css .csv .tsv .xml .svg .sql .yaml .yml .toml .graphql"],
];
const LOADERS: ReadonlyMap<string, Loader> = new Map(
  LOADERS_BY_EXTENSION.flatMap(([loader, extensions]) => extensions.split(" ").map((one) => [one, loader] as const)),
);

const SHAPE = {
  format: "esm",
  platform: "node",
  target: "node24",
  charset: "utf8",
  legalComments: "none",
} as const satisfies BuildOptions;

// Identity functions that only add types: a node that imports them must not depend on Millrace's version.
const TYPING_PACKAGE = "millrace";
const TYPING_MODULE =
  "export const defineNode = (node) => node;\nexport const definePipeline = (pipeline) => pipeline;\n";

/**
 * The bundle of a module; problems M310, M311 and M313, each at its place in the code.
 * Local imports (relative ones, and packages that are links to folders outside `node_modules`) are bundled; other packages stay outside.
 */
export async function bundleModule(request: BundleRequest): Promise<Result<Bundle>> {
  bundling++;
  clearTimeout(idleTimer);
  try {
    return await bundle(request);
  } finally {
    bundling--;
    idleTimer = setTimeout(() => void stopBundler(), IDLE_MS).unref();
  }
}

async function bundle(request: BundleRequest): Promise<Result<Bundle>> {
  const first = await tryBundle(request, true);
  // The module wants more of Millrace than its typing functions: then it is a package like any other.
  if (first.problems?.some((p) => p.message.includes(`"${TYPING_PACKAGE}-typing:`))) {
    return asResult(await tryBundle(request, false));
  }
  return asResult(first);
}

/** Ends esbuild's service process, unless somebody is bundling; the next bundle starts another one. */
export async function stopBundler(): Promise<void> {
  if (bundling > 0 || loadedEsbuild === undefined) return;
  clearTimeout(idleTimer);
  await (await loadedEsbuild).stop();
}

const IDLE_MS = 10_000;
let loadedEsbuild: Promise<typeof import("esbuild")> | undefined;
let bundling = 0;
let idleTimer: NodeJS.Timeout | undefined;

interface Attempt {
  readonly bundle?: Bundle;
  readonly problems?: readonly Problem[];
}
function asResult({ bundle, problems }: Attempt): Result<Bundle> {
  return bundle === undefined ? fail(...(problems ?? [])) : ok(bundle);
}

/** What both builds of one module share, so that they see the same bytes. */
class Sources {
  readonly files: Map<AbsPath, ContentHash> = new Map();
  readonly packages: Map<string, Set<string>> = new Map();
  readonly #contents = new Map<AbsPath, Uint8Array>();

  read(path: AbsPath): Uint8Array {
    let bytes = this.#contents.get(path);
    if (bytes === undefined) {
      bytes = readFileSync(path);
      this.#contents.set(path, bytes);
      this.files.set(path, hashBytes(bytes));
    }
    return bytes;
  }

  /** Notes the package that a resolved path below `node_modules` belongs to. */
  notePackage(path: AbsPath): void {
    const marker = `${sep}node_modules${sep}`;
    const start = path.lastIndexOf(marker) + marker.length;
    const parts = path.slice(start).split(sep);
    const name = parts.slice(0, parts[0]?.startsWith("@") ? 2 : 1);
    const manifest = join(path.slice(0, start), ...name, "package.json");
    const { version } = JSON.parse(Buffer.from(this.read(manifest)).toString()) as { readonly version?: string };
    const key = name.join("/");
    this.packages.set(key, (this.packages.get(key) ?? new Set()).add(version ?? ""));
  }
}

async function tryBundle(request: BundleRequest, typingOnly: boolean): Promise<Attempt> {
  loadedEsbuild ??= import("esbuild");
  const esbuild = await loadedEsbuild;
  const sources = new Sources();
  const common: BuildOptions = {
    entryPoints: [request.entry],
    outfile: join(request.outFolder, "module.mjs"),
    absWorkingDir: request.projectFolder,
    bundle: true,
    write: false,
    ...SHAPE,
    conditions: [],
    mainFields: ["main"],
    logLevel: "silent",
    define: Object.fromEntries(META_NAMES.map((name) => [`import.meta.${name}`, metaIdentifier(name)])),
  };
  try {
    const hashed = await esbuild.build({
      ...common,
      minifySyntax: true,
      minifyWhitespace: true,
      metafile: true,
      plugins: [localImports(request, sources, { typingOnly, forHash: true })],
    });
    const running = await esbuild.build({
      ...common,
      sourcemap: "inline",
      sourcesContent: false,
      banner: {
        js: 'import { createRequire as $millraceRequire } from "node:module";\nconst require = $millraceRequire(import.meta.url);',
      },
      plugins: [localImports(request, sources, { typingOnly, forHash: false })],
    });
    noteTypeScriptOptions(request.entry, sources);
    // Names are shortened in a second step: esbuild chooses them by the letters it has read, and these must not be those of types.
    const plain = hashed.outputFiles?.[0]?.text ?? "";
    const { code: minified } = await esbuild.transform(plain, { ...SHAPE, minify: true, logLevel: "silent" });
    return {
      bundle: {
        minified,
        runnable: running.outputFiles?.[0]?.text ?? "",
        exports: Object.values(hashed.metafile?.outputs ?? {})[0]?.exports ?? [],
        openExports: /\bexport\s*\*\s*from/.test(minified),
        files: sources.files,
        packages: new Map(
          [...sources.packages].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, set]) => [name, [...set].sort()]),
        ),
      },
    };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    return { problems: error.errors.map(toProblem) };
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors);
}

const META_NAMES = ["url", "dirname", "filename", "resolve"] as const;
function metaIdentifier(name: string): string {
  return `$millrace_meta_${name}`;
}

interface Mode {
  /** `millrace` is replaced by its typing functions. */
  readonly typingOnly: boolean;
  /** Nothing of this machine may show. */
  readonly forHash: boolean;
}

function localImports(request: BundleRequest, sources: Sources, mode: Mode): Plugin {
  return {
    name: "local-imports",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async (args): Promise<OnResolveResult | undefined> => {
        if (args.pluginData === "resolving" || args.kind === "entry-point" || /^(data|https?):/.test(args.path))
          return undefined;
        if (args.path.startsWith("millrace-meta:")) return { path: args.importer, namespace: "millrace-meta" };
        if (isBuiltin(args.path)) {
          return {
            path: args.path.startsWith("node:") ? args.path : `node:${args.path}`,
            external: true,
            sideEffects: false,
          };
        }
        if (mode.typingOnly && args.path === TYPING_PACKAGE) {
          return { path: TYPING_PACKAGE, namespace: `${TYPING_PACKAGE}-typing` };
        }
        const { kind, importer, resolveDir } = args;
        const found = await build.resolve(args.path, { kind, importer, resolveDir, pluginData: "resolving" });
        if (found.errors.length > 0)
          return { errors: [{ text: `package "${args.path}" cannot be resolved`, detail: "package" }] };
        if (found.external) return { path: found.path, external: true };
        const isPackage = found.path.includes(`${sep}node_modules${sep}`) || args.path === TYPING_PACKAGE;
        if (!isPackage) return { path: found.path };
        if (found.path.includes(`${sep}node_modules${sep}`)) sources.notePackage(found.path);
        return { path: mode.forHash ? args.path : outsidePath(found.path, kind), external: true };
      });
      build.onLoad({ filter: /.*/, namespace: `${TYPING_PACKAGE}-typing` }, () => ({
        contents: TYPING_MODULE,
        loader: "js",
      }));
      build.onLoad({ filter: /.*/, namespace: "millrace-meta" }, (args) => ({
        contents: metaModule(args.path, mode.forHash ? relative(request.projectFolder, args.path) : undefined),
        loader: "js",
      }));
      build.onLoad({ filter: /.*/, namespace: "file" }, (args) =>
        loadFile(args.path, args.with["type"], sources, mode, request),
      );
    },
  };
}

/** `require` takes a path, `import` a URL. */
function outsidePath(path: AbsPath, kind: string): string {
  return kind === "require-call" || kind === "require-resolve" ? path : pathToFileURL(path).href;
}

function loadFile(
  path: AbsPath,
  type: string | undefined,
  sources: Sources,
  mode: Mode,
  request: BundleRequest,
): OnLoadResult | undefined {
  const loader = type === "text" ? "text" : type === "bytes" ? "binary" : LOADERS.get(extname(path).toLowerCase());
  if (loader === undefined) return undefined;
  let contents: string | Uint8Array = sources.read(path);
  if (loader === "ts" || loader === "tsx" || loader === "js" || loader === "jsx") {
    contents = withOwnLocation(path, Buffer.from(contents).toString(), mode, request);
  }
  return { contents, loader, resolveDir: dirname(path) };
}

/**
 * The text of a source file in which `import.meta` (or `__dirname` of a CommonJS file) means that file.
 * An import is hoisted, so it can stand at the end, where it moves no line and no column.
 */
function withOwnLocation(path: AbsPath, text: string, mode: Mode, request: BundleRequest): string {
  if (/\.c[jt]s$/.test(path)) {
    if (!/\b__(dirname|filename)\b/.test(text)) return text;
    const shown = mode.forHash ? relative(request.projectFolder, path) : path;
    const own = `var __filename=${JSON.stringify(shown)},__dirname=${JSON.stringify(dirname(shown))};`;
    return text.replace(/^(#!.*\n)?/, (hashbang) => hashbang + own);
  }
  const used = META_NAMES.filter((name) => new RegExp(`\\bimport\\s*\\.\\s*meta\\s*\\.\\s*${name}\\b`).test(text));
  if (used.length === 0) return text;
  return `${text}\nimport { ${used.map((name) => `${name} as ${metaIdentifier(name)}`).join(", ")} } from "millrace-meta:";\n`;
}

function metaModule(path: AbsPath, placeholder: string | undefined): string {
  const url = placeholder === undefined ? pathToFileURL(path).href : `millrace-meta:${placeholder}`;
  return [
    'import { createRequire } from "node:module";',
    'import { pathToFileURL } from "node:url";',
    `export const url = ${JSON.stringify(url)};`,
    `export const filename = ${JSON.stringify(placeholder ?? path)};`,
    `export const dirname = ${JSON.stringify(dirname(placeholder ?? path))};`,
    "export const resolve = (name) => /^[./]|^file:/.test(name) ? new URL(name, url).href : pathToFileURL(createRequire(url).resolve(name)).href;",
  ].join("\n");
}

/** The nearest tsconfig.json above the module takes part in compiling it, so it counts among the files. */
function noteTypeScriptOptions(entry: AbsPath, sources: Sources): void {
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    try {
      sources.read(join(folder, "tsconfig.json"));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    if (folder === dirname(folder)) return;
  }
}

function toProblem(message: Message): Problem {
  const isPackage = message.detail === "package";
  const place = placeOf(message);
  return problem(isPackage ? "M313" : "M311", message.text, hintFor(message), {
    place,
    notes: message.notes
      .map((note) => note.text)
      .filter((text) => text !== "" && !text.startsWith("You can mark the path")),
  });
}

function hintFor(message: Message): string {
  if (message.detail === "package") return "install it in the project (npm install), or correct its name";
  if (message.text.startsWith("Could not resolve")) return "correct the path of the import, or create the file";
  const extension = /No loader is configured for "(.*)" files/.exec(message.text)?.[1];
  if (extension !== undefined) return `import it with { type: "text" } or { type: "bytes" }, or read it with node:fs`;
  return "correct the code; the last version that compiled stays in use";
}

/** esbuild counts columns from 0 and in UTF-8 bytes. */
function placeOf({ location }: Message): Place | undefined {
  if (location === null) return undefined;
  const line = Buffer.from(location.lineText);
  const units = (from: number, to: number): number => line.subarray(from, to).toString().length;
  return {
    file: location.file.split(sep).join("/"),
    line: location.line,
    column: units(0, location.column) + 1,
    length: Math.max(1, units(location.column, location.column + location.length)),
    pointer: "",
    excerpt: location.lineText,
  };
}
