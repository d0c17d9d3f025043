import { describe, expect, test } from "vitest";
import { problem } from "../../src/core/model/problem.ts";
import { fail, ok } from "../../src/core/model/result.ts";
import type { Status } from "../../src/core/model/words.ts";
import type { ActionReport, PlanReport, StatusReport } from "../../src/engine/control.ts";
import { millrace } from "../support/cli-world.ts";
import * as sample from "../support/sample-reports.ts";

const held = problem("M110", 'the root "state/" is held by pid 4711', "stop that daemon");
const silent = problem("M112", "the daemon does not answer", "start it again");
const broken = problem("M201", "it is no JSON", "mend it");

describe("commands that read", () => {
  test.each(["status", "plan", "explain a@1", "why-not a", "list", "show 1", "history", "logs", "graph"])(
    "%s exits 0 when it has shown the answer, failing work or not",
    async (line) => {
      const { code, calls } = await millrace(line);
      expect(code).toBe(0);
      expect(calls.at(0)).toBe("openProject read /project");
      expect(calls.at(-1)).toBe("close");
    },
  );

  test("an unknown target exits 2, is told on stderr, and the project is closed", async () => {
    const unknown = problem("M101", 'nothing is called "nope"', "see millrace list");
    const { code, out, err, calls } = await millrace("explain nope", {
      control: { explain: async () => fail(unknown) },
    });
    expect({ code, out, err }).toEqual({
      code: 2,
      out: "",
      err: 'error M101  nothing is called "nope"\n  do: see millrace list\n',
    });
    expect(calls.at(-1)).toBe("close");
  });
});

describe("a project that cannot be opened", () => {
  test.each([
    ["held by another daemon", held, 4],
    ["with a daemon that does not answer", silent, 4],
    ["with a broken definition", broken, 2],
  ])("%s: exit code %3$i", async (_, why, code) => {
    const door = {
      openProject: async () => fail(why),
      startDaemon: async () => fail(why),
      runOnce: async () => fail(why),
    };
    for (const line of ["status", "retry output@001", "start", "run"]) {
      expect((await millrace(line, { door })).code, line).toBe(code);
    }
  });
});

describe("--exit-code", () => {
  const statusWith = (counts: Partial<Record<Status, number>>): StatusReport => {
    const root = sample.STATUS.roots[0]!;
    return { version: 1, roots: [{ ...root, stages: [{ ...root.stages[0]!, counts }] }] };
  };

  test.each<[Partial<Record<Status, number>>, number]>([
    [{ fresh: 3, skipped: 1, orphaned: 1 }, 0],
    [{ fresh: 3, stale: 1 }, 3],
    [{ missing: 1 }, 3],
    [{ waiting: 1 }, 3],
    [{ settling: 1 }, 3],
    [{ queued: 1 }, 3],
    [{ running: 1 }, 3],
    [{ held: 1 }, 3],
    [{ failed: 1, stale: 1 }, 1],
    [{ retrying: 1 }, 1],
    [{ quarantined: 1 }, 1],
    [{ blocked: 1 }, 1],
  ])("status with %j exits %i", async (counts, code) => {
    const control = { status: async () => ok(statusWith(counts)) };
    expect((await millrace("status --exit-code", { control })).code).toBe(code);
    expect((await millrace("status", { control })).code).toBe(0);
  });

  test("plan exits 3 when something would run", async () => {
    const report: PlanReport = { version: 1, tasks: [sample.MISSING], counts: { fresh: 1 } };
    const control = { plan: async () => ok(report) };
    expect((await millrace("plan --exit-code", { control })).code).toBe(3);
    expect((await millrace("plan", { control })).code).toBe(0);
  });
});

describe("run", () => {
  test("exits 1 when work failed, 0 when not", async () => {
    expect((await millrace("run")).code).toBe(1);
    expect((await millrace("run", { door: { runOnce: async () => ok({ ...sample.RUN, failed: false }) } })).code).toBe(
      0,
    );
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("exits after %s with %i, still saying what was done", async (by, code) => {
    const interrupted = new Set<unknown>();
    const { code: exit, out } = await millrace("run", {
      door: {
        runOnce: async ({ signal }) => {
          interrupted.add(signal.aborted);
          return ok({ ...sample.RUN, failed: false });
        },
      },
      interrupted: by,
    });
    expect([exit, [...interrupted]]).toEqual([code, [true]]);
    expect(out).toContain("2 ran, 1 failed");
  });

  test("is what start --once does", async () => {
    const once = await millrace("start --once");
    const run = await millrace("run");
    expect(once).toEqual(run);
    expect(run.calls).toContain('runOnce {"projectFolder":"/project","settleTimeoutMs":30000,"wait":false}');
  });

  test("passes its flags on, times in milliseconds", async () => {
    const { calls } = await millrace("-C sub run --wait --settle-timeout 2m");
    expect(calls).toContain('runOnce {"projectFolder":"/project/sub","settleTimeoutMs":120000,"wait":true}');
  });
});

describe("start", () => {
  test("stops the daemon on SIGTERM and exits 143", async () => {
    const { code, calls } = await millrace("start --grace 500ms -v");
    expect(code).toBe(143);
    expect(calls).toEqual([
      'startDaemon {"projectFolder":"/project","pretty":false,"level":"debug","graceMs":500}',
      "stop SIGTERM",
      "stop listening",
    ]);
  });

  test("logs for people on a terminal, JSON lines with --json", async () => {
    const first = async (line: string) => (await millrace(line, { terminal: true })).calls[0];
    expect(await first("start")).toContain('"pretty":true,"level":"info","graceMs":10000');
    expect(await first("start --json -q")).toContain('"pretty":false,"level":"warn"');
    expect(await first("start --log-level error -v")).toContain('"level":"error"');
  });

  test("gives the exit code of a daemon that stops by itself", async () => {
    const daemon = { stopped: Promise.resolve(4), stop: async () => undefined };
    expect((await millrace("start", { door: { startDaemon: async () => ok(daemon) } })).code).toBe(4);
  });
});

describe("commands that change something", () => {
  const after = (report: Partial<ActionReport>) => ({ hold: async () => ok({ ...sample.ACTION, ...report }) });

  test.each(["retry", "invalidate", "accept", "hold", "release"])(
    "%s opens for writing and passes its targets",
    async (verb) => {
      const { calls, out } = await millrace(`${verb} output@001 output@002`);
      expect(calls).toEqual(["openProject write /project", `${verb} {"targets":["output@001","output@002"]}`, "close"]);
      expect(out).toBe(`${verb}  output@001\n${verb}  output@002\n`);
    },
  );

  test("exit 0 when every target was changed, 1 when some were refused, 2 when all were", async () => {
    expect((await millrace("hold a", { control: after({ refused: [] }) })).code).toBe(0);
    expect((await millrace("hold a", { control: after({}) })).code).toBe(1);
    const none = await millrace("hold a", { control: after({ changed: [] }) });
    expect(none.code).toBe(2);
    expect(none.err).toContain('error M101  hold left "output@009" alone: there is no such task');
  });

  test("accept --deletions lets the frozen ones go, and takes no targets", async () => {
    const { calls, out, code } = await millrace("accept --deletions");
    expect([code, calls]).toEqual([0, ["openProject write /project", "acceptDeletions {}", "close"]]);
    expect(out).toContain("2 results are taken away now");
    for (const line of ["accept", "accept --deletions output@001"]) {
      const refused = await millrace(line);
      expect([refused.code, refused.calls]).toEqual([2, []]);
      expect(refused.err).toContain("--deletions");
    }
  });

  test("-q leaves out what went well", async () => {
    expect((await millrace("hold a -q", { control: after({ refused: [] }) })).out).toBe("");
  });
});

test("doctor exits 1 when a check fails", async () => {
  expect((await millrace("doctor")).code).toBe(1);
  const healthy = { ...sample.DOCTOR, healthy: true };
  expect((await millrace("doctor", { door: { examineProject: async () => healthy } })).code).toBe(0);
});

test("a fault of Millrace itself exits 1 and asks for a report; -v shows where", async () => {
  const control = {
    status: async () => {
      throw new Error("two and two\u001b[31m");
    },
  };
  const { code, err } = await millrace("status", { control });
  expect(code).toBe(1);
  expect(err).toBe(
    'error  Millrace itself failed: Error: two and two\\e[31m\n  do: report it with the output of the same command and "-v"\n',
  );
  expect((await millrace("status -v", { control })).err).toContain("exit-codes.test.ts");
});
