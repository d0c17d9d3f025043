import { relative, resolve, sep } from "node:path";
import type { Pipeline } from "../../core/model/pipeline.ts";
import type { Problem } from "../../core/model/problem.ts";
import type { Context, Run, Screen } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { alignRows } from "../table.ts";

/** What `validate --json` prints. */
export interface ValidateReport {
  readonly version: 1;
  /** No problem of severity `error`. */
  readonly valid: boolean;
  readonly pipelines: readonly { readonly file: string; readonly name: string; readonly stages: readonly string[] }[];
  readonly problems: readonly Problem[];
}

export const run: Run<object> = async (context, args) => {
  const door = await context.world.openDoor();
  const all = await door.validateProject({ projectFolder: context.projectFolder });
  const files = new Set(args.map((file) => asProjectFile(context, file)));
  for (const file of files) {
    const isKnown =
      all.pipelines.some((one) => one.file === file) || all.problems.some((one) => one.place?.file === file);
    if (!isKnown) {
      return context.misuse(
        `"${file}" is no definition of this project`,
        "name a file directly in pipelines/, or none for all of them",
      );
    }
  }
  const report = reportOf(
    all.pipelines.filter((one) => files.size === 0 || files.has(one.file)),
    // A problem without a place is one of the whole project: it counts whatever files were asked for.
    all.problems.filter((one) => files.size === 0 || one.place === undefined || files.has(one.place.file)),
  );
  context.tell(report.problems);
  if (context.json || !context.quiet) context.show(report, validateScreen);
  return report.valid ? EXIT.done : EXIT.refused;
};

/** The name as problems and pipelines have it: relative to the project folder, with `/`. */
function asProjectFile(context: Context, file: string): string {
  return relative(context.projectFolder, resolve(context.world.cwd, file)).split(sep).join("/");
}

function reportOf(pipelines: readonly Pipeline[], problems: readonly Problem[]): ValidateReport {
  return {
    version: 1,
    valid: problems.every((one) => one.severity !== "error"),
    pipelines: pipelines.map(({ file, name, stages }) => ({ file, name, stages: stages.map((stage) => stage.id) })),
    problems,
  };
}

function validateScreen(report: ValidateReport, { style, width }: Screen): string[] {
  const rows = report.pipelines.map(({ file, stages }) => [
    { text: "ok", paint: style.good },
    file,
    { text: stages.join(" "), paint: style.dim },
  ]);
  const errors = report.problems.filter((one) => one.severity === "error").length;
  const warnings = report.problems.length - errors;
  const count = (many: number, word: string) => `${many} ${word}${many === 1 ? "" : "s"}`;
  return [
    ...alignRows(rows, "", width),
    `${count(report.pipelines.length, "pipeline")} ok, ${count(errors, "error")}, ${count(warnings, "warning")}`,
  ];
}
