import { describe, expect, test } from "vitest";
import { readSession } from "../../src/engine/health/session.ts";
import { LosingDisk } from "../support/losing-disk.ts";
import { echo, EngineRig, type RigOptions, source, stage } from "../support/engine-rig.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const SEEDS = 4;
const ROOT = "/project/state";

const synced = {
  name: "echo",
  stages: [
    source("input", "input/{id}.txt"),
    stage("upper", "input", "upper/{id}.txt", "upper", { durability: "sync" }),
    stage("output", "upper", "output/deep/{id}.txt", "wrap:out", { durability: "sync" }),
  ],
};
const syncedFolders = {
  name: "echo",
  stages: [
    source("input", "input/{id}.txt"),
    stage("parts", "input", "parts/{id}/", "parts", { durability: "sync" }),
    stage("output", "parts", "output/{id}.txt", "wrap:out", { durability: "sync" }),
  ],
};
const folders = {
  name: "echo",
  stages: [
    source("input", "input/{id}.txt"),
    stage("parts", "input", "parts/{id}/", "parts"),
    stage("output", "parts", "output/{id}.txt", "wrap:out"),
  ],
};

/** An engine whose disk may lose what is not on the medium. */
function rigOn(definition: unknown, options: RigOptions = {}): EngineRig {
  const rig = new EngineRig([definition], { ...options, diskOf: (disk) => new LosingDisk(disk) });
  rig.scripts.set("parts", ({ input }) => ({ "a.txt": input, "b.txt": `${input} again` }));
  return rig;
}

const losing = (rig: EngineRig): LosingDisk => rig.shared as LosingDisk;

/** A file of the user that is safe on the medium. */
function drop(rig: EngineRig, path: string, text: string): void {
  rig.put(path, text);
  losing(rig).syncAll();
}

/** The power fails and the machine boots; the index survives as it was, or is lost, as chance has it. */
function cutPower(rig: EngineRig, seed: number): void {
  const random = new SeededRandom(seed);
  rig.kill();
  losing(rig).powerCut(random);
  rig.machine.reboot();
}

interface Story {
  readonly name: string;
  readonly definition: unknown;
  readonly before?: (rig: EngineRig) => Promise<void>;
  readonly change: (rig: EngineRig) => void;
}

const made = async (rig: EngineRig): Promise<void> => {
  drop(rig, "input/1.txt", "old");
  await rig.start();
  await rig.stop();
};
const changed = (rig: EngineRig): void => drop(rig, "input/1.txt", "new");

const stories: readonly Story[] = [
  { name: "a new file", definition: echo(), change: changed },
  { name: "a new file, forced to the medium", definition: synced, change: changed },
  { name: "a changed file", definition: echo(), before: made, change: changed },
  { name: "a changed file, forced to the medium", definition: synced, before: made, change: changed },
  {
    name: "an output edited by hand",
    definition: echo(),
    before: made,
    change: (rig) => drop(rig, "upper/1.txt", "mine"),
  },
  { name: "a folder made new", definition: folders, before: made, change: changed },
  { name: "a folder made new, forced to the medium", definition: syncedFolders, before: made, change: changed },
];

async function prepared(story: Story): Promise<EngineRig> {
  const rig = rigOn(story.definition);
  await story.before?.(rig);
  story.change(rig);
  rig.news();
  return rig;
}

describe("a power cut after any operation on the disk", () => {
  test.each(stories)("of the work on $name is made good by the next start", { timeout: 120_000 }, async (story) => {
    const calm = await prepared(story);
    await calm.revive();
    const wanted = calm.files();
    const recorded = Object.keys(calm.manifest("1").states).toSorted();
    const total = calm.operations;
    expect(total).toBeGreaterThan(20);

    for (let last = 0; last <= total; last++) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const rig = await prepared(story);
        await rig.revive({ lastOperation: last });
        cutPower(rig, last * 1000 + seed);
        await rig.revive();
        const told = `power cut after operation ${last} of ${total}, seed ${seed}`;
        expect(rig.files(), told).toEqual(wanted);
        expect(Object.keys(rig.manifest("1").states).toSorted(), told).toEqual(recorded);
        expect(rig.own("tmp"), told).toEqual([]);
        rig.news();
        await rig.restart();
        expect(rig.news(), told).toEqual([]);
      }
    }
  });

  test("loses nothing that was acknowledged as done with durability sync", { timeout: 120_000 }, async () => {
    let cuts = 0;
    for (const definition of [synced, syncedFolders]) {
      const calm = rigOn(definition);
      drop(calm, "input/1.txt", "new");
      await calm.revive();
      const wanted = calm.files();
      for (let last = 0; last <= calm.operations; last++) {
        for (let seed = 1; seed <= SEEDS; seed++) {
          const rig = rigOn(definition);
          drop(rig, "input/1.txt", "new");
          rig.renew({ lastOperation: last });
          const done = new Map<string, string>();
          rig.root.endings.add(({ task, result }) => {
            if (result.is === "ran") done.set(task.path, task.key);
          });
          await rig.start();
          cutPower(rig, last * 1000 + seed);
          const told = `power cut after operation ${last}, seed ${seed}`;
          const left = rig.files();
          for (const path of done.keys()) {
            const kept = Object.entries(left).filter(([file]) => file.startsWith(path));
            const right = Object.entries(wanted).filter(([file]) => file.startsWith(path));
            expect(kept, told).toEqual(right);
          }
          cuts += done.size > 0 ? 1 : 0;
          rig.news();
          await rig.revive();
          // What was done is not even done again.
          for (const key of done.values()) expect(rig.ran, told).not.toContain(key.replace("echo#", ""));
        }
      }
    }
    expect(cuts).toBeGreaterThan(50);
  });
});

describe("what is verified after a boot", () => {
  /** An engine that has made its results, whose index says so, and whose disk holds other bytes under the same stat. */
  async function tornBehindTheIndex(stop: (rig: EngineRig) => Promise<void>): Promise<EngineRig> {
    const rig = rigOn(echo());
    drop(rig, "input/1.txt", "a");
    await rig.start();
    await stop(rig);
    rig.kill();
    rig.disk.rewriteWithSameStat(`${ROOT}/upper/1.txt`, "\0");
    losing(rig).syncAll();
    rig.news();
    return rig;
  }
  /** What a run does at its end: no checkpoint. */
  const withoutSync = async (rig: EngineRig): Promise<void> => {
    rig.machine.canSync = false;
    await rig.stop();
    rig.machine.canSync = true;
  };

  test("is what no checkpoint covers, even after a clean stop", async () => {
    const rig = await tornBehindTheIndex(withoutSync);
    rig.machine.reboot();
    await rig.revive();
    expect([rig.text("upper/1.txt"), rig.news()]).toEqual(["A", ["upper@1"]]);
  });

  test("is nothing in the same boot", async () => {
    const rig = await tornBehindTheIndex(withoutSync);
    await rig.revive();
    expect(rig.news()).toEqual([]);
  });

  test("is everything where no boot id is known", async () => {
    const rig = await tornBehindTheIndex(withoutSync);
    rig.machine.knowsBoot = false;
    await rig.revive();
    expect(rig.text("upper/1.txt")).toBe("A");
  });

  test("is nothing that is older than the last checkpoint by more than a minute", async () => {
    const rig = await tornBehindTheIndex(async (at) => {
      await at.pass(120_000);
      at.write("input/2.txt", "b");
      await at.quiet();
      await at.stop();
    });
    rig.machine.reboot();
    await rig.revive();
    // Nobody's power cut does this: it shows that the file was not read again.
    expect(rig.news()).toEqual([]);
  });

  test("is everything when the clock says that the last checkpoint is yet to come", async () => {
    const rig = await tornBehindTheIndex(async (at) => {
      await at.pass(120_000);
      at.write("input/2.txt", "b");
      await at.quiet();
      await at.stop();
    });
    rig.machine.reboot();
    await rig.revive({ jumpMs: -3_600_000 });
    expect(rig.text("upper/1.txt")).toBe("A");
  });

  test("is everything when the session's document is torn or gone", async () => {
    for (const left of ["", "{}", '{"version":1,"bootId":"boot-1"', undefined]) {
      const rig = await tornBehindTheIndex((at) => at.stop());
      if (left === undefined) rig.disk.remove(`${ROOT}/.millrace/session.json`);
      else rig.disk.write(`${ROOT}/.millrace/session.json`, left);
      await rig.revive();
      expect(rig.text("upper/1.txt")).toBe("A");
    }
  });

  test("is still what it was when the first start after the boot is killed before it looked", async () => {
    const rig = await tornBehindTheIndex(withoutSync);
    rig.machine.reboot();
    const total = await (async () => {
      const calm = await tornBehindTheIndex(withoutSync);
      calm.machine.reboot();
      await calm.revive();
      return calm.operations;
    })();
    for (let last = 0; last <= total; last++) {
      const other = await tornBehindTheIndex(withoutSync);
      other.machine.reboot();
      await other.revive({ lastOperation: last });
      other.kill();
      await other.revive();
      expect(other.text("upper/1.txt"), `killed after operation ${last}`).toBe("A");
    }
  });

  test("is a source that was torn, too: what was made of it is made again", async () => {
    const rig = rigOn(echo());
    drop(rig, "input/1.txt", "a");
    await rig.start();
    await withoutSync(rig);
    rig.disk.rewriteWithSameStat(`${ROOT}/input/1.txt`, "b");
    losing(rig).syncAll();
    rig.machine.reboot();
    await rig.revive();
    expect(rig.text("output/1.txt")).toBe("out(B)");
  });
});

describe("the session's document", () => {
  const sessionOf = (rig: EngineRig) => readSession(rig.disk, ROOT)!;

  test("says who works since when, and that it was stopped", async () => {
    const rig = await rigOn(echo()).start();
    expect(sessionOf(rig)).toMatchObject({ version: 1, bootId: "boot-1", clean: false, checkpointAt: null });
    await rig.stop();
    expect(sessionOf(rig).clean).toBe(true);
  });

  test("gets a checkpoint when work is over and all is quiet, and none without work", async () => {
    const rig = await rigOn(echo()).start();
    await rig.pass(60_000);
    expect(rig.machine.syncs).toBe(0);
    rig.write("input/1.txt", "a");
    await rig.quiet();
    await rig.pass(10_000);
    expect([rig.machine.syncs, sessionOf(rig).checkpointAt]).toEqual([1, expect.any(String)]);
    await rig.pass(600_000);
    expect(rig.machine.syncs).toBe(1);
  });

  test("gets one every 30 s while work never ends", async () => {
    const slow = {
      name: "slow",
      stages: [source("in", "slow/{id}.txt"), stage("hang", "in", "hung/{id}.txt", "upper")],
    };
    const rig = await new EngineRig([echo(), slow]).start();
    rig.scripts.set("hang", () => new Promise(() => {}));
    rig.write("slow/1.txt", "a");
    for (let second = 0; second < 90; second++) {
      rig.write("input/1.txt", `version ${second}`);
      await rig.pass(1000);
    }
    expect(rig.machine.syncs).toBeGreaterThanOrEqual(3);
    expect(rig.machine.syncs).toBeLessThanOrEqual(4);
    await rig.stop();
  });

  test("keeps its checkpoint where the machine cannot force anything to the medium", async () => {
    const rig = rigOn(echo());
    rig.machine.canSync = false;
    drop(rig, "input/1.txt", "a");
    await rig.start();
    await rig.pass(10_000);
    await rig.stop();
    expect(sessionOf(rig)).toMatchObject({ checkpointAt: null, clean: true });
  });

  test("steps back with a clock that is set back while work goes on", async () => {
    const rig = rigOn(echo());
    drop(rig, "input/1.txt", "a");
    await rig.start();
    await rig.pass(10_000);
    const before = Date.parse(sessionOf(rig).checkpointAt!);
    rig.clock.jumpWall(-3_600_000);
    rig.write("input/1.txt", "b");
    await rig.quiet();
    expect(Date.parse(sessionOf(rig).checkpointAt!)).toBeLessThan(before - 3_000_000);
  });

  test("an unclean boot is told once, and stands in status until all is verified", async () => {
    const rig = rigOn(echo());
    drop(rig, "input/1.txt", "a");
    await rig.start();
    cutPower(rig, 1);
    rig.logged.length = 0;
    await rig.revive();
    expect(rig.logged.filter((line) => line.includes("the machine went down"))).toHaveLength(1);
    expect(rig.root.problems).toMatchObject([{ code: "M515", severity: "warning" }]);
    await rig.pass(5000);
    expect(rig.root.problems).toEqual([]);
  });
});
