import { z } from "../../../core/pipeline/schema.ts";
import { valueProgram } from "../expression/program.ts";
import { findTemplateFaults } from "../expression/template.ts";
import type { BatchNodeType } from "../node-type.ts";

const dataSchema = z.union([
  z.strictObject({
    template: z.string().describe("Text in which every {{expression}} is replaced by its value"),
  }),
  z.strictObject({
    file: z
      .string()
      .min(1)
      .describe("A text file with {{expressions}}, relative to the pipelines folder; it counts as code"),
  }),
]);

/** `template`: a text with expressions in it, written in the definition or in a file beside it. */
export const template: BatchNodeType = {
  typeId: "template",
  description: "Makes text from a template with {{expressions}}",
  version: 1,
  data: dataSchema,
  dataIs: "code",
  branches: false,
  lane: "batch",
  codeFiles(data) {
    const parsed = dataSchema.parse(data);
    return "file" in parsed ? [parsed.file] : [];
  },
  findFaults(data) {
    const parsed = dataSchema.safeParse(data);
    return parsed.success && "template" in parsed.data ? findTemplateFaults(parsed.data.template, ["template"]) : [];
  },
  prepare(data, codeFile) {
    const parsed = dataSchema.parse(data);
    const program = valueProgram("file" in parsed ? codeFile(parsed.file) : parsed.template);
    return (context) => context.make(program);
  },
};
