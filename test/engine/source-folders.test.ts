import { expect, test } from "vitest";
import { EngineRig, echo } from "../support/engine-rig.ts";
import { diskError } from "../support/memory-disk.ts";

test("a folder for sources that the disk refuses is made when the disk does not refuse any more", async () => {
  let isBroken = true;
  const rig = new EngineRig([echo()], {
    hooks: {
      before: ({ name, path }) => {
        if (isBroken && name === "makeFolders" && path.endsWith("/input")) throw diskError("EIO", path);
      },
    },
  });
  await rig.start();
  await rig.pass(10_000);
  expect(rig.disk.lstat("/project/state/input")).toBeUndefined();
  isBroken = false;
  await rig.pass(10_000);
  expect(rig.disk.lstat("/project/state/input")?.kind).toBe("folder");
});
