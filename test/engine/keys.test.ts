import { describe, expect, test } from "vitest";
import { echo, EngineRig, source, stage } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

/** `input/{id}.txt` to `output/{id}.txt`, with more keys for pipeline, source and stage. */
function single(keys: { pipeline?: object; source?: object; stage?: object } = {}): object {
  return {
    name: "single",
    stages: [
      source("input", "input/{id}.txt", keys.source),
      stage("output", "input", "output/{id}.txt", "upper", keys.stage),
    ],
    ...keys.pipeline,
  };
}

/** Attempts of a rig that end one by one, when the test says so. */
class Gate {
  most = 0;
  readonly #open: (() => void)[] = [];
  readonly #rig: EngineRig;

  constructor(rig: EngineRig, stages: readonly string[]) {
    this.#rig = rig;
    for (const id of stages)
      rig.scripts.set(
        id,
        () =>
          new Promise((resolve) => {
            this.#open.push(() => resolve(undefined));
            this.most = Math.max(this.most, rig.runner.hanging + 1);
          }),
      );
  }

  /** Lets every attempt end, each only when all that may start have started. */
  async drain(count: number): Promise<void> {
    for (let ended = 0; ended < count; ended++) {
      await this.#rig.until(() => this.#open.length > 0);
      await this.#rig.pass(1);
      this.#open.shift()!();
      await this.#rig.pass(1);
    }
    await this.#rig.quiet();
  }
}

const TEN = Array.from({ length: 10 }, (_, i) => `input/${i}.txt`);

describe("how many attempts run at one time", () => {
  test.each([
    ["`maxConcurrentEntities: 1`", single({ pipeline: { maxConcurrentEntities: 1 } }), ["output"], 10, 1],
    ["`maxConcurrentEntities: 3`", single({ pipeline: { maxConcurrentEntities: 3 } }), ["output"], 10, 3],
    ["`maxConcurrentEntities` over all stages", echo({}, { maxConcurrentEntities: 2 }), ["upper", "output"], 20, 2],
    ["`concurrency: 1`", single({ stage: { concurrency: 1 } }), ["output"], 10, 1],
    ["`concurrency: 2`", single({ stage: { concurrency: 2 } }), ["output"], 10, 2],
    ["as many as there are slots", single(), ["output"], 10, 8],
  ])("%s", async (_name, definition, stages, attempts, limit) => {
    const rig = await new EngineRig([definition]).start();
    rig.runner.lane = "single";
    await rig.redefine([{ ...definition, description: "brings the lane into force" }]);
    const gate = new Gate(rig, stages);
    for (const path of TEN) rig.write(path, "a");
    await gate.drain(attempts);
    expect(gate.most).toBe(limit);
    expect(Object.keys(rig.files("output/"))).toHaveLength(10);
  });

  test("one pipeline's limit is not another's", async () => {
    const other = {
      name: "other",
      maxConcurrentEntities: 2,
      stages: [source("input", "input/{id}.txt"), stage("copied", "input", "copied/{id}.txt", "upper")],
    };
    const definitions = [single({ pipeline: { maxConcurrentEntities: 1 } }), other];
    const rig = await new EngineRig(definitions).start();
    rig.runner.lane = "single";
    await rig.redefine(definitions.map((definition) => ({ ...definition, description: "anew" })));
    const gate = new Gate(rig, ["output", "copied"]);
    for (const path of TEN) rig.write(path, "a");
    await gate.drain(20);
    expect(gate.most).toBe(3);
  });
});

test("`priority`: higher starts first, whatever was dropped first", async () => {
  const rig = new EngineRig([
    {
      name: "order",
      maxConcurrentEntities: 1,
      stages: [
        source("input", "input/{id}.txt"),
        stage("low", "input", "low/{id}.txt", "upper", { priority: -5 }),
        stage("plain", "input", "plain/{id}.txt", "upper"),
        stage("high", "input", "high/{id}.txt", "upper", { priority: 5 }),
      ],
    },
  ]);
  for (const id of ["a", "b", "c"]) rig.put(`input/${id}.txt`, id);
  await rig.start();
  expect(
    rig
      .news()
      .map((task) => task.split("@")[0])
      .join(" "),
  ).toBe("high high high plain plain plain low low low");
});

describe("`retryPolicy`", () => {
  async function delaysOf(
    definition: object,
    files: readonly string[] = ["input/1.txt"],
  ): Promise<Map<string, number[]>> {
    const rig = await new EngineRig([definition]).start();
    rig.scripts.set("output", () => {
      throw new ScriptedFailure("no");
    });
    for (const path of files) rig.write(path, "a");
    await rig.pass(600_000);
    const starts = Map.groupBy(rig.attempts("output"), (row) => row.entity);
    return new Map(
      [...starts].map(([entity, rows]) => {
        const times = rows.map((row) => row.startedAt / 1000);
        return [entity, times.slice(1).map((time, i) => time - times[i]!)];
      }),
    );
  }

  test.each<[string, object, object, number[]]>([
    [
      "the pipeline's; the last delay repeats, the first try counts",
      { maxAttempts: 5, backoffSeconds: [5, 10] },
      {},
      [5, 10, 10, 10],
    ],
    ["delays with units", { maxAttempts: 3, backoffSeconds: ["500ms", "1m"] }, {}, [0.5, 60]],
    ["one attempt only", { maxAttempts: 1, backoffSeconds: [5] }, {}, []],
    ["a delay of nothing", { maxAttempts: 3, backoffSeconds: [0] }, {}, [0, 0]],
    [
      "the stage's delays, the pipeline's attempts",
      { maxAttempts: 3, backoffSeconds: [5] },
      { backoffSeconds: [7] },
      [7, 7],
    ],
    ["the stage's attempts, the pipeline's delays", { maxAttempts: 3, backoffSeconds: [5] }, { maxAttempts: 2 }, [5]],
    ["the default's delays", { maxAttempts: 3 }, {}, [60, 300]],
  ])("%s", async (_name, pipeline, own, expected) => {
    const definition = single({ pipeline: { retryPolicy: pipeline }, stage: { retryPolicy: own } });
    const [delays = []] = (await delaysOf(definition)).values();
    expect(delays.map((seconds) => Math.round(seconds * 10) / 10)).toEqual(expected);
  });

  test("`jitter` draws each delay from [delay * (1 - jitter), delay]", async () => {
    const retryPolicy = { maxAttempts: 6, backoffSeconds: [20], jitter: 0.5 };
    const drawn = [...(await delaysOf(single({ pipeline: { retryPolicy } }), TEN)).values()].flat();
    expect(drawn).toHaveLength(50);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(9.99);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(20.05);
    expect(Math.max(...drawn) - Math.min(...drawn)).toBeGreaterThan(5);
  });
});

describe("`scanInterval`", () => {
  const other = {
    name: "other",
    scanInterval: 60,
    stages: [source("in", "other/{id}.txt"), stage("out", "in", "made/{id}.txt", "upper")],
  };
  test.each<[string, object[], number]>([
    ["seconds", [single({ pipeline: { scanInterval: 30 } })], 30],
    ["text with a unit", [single({ pipeline: { scanInterval: "2m" } })], 120],
    ["nothing: ten minutes", [single()], 600],
    ["of several pipelines the shortest", [single({ pipeline: { scanInterval: 300 } }), other], 60],
  ])("%s: a change that nobody was told of is found within it", async (_name, definitions, seconds) => {
    const rig = await new EngineRig(definitions).start();
    rig.put("input/1.txt", "lost");
    await rig.pass(seconds * 1000 - 1000);
    expect(rig.news().filter((task) => task.startsWith("output@"))).toEqual([]);
    await rig.pass(2000);
    await rig.quiet();
    expect(rig.text("output/1.txt")).toBe("LOST");
  });
});

describe("`settle`", () => {
  test.each<[string, unknown, number]>([
    ["a number is seconds", 2, 2000],
    ["part of a second", 0.25, 250],
    ["text with a unit", "3s", 3000],
    ["nothing: the root's own", undefined, 200],
    ["zero", 0, 0],
  ])("%s", async (_name, settle, ms) => {
    const rig = await new EngineRig([single({ source: settle === undefined ? {} : { settle } })]).start();
    rig.write("input/1.txt", "a");
    if (ms > 0) {
      await rig.pass(ms - 10);
      expect([rig.status("input/1.txt"), rig.news()]).toEqual(["settling", []]);
    }
    await rig.pass(20);
    await rig.quiet();
    expect(rig.news()).toEqual(["output@1"]);
  });

  test("the sources that share a file agree on the longest", async () => {
    const slow = {
      name: "slow",
      stages: [source("in", "input/{id}.txt", { settle: 5 }), stage("copy", "in", "copy/{id}.txt", "upper")],
    };
    const rig = await new EngineRig([single({ source: { settle: 1 } }), slow]).start();
    rig.write("input/1.txt", "a");
    await rig.pass(4900);
    expect(rig.news()).toEqual([]);
    await rig.pass(200);
    expect(rig.news().toSorted()).toEqual(["copy@1", "output@1"]);
  });
});

test("`marker`: a file whose done-file goes again is not read again; the one that comes counts at once", async () => {
  const rig = await new EngineRig([single({ source: { marker: "input/{id}.done", settle: 0 } })]).start();
  rig.write("input/1.txt", "a");
  await rig.pass(60_000);
  expect([rig.status("output/1.txt"), rig.news()]).toEqual(["settling", []]);
  rig.write("input/1.done", "");
  await rig.quiet();
  expect(rig.news()).toEqual(["output@1"]);
});

describe('`durability: "sync"`', () => {
  /** The operations on the disk during a change, as words: what, and where relative to the root. */
  async function operations(definition: object, change: (rig: EngineRig) => void): Promise<string[]> {
    const rig = await new EngineRig([definition]).start();
    const told: string[] = [];
    rig.disk.onOperation = (operation, path) => void told.push(`${operation} ${path.replace("/project/state/", "")}`);
    change(rig);
    await rig.quiet();
    rig.disk.onOperation = undefined;
    return told.map((line) => line.replace(/tmp\/.*\/(?=[^/]+$)/, "tmp/"));
  }
  const dropped = (rig: EngineRig): void => rig.write("input/1.txt", "a");

  test("brings the bytes, the name and the record to the medium, each before what relies on it", async () => {
    const told = await operations(single({ stage: { durability: "sync" } }), dropped);
    const at = (line: string): number => told.indexOf(line);
    expect(at("sync .millrace/tmp/0")).toBeGreaterThanOrEqual(0);
    expect(at("sync .millrace/tmp/0")).toBeLessThan(told.lastIndexOf("rename .millrace/tmp/0"));
    expect(told.lastIndexOf("rename .millrace/tmp/0")).toBeLessThan(at("sync output"));
    // The folder itself was made for this file.
    expect(told.lastIndexOf("sync /project/state")).toBeGreaterThan(at("makeFolders output"));
    expect(at("sync output")).toBeLessThan(told.lastIndexOf("sync .millrace/manifests"));
  });

  test("brings every file of a folder to the medium", async () => {
    const definition = {
      name: "folders",
      stages: [
        source("input", "input/{id}.txt"),
        stage("output", "input", "output/{id}/", "upper", { durability: "sync" }),
      ],
    };
    const told = await operations(definition, (rig) => {
      rig.scripts.set("output", () => ({ "a.txt": "a", "b.txt": "b" }));
      dropped(rig);
    });
    const synced = told.filter((line) => line.startsWith("sync .millrace/tmp/")).slice(-3);
    expect(synced).toEqual(["sync .millrace/tmp/a.txt", "sync .millrace/tmp/b.txt", "sync .millrace/tmp/0"]);
  });

  test("`process` syncs nothing of the result", async () => {
    const told = await operations(single({ stage: { durability: "process" } }), dropped);
    expect(told.filter((line) => /^sync (output|\.millrace\/tmp\/\d$)/.test(line))).toEqual([]);
  });
});
