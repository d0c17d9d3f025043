import { existsSync, mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "../../../core/pipeline/schema.ts";
import { InternalError } from "../../../core/model/problems.ts";
import type { AbsPath } from "../../../core/model/words.ts";
import { stopBundler } from "../code/bundle.ts";
import { compileModule } from "../code/compiled.ts";
import { ModulePool, type ModulePoolOptions } from "../module/pool.ts";
import type { ReadySet, SingleContext, SingleNodeType, SingleResult } from "../node-type.ts";

const DATA = z.strictObject({
  path: z.string().min(1).describe("The module, TypeScript or JavaScript, relative to the pipelines folder."),
  export: z.string().min(1).optional().describe("The exported function (the default export)."),
  params: z.record(z.string(), z.unknown()).optional().describe("Handed to the function as it is."),
});
type Data = z.infer<typeof DATA>;

/** The node type that runs a user's own function, in a process of its own. */
export function createModuleNode(options: ModulePoolOptions): SingleNodeType {
  const pool = new ModulePool(options);
  return {
    typeId: "module",
    lane: "single",
    description: "Runs a function of your own, written in TypeScript or JavaScript",
    version: 1,
    data: DATA,
    dataIs: "params",
    branches: false,
    findFaults: () => [],
    codeFiles: () => [],
    moduleOf: (data) => {
      const { path, export: exportName = "default", params } = data as Data;
      return { path, exportName, params };
    },
    run: (context) => runModule(context, pool),
    close: async () => {
      await pool.close();
      await stopBundler();
    },
  };
}

async function runModule(context: SingleContext, pool: ModulePool): Promise<SingleResult> {
  const { request, modulePath, signal } = context;
  if (modulePath === undefined) throw new InternalError(`the module of ${request.taskKey} was not compiled`);
  const data = context.node.data as Data;
  if (!existsSync(modulePath) && !(await compileAgain(modulePath, data, request.work.pipelinesFolder))) {
    const error = `the compiled form of "${data.path}" is gone from the cache, and its sources give another one now`;
    return { kind: "failed", category: "node", error };
  }
  const isFolder = request.output.path.endsWith("/");
  if (isFolder) mkdirSync(request.output.staged, { recursive: true });
  const reply = await pool.run(
    {
      module: modulePath,
      exportName: data.export ?? "default",
      projectFolder: dirname(request.work.pipelinesFolder),
      entity: request.entity,
      inputs: context.inputs.map(toHostInput),
      params: data.params,
      attempt: request.attempt,
      idempotencyKey: request.idempotencyKey,
      output: { path: request.output.staged, isFolder },
    },
    { signal, log: (text) => context.log(text) },
  );
  return reply.kind === "done" ? context.stage(undefined) : reply;
}

/** The cache may be deleted while we run: the same sources give the same file. */
async function compileAgain(modulePath: AbsPath, data: Data, pipelinesFolder: AbsPath): Promise<boolean> {
  const entry = resolve(pipelinesFolder, data.path);
  const compiled = await compileModule({ entry, pipelinesFolder, cacheFolder: dirname(modulePath) });
  return compiled.ok && compiled.value.path === modulePath;
}

function toHostInput({ name, list, items }: ReadySet): Parameters<ModulePool["run"]>[0]["inputs"][number] {
  return {
    name,
    list,
    items: items.map(({ id, vars, path, absolutePath, hash, size }) => ({
      id,
      vars,
      path: absolutePath,
      relPath: path,
      hash,
      size,
    })),
  };
}
