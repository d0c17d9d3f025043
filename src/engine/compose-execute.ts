import type { ExecutePorts } from "../adapters/execute/wire.ts";
import { NodeDisk } from "../adapters/system/disk.ts";
import { createStateReader } from "../adapters/system/state-reader.ts";
import { hashTreeAt } from "../adapters/system/tree.ts";
import { createIgnore } from "../core/pattern/ignore.ts";

/** What running nodes needs of the machine, for the main thread and for each worker: the real disk, roots with their ignore rules. */
export function executePorts(): ExecutePorts {
  const disk = new NodeDisk();
  return {
    disk,
    openRoot(root) {
      const lines = disk.read(`${root}/.millraceignore`);
      const ignore = createIgnore(lines === undefined ? "" : Buffer.from(lines).toString("utf8"));
      return {
        reader: createStateReader(disk, root, ignore),
        hashTree: (path, at) => hashTreeAt(disk, at, { path, ignore }),
      };
    },
  };
}

/** The entry of the worker threads: beside this file, as source or as built. */
export const batchWorkerUrl: URL = new URL(
  import.meta.url.endsWith(".ts") ? "./batch-worker.ts" : "./batch-worker.js",
  import.meta.url,
);
