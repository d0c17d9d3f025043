import type { BatchNodeType } from "../node-type.ts";
import { copy } from "./copy.ts";
import { branch } from "./if.ts";
import { set } from "./set.ts";
import { template } from "./template.ts";
import { transform } from "./transform.ts";

/**
 * The types of nodes that run in the worker threads, by id: a new one is one file and one line here.
 * Those of the single lane join them in `registry.ts`.
 */
export const NODE_TYPES: ReadonlyMap<string, BatchNodeType> = new Map(
  [copy, branch, set, template, transform].map((type) => [type.typeId, type]),
);
