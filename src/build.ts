/**
 * Builds `dist/`: one file for each entry and what they share in chunks, the types of the library, the JSON Schema of
 * definitions. Files that come out as they are stay untouched, so a daemon that runs from `dist/` is not disturbed.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { createNodeTypes } from "./adapters/execute/nodes/registry.ts";
import { pipelineJsonSchema } from "./core/pipeline/json-schema.ts";

const project = fileURLToPath(new URL("..", import.meta.url));
const dist = join(project, "dist");

/** Name in `dist/` to source. Workers are found by the code that starts them beside itself. */
const ENTRIES: Readonly<Record<string, string>> = {
  millrace: "src/cli/main.ts",
  index: "src/index.ts",
  "batch-worker": "src/engine/batch-worker.ts",
  "lstat-worker": "src/adapters/scan/lstat-worker.ts",
  host: "src/adapters/execute/module/host.ts",
};

// Packages are bundled: a command that reads state starts in two thirds of the time. These two bring files of their own.
const EXTERNAL = ["esbuild", "@jitl/quickjs-wasmfile-release-sync"];

// Bundled CommonJS packages ask for Node's own modules by `require`.
const BANNER =
  'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);';

const { outputFiles } = await build({
  absWorkingDir: project,
  entryPoints: ENTRIES,
  outdir: dist,
  write: false,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node24",
  // Some packages offer a build for browsers' loaders as `main`, which cannot be bundled.
  mainFields: ["module", "main"],
  external: EXTERNAL,
  chunkNames: "chunk-[hash]",
  banner: { js: BANNER },
});

// Only their shapes are asked for: no process is started, so no host is needed.
const nodeTypes = createNodeTypes(new URL("host.js", import.meta.url));
const schema = `${JSON.stringify(pipelineJsonSchema(nodeTypes), null, 2)}\n`;
const outputs = new Map([
  ...outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)] as const),
  ["pipeline.schema.json", Buffer.from(schema)] as const,
]);

mkdirSync(dist, { recursive: true });
for (const [name, bytes] of outputs) {
  const path = join(dist, name);
  if (!existsSync(path) || !readFileSync(path).equals(bytes)) writeFileSync(path, bytes);
}
chmodSync(join(dist, "millrace.js"), 0o755);
linkBin();
for (const name of readdirSync(dist)) if (name !== "types" && !outputs.has(name)) rmSync(join(dist, name));

const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], {
  cwd: project,
  stdio: "inherit",
  env: { ...process.env, PATH: `${join(project, "node_modules/.bin")}${delimiter}${process.env["PATH"]}` },
});
process.exitCode = status ?? 1;

/** In a checkout `npx millrace` is the command just built, found where npm puts the commands of packages. */
function linkBin(): void {
  const bins = join(project, "node_modules/.bin");
  if (!existsSync(bins)) return;
  rmSync(join(bins, "millrace"), { force: true });
  symlinkSync("../../dist/millrace.js", join(bins, "millrace"));
}
