import { describe, expect, test } from "vitest";
import { ok } from "../../src/core/model/result.ts";
import type { VerifyReport } from "../../src/engine/control.ts";
import { millrace } from "../support/cli-world.ts";
import * as sample from "../support/sample-reports.ts";

function answering(report: VerifyReport): Parameters<typeof millrace>[1] {
  return { door: { verifyProject: async () => ok(report) } };
}

const ROOT = sample.VERIFY.roots[0]!;
const COUNTS = { outputs: 4, manifests: 3, sources: 3, notOurs: 1 };
const CLEAN: VerifyReport = {
  version: 1,
  roots: [{ ...ROOT, findings: [], checked: COUNTS, states: { done: 3 }, explained: [] }],
  ok: true,
};

/** A root with so many results of a stage that are not repeated. */
function notRepeated(stages: Readonly<Record<string, number>>): VerifyReport {
  const sampled = ROOT.findings.find(({ rebuild }) => rebuild !== undefined)!;
  const findings = Object.entries(stages).flatMap(([stage, times]) =>
    Array.from({ length: times }, (_, i) => ({
      ...sampled,
      message: `${stage} ${i}`,
      rebuild: { ...sampled.rebuild!, stage },
    })),
  );
  const all = findings.length;
  const rebuilt = {
    outputs: all + 7,
    rebuilt: all + 3,
    same: 2,
    differ: all,
    failed: 1,
    leftOut: { sink: 1, stale: 3 },
  };
  return { version: 1, roots: [{ ...ROOT, findings, notes: [], checked: { ...COUNTS, rebuilt } }], ok: false };
}

describe("verify", () => {
  test("tells each finding with its rule and what to do, then what may stay, and exits 1", async () => {
    const { out, code } = await millrace("verify");
    expect(out.trimEnd().split("\n")).toEqual([
      "state/  2 things off, 1 repaired; looked at 4 outputs, 3 manifests, 3 sources (2 done, 1 retrying)",
      "  rebuilt 2 of 4 outputs: 1 the same, 1 differs; left out: 1 sink, 1 retrying",
      "",
      '  off  M601 output-gone  the output "output/001.json" is recorded and not there',
      '    do: "millrace run" makes it again',
      "",
      '  repaired  M608 temp-left  ".millrace/tmp/0mabc" is what a process that is gone left behind',
      "",
      '  off  M616 not-repeated  "output/002.json" of echo#output@002 (node: module nodes/stamp.ts) is not repeated: recorded is 00000000000000aa; made again, it has 00000000000000bb',
      "    do: let the node give the same result for the same input",
      "",
      '  note  M614 leftover-source  the source "input/009.txt" is recorded and gone',
      "    do: nothing: a record without a file does no harm",
      "",
      'what is to be made again is made by "millrace run", or by the daemon',
    ]);
    expect(code).toBe(1);
  });

  test("is one line for each root where nothing is off, and exits 0", async () => {
    const { out, code } = await millrace("verify", answering(CLEAN));
    expect(out.trimEnd().split("\n")).toEqual([
      "state/  nothing is off; looked at 4 outputs, 3 manifests, 3 sources (3 done)",
      "  1 leftover that may stay: millrace verify -v",
    ]);
    expect(code).toBe(0);
  });

  test("hands targets and --repair on", async () => {
    const { calls } = await millrace("verify output@001 --repair");
    expect(calls).toEqual(['verifyProject {"repair":true,"targets":["output@001"]}']);
  });

  test("a path as the shell completes it becomes one of its state root", async () => {
    const { calls } = await millrace("verify state/output/001.json");
    expect(calls.at(-1)).toBe('verifyProject {"repair":false,"targets":["output/001.json"]}');
  });

  test("lists the first three results of a stage that are not repeated and counts the others; -v lists all", async () => {
    const report = notRepeated({ "echo#a": 5, "echo#b": 2 });
    const { out } = await millrace("verify --rebuild", answering(report));
    const lines = out.split("\n").filter((line) => line !== "" && !line.includes("do:"));
    const off = (message: string): string => `  off  M616 not-repeated  ${message}`;
    expect(lines.slice(1)).toEqual([
      "  rebuilt 10 of 14 outputs: 2 the same, 7 differ, 1 fails now; left out: 1 sink, 3 stale",
      ...["echo#a 0", "echo#a 1", "echo#a 2"].map(off),
      "  and 2 more of echo#a: add -v",
      ...["echo#b 0", "echo#b 1"].map(off),
    ]);
    const all = await millrace("verify --rebuild -v", answering(report));
    expect(all.out.match(/not-repeated/g)).toHaveLength(7);
    expect(all.out).not.toContain("more of");
  });

  test("hands --rebuild on and listens for interrupts while it lasts; an interrupted one exits as interrupts do", async () => {
    const { calls, code } = await millrace("verify --rebuild output");
    expect(calls).toEqual([
      'verifyProject {"repair":false,"targets":["output"],"isToldToStop":false}',
      "stop listening",
    ]);
    expect(code).toBe(1);
    const interrupted = await millrace("verify --rebuild", { interrupted: "SIGINT" });
    expect(interrupted.calls).toEqual([
      'verifyProject {"repair":false,"targets":[],"isToldToStop":true}',
      "stop listening",
    ]);
    expect(interrupted.code).toBe(130);
  });

  test("does not rebuild and repair at once", async () => {
    const { err, calls, code } = await millrace("verify --rebuild --repair", { engine: false });
    expect(err).toContain('M101  "--rebuild" and "--repair" exclude each other');
    expect(calls).toEqual([]);
    expect(code).toBe(2);
  });
});
