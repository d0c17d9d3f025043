import type { NodeTypes } from "./check-node.ts";
import { anyNode, definitionSchema } from "./definition-schema.ts";
import { z } from "./schema.ts";

/**
 * The JSON Schema (draft 7) of a definition for editors, made from the schemas that check definitions: keys, types, ranges,
 * defaults, descriptions, and the `data` of each node type. What relates several values (variables, inputs) is not in it.
 */
export function pipelineJsonSchema(nodeTypes: NodeTypes): Readonly<Record<string, unknown>> {
  const schema = z.toJSONSchema(definitionSchema(nodeSchema(nodeTypes)), {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    reused: "ref",
  });
  return {
    ...schema,
    title: "A Millrace pipeline",
    description: "One definition of Millrace: a pipeline and its stages.",
    // Understood by the JSON language service of editors: definitions are JSON with comments.
    allowComments: true,
    allowTrailingCommas: true,
  };
}

function nodeSchema(nodeTypes: NodeTypes): z.ZodType {
  const options = [...nodeTypes.values()].map((type) => {
    const data = type.data.safeParse({}).success ? type.data.optional() : type.data;
    return z
      .strictObject({ typeId: z.literal(type.typeId).meta({ description: type.description }), data })
      .meta({ description: type.description });
  });
  const [first, ...rest] = options;
  return first === undefined ? anyNode : z.discriminatedUnion("typeId", [first, ...rest]);
}
