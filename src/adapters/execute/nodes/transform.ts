import { z } from "../../../core/pipeline/schema.ts";
import { expressionProgram } from "../expression/program.ts";
import { findExpressionFaults } from "../expression/template.ts";
import type { BatchNodeType } from "../node-type.ts";

const dataSchema = z.strictObject({
  expression: z
    .string()
    .min(1)
    .describe("A JavaScript expression whose value is the result; `$` has the entity and every stage before this one"),
});

/** `transform`: the value of one expression. */
export const transform: BatchNodeType = {
  typeId: "transform",
  description: "Makes the output with a JavaScript expression",
  version: 1,
  data: dataSchema,
  dataIs: "code",
  branches: false,
  lane: "batch",
  codeFiles: () => [],
  findFaults(data) {
    const parsed = dataSchema.safeParse(data);
    return parsed.success ? findExpressionFaults(parsed.data.expression, ["expression"]) : [];
  },
  prepare(data) {
    const program = expressionProgram(dataSchema.parse(data).expression);
    return (context) => context.make(program);
  },
};
