import type { NodeType } from "../node-type.ts";
import { copy } from "./copy.ts";
import { branch } from "./if.ts";
import { set } from "./set.ts";
import { template } from "./template.ts";
import { transform } from "./transform.ts";

/** Every type of node by its id: a new one is one file and one line here. */
export const NODE_TYPES: ReadonlyMap<string, NodeType> = new Map(
  [copy, branch, set, template, transform].map((type) => [type.typeId, type]),
);
