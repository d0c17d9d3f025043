import { z } from "../../../core/pipeline/schema.ts";
import { InternalError } from "../../../core/model/problems.ts";
import type { BatchNodeType } from "../node-type.ts";

/** `copy`: the first input as it is, a file or a folder; what a stage without a node does. */
export const copy: BatchNodeType = {
  typeId: "copy",
  description: "Copies the input, a file or a folder, as it is",
  version: 1,
  data: z.strictObject({}),
  dataIs: "code",
  branches: false,
  lane: "batch",
  codeFiles: () => [],
  findFaults: () => [],
  prepare: () => (context) => {
    const item = context.request.inputs[0]?.items[0];
    if (item === undefined) throw new InternalError(`${context.request.taskKey} has no input to copy`);
    return { kind: "copy", path: item.path };
  },
};
