import { describe, expect, test } from "vitest";
import { RootsControl } from "../../src/engine/control-roots.ts";
import { statusOfRoot } from "../../src/engine/calls/status.ts";
import { echo, EngineRig } from "../support/engine-rig.ts";

const ROOT = "/project/state";
const AWAY = "/elsewhere";
const ROUNDS = 20;
const NAMES = ["1", "2", "3"];

/** A way in which a root goes, what is said of it, and how it comes again. */
interface Way {
  readonly says: RegExp;
  readonly hint: RegExp;
  go(rig: EngineRig): void;
  comeBack(rig: EngineRig): void;
}

const remount = (rig: EngineRig): void => {
  rig.disk.removeTree(ROOT);
  rig.disk.rename(AWAY, ROOT);
};
const WAYS: Record<string, Way> = {
  "is moved away": {
    says: /^the root "state\/" is not there$/,
    hint: /bring it back/,
    go: ({ disk }) => disk.rename(ROOT, AWAY),
    comeBack: ({ disk }) => disk.rename(AWAY, ROOT),
  },
  "is unmounted, and its empty mount point is there": {
    says: /has no ".millrace"/,
    hint: /mount it.*restart the daemon: it then begins anew/,
    go: ({ disk }) => {
      disk.rename(ROOT, AWAY);
      disk.makeFolders(ROOT);
    },
    comeBack: remount,
  },
  "loses its .millrace": {
    says: /has no ".millrace"/,
    hint: /bring it back/,
    go: ({ disk }) => disk.rename(`${ROOT}/.millrace`, AWAY),
    comeBack: ({ disk }) => disk.rename(AWAY, `${ROOT}/.millrace`),
  },
  "loses its key": {
    says: /has no ".millrace\/key"/,
    hint: /put the file back/,
    go: ({ disk }) => disk.rename(`${ROOT}/.millrace/key`, AWAY),
    comeBack: ({ disk }) => disk.rename(AWAY, `${ROOT}/.millrace/key`),
  },
  "is covered by another root": {
    says: /is another root now/,
    hint: /restart the daemon to work on what is there now/,
    go: ({ disk }) => {
      disk.rename(ROOT, AWAY);
      disk.makeFolders(`${ROOT}/.millrace/manifests`);
      disk.makeFolders(`${ROOT}/.millrace/tmp`);
      disk.write(`${ROOT}/.millrace/key`, "another one");
    },
    comeBack: remount,
  },
};

async function rigWithResults(): Promise<EngineRig> {
  const rig = new EngineRig([echo()]);
  rig.disk.write(`${ROOT}/.millrace/key`, "the one");
  for (const name of NAMES) rig.put(`input/${name}.txt`, `text ${name}`);
  await rig.start();
  expect(rig.news().length).toBe(2 * NAMES.length);
  return rig;
}

/** Everything below a folder, with Millrace's own but for what attempts leave in `tmp`. */
function everything(rig: EngineRig, folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of rig.disk.list(folder) ?? []) {
    if (name === "tmp") continue;
    const path = `${folder}/${name}`;
    if (rig.disk.lstat(path)?.kind === "folder") Object.assign(found, { [`${path}/`]: "" }, everything(rig, path));
    else found[path] = new TextDecoder().decode(rig.disk.read(path));
  }
  return found;
}

/** What watchers say when a folder goes: everything below it went. */
function stormOfUnlinks(rig: EngineRig): void {
  rig.changes.changed("input/", "upper/", "output/");
  for (const name of NAMES) rig.changes.changed(`input/${name}.txt`, `upper/${name}.txt`, `output/${name}.txt`);
}

const manifests = (rig: EngineRig): unknown => NAMES.map((name) => rig.manifest(name));
const known = (rig: EngineRig): unknown => ({
  attempts: rig.ledger.attempts({}),
  statuses: NAMES.map((name) => ["input", "upper", "output"].map((folder) => rig.status(`${folder}/${name}.txt`))),
});

describe.each(Object.entries(WAYS))("a root that %s", (_name, way) => {
  test(`pauses, loses nothing, and goes on by itself: ${ROUNDS} times`, async () => {
    const rig = await rigWithResults();
    for (let round = 0; round < ROUNDS; round++) {
      const before = { known: known(rig), files: rig.files(), manifests: manifests(rig) };
      way.go(rig);
      const inPlace = everything(rig, ROOT);
      // In turn: told by events, or by nobody.
      if (round % 2 === 0) stormOfUnlinks(rig);
      await rig.pass(round % 4 < 2 ? 5_000 : 1_300_000);
      const { paused, watcher } = statusOfRoot(rig.root);
      expect(paused?.code).toBe("M512");
      expect(paused?.message).toMatch(way.says);
      expect(paused?.hint).toMatch(way.hint);
      expect(watcher).toMatchObject({ mode: "blind", reason: paused?.message });
      expect(rig.root.mayRetract).toBe(false);
      expect(known(rig)).toEqual(before.known);
      // Nothing was made, written or removed in its place.
      expect(everything(rig, ROOT)).toEqual(inPlace);
      way.comeBack(rig);
      await rig.pass(2_000);
      await rig.quiet();
      expect(statusOfRoot(rig.root).paused).toBeNull();
      expect(statusOfRoot(rig.root).watcher).toMatchObject({ mode: "live", rescans: { "root-back": round + 1 } });
      expect(rig.news()).toEqual([]);
      expect(known(rig)).toEqual(before.known);
      expect(rig.files()).toEqual(before.files);
      expect(manifests(rig)).toEqual(before.manifests);
      expect(rig.trashed()).toEqual([]);
    }
    rig.write("input/new.txt", "text");
    await rig.quiet();
    expect(rig.news()).toEqual(["upper@new", "output@new"]);
  });

  test("is found as it was left: what changed in it meanwhile is done, what was deleted is gone", async () => {
    const rig = await rigWithResults();
    rig.put("input/1.txt", "other");
    rig.disk.remove(`${ROOT}/input/2.txt`);
    rig.put("input/4.txt", "new");
    way.go(rig);
    stormOfUnlinks(rig);
    await rig.pass(60_000);
    expect(rig.news()).toEqual([]);
    way.comeBack(rig);
    await rig.pass(2_000);
    await rig.quiet();
    expect(rig.news().toSorted()).toEqual(["output@1", "output@4", "upper@1", "upper@4"]);
    expect(rig.text("output/1.txt")).toBe("out(OTHER)");
    expect(rig.status("input/2.txt")).toBeUndefined();
  });

  test("while an attempt runs costs that attempt, and no failure", async () => {
    const rig = await rigWithResults();
    const ends: ((text: string | undefined) => void)[] = [];
    rig.scripts.set("upper@1", () => new Promise((resolve) => ends.push(resolve)));
    rig.write("input/1.txt", "other");
    await rig.until(() => ends.length === 1);
    way.go(rig);
    const inPlace = everything(rig, ROOT);
    ends[0]!(undefined);
    await rig.pass(5_000);
    expect(everything(rig, ROOT)).toEqual(inPlace);
    expect(rig.ledger.attempts({ result: "failed" })).toEqual([]);
    way.comeBack(rig);
    await rig.until(() => ends.length === 2);
    ends[1]!(undefined);
    await rig.quiet();
    expect(rig.ledger.attempts({ result: "failed" })).toEqual([]);
    expect(rig.text("output/1.txt")).toBe("out(OTHER)");
    expect(rig.trashed()).toEqual([]);
  });

  test("ends well when it is stopped while away, and the next process finds all as it was", async () => {
    const rig = await rigWithResults();
    const before = rig.files();
    way.go(rig);
    await rig.pass(2_000);
    await rig.stop();
    way.comeBack(rig);
    await rig.revive();
    expect(rig.news()).toEqual([]);
    expect(rig.files()).toEqual(before);
    expect(rig.trashed()).toEqual([]);
  });
});

test("a root that goes between a look and what is concluded from it, at any operation of its disk, loses nothing", async () => {
  const { says, go, comeBack } = WAYS["is moved away"]!;
  let hits = 0;
  for (let at = 1; at < 60; at++) {
    const rig = await rigWithResults();
    const before = rig.files();
    let left = at;
    rig.disk.onOperation = () => {
      if (--left !== 0) return;
      rig.disk.onOperation = undefined;
      go(rig);
      hits++;
    };
    rig.changes.changed("input/", "input/1.txt", "upper/1.txt", "output/1.txt");
    await rig.pass(5_000);
    rig.disk.onOperation = undefined;
    if (left <= 0) {
      expect(statusOfRoot(rig.root).paused?.message, `operation ${at}`).toMatch(says);
      comeBack(rig);
    }
    await rig.pass(2_000);
    await rig.quiet();
    expect(rig.news(), `operation ${at}`).toEqual([]);
    expect(rig.files(), `operation ${at}`).toEqual(before);
    expect(rig.trashed(), `operation ${at}`).toEqual([]);
    expect(rig.ledger.attempts({ result: "failed" })).toEqual([]);
  }
  expect(hits).toBeGreaterThan(10);
});

test("a root that goes in the middle of a commit, at any operation of its disk, keeps all records and gets the result", async () => {
  let hits = 0;
  for (let at = 1; at < 400; at++) {
    const rig = await rigWithResults();
    let left = at;
    rig.write("input/1.txt", "other");
    rig.disk.onOperation = () => {
      if (--left !== 0) return;
      rig.disk.onOperation = undefined;
      WAYS["is moved away"]!.go(rig);
    };
    await rig.pass(3_000);
    rig.disk.onOperation = undefined;
    if (left > 0) break;
    hits++;
    // While it is away people ask how it stands.
    statusOfRoot(rig.root);
    expect(rig.manifest("1").states).toBeDefined();
    WAYS["is moved away"]!.comeBack(rig);
    await rig.pass(2_000);
    await rig.quiet();
    const where = `operation ${at}`;
    expect(rig.text("output/1.txt"), where).toBe("out(OTHER)");
    expect(rig.ledger.attempts({ result: "failed" }), where).toEqual([]);
    for (const name of NAMES) {
      expect(Object.keys(rig.manifest(name).states).toSorted(), where).toEqual([
        "input/{id}.txt",
        "output/{id}.txt",
        "upper/{id}.txt",
      ]);
    }
    expect(
      rig.news().every((task) => task.endsWith("@1")),
      where,
    ).toBe(true);
  }
  expect(hits).toBeGreaterThan(50);
});

test.each([1, 2, 3, 6])(
  "a root that is away for %i operations in the middle of a commit keeps all records and gets the result",
  async (awayFor) => {
    for (let at = 1; at < 400; at++) {
      const rig = await rigWithResults();
      let [left, back] = [at, awayFor];
      const { go, comeBack } = WAYS["is moved away"]!;
      const returning = (): void => {
        if (--back > 0) return;
        rig.disk.onOperation = undefined;
        // What was just being made in its place goes first, as whoever mounts it anew would see to.
        rig.disk.removeTree(ROOT);
        comeBack(rig);
      };
      rig.write("input/1.txt", "other");
      rig.disk.onOperation = () => {
        if (--left > 0) return;
        rig.disk.onOperation = undefined;
        go(rig);
        rig.disk.onOperation = returning;
      };
      await rig.pass(3_000);
      rig.disk.onOperation = undefined;
      if (left > 0) break;
      if (back > 0) comeBack(rig);
      // An attempt whose place for its result vanished has failed, and is tried again.
      await rig.pass(120_000);
      await rig.quiet();
      const where = `away at operation ${at}`;
      expect(rig.text("output/1.txt"), where).toBe("out(OTHER)");
      for (const name of NAMES) expect(Object.keys(rig.manifest(name).states), where).toHaveLength(3);
    }
  },
);

test("a root that comes back as a copy is not worked on: the lock is of the old one", async () => {
  const rig = new EngineRig([echo()]);
  rig.disk.write(`${ROOT}/.millrace/key`, "the one");
  rig.disk.write(`${ROOT}/.millrace/owner`, "the lock");
  rig.put("input/1.txt", "text");
  await rig.start();
  rig.news();
  rig.disk.rename(ROOT, AWAY);
  await rig.pass(2_000);
  rig.disk.copy(AWAY, ROOT);
  await rig.pass(60_000);
  const { paused } = statusOfRoot(rig.root);
  expect(paused?.message).toContain('the root "state/" came back as a copy');
  expect(paused?.hint).toMatch(/^restart the daemon/);
  rig.disk.removeTree(ROOT);
  rig.disk.rename(AWAY, ROOT);
  await rig.pass(2_000);
  expect(statusOfRoot(rig.root).paused).toBeNull();
  expect(rig.news()).toEqual([]);
});

test("a root whose disk does not answer is away, with what the system said", async () => {
  const rig = await rigWithResults();
  rig.disk.onOperation = (name, path) => {
    if (name === "lstat" && path.endsWith("/key")) throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  };
  await rig.pass(2_000);
  expect(statusOfRoot(rig.root).paused?.message).toBe('the root "state/" cannot be looked at: EIO: i/o error');
  rig.disk.onOperation = undefined;
  await rig.pass(2_000);
  expect(statusOfRoot(rig.root).paused).toBeNull();
});

test("while the root is away no command says anything of its tasks but why", async () => {
  const rig = await rigWithResults();
  WAYS["is unmounted, and its empty mount point is there"]!.go(rig);
  await rig.pass(3_000);
  const control = new RootsControl([rig.root], { owner: () => null, ignored: () => () => undefined });
  const answers = await Promise.all([
    control.explain({ target: "upper@1" }),
    control.plan({}),
    control.list({}),
    control.show({ entity: "1" }),
  ]);
  const codes = answers.map((answer) => (answer.ok ? "answered" : answer.problems[0]!.code));
  expect(codes).toEqual(["M512", "M512", "M512", "M512"]);
});
