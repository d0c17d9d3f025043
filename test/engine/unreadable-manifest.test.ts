import { expect, test } from "vitest";
import { diskError } from "../support/memory-disk.ts";
import { echo, EngineRig } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

/** An engine whose disk does not let manifests be read while `refuses` says so. */
function forgetful(refuses: { now: boolean }): EngineRig {
  return new EngineRig([echo()], {
    hooks: {
      before: ({ name, path }) => {
        if (refuses.now && name === "read" && path.includes("/manifests/")) throw diskError("EIO", path);
      },
      after: () => {},
    },
  });
}

test.each(["fails", "succeeds"])(
  "an attempt that %s while its manifest cannot be read costs no record",
  async (how) => {
    const refuses = { now: false };
    const rig = await forgetful(refuses).start();
    rig.write("input/1.txt", "a");
    await rig.quiet();
    rig.scripts.set("output", async () => {
      await new Promise<void>((resolve) => rig.clock.after(100, resolve));
      if (how === "fails") throw new ScriptedFailure("not today");
    });
    rig.write("input/1.txt", "b");
    await rig.until(() => rig.status("output/1.txt") === "running");
    rig.root.flushManifests();
    refuses.now = true;
    await rig.quiet();
    await rig.pass(5000);
    refuses.now = false;
    rig.scripts.clear();
    rig.root.flushManifests();
    expect(Object.keys(rig.manifest("1").states)).toEqual(["input/{id}.txt", "output/{id}.txt", "upper/{id}.txt"]);
    await rig.pass(1_200_000);
    await rig.quiet();
    expect([rig.text("output/1.txt"), rig.status("output/1.txt"), rig.trashed()]).toEqual(["out(B)", "fresh", []]);
  },
);
