import { describe, expect, test } from "vitest";
import { sweepTrash } from "../../src/engine/orphans/trash-retention.ts";
import type { TrashEntry } from "../../src/ports.ts";
import { diskError } from "../support/memory-disk.ts";
import { EngineRig, source, stage } from "../support/engine-rig.ts";
import { ScriptedFailure } from "../support/scripted-runner.ts";

const DAY_MS = 86_400_000;

/** Two pipelines in a row: two stages, and one more of the other. */
function chain(code: { readonly up?: string; readonly mid?: string; readonly far?: string } = {}): object[] {
  return [
    {
      name: "near",
      stages: [
        source("in", "in/{id}.txt"),
        stage("up", "in", "up/{id}.txt", code.up ?? "upper"),
        stage("mid", "up", "mid/{id}.txt", code.mid ?? "wrap:mid"),
      ],
    },
    {
      name: "far",
      stages: [source("taken", "mid/{id}.txt"), stage("far", "taken", "far/{id}.txt", code.far ?? "wrap:far")],
    },
  ];
}

const one = (more: object = {}, pattern = "up/{id}.txt"): object => ({
  name: "one",
  stages: [source("in", "in/{id}.txt"), stage("up", "in", pattern, "upper", more)],
});

/** All is made of `in/1.txt`, whose loss then takes it to the trash. */
async function lost(definitions: readonly object[], prepare: (rig: EngineRig) => void = () => {}): Promise<EngineRig> {
  const rig = new EngineRig(definitions);
  prepare(rig);
  rig.put("in/1.txt", "text");
  await rig.start();
  rig.remove("in/1.txt");
  await rig.quiet();
  expect(rig.files()).toEqual({});
  rig.news();
  return rig;
}

/** The file is there again. */
async function back(rig: EngineRig, text = "text"): Promise<void> {
  rig.write("in/1.txt", text);
  await rig.quiet();
}

const lastResult = (rig: EngineRig, stage: string): string | undefined => rig.attempts(stage).at(-1)?.result;

/** `restored up@1` or `ran up@1`, in the order of the attempts' ends. */
function ends(rig: EngineRig, since: number): string[] {
  const rows = rig.ledger.attempts({ limit: 1000 }).toReversed();
  return rows.slice(since).map(({ result, stage, entity }) => `${result} ${stage}@${entity}`);
}

const count = (rig: EngineRig): number => rig.ledger.attempts({ limit: 1000 }).length;

function entryOf(rig: EngineRig, path: string): TrashEntry {
  return rig.root.ports.trash.entries().find((entry) => entry.path === path)!;
}

describe("a source that returns as it was", () => {
  test("has its whole chain taken back from the trash, across pipelines: nothing runs", async () => {
    const rig = await lost(chain());
    const before = count(rig);
    await back(rig);
    expect([rig.news(), ends(rig, before)]).toEqual([[], ["restored up@1", "restored mid@1", "restored far@1"]]);
    expect(rig.files()).toEqual({
      "in/1.txt": "text",
      "up/1.txt": "TEXT",
      "mid/1.txt": "mid(TEXT)",
      "far/1.txt": "far(mid(TEXT))",
    });
    expect([rig.own("trash"), rig.own("tmp")]).toEqual([[], []]);
    expect(["up/1.txt", "mid/1.txt", "far/1.txt"].map((path) => rig.status(path))).toEqual(["fresh", "fresh", "fresh"]);
    await rig.restart();
    expect([rig.news(), rig.status("far/1.txt")]).toEqual([[], "fresh"]);
  });

  test("gives each result the record it had, and the attempt says what happened", async () => {
    const rig = new EngineRig([one()]);
    rig.put("in/1.txt", "text");
    await rig.start();
    const record = rig.manifest("1").states["up/{id}.txt"];
    rig.remove("in/1.txt");
    await rig.quiet();
    await back(rig);
    expect(rig.manifest("1").states["up/{id}.txt"]).toEqual(record);
    expect(rig.attempts("up").at(-1)).toMatchObject({
      result: "restored",
      reasons: "output-missing",
      contentHash: record!.contentHash,
      attempt: 1,
      error: null,
    });
  });

  test("has folders taken back, too", async () => {
    const rig = await lost([one({}, "up/{id}/")], ({ scripts }) =>
      scripts.set("up", ({ input }) => ({ "a.txt": input, "b.txt": "b" })),
    );
    await back(rig);
    expect([rig.news(), lastResult(rig, "up"), rig.own("trash")]).toEqual([[], "restored", []]);
    expect(rig.files()).toEqual({ "in/1.txt": "text", "up/1/a.txt": "text", "up/1/b.txt": "b" });
  });

  test("has them taken back by a later process", async () => {
    const rig = await lost(chain());
    await rig.stop();
    rig.put("in/1.txt", "text");
    await rig.revive();
    expect([rig.news(), lastResult(rig, "far"), rig.own("trash")]).toEqual([[], "restored", []]);
  });

  test("has them taken back from a lane of its own, too", async () => {
    const rig = await lost(chain(), ({ runner }) => (runner.lane = "single"));
    await back(rig);
    expect([rig.news(), lastResult(rig, "far"), rig.text("far/1.txt")]).toEqual([[], "restored", "far(mid(TEXT))"]);
  });

  test("has the right one of several taken back, and the others stay in the trash", async () => {
    const rig = await lost([one()]);
    await back(rig, "other");
    rig.remove("in/1.txt");
    await rig.quiet();
    rig.news();
    expect(rig.trashed()).toEqual(["OTHER", "TEXT"]);
    await back(rig);
    expect([rig.news(), rig.text("up/1.txt"), rig.trashed()]).toEqual([[], "TEXT", ["OTHER"]]);
    // The result of other contents is put back, too, though a result of ours is in its place.
    await back(rig, "other");
    expect([rig.news(), rig.text("up/1.txt"), rig.trashed()]).toEqual([[], "OTHER", []]);
  });

  test("has what its stage chose not to make of other contents taken back", async () => {
    const rig = new EngineRig([
      { name: "p", stages: [source("in", "in/{id}.txt"), stage("up", "in", "up/{id}.txt", "skip:no")] },
    ]);
    rig.put("in/1.txt", "text");
    await rig.start();
    const record = rig.manifest("1").states["up/{id}.txt"];
    rig.write("in/1.txt", "no");
    await rig.quiet();
    expect([rig.files(), rig.trashed(), rig.status("up/1.txt")]).toEqual([{ "in/1.txt": "no" }, ["text"], "skipped"]);
    expect(entryOf(rig, "up/1.txt").of?.record).toEqual(record);
    rig.news();
    await back(rig);
    expect([rig.news(), lastResult(rig, "up"), rig.text("up/1.txt"), rig.trashed()]).toEqual([
      [],
      "restored",
      "text",
      [],
    ]);
  });

  test("has its place kept by a failure of before: the task is done", async () => {
    const rig = await lost([one()]);
    rig.scripts.set("up", () => {
      throw new ScriptedFailure("no");
    });
    await back(rig, "other");
    expect([rig.news(), rig.status("up/1.txt")]).toEqual([["up@1"], "retrying"]);
    await back(rig);
    expect([rig.news(), rig.status("up/1.txt"), rig.manifest("1").failures]).toEqual([[], "fresh", {}]);
  });
});

describe("a task runs as ever", () => {
  test("when the source returns with other content", async () => {
    const rig = await lost(chain());
    await back(rig, "other");
    expect([rig.news(), rig.text("far/1.txt")]).toEqual([["up@1", "mid@1", "far@1"], "far(mid(OTHER))"]);
    expect(rig.trashed()).toEqual(["TEXT", "far(mid(TEXT))", "mid(TEXT)"]);
  });

  test("when its code was changed meanwhile; what is made from the same bytes is taken back", async () => {
    const rig = await lost(chain());
    await rig.redefine(chain({ up: "wrap:new", far: "wrap:else" }));
    await back(rig);
    expect([rig.news(), rig.text("far/1.txt")]).toEqual([["up@1", "mid@1", "far@1"], "else(mid(new(text)))"]);
    const other = await lost(chain());
    await other.redefine(chain({ mid: "wrap:new" }));
    await back(other);
    expect([other.news(), lastResult(other, "up")]).toEqual([["mid@1", "far@1"], "restored"]);
  });

  test("when a variable that it read has another value", async () => {
    const rig = await lost([one()], ({ scripts, env }) => {
      env.set("MODE", "a");
      scripts.set("up", ({ input, readEnv }) => (readEnv("MODE"), input));
    });
    rig.env.set("MODE", "b");
    await back(rig);
    expect(rig.news()).toEqual(["up@1"]);
    rig.remove("in/1.txt");
    await rig.quiet();
    rig.env.set("MODE", "a");
    await back(rig);
    expect([rig.news(), lastResult(rig, "up")]).toEqual([[], "restored"]);
  });

  test("when something else that it read is different now, though its input is the same", async () => {
    const definition = {
      name: "p",
      stages: [
        source("in", "in/{id}.txt"),
        stage("up", "in", "up/{id}.txt", "first"),
        stage("last", "up", "last/{id}.txt", "with:in"),
      ],
    };
    const rig = await lost([definition]);
    await back(rig, "tool");
    expect([rig.news(), rig.text("last/1.txt")]).toEqual([["up@1", "last@1"], "t+tool"]);
    await back(rig);
    expect([rig.news(), rig.text("last/1.txt"), rig.trashed()]).toEqual([[], "t+text", []]);
  });

  test("when what lies in the trash was edited: it stays there", async () => {
    const rig = await lost([one()]);
    rig.put(entryOf(rig, "up/1.txt").kept, "mine");
    await back(rig);
    expect([rig.news(), rig.text("up/1.txt"), rig.trashed()]).toEqual([["up@1"], "TEXT", ["mine"]]);
  });

  test("when a file was added to a folder in the trash", async () => {
    const rig = await lost([one({}, "up/{id}/")], ({ scripts }) =>
      scripts.set("up", ({ input }) => ({ "a.txt": input })),
    );
    rig.put(`${entryOf(rig, "up/1/").kept}b.txt`, "mine");
    await back(rig);
    expect([rig.news(), rig.files("up/")]).toEqual([["up@1"], { "up/1/a.txt": "text" }]);
  });

  test("when what was in the trash is not there any more, or was removed for good", async () => {
    const rig = await lost(chain());
    rig.disk.removeTree(`/project/state/${entryOf(rig, "up/1.txt").kept}`);
    rig.root.ports.trash.remove(entryOf(rig, "mid/1.txt").name);
    await back(rig);
    expect([rig.news(), lastResult(rig, "far")]).toEqual([["up@1", "mid@1"], "restored"]);
  });

  test("when it is forced", async () => {
    const rig = await lost([one()]);
    const at = new Date(rig.clock.wallMs()).toISOString();
    rig.root.setControls({ ...rig.root.controls, forced: { "one#up@1": at } }, []);
    await back(rig);
    expect([rig.news(), lastResult(rig, "up"), rig.trashed()]).toEqual([["up@1"], "ran", ["TEXT"]]);
  });

  test("when the trash has kept it for its seven days", async () => {
    const rig = await lost([one()]);
    sweepTrash(rig.root.ports.trash, rig.clock.wallMs() + 8 * DAY_MS);
    expect(rig.own("trash")).toEqual([]);
    await back(rig);
    expect([rig.news(), lastResult(rig, "up")]).toEqual([["up@1"], "ran"]);
  });

  test("when the disk cannot read what would be taken back, or not the trash itself", async () => {
    const rig = await lost([one()]);
    rig.disk.onOperation = (operation, path) => {
      if (operation === "copy") throw diskError("EIO", path);
    };
    await back(rig);
    expect([rig.news(), rig.text("up/1.txt"), rig.own("tmp")]).toEqual([["up@1"], "TEXT", []]);

    const other = await lost([one()]);
    await other.restart();
    other.disk.onOperation = (operation, path) => {
      if (operation === "list" && path.endsWith("/trash")) throw diskError("EACCES", path);
    };
    await back(other);
    expect([other.news(), other.text("up/1.txt")]).toEqual([["up@1"], "TEXT"]);
  });
});

describe("a result that is taken back", () => {
  test("moves an edit in its way to the trash first, as every result does", async () => {
    const rig = await lost([one()]);
    rig.write("up/1.txt", "mine");
    await back(rig);
    expect([rig.news(), rig.text("up/1.txt"), rig.trashed()]).toEqual([[], "TEXT", ["mine"]]);
  });

  test("is found in its place already where somebody has put it: nothing runs, and the record is there again", async () => {
    const rig = await lost([one()]);
    rig.write("up/1.txt", "TEXT");
    await back(rig);
    expect([rig.news(), lastResult(rig, "up"), rig.own("trash")]).toEqual([[], "restored", []]);
    expect(rig.manifest("1").states["up/{id}.txt"]).toBeDefined();
  });

  test("waits for room where the disk is full: nothing runs for that", async () => {
    const rig = await lost([one()]);
    let isFull = false;
    rig.disk.onOperation = (operation, path) => {
      if (isFull && (operation === "copy" || operation === "write")) throw diskError("ENOSPC", path);
    };
    rig.write("in/1.txt", "text");
    isFull = true;
    await rig.until(() => rig.root.pauses.current !== null);
    expect([rig.news(), rig.text("up/1.txt"), rig.status("up/1.txt")]).toEqual([[], undefined, "queued"]);
    isFull = false;
    await rig.pass(60_000);
    await rig.quiet();
    expect([rig.news(), rig.text("up/1.txt"), lastResult(rig, "up"), rig.own("trash")]).toEqual([
      [],
      "TEXT",
      "restored",
      [],
    ]);
  });

  test("waits until files can be opened again, and nothing runs for that", async () => {
    const rig = await lost([one()]);
    let isShort = true;
    rig.disk.onOperation = (operation, path) => {
      if (isShort && operation === "open" && path.includes("/trash/")) throw diskError("EMFILE", path);
    };
    rig.write("in/1.txt", "text");
    await rig.until(() => rig.root.pauses.current !== null);
    expect([rig.news(), rig.text("up/1.txt")]).toEqual([[], undefined]);
    isShort = false;
    await rig.pass(60_000);
    await rig.quiet();
    expect([rig.news(), rig.text("up/1.txt"), lastResult(rig, "up")]).toEqual([[], "TEXT", "restored"]);
  });

  test("is dropped when its input changes before it is in its place, and what the input says now decides", async () => {
    const rig = await lost([one()]);
    rig.disk.onOperation = (operation, path) => {
      if (operation !== "copy") return;
      rig.disk.onOperation = undefined;
      rig.put("in/1.txt", `other than for ${path.length}`);
    };
    await back(rig);
    expect([rig.news(), rig.text("up/1.txt"), rig.trashed()]).toEqual([
      ["up@1"],
      rig.text("in/1.txt")!.toUpperCase(),
      ["TEXT"],
    ]);
    expect(rig.attempts("up").map(({ result }) => result)).toEqual(["ran", "dropped", "ran"]);
  });

  test("is the receipt of a sink: its effect is not repeated for other code, unless it is to", async () => {
    const sink = (expression: string, more: object = {}): object => ({
      name: "p",
      stages: [
        source("in", "in/{id}.txt"),
        { ...stage("send", "in", "sent/{id}.txt", expression, more), type: "sink" },
      ],
    });
    const rig = await lost([sink("upper")]);
    await rig.redefine([sink("wrap:new")]);
    await back(rig);
    expect([rig.news(), rig.text("sent/1.txt"), lastResult(rig, "send")]).toEqual([[], "TEXT", "restored"]);

    const always = await lost([sink("upper", { rerun: "always" })]);
    await always.redefine([sink("wrap:new", { rerun: "always" })]);
    await back(always);
    expect([always.news(), always.text("sent/1.txt")]).toEqual([["send@1"], "new(text)"]);
  });

  test("costs no look into the trash while that is empty, and one for all when it is not", async () => {
    const rig = new EngineRig([one()]);
    await rig.start();
    const looks: string[] = [];
    rig.disk.onOperation = (operation, path) => {
      if (path.includes("/.millrace/trash")) looks.push(`${operation} ${path}`);
    };
    for (let i = 1; i <= 20; i++) rig.write(`in/${i}.txt`, "text");
    await rig.quiet();
    expect([rig.news().length, looks]).toEqual([20, ["list /project/state/.millrace/trash"]]);
    for (let i = 1; i <= 9; i++) rig.remove(`in/${i}.txt`);
    await rig.quiet();
    expect(rig.own("trash")).toHaveLength(9);
    looks.length = 0;
    rig.write("in/other.txt", "text");
    await rig.quiet();
    expect([rig.news(), looks]).toEqual([["up@other"], []]);
  });
});
