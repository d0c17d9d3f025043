import { z } from "../../../core/pipeline/schema.ts";
import { truthProgram } from "../expression/program.ts";
import { findExpressionFaults } from "../expression/template.ts";
import type { BatchNodeType } from "../node-type.ts";

const dataSchema = z.strictObject({
  condition: z
    .string()
    .min(1)
    .describe(
      "A JavaScript expression: truthy runs the stage's `then`, falsy its `else`; a missing one skips the task",
    ),
});

/** `if`: runs the stage's `then` or `else`. */
export const branch: BatchNodeType = {
  typeId: "if",
  description: "Chooses between the nodes `then` and `else` of the stage by a condition",
  version: 1,
  data: dataSchema,
  dataIs: "code",
  branches: true,
  lane: "batch",
  codeFiles: () => [],
  findFaults(data) {
    const parsed = dataSchema.safeParse(data);
    return parsed.success ? findExpressionFaults(parsed.data.condition, ["condition"]) : [];
  },
  prepare(data) {
    const program = truthProgram(dataSchema.parse(data).condition);
    return (context) => ({ kind: "branch", place: context.holds(program) ? "then" : "else" });
  },
};
