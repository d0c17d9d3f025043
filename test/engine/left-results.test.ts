import { expect, test } from "vitest";
import { EngineRig, source, stage } from "../support/engine-rig.ts";
import { diskError } from "../support/memory-disk.ts";

const stages = [
  source("input", "input/{id}.txt"),
  stage("upper", "input", "upper/{id}.txt", "upper"),
  stage("output", "upper", "output/{id}.txt", "wrap:last"),
];

/** A process killed when it had replaced a result and not yet written the manifest; its source has changed since. */
async function died(): Promise<EngineRig> {
  const rig = new EngineRig([{ name: "echo", stages }]);
  let isSlow = false;
  rig.scripts.set("output", () => (isSlow ? new Promise(() => {}) : undefined));
  await rig.start();
  rig.write("input/1.txt", "old");
  await rig.quiet();
  isSlow = true;
  rig.write("input/1.txt", "new");
  await rig.until(() => rig.runner.hanging === 1);
  rig.kill();
  isSlow = false;
  expect(rig.text("upper/1.txt")).toBe("NEW");
  rig.put("input/1.txt", "newer");
  rig.news();
  return rig;
}

test.each(["upper/1.txt", ".millrace/manifests/1.json"])(
  "what a dead process put in place is ours, though %s could not be read when that was to be recorded",
  async (unreadable) => {
    const rig = await died();
    let refused = 0;
    rig.disk.onOperation = (operation, path) => {
      if (!["open", "read"].includes(operation) || !path.endsWith(unreadable)) return;
      refused++;
      throw diskError("EMFILE", path);
    };
    rig.renew();
    await rig.begin();
    expect(refused).toBeGreaterThan(0);
    rig.disk.onOperation = undefined;
    await rig.pass(1_800_000);
    await rig.quiet();
    expect([rig.text("output/1.txt"), rig.trashed()]).toEqual(["last(NEWER)", []]);
  },
);

test("an edit of what a dead process put in place is an edit, though nothing could be read when that was to be recorded", async () => {
  const rig = await died();
  rig.put("upper/1.txt", "mine");
  rig.disk.onOperation = (operation, path) => {
    if (["open", "read"].includes(operation) && path.endsWith("upper/1.txt")) throw diskError("EMFILE", path);
  };
  rig.renew();
  await rig.begin();
  rig.disk.onOperation = undefined;
  await rig.pass(1_800_000);
  await rig.quiet();
  expect([rig.text("output/1.txt"), rig.trashed()]).toEqual(["last(NEWER)", ["mine"]]);
});

test.each(["upper/1.txt", ".millrace/manifests/1.json"])(
  "the next process knows it, too, when one that could not read %s was killed",
  async (unreadable) => {
    const rig = await died();
    rig.disk.onOperation = (operation, path) => {
      if (["open", "read"].includes(operation) && path.endsWith(unreadable)) throw diskError("EMFILE", path);
    };
    rig.renew();
    await rig.begin();
    rig.kill();
    rig.disk.onOperation = undefined;
    await rig.revive();
    expect([rig.text("output/1.txt"), rig.trashed(), rig.own("tmp")]).toEqual(["last(NEWER)", [], []]);
  },
);

test.each(["upper/1.txt", ".millrace/manifests/1.json"])(
  "nothing stays in tmp of what could not be recorded because %s could not be read",
  async (unreadable) => {
    const rig = await died();
    rig.put("input/1.txt", "new");
    rig.disk.onOperation = (operation, path) => {
      if (["open", "read"].includes(operation) && path.endsWith(unreadable)) throw diskError("EMFILE", path);
    };
    rig.renew();
    await rig.begin();
    expect(rig.own("tmp")).not.toEqual([]);
    rig.disk.onOperation = undefined;
    await rig.pass(20_000);
    await rig.quiet();
    const { states } = rig.manifest("1");
    expect([rig.text("output/1.txt"), rig.trashed(), rig.own("tmp")]).toEqual(["last(NEW)", [], []]);
    expect(states["upper/{id}.txt"]!.contentHash).toBe(states["output/{id}.txt"]!.inputHashes["upper/1.txt"]);
  },
);
