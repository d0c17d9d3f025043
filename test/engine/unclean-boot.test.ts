import { describe, expect, test } from "vitest";
import { LosingDisk } from "../support/losing-disk.ts";
import { EngineRig, echo, source, stage } from "../support/engine-rig.ts";
import { diskError } from "../support/memory-disk.ts";

const ROOT = "/project/state";

/** Another pipeline takes what the first one makes as its source. */
const chained = [
  { name: "near", stages: [source("in", "in/{id}.txt"), stage("mid", "in", "mid/{id}.txt", "upper")] },
  { name: "far", stages: [source("taken", "mid/{id}.txt"), stage("last", "taken", "last/{id}.txt", "wrap:x")] },
];

const manifestOf = (id: string): string => `${ROOT}/.millrace/manifests/${id}.json`;

function notes(rig: EngineRig): string[] {
  return Object.entries(rig.files(".millrace/trash/"))
    .filter(([path]) => path.endsWith("/note.json"))
    .map(([, text]) => (JSON.parse(text) as { why: string }).why);
}

/** The machine was down for a while. */
const boot = { jumpMs: 10_000 };

function safe(rig: EngineRig): void {
  (rig.shared as LosingDisk).syncAll();
}

/** An engine that has made its results a minute and more after its last checkpoint, and was killed. */
async function worked(definitions: readonly unknown[]): Promise<EngineRig> {
  const rig = new EngineRig(definitions, { diskOf: (disk) => new LosingDisk(disk) });
  await rig.start();
  rig.write("in/0.txt", "older");
  await rig.quiet();
  await rig.pass(120_000);
  rig.write("in/2.txt", "later");
  await rig.quiet();
  await rig.pass(120_000);
  rig.write("in/1.txt", "a");
  await rig.quiet();
  rig.kill();
  rig.news();
  return rig;
}

describe("after a power cut, of what changed since the last checkpoint", () => {
  test("a torn result without a record is set aside and made again, though another pipeline's source reads it", async () => {
    const rig = await worked(chained);
    rig.disk.write(`${ROOT}/mid/1.txt`, "\0\0");
    rig.disk.remove(manifestOf("1"));
    safe(rig);
    rig.machine.reboot();
    await rig.revive(boot);
    expect([rig.status("mid/1.txt"), rig.text("mid/1.txt"), rig.text("last/1.txt")]).toEqual(["fresh", "A", "x(A)"]);
    expect(notes(rig)).toEqual(["it has no record since the machine went down, made again"]);
  });

  test("a result that was safe, but whose manifest was torn, needs nobody either", async () => {
    const rig = await worked(chained);
    rig.disk.write(manifestOf("0"), "{");
    rig.disk.rewriteWithSameStat(`${ROOT}/mid/0.txt`, "other");
    safe(rig);
    rig.machine.reboot();
    rig.index.saveMeta({});
    await rig.revive(boot);
    expect([rig.status("mid/0.txt"), rig.text("mid/0.txt"), rig.text("last/0.txt")]).toEqual([
      "fresh",
      "OLDER",
      "x(OLDER)",
    ]);
    expect(notes(rig)).toContain("it has no record since the machine went down, made again");
  });

  test.each(["read", "lstat"])("a torn result is made again though a %s of the session fails", async (name) => {
    const rig = await worked(chained);
    rig.disk.write(`${ROOT}/mid/1.txt`, "\0\0");
    rig.disk.remove(manifestOf("1"));
    safe(rig);
    rig.machine.reboot();
    rig.disk.onOperation = (operation, path) => {
      if (operation === name && path.endsWith("/session.json")) throw diskError("EIO", path);
    };
    await rig.revive(boot);
    expect([rig.status("mid/1.txt"), rig.text("mid/1.txt"), rig.text("last/1.txt")]).toEqual(["fresh", "A", "x(A)"]);
    expect(notes(rig)).toEqual(["it has no record since the machine went down, made again"]);
  });

  test("a torn result is not called an edit", async () => {
    const rig = await worked(chained);
    rig.disk.write(`${ROOT}/mid/1.txt`, "\0\0");
    safe(rig);
    rig.machine.reboot();
    await rig.revive(boot);
    expect([rig.text("mid/1.txt"), notes(rig)]).toEqual([
      "A",
      ["not what its record says since the machine went down, made again"],
    ]);
  });

  test("the same holds for the next start, if the first one was killed before it had done anything about it", async () => {
    const total = await (async () => {
      const calm = await torn();
      await calm.revive(boot);
      return calm.operations;
    })();
    expect(total).toBeGreaterThan(10);
    for (let last = 0; last <= total; last++) {
      const rig = await torn();
      await rig.revive({ ...boot, lastOperation: last });
      rig.kill();
      await rig.revive(boot);
      expect([rig.text("mid/1.txt"), rig.text("last/1.txt")], `killed after operation ${last}`).toEqual(["A", "x(A)"]);
    }
    async function torn(): Promise<EngineRig> {
      const rig = await worked(chained);
      rig.disk.write(`${ROOT}/mid/1.txt`, "\0\0");
      rig.disk.remove(manifestOf("1"));
      safe(rig);
      rig.machine.reboot();
      return rig;
    }
  });

  test("a record that was lost is noticed by the next start, if the first one was killed before it had looked", async () => {
    for (let last = 0; last <= 40; last++) {
      const rig = await worked([echo()]);
      rig.write("input/1.txt", "a");
      await rig.revive(boot);
      await rig.stop();
      rig.disk.remove(manifestOf("1"));
      safe(rig);
      rig.machine.reboot();
      await rig.revive({ ...boot, lastOperation: last });
      rig.kill();
      await rig.revive(boot);
      expect(Object.keys(rig.manifest("1").states).length, `killed after operation ${last}`).toBe(3);
    }
  });

  test("a file that is put there when all has been looked at is a foreign one", async () => {
    const rig = await worked(chained);
    rig.machine.reboot();
    await rig.revive(boot);
    await rig.pass(5000);
    rig.write("mid/3.txt", "theirs");
    await rig.quiet();
    rig.write("in/3.txt", "b");
    await rig.quiet();
    expect([rig.status("mid/3.txt"), rig.text("mid/3.txt"), notes(rig)]).toEqual(["failed", "theirs", []]);
  });

  test("a torn result whose task was held is not called an edit after another boot, and what changed between them is", async () => {
    const rig = await worked(chained);
    const setHeld = (held: Record<string, string>): void => {
      const { root } = rig;
      const tasks = ["mid/0.txt", "mid/1.txt"].flatMap((path) => root.stages.topology.producerTask(path) ?? []);
      root.setControls({ ...root.controls, held }, tasks);
    };
    setHeld({ "near#mid@0": "2026-01-01T00:00:00.000Z", "near#mid@1": "2026-01-01T00:00:00.000Z" });
    rig.disk.write(`${ROOT}/mid/1.txt`, "\0\0");
    safe(rig);
    rig.machine.reboot();
    await rig.revive(boot);
    await rig.pass(120_000);
    rig.write("mid/0.txt", "by hand");
    await rig.pass(120_000);
    rig.write("in/3.txt", "b");
    await rig.quiet();
    await rig.pass(120_000);
    rig.write("in/4.txt", "c");
    await rig.quiet();
    rig.kill();
    safe(rig);
    rig.machine.reboot();
    await rig.revive(boot);
    await rig.pass(5000);
    setHeld({ "near#mid@0": "2026-01-01T00:00:00.000Z" });
    await rig.quiet();
    expect([rig.text("mid/1.txt"), notes(rig)]).toEqual([
      "A",
      ["not what its record says since the machine went down, made again"],
    ]);
    setHeld({});
    await rig.quiet();
    expect([rig.text("mid/0.txt"), notes(rig)]).toEqual([
      "OLDER",
      expect.arrayContaining(["edited by hand, made again"]),
    ]);
  });

  test("a file that is older than the checkpoint is a foreign one", async () => {
    const rig = await worked(chained);
    rig.disk.rewriteWithSameStat(`${ROOT}/mid/0.txt`, "their");
    rig.disk.remove(manifestOf("0"));
    safe(rig);
    rig.machine.reboot();
    rig.index.saveMeta({});
    await rig.revive(boot);
    expect([rig.status("mid/0.txt"), rig.text("mid/0.txt"), notes(rig)]).toEqual(["failed", "their", []]);
  });
});

test("a file that a person dropped where a stage comes to put its results is not taken for one of them", async () => {
  const [near, far] = chained;
  const before = { ...near!, stages: [source("in", "in/{id}.txt")] };
  const rig = await new EngineRig([before, far]).start();
  rig.write("mid/1.txt", "theirs");
  rig.write("in/1.txt", "a");
  await rig.quiet();
  expect(rig.text("last/1.txt")).toBe("x(theirs)");
  await rig.redefine(chained);
  await rig.quiet();
  expect([rig.status("mid/1.txt"), rig.text("mid/1.txt")]).toEqual(["failed", "theirs"]);
  rig.remove("in/1.txt");
  await rig.pass(10_000);
  expect(rig.text("mid/1.txt")).toBe("theirs");
});
