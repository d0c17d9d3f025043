import { join } from "node:path";
import { problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Context } from "./context.ts";
import type { NewFile } from "./templates.ts";
import type { ProjectFiles } from "./world.ts";

/** What `init --json` and `new --json` print. Paths are relative to the project folder. */
export interface CreatedReport {
  readonly version: 1;
  readonly created: readonly string[];
  /** What was there and stays as it is. */
  readonly left: readonly { readonly path: string; readonly why: string }[];
}

/** Writes the files that are not there; never touches one that is. Throws Node's error when the disk refuses. */
export function writeNewFiles(files: ProjectFiles, folder: AbsPath, wanted: readonly NewFile[]): CreatedReport {
  const created: string[] = [];
  const left: { path: string; why: string }[] = [];
  for (const { path, text } of wanted) {
    const target = join(folder, path);
    if (files.exists(target)) left.push({ path, why: "it is there already" });
    else {
      files.create(target, text);
      created.push(path);
    }
  }
  return { version: 1, created, left };
}

/** The result of writing, or M102 with what the disk said. */
export function tryToWrite<T>(write: () => T): Result<T> {
  try {
    return ok(write());
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    return fail(
      problem(
        "M102",
        `the disk refused a file: ${error.message}`,
        "check the folder's permissions and free space, or name another folder",
      ),
    );
  }
}

/** Says what was written and what was left alone, then what to do next. */
export function sayCreated(context: Context, report: CreatedReport, next: readonly string[]): void {
  if (context.quiet && !context.json) return;
  context.show(report, ({ created, left }, { style }) => [
    ...created.map((path) => `${style.good("created")}  ${path}`),
    ...left.map(({ path, why }) => `${style.warn("left")}     ${path}  ${style.dim(why)}`),
    ...(next.length === 0 ? [] : ["", "next:", ...next.map((line) => `  ${line}`)]),
  ]);
}
