/** Loading pipeline definitions that are modules. */
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { problem } from "../../../core/model/problem.ts";
import { fail, ok, type Result } from "../../../core/model/result.ts";
import type { AbsPath } from "../../../core/model/words.ts";
import { compileModule } from "./compiled.ts";

/**
 * The default export of a TypeScript or JavaScript definition directly in the pipelines folder, as it is on disk now.
 * Problems: M310, M311, M313, M316 as `compileModule`; M312 without a default export; M317 when it throws while it is loaded.
 */
export async function importDefinition(path: AbsPath, cacheFolder: AbsPath): Promise<Result<unknown>> {
  const compiled = await compileModule({ entry: path, pipelinesFolder: dirname(path), cacheFolder });
  if (!compiled.ok) return compiled;
  try {
    // The file's name is the hash of its content, so an edit is another module to Node.
    const loaded = (await import(pathToFileURL(compiled.value.path).href)) as Readonly<Record<string, unknown>>;
    if ("default" in loaded) return ok(loaded["default"]);
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return fail(
      problem("M317", `"${path}" failed while it was loaded: ${reason}`, "correct the code at its top level"),
    );
  }
  return fail(problem("M312", `"${path}" has no default export`, "write: export default definePipeline({ ... })"));
}
