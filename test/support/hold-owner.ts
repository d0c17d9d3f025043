/** A process that tries to own the root in argv[2], says `held` or `refused <message>`, and if it holds it waits to be ended. */
import { FileOwnerLock } from "../../src/adapters/store/owner.ts";
import { NodeDisk } from "../../src/adapters/system/disk.ts";

const lock = new FileOwnerLock(process.argv[2]!, new NodeDisk());
const acquired = lock.acquire({ pid: process.pid, host: "mill", since: "2026-11-20T13:06:55.123Z", door: "door" });
if (acquired.ok) {
  process.stdout.write("held\n");
  process.stdin.resume();
} else {
  process.stdout.write(`refused ${acquired.problems[0]!.message}\n`);
}
