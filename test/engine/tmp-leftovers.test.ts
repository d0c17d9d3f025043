import { expect, test } from "vitest";
import { diskError } from "../support/memory-disk.ts";
import { EngineRig, echo, type RigOptions, source, stage } from "../support/engine-rig.ts";

const ROOT = "/project/state";

/** An engine whose disk refuses to remove anything in tmp while `refuses` says so. */
function stubborn(definitions: readonly unknown[], refuses: { now: boolean }): EngineRig {
  const hooks: RigOptions["hooks"] = {
    before: ({ name, path }) => {
      if (refuses.now && name.startsWith("remove") && path.startsWith(`${ROOT}/.millrace/tmp/`))
        throw diskError("EIO", path);
    },
    after: () => {},
  };
  return new EngineRig(definitions, { hooks });
}

test("what the disk would not let be removed from tmp goes as soon as it does", async () => {
  const refuses = { now: true };
  const rig = await stubborn([echo()], refuses).start();
  rig.write("input/1.txt", "a");
  await rig.quiet();
  expect([rig.text("output/1.txt"), rig.own("tmp").length]).toEqual(["out(A)", 2]);
  await rig.pass(30_000);
  expect(rig.logged.filter((line) => line.includes("in tmp cannot"))).toHaveLength(1);
  refuses.now = false;
  await rig.pass(5000);
  expect(rig.own("tmp")).toEqual([]);
});

test("a probe of the disk that the disk would not let be removed goes as soon as it does", async () => {
  const rig = await new EngineRig([echo()]).start();
  rig.disk.onOperation = (operation, path) => {
    if (operation === "rename") throw diskError("ENOSPC", path);
    if (operation === "remove" && path.endsWith("/.probe")) throw diskError("EIO", path);
  };
  rig.write("input/1.txt", "a");
  await rig.pass(20_000);
  expect(rig.own("tmp")).toContain(".probe");
  rig.disk.onOperation = (operation, path) => {
    if (operation === "remove" && path.endsWith("/.probe")) throw diskError("EIO", path);
  };
  await rig.pass(60_000);
  await rig.quiet();
  expect([rig.text("output/1.txt"), rig.own("tmp")]).toEqual(["out(A)", [".probe"]]);
  rig.disk.onOperation = undefined;
  await rig.pass(5000);
  expect(rig.own("tmp")).toEqual([]);
});

test.each([".probe", "write-00000000000a"])(
  "%s that the disk would not let a start remove goes later",
  async (name) => {
    const refuses = { now: true };
    const rig = await stubborn([echo()], refuses).start();
    rig.disk.write(`${ROOT}/.millrace/tmp/${name}`, "half");
    rig.kill();
    await rig.revive();
    expect(rig.own("tmp")).toEqual([name]);
    refuses.now = false;
    await rig.pass(5000);
    expect(rig.own("tmp")).toEqual([]);
  },
);

test("what a start could not even see in tmp goes later, and nothing of the work that has begun meanwhile", async () => {
  const refuses = { now: false };
  const rig = await new EngineRig([echo()], {
    hooks: {
      before: ({ name, path }) => {
        if (refuses.now && name === "list" && path === `${ROOT}/.millrace/tmp`) throw diskError("EMFILE", path);
      },
      after: () => {},
    },
  }).start();
  rig.disk.makeFolders(`${ROOT}/.millrace/tmp/dead/0`);
  rig.kill();
  refuses.now = true;
  await rig.revive();
  expect(rig.own("tmp")).toEqual(["dead"]);
  let finish = (): void => {};
  rig.scripts.set("upper", () => new Promise((resolve) => (finish = () => resolve(undefined))));
  rig.write("input/1.txt", "a");
  await rig.until(() => rig.runner.hanging > 0);
  const own = rig.own("tmp").filter((name) => name !== "dead");
  refuses.now = false;
  await rig.pass(5000);
  expect([own.length, rig.own("tmp")]).toEqual([1, own]);
  rig.scripts.clear();
  finish();
  await rig.quiet();
  expect([rig.text("output/1.txt"), rig.own("tmp")]).toEqual(["out(A)", []]);
});

test("what a dead process announced is finished when a start that could not see it can", async () => {
  const refuses = { now: false };
  const rig = await new EngineRig([echo()], {
    hooks: {
      before: ({ name, path }) => {
        if (refuses.now && name === "list" && path === `${ROOT}/.millrace/tmp`) throw diskError("EIO", path);
      },
      after: () => {},
    },
  }).start();
  rig.disk.onOperation = (operation, path) => {
    if (operation === "rename" && path.includes("/tmp/write-")) throw diskError("EIO", path);
  };
  rig.write("input/1.txt", "a");
  await rig.until(() => rig.text("output/1.txt") !== undefined);
  rig.kill();
  rig.disk.onOperation = undefined;
  refuses.now = true;
  const dead = rig.own("tmp");
  await rig.revive();
  rig.write("input/2.txt", "b");
  await rig.quiet();
  expect([rig.text("output/2.txt"), dead.every((name) => rig.own("tmp").includes(name))]).toEqual(["out(B)", true]);
  refuses.now = false;
  await rig.pass(10_000);
  expect([dead.length > 0, rig.own("tmp"), rig.status("output/1.txt")]).toEqual([true, [], "fresh"]);
  expect(rig.attempts("upper").map((row) => row.result)).not.toContain("failed");
});

test("what a refused command left in tmp goes as soon as the disk lets it", async () => {
  const rig = await new EngineRig([echo()], { hasControlsFile: true }).start();
  rig.disk.onOperation = (operation, path) => {
    if (operation !== "write" && path.startsWith(`${ROOT}/.millrace/tmp/`)) throw diskError("EROFS", path);
  };
  const { controls } = rig.root;
  expect(() => rig.root.setControls({ ...controls, held: { upper: "2026-01-01T00:00:00.000Z" } }, [])).toThrow("EROFS");
  expect(rig.own("tmp")).toHaveLength(1);
  await rig.pass(3000);
  expect(rig.own("tmp")).toHaveLength(1);
  rig.disk.onOperation = undefined;
  await rig.pass(3000);
  expect(rig.own("tmp")).toEqual([]);
});

test("what a refused write of a manifest left in tmp goes, though nothing is written after it", async () => {
  const rig = await new EngineRig([echo()]).start();
  const { book } = rig.root;
  rig.disk.onOperation = (operation, path) => {
    if (operation !== "write" && path.startsWith(`${ROOT}/.millrace/tmp/write-`)) throw diskError("EROFS", path);
  };
  rig.write("input/1.txt", "a");
  await rig.pass(5000);
  expect([rig.own("tmp").filter((name) => name.startsWith("write-")).length, book.waiting]).toEqual([1, 1]);
  rig.disk.onOperation = undefined;
  await rig.pass(20_000);
  await rig.quiet();
  expect([rig.text("output/1.txt"), rig.own("tmp")]).toEqual(["out(A)", []]);
});

test("what the disk would not let a start remove goes as soon as it does", async () => {
  const refuses = { now: true };
  const rig = await stubborn([echo()], refuses).start();
  rig.disk.makeFolders(`${ROOT}/.millrace/tmp/dead/0`);
  rig.kill();
  await rig.revive();
  expect(rig.own("tmp")).toEqual(["dead"]);
  refuses.now = false;
  await rig.pass(5000);
  expect(rig.own("tmp")).toEqual([]);
});

const parts = (more: object = {}): object => ({
  name: "parts",
  stages: [source("input", "input/{id}.txt"), stage("parts", "input", "parts/{id}/", "parts", more)],
});

test("an older folder that cannot be removed costs the new one nothing", async () => {
  const refuses = { now: false };
  const rig = await stubborn([parts()], refuses).start();
  rig.scripts.set("parts", ({ input }) => ({ "a.txt": input }));
  rig.write("input/1.txt", "a");
  await rig.quiet();
  refuses.now = true;
  rig.news();
  rig.write("input/1.txt", "b");
  await rig.quiet();
  expect([rig.text("parts/1/a.txt"), rig.status("parts/1/"), rig.news()]).toEqual(["b", "fresh", ["parts@1"]]);
  refuses.now = false;
  await rig.pass(5000);
  expect(rig.own("tmp")).toEqual([]);
});

test("a folder that is deleted for good leaves nothing in tmp, though the disk refuses for a while", async () => {
  const refuses = { now: false };
  const rig = await stubborn([parts({ onOrphan: "delete" })], refuses).start();
  rig.scripts.set("parts", ({ input }) => ({ "a.txt": input }));
  rig.write("input/1.txt", "a");
  await rig.quiet();
  refuses.now = true;
  rig.remove("input/1.txt");
  await rig.pass(20_000);
  expect([rig.files(), rig.own("tmp").length]).toEqual([{}, 1]);
  refuses.now = false;
  await rig.pass(5000);
  expect(rig.own("tmp")).toEqual([]);
});
