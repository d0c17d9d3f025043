import { describe, expect, test } from "vitest";
import { diskError } from "../support/memory-disk.ts";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";

const twoStages = echo();
const synced = {
  name: "echo",
  stages: [
    source("input", "input/{id}.txt"),
    stage("upper", "input", "upper/{id}.txt", "upper", { durability: "sync" }),
    stage("output", "upper", "output/{id}.txt", "wrap:out", { durability: "sync" }),
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

interface Story {
  readonly name: string;
  readonly definition: unknown;
  /** What is there before the process that is killed. */
  readonly before?: (rig: EngineRig) => Promise<void>;
  /** What changed while no process ran. */
  readonly change: (rig: EngineRig) => void;
  readonly attempts: number;
}

const made = async (rig: EngineRig): Promise<void> => {
  rig.put("input/1.txt", "old");
  await rig.start();
  await rig.stop();
};

/** Two stages in a row, whose products go as the policy says when their source is gone. */
function leaving(onOrphan: string): unknown {
  return {
    name: "echo",
    stages: [
      source("input", "input/{id}.txt"),
      stage("upper", "input", "upper/{id}.txt", "upper", { onOrphan }),
      stage("output", "upper", "output/{id}.txt", "wrap:out", { onOrphan }),
    ],
  };
}

const vanish = (rig: EngineRig): void => rig.disk.removeTree("/project/state/input/1.txt");

const stories: readonly Story[] = [
  ...["trash", "keep", "delete"].map((policy) => ({
    name: `a source that vanished, with onOrphan ${policy}`,
    definition: leaving(policy),
    before: made,
    change: vanish,
    attempts: 0,
  })),
  {
    name: "a folder whose source vanished, with onOrphan delete",
    definition: {
      name: "echo",
      stages: [
        source("input", "input/{id}.txt"),
        stage("parts", "input", "parts/{id}/", "parts", { onOrphan: "delete" }),
      ],
    },
    before: made,
    change: vanish,
    attempts: 0,
  },
  {
    name: "a source that returned as it was",
    definition: leaving("trash"),
    before: async (rig) => {
      await made(rig);
      vanish(rig);
      await rig.revive();
      await rig.stop();
    },
    change: (rig) => rig.put("input/1.txt", "old"),
    attempts: 0,
  },
  {
    name: "a folder whose source returned as it was",
    definition: folders,
    before: async (rig) => {
      await made(rig);
      vanish(rig);
      await rig.revive();
      await rig.stop();
    },
    change: (rig) => rig.put("input/1.txt", "old"),
    attempts: 0,
  },
  {
    name: "a stage that chose to make nothing",
    definition: echo({ first: "skip:no" }),
    before: made,
    change: (rig) => rig.put("input/1.txt", "no"),
    attempts: 1,
  },
  { name: "a new file", definition: twoStages, change: (rig) => rig.put("input/1.txt", "new"), attempts: 2 },
  {
    name: "a new file, forced to the medium",
    definition: synced,
    change: (rig) => rig.put("input/1.txt", "new"),
    attempts: 2,
  },
  {
    name: "a changed file",
    definition: twoStages,
    before: made,
    change: (rig) => rig.put("input/1.txt", "new"),
    attempts: 2,
  },
  {
    name: "an output edited by hand",
    definition: twoStages,
    before: made,
    change: (rig) => rig.put("upper/1.txt", "mine"),
    attempts: 1,
  },
  {
    name: "a folder made new",
    definition: folders,
    before: made,
    change: (rig) => rig.put("input/1.txt", "new"),
    attempts: 2,
  },
];

function rigOf({ definition }: Story): EngineRig {
  const rig = new EngineRig([definition]);
  rig.scripts.set("parts", ({ input }) => ({ "a.txt": input, "b.txt": `${input} again` }));
  return rig;
}

/** The story until the last process is about to start: `next` starts it. */
async function prepared(story: Story): Promise<EngineRig> {
  const rig = rigOf(story);
  await story.before?.(rig);
  story.change(rig);
  rig.news();
  return rig;
}

describe("a process that is killed after any operation on the disk", () => {
  test.each(stories)(
    "while it works on $name leaves what the next one completes, with one attempt more at most",
    async (story) => {
      const calm = await prepared(story);
      await calm.revive();
      expect(calm.news()).toHaveLength(story.attempts);
      const wanted = calm.files();
      const trash = calm.trashed();
      const recorded = Object.keys(calm.manifest("1").states).toSorted();
      const total = calm.operations;
      expect(total).toBeGreaterThan(20);

      for (let last = 0; last <= total; last++) {
        const rig = await prepared(story);
        await rig.revive({ lastOperation: last });
        rig.kill();
        await rig.revive();
        const told = `killed after operation ${last} of ${total}`;
        expect(rig.files(), told).toEqual(wanted);
        // Where nothing runs, a kill makes nothing run either: what is to be taken back is there still, or in its place.
        expect(rig.news().length, told).toBeLessThanOrEqual(story.attempts && story.attempts + 1);
        expect(Object.keys(rig.manifest("1").states).toSorted(), told).toEqual(recorded);
        // Nothing of ours was taken for an edit, and no edit was lost.
        expect([rig.own("tmp"), rig.trashed()], told).toEqual([[], trash]);
        await rig.restart();
        expect(rig.news(), told).toEqual([]);
      }
    },
  );
});

describe("a disk that is full", () => {
  const WRITES = new Set(["write", "rename", "copy", "makeFolders", "sync"]);

  test.each(stories)("at any operation of the work on $name costs that attempt only", async (story) => {
    const calm = await prepared(story);
    let total = 0;
    calm.disk.onOperation = (operation) => void (total += WRITES.has(operation) ? 1 : 0);
    await calm.revive();
    calm.disk.onOperation = undefined;
    const [wanted, trash] = [calm.files(), calm.trashed()];

    for (let full = 1; full <= total; full++) {
      const rig = await prepared(story);
      let count = 0;
      rig.disk.onOperation = (operation, path) => {
        if (WRITES.has(operation) && ++count === full) throw diskError("ENOSPC", path);
      };
      await rig.revive();
      rig.disk.onOperation = undefined;
      await rig.pass(120_000);
      await rig.quiet();
      const told = `full at ${full} of ${total}`;
      expect(rig.faults, told).toEqual([]);
      expect(rig.files(), told).toEqual(wanted);
      expect(rig.news().length, told).toBeLessThanOrEqual(story.attempts + 1);
      expect([rig.own("tmp"), rig.trashed()], told).toEqual([[], trash]);
      await rig.restart();
      expect(rig.news(), told).toEqual([]);
    }
  });
});
