import { join, resolve } from "node:path";
import type { Context, Run } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { sayCreated, tryToWrite, writeNewFiles, type CreatedReport } from "../new-files.ts";
import { safe } from "../safe-text.ts";
import { GITIGNORE_LINES, INIT_FILES, INPUT_FOLDER } from "../templates.ts";

export const run: Run<object> = async (context, [dir = "."]) => {
  const folder = resolve(context.projectFolder, dir);
  const written = tryToWrite(() => writeProject(context, folder));
  if (!written.ok) return context.refuse(written.problems);
  sayCreated(context, written.value, [
    ...(dir === "." ? [] : [`cd ${safe(dir)}`]),
    "millrace start",
    `echo "hello world" > ${INPUT_FOLDER}/001.txt    # in another terminal`,
  ]);
  return EXIT.done;
};

function writeProject(context: Context, folder: string): CreatedReport {
  const { files } = context.world;
  const report = writeNewFiles(files, folder, INIT_FILES);
  const created = [...report.created];
  const left = [...report.left];
  const inputFolder = join(folder, INPUT_FOLDER);
  if (files.exists(inputFolder)) left.push({ path: `${INPUT_FOLDER}/`, why: "it is there already" });
  else {
    files.makeFolders(inputFolder);
    created.push(`${INPUT_FOLDER}/`);
  }
  const ignoreFile = join(folder, ".gitignore");
  const ignored = files.read(ignoreFile);
  if (ignored === undefined) files.create(ignoreFile, `${GITIGNORE_LINES.join("\n")}\n`);
  else if (ignored.split(/\r?\n/).includes(GITIGNORE_LINES.at(-1) ?? "")) {
    left.push({ path: ".gitignore", why: "it has the lines already" });
    return { version: 1, created, left };
  } else
    files.append(ignoreFile, `${ignored === "" || ignored.endsWith("\n") ? "" : "\n"}${GITIGNORE_LINES.join("\n")}\n`);
  created.push(ignored === undefined ? ".gitignore" : ".gitignore (lines added)");
  return { version: 1, created, left };
}
