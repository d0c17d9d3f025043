import { describe, expect, test } from "vitest";
import { EngineRig, source, stage } from "../support/engine-rig.ts";
import { diskError } from "../support/memory-disk.ts";

const FAR = "/project/state/far";

/** A root whose results go to another file system. */
function rigWithFarFolder(pattern = "far/{id}/result.txt"): EngineRig {
  const definition = {
    name: "p",
    stages: [source("input", "input/{id}.txt"), stage("far", "input", pattern, "upper")],
  };
  const rig = new EngineRig([definition]);
  rig.disk.makeFolders(FAR);
  rig.disk.mounts.add(FAR);
  rig.put("input/1.txt", "a");
  return rig;
}

const copies = (rig: EngineRig): string[] => Object.keys(rig.files()).filter((path) => path.endsWith(".millrace-tmp"));

describe("a copy beside a target on another file system", () => {
  test("that a kill left behind at any operation is removed by the next start, and nothing else of its kind", async () => {
    let left = 0;
    for (let last = 1; ; last++) {
      const rig = rigWithFarFolder();
      const theirs = [
        "far/1/.result.txt.short.millrace-tmp",
        "far/1/.other.txt.000000000001.millrace-tmp",
        "far/1/result.txt.000000000001.millrace-tmp",
        "far/.result.txt.000000000001.millrace-tmp",
      ];
      for (const path of theirs) rig.put(path, "not ours");
      await rig.revive({ lastOperation: last });
      const wasKilled = rig.isDead;
      if (copies(rig).length > theirs.length) left++;
      await rig.revive();
      expect(copies(rig).toSorted(), `killed after ${last}`).toEqual(theirs.toSorted());
      expect(rig.text("far/1/result.txt")).toBe("A");
      if (!wasKilled) break;
    }
    expect(left).toBeGreaterThan(0);
  });

  test("that could not be completed does not stay", async () => {
    const rig = await rigWithFarFolder().start();
    let fails = 1;
    rig.disk.onOperation = (operation, path) => {
      if (operation === "rename" && path.endsWith(".millrace-tmp") && fails-- > 0) throw diskError("EIO", path);
    };
    rig.write("input/2.txt", "b");
    await rig.quiet();
    expect([rig.attempts("far").at(-1)?.result, copies(rig)]).toEqual(["failed", []]);
  });
});
