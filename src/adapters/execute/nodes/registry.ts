import type { NodeType } from "../node-type.ts";
import { ProcessTrees } from "../process/trees.ts";
import { http } from "./http.ts";
import { NODE_TYPES as BATCH_NODE_TYPES } from "./index.ts";
import { createModuleNode } from "./module.ts";
import { createRunCommand } from "./run-command.ts";

/**
 * Every type of node by its id, for the main thread; no process is started before the first attempt. Each call has processes of its own.
 * When done, call every type's `close`.
 *
 * @param hostUrl the entry file of modules' processes: `module/host.ts`, or what it was built to
 */
export function createNodeTypes(hostUrl: URL): ReadonlyMap<string, NodeType> {
  const trees = new ProcessTrees();
  const types: readonly NodeType[] = [
    ...BATCH_NODE_TYPES.values(),
    createModuleNode({ trees, hostUrl }),
    createRunCommand(trees),
    http,
  ];
  return new Map(types.map((type) => [type.typeId, type]));
}
