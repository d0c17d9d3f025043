import { z } from "../../../core/pipeline/schema.ts";
import { recordProgram } from "../expression/program.ts";
import { findTemplateFaults } from "../expression/template.ts";
import type { DataFault } from "../../../core/pipeline/node-type.ts";
import type { BatchNodeType } from "../node-type.ts";

const fieldSchema = z.strictObject({
  name: z.string().min(1).describe("The field's name in the resulting object"),
  value: z
    .json()
    .describe(
      "Any JSON value; {{expressions}} in its strings are replaced, and a string that is exactly one keeps its type",
    ),
});
const dataSchema = z.strictObject({
  fields: z.array(fieldSchema).min(1).describe("The fields of the resulting object, in the order they are written"),
});

/** `set`: a JSON object made field by field. */
export const set: BatchNodeType = {
  typeId: "set",
  description: "Makes a JSON object from fields",
  version: 1,
  data: dataSchema,
  dataIs: "code",
  branches: false,
  lane: "batch",
  codeFiles: () => [],
  findFaults(data) {
    const parsed = dataSchema.safeParse(data);
    if (!parsed.success) return [];
    const { fields } = parsed.data;
    const faults = fields.flatMap(({ value }, index) => findTemplateFaults(value, ["fields", index, "value"]));
    return [...faults, ...findRepeatedNames(fields.map(({ name }) => name))];
  },
  prepare(data) {
    const program = recordProgram(dataSchema.parse(data).fields);
    return (context) => context.make(program);
  },
};

function findRepeatedNames(names: readonly string[]): readonly DataFault[] {
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [
          {
            path: ["fields", index, "name"],
            message: `field "${name}" is set twice`,
            hint: "remove one of the two, or give it another name",
          },
        ],
  );
}
