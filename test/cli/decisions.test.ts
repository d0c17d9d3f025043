import { describe, expect, test } from "vitest";
import { ok } from "../../src/core/model/result.ts";
import { millrace } from "../support/cli-world.ts";
import * as sample from "../support/sample-reports.ts";

async function lines(line: string, setting: Parameters<typeof millrace>[1] = {}): Promise<string[]> {
  return (await millrace(line, setting)).out.trimEnd().split("\n");
}
const asked = async (line: string, setting: Parameters<typeof millrace>[1] = {}): Promise<readonly string[]> =>
  (await millrace(line, setting)).calls.filter((call) => !call.startsWith("openProject") && call !== "close");

describe("trash", () => {
  test("lists when, what, how large and why", async () => {
    expect(await lines("trash")).toEqual([
      "  2026-11-20 12:00:00Z  output/001.json  4.2 KB  its source is gone (echo#output@001)",
      "  2026-11-19 12:00:00Z  output/002.json    12 B  edited by hand, made again",
      "  and 1 more: raise --limit",
      "  put back with: millrace trash restore <path>",
    ]);
    expect((await lines("trash list -v"))[0]).toContain("20261120T120000000Z-k3j4h5g6f7d8  output/001.json");
    const empty = { trash: async () => ok({ version: 1 as const, total: 0, entries: [] }) };
    expect(await lines("trash", { control: empty })).toEqual(["the trash is empty"]);
  });

  test("asks the engine for what was named", async () => {
    expect(await asked("trash list output --limit 5")).toEqual(['trash {"targets":["output"],"limit":5}']);
    expect((await millrace("trash")).calls[0]).toBe("openProject read /project");
  });

  test("puts back, says what that is now, and what was left and why: exit code 1", async () => {
    const ran = await millrace("trash restore output/001.json output/002.json");
    expect(ran.out).toBe("restored  output/001.json  it is the result of output@001 again\n");
    expect(ran.err).toContain('"output/002.json" was left in the trash: something is there now; move it away');
    expect(ran.code).toBe(1);
    expect(ran.calls[0]).toBe("openProject write /project");
    const nothing = { restore: async () => ok({ ...sample.RESTORE, restored: [] }) };
    expect((await millrace("trash restore x", { control: nothing })).code).toBe(2);
    const all = { restore: async () => ok({ ...sample.RESTORE, refused: [] }) };
    expect((await millrace("trash restore x", { control: all })).code).toBe(0);
  });

  test("removes for ever only when somebody agrees", async () => {
    expect(await asked("trash empty --yes")).toEqual(['emptyTrash {"olderThanMs":0}']);
    expect(await asked("trash empty --older-than 2d --yes")).toEqual(['emptyTrash {"olderThanMs":172800000}']);
    expect(await asked("trash empty", { answer: "y" })).toEqual(['emptyTrash {"olderThanMs":0}']);
    expect(await asked("trash empty", { answer: "" })).toEqual([]);
    expect(await asked("trash empty")).toEqual([]);
    expect((await millrace("trash empty")).code).toBe(2);
    expect((await millrace("trash empty --json", { answer: "y" })).code).toBe(2);
  });

  test.each(["trash burn", "trash restore", "trash empty x --yes", "trash list --yes", "trash --older-than 1d"])(
    "%s is a usage error, and the engine is not asked",
    async (line) => {
      const ran = await millrace(line, { engine: false });
      expect([ran.code, ran.err.slice(0, 10)]).toEqual([2, "error M101"]);
    },
  );
});

describe("clean", () => {
  const screen = [
    "1 product of stages that are gone:",
    "  old/001.json  2.0 KB  echo#old",
    "2 records without a product",
    "left alone:",
    "  old/002.json  it was changed since Millrace wrote it",
    "move them to the trash with: millrace clean --yes",
  ];

  test("only lists where nobody can agree", async () => {
    expect(await lines("clean")).toEqual(screen);
    expect(await asked("clean")).toEqual(["clean {}"]);
    expect(await asked("clean --json", { answer: "y" })).toEqual(["clean {}"]);
    expect((await millrace("clean")).calls[0]).toBe("openProject read /project");
  });

  test("asks on a terminal, and removes when told so", async () => {
    expect(await asked("clean", { answer: "yes" })).toEqual(["clean {}", 'clean {"remove":true}']);
    expect(await asked("clean", { answer: "n" })).toEqual(["clean {}"]);
    expect((await millrace("clean", { answer: "n" })).err).toBe("Move them to the trash? [y/N] ");
  });

  test("removes with --yes, and says what went", async () => {
    expect(await lines("clean --yes")).toEqual([
      "1 product of stages that are gone: moved to the trash",
      "  old/001.json  2.0 KB  echo#old",
      "2 records without a product: forgotten",
      ...screen.slice(3, 5),
    ]);
    expect(await asked("clean --yes")).toEqual(['clean {"remove":true}']);
  });

  test("has no question where there is nothing to clean", async () => {
    const nothing = { ...sample.CLEAN, dead: [], records: 0, left: [] };
    const setting = { answer: "y", control: { clean: async () => ok(nothing) } };
    expect(await lines("clean", setting)).toEqual(["nothing to clean: every product has its stage"]);
    expect(await asked("clean", setting)).toEqual(["clean {}"]);
  });
});

describe("quarantine", () => {
  test("lists one line per task", async () => {
    expect(await lines("quarantine")).toEqual([
      "  transformed@003  incident:ab12cd34  60 s ago  the command exited with code 3: no title",
      "  and 1 more: raise --limit",
      "  all about one: millrace quarantine show <task>",
    ]);
    const none = { quarantine: async () => ok({ ...sample.QUARANTINE, total: 0, quarantined: [] }) };
    expect(await lines("quarantine", { control: none })).toEqual(["nothing is quarantined"]);
  });

  test("shows all about one, the line to try it by hand whole on any terminal", async () => {
    const { byHand } = sample.QUARANTINE.quarantined[0]!;
    const setting = { terminal: true, columns: 60, env: { NO_COLOR: "1" } };
    expect(await lines("quarantine show transformed@003", setting)).toEqual([
      "transformed@003 is quarantined: all 7 attempts failed, the last 60 s ago",
      "  failed (node)",
      "    the command exited with code 3: no title",
      "      in line 2",
      "  printed",
      "    reading",
      "    no title",
      "  input  state/input/003.txt  a1b2c3d4.. -> c3d4e5f6..",
      "  try it by hand",
      `    ${byHand}`,
      "  when it is mended",
      "    millrace retry incident:ab12cd34",
    ]);
  });

  test("retries those that are set aside, and no others", async () => {
    expect(await asked("quarantine retry output")).toEqual(['retry {"targets":["output"],"only":"quarantined"}']);
    expect((await millrace("quarantine retry output")).calls[0]).toBe("openProject write /project");
  });

  test.each(["quarantine burn", "quarantine show", "quarantine retry"])("%s is a usage error", async (line) => {
    const ran = await millrace(line, { engine: false });
    expect([ran.code, ran.err.slice(0, 10)]).toEqual([2, "error M101"]);
  });
});

test("explain shows what a failed task printed and how to try it by hand", async () => {
  const failing = {
    ...sample.EXPLAIN,
    task: sample.RETRYING,
    log: "one\ntwo\n",
    byHand: "millrace retry transformed@003",
  };
  const shown = await lines("explain x", { control: { explain: async () => ok(failing) } });
  const from = shown.indexOf("  printed");
  expect(shown.slice(from, from + 5)).toEqual([
    "  printed",
    "    one",
    "    two",
    "  try it by hand",
    "    millrace retry transformed@003",
  ]);
});
