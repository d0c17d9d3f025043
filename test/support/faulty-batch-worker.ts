/**
 * The entry of worker threads that fail on purpose, when they stage a certain text: `crash` ends the thread, `hang` keeps it
 * busy where no expression is; `crash once` and `hang once` do so at the first try only.
 */
import { existsSync, writeFileSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { servePieces } from "../../src/adapters/execute/serve-pieces.ts";
import { executePorts } from "../../src/engine/compose-execute.ts";
import type { Disk } from "../../src/ports.ts";

const ports = executePorts();

const disk: Disk = new Proxy(ports.disk, {
  get(target, name) {
    if (name === "write") return write;
    const value: unknown = Reflect.get(target, name);
    return typeof value === "function" ? value.bind(target) : value;
  },
});

function write(...[path, bytes, options]: Parameters<Disk["write"]>): void {
  const text = Buffer.from(bytes).toString("utf8");
  const mark = `${path}.failed`;
  const isFirst = !existsSync(mark);
  if (isFirst) writeFileSync(mark, "");
  if (text === "crash" || (text === "crash once" && isFirst)) process.exit(1);
  if (text === "hang" || (text === "hang once" && isFirst)) for (;;);
  ports.disk.write(path, bytes, options);
}

if (parentPort === null) throw new Error("to be started as a worker thread");
await servePieces(parentPort, { ...ports, disk });
