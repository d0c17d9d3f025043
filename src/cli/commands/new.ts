import { join } from "node:path";
import { problem } from "../../core/model/problem.ts";
import type { Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { sayCreated, tryToWrite, writeNewFiles } from "../new-files.ts";
import { inputFolderOf, nodeFiles, pipelineFiles, type PipelineTemplate } from "../templates.ts";

/** Names that are also safe as file names, folder names and words of a command line. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** Nothing is written unless every file of the new thing is new: half a pipeline would be worse than none. */
export const run: Run<{ readonly template?: PipelineTemplate }> = async (
  context,
  [kind = "", name = ""],
  { template },
) => {
  if (kind !== "pipeline" && kind !== "node") {
    return context.misuse(`a "${kind}" cannot be made`, "write pipeline or node");
  }
  if (kind === "node" && template !== undefined) {
    return context.misuse('"--template" belongs to "new pipeline"', `write "millrace new node ${name}"`);
  }
  if (!NAME.test(name)) {
    return context.misuse(`"${name}" is no name for a ${kind}`, "use lower-case letters, digits, - and _, at most 64");
  }
  const wanted = kind === "node" ? nodeFiles(name) : pipelineFiles(name, template ?? "transform");
  const { files } = context.world;
  const taken = wanted.filter(({ path }) => files.exists(join(context.projectFolder, path)));
  if (taken.length > 0) {
    return context.refuse(
      taken.map(({ path }) =>
        problem("M101", `"${path}" is there already; nothing was written`, "choose another name"),
      ),
    );
  }
  const inputFolder = inputFolderOf(name);
  const written = tryToWrite(() => {
    const report = writeNewFiles(files, context.projectFolder, wanted);
    if (kind === "node") return report;
    files.makeFolders(join(context.projectFolder, inputFolder));
    return { ...report, created: [...report.created, `${inputFolder}/`] };
  });
  if (!written.ok) return context.refuse(written.problems);
  const next = [`echo "hello world" > ${inputFolder}/001.txt`, "millrace run"];
  sayCreated(context, written.value, kind === "node" ? [] : next);
  return EXIT.done;
};
