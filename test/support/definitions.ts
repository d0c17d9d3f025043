import { z } from "../../src/core/pipeline/schema.ts";
import type { NodeTypeInfo } from "../../src/core/pipeline/node-type.ts";
import type { Pipeline } from "../../src/core/model/pipeline.ts";
import { loadDefinition, type Loaded } from "../../src/core/pipeline/load.ts";

/** Node types as loading sees them, with the shapes of the real ones that the examples use; nothing runs. */
export const NODE_TYPES: ReadonlyMap<string, NodeTypeInfo> = new Map(
  [
    nodeType("copy", z.strictObject({})),
    nodeType("transform", z.strictObject({ expression: z.string().min(1) }), {
      findFaults: (data) => {
        const { expression } = data as { readonly expression: string };
        return expression.includes("(((")
          ? [{ path: ["expression"], message: "the expression does not parse", hint: "close it" }]
          : [];
      },
    }),
    nodeType("set", z.strictObject({ fields: z.array(z.strictObject({ name: z.string(), value: z.unknown() })) })),
    nodeType("if", z.strictObject({ condition: z.string() }), { branches: true }),
    nodeType("module", z.strictObject({ path: z.string(), params: z.record(z.string(), z.unknown()).default({}) })),
  ].map((type) => [type.typeId, type]),
);

function nodeType(typeId: string, data: z.ZodType, more: Partial<NodeTypeInfo> = {}): NodeTypeInfo {
  return {
    typeId,
    description: `The ${typeId} node.`,
    version: 1,
    data,
    dataIs: "code",
    branches: false,
    findFaults: () => [],
    ...more,
  };
}

/** What loading a definition given as a text, or as a value to be written as JSON, gives. */
export function load(definition: unknown, file = "pipelines/test.json"): Loaded {
  const text = typeof definition === "string" ? definition : JSON.stringify(definition, undefined, 2);
  return loadDefinition(text, { file, nodeTypes: NODE_TYPES });
}

/** The pipeline of a definition that must be right. */
export function loaded(definition: unknown, file?: string): Pipeline {
  const { pipeline, problems } = load(definition, file);
  if (pipeline === undefined) throw new Error(`not loaded: ${JSON.stringify(problems, undefined, 2)}`);
  return pipeline;
}
