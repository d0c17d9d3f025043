import { describe, expect, test } from "vitest";
import { ok } from "../../src/core/model/result.ts";
import type { VerifyReport } from "../../src/engine/control.ts";
import { millrace } from "../support/cli-world.ts";
import * as sample from "../support/sample-reports.ts";

function answering(report: VerifyReport): Parameters<typeof millrace>[1] {
  return { door: { verifyProject: async () => ok(report) } };
}

const CLEAN: VerifyReport = {
  version: 1,
  roots: [{ ...sample.VERIFY.roots[0]!, findings: [], states: { done: 3 }, explained: [] }],
  ok: true,
};

describe("verify", () => {
  test("tells each finding with its rule and what to do, then what may stay, and exits 1", async () => {
    const { out, code } = await millrace("verify");
    expect(out.trimEnd().split("\n")).toEqual([
      "state/  1 thing off, 1 repaired; looked at 4 outputs, 3 manifests, 3 sources (2 done, 1 retrying)",
      "",
      '  off  M601 output-gone  the output "output/001.json" is recorded and not there',
      '    do: "millrace run" makes it again',
      "",
      '  repaired  M608 temp-left  ".millrace/tmp/0mabc" is what a process that is gone left behind',
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
});
