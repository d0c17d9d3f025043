/**
 * The entry of the worker threads that run batch nodes: joins the real disk with the code that does pieces of work.
 * It is its own file in the build, `batch-worker.js`; `batchWorkerUrl` names it.
 */
import { parentPort } from "node:worker_threads";
import { servePieces } from "../adapters/execute/serve-pieces.ts";
import { executePorts } from "./compose-execute.ts";
import { InternalError } from "../core/model/problems.ts";

if (parentPort === null) throw new InternalError("batch-worker is the entry of a worker thread");
await servePieces(parentPort, executePorts());
