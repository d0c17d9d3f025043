import { execFileSync, spawn } from "node:child_process";
import { readFileSync, statfsSync } from "node:fs";
import type { AbsPath } from "../../core/model/words.ts";
import type { Machine, Room } from "../../ports.ts";

/** The machine that this process runs on. */
export class NodeMachine implements Machine {
  bootId(): string | undefined {
    try {
      if (process.platform === "linux") return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
      if (process.platform === "darwin")
        return execFileSync("sysctl", ["-n", "kern.bootsessionuuid"], { encoding: "utf8" }).trim();
    } catch {
      // Not told (a sandbox without /proc): then every start has to ask what a power cut may have taken.
    }
    return undefined;
  }

  /** Spawns `sync -f`: `syncfs` has no call in Node, and the main thread must not wait for a medium. */
  syncAll(path: AbsPath): Promise<boolean> {
    if (process.platform !== "linux") return Promise.resolve(false);
    return new Promise((resolve) => {
      const child = spawn("sync", ["-f", path], { stdio: "ignore" });
      child.once("error", () => resolve(false));
      child.once("exit", (code) => resolve(code === 0));
    });
  }

  room(path: AbsPath): Room | undefined {
    try {
      const { bavail, blocks, bsize, ffree, files } = statfsSync(path);
      // File systems without a table of inodes say that it has no places.
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeFiles: files === 0 ? undefined : ffree };
    } catch {
      return undefined;
    }
  }
}
