/** The second thread of a scan: works on each order until no chunk is left, then answers with the order's id. */
import { parentPort } from "node:worker_threads";
import { LstatJob, type LstatOrder } from "./lstat-job.ts";

parentPort?.on("message", (order: LstatOrder) => {
  const job = LstatJob.of(order);
  while (job.doChunk());
  parentPort?.postMessage(order.id);
});
