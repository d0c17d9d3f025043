import { beforeEach, describe, expect, test } from "vitest";
import { HintGate } from "../../../src/adapters/watch/hint-gate.ts";
import type { ChangeHint } from "../../../src/ports.ts";
import { ManualClock } from "../../support/manual-clock.ts";

let clock: ManualClock;
let hints: ChangeHint[];
let gate: HintGate;
beforeEach(() => {
  clock = new ManualClock();
  hints = [];
  gate = new HintGate(clock, { eventsOfAll: 50, eventsOfFolder: 10, eventsToRelist: 5 }, (hint) => hints.push(hint));
});

/** An event of the kernel, as the engines pass it on. */
function event(path: string): void {
  if (gate.arrived(path.slice(0, path.lastIndexOf("/")))) gate.path(path);
}
const folderHints = (): string[] =>
  hints.flatMap((hint) => (hint.kind === "folder" ? [`${hint.path} ${hint.cause}`] : []));

test("in quiet a path is hinted at once, every time, and nothing follows", () => {
  event("input/a");
  event("input/a");
  expect(hints).toEqual(Array(2).fill({ kind: "path", path: "input/a" }));
  clock.advance(10_000);
  expect(hints).toHaveLength(2);
  expect(clock.timers).toBe(0);
});

test("what is concluded later about a path is dropped when the path was hinted at just now", () => {
  event("input/a");
  gate.repeatedPath("input/a");
  gate.repeatedPath("input/b");
  expect(hints.map(({ path }) => path)).toEqual(["input/a", "input/b"]);
  clock.advance(1_000);
  gate.repeatedPath("input/a");
  expect(hints).toHaveLength(3);
});

describe("a storm in one folder", () => {
  beforeEach(() => {
    for (let file = 0; file < 11; file++) event(`input/${file}`);
  });

  test("ends single hints with one for the folder, at once", () => {
    expect(hints.slice(0, 10).every((hint) => hint.kind === "path")).toBe(true);
    expect(hints.slice(10)).toEqual([{ kind: "folder", path: "input", cause: "storm" }]);
    event("input/more");
    expect(hints).toHaveLength(11);
    event("other/a");
    expect(hints.at(-1)).toEqual({ kind: "path", path: "other/a" });
  });

  test("has one more hint when it has been quiet for 200 ms, and is over then", () => {
    clock.advance(199);
    expect(folderHints()).toHaveLength(1);
    clock.advance(101);
    expect(folderHints()).toEqual(["input storm", "input storm"]);
    event("input/later");
    expect(hints.at(-1)).toEqual({ kind: "path", path: "input/later" });
  });

  test("has a hint a second while it goes on", () => {
    for (let step = 0; step < 60; step++) {
      clock.advance(50);
      event("input/again");
    }
    // After 0, 1, 2 and 3 seconds.
    expect(folderHints()).toHaveLength(4);
    clock.advance(10_000);
    expect(folderHints()).toHaveLength(5);
    expect(clock.timers).toBe(0);
  });

  test("silences late conclusions about it for a while", () => {
    clock.advance(300);
    const before = hints.length;
    gate.repeatedPath("input/1");
    expect(hints).toHaveLength(before);
    clock.advance(5_000);
    gate.repeatedPath("input/1");
    expect(hints).toHaveLength(before + 1);
  });

  test("covers new folders in it", () => {
    gate.newFolder("input/new");
    clock.advance(10_000);
    expect(folderHints()).toEqual(["input storm", "input storm"]);
  });
});

test("events slower than that are no storm, but the folder is looked through once it is quiet", () => {
  for (let file = 0; file < 20; file++) {
    event(`input/${file}`);
    clock.advance(50);
  }
  expect(hints.filter((hint) => hint.kind === "path")).toHaveLength(20);
  clock.advance(10_000);
  expect(folderHints()).toEqual(["input folder-event"]);
});

test("so many events in a second that the kernel may have lost some are a storm in every busy folder", () => {
  for (let file = 0; file < 51; file++) {
    event(`input/${file % 7}/${file}`);
    clock.advance(1);
  }
  expect(folderHints().toSorted()).toEqual(Array.from({ length: 7 }, (_, folder) => `input/${folder} storm`));
});

test("a new folder is hinted at once and again 200 ms later", () => {
  gate.newFolder("input/new");
  expect(folderHints()).toEqual(["input/new new-folder"]);
  clock.advance(300);
  expect(folderHints()).toEqual(["input/new new-folder", "input/new new-folder"]);
  clock.advance(10_000);
  expect(folderHints()).toHaveLength(2);
});

test("an event that lost its name has the folder looked through, at once and when it is quiet", () => {
  gate.arrived("input");
  gate.lostName("input");
  gate.arrived("input");
  gate.lostName("input");
  expect(folderHints()).toEqual(["input folder-event"]);
  clock.advance(1_000);
  expect(folderHints()).toEqual(["input folder-event", "input folder-event"]);
});

test("folder hints are counted by cause", () => {
  gate.newFolder("input/new");
  gate.folder("input", "gone");
  clock.advance(1_000);
  expect(gate.rescans).toEqual({ "new-folder": 2, gone: 1 });
});

test("a closed gate is silent and holds no timer", () => {
  gate.newFolder("input/new");
  event("input/a");
  hints.length = 0;
  gate.close();
  event("input/b");
  gate.newFolder("input/other");
  clock.advance(10_000);
  expect(hints).toEqual([]);
  expect(clock.timers).toBe(0);
});
