import { describe, expect, test } from "vitest";
import { ok } from "../../src/core/model/result.ts";
import type { PlanReport, RunReport, StatusReport } from "../../src/engine/control.ts";
import { millrace } from "../support/cli-world.ts";
import * as sample from "../support/sample-reports.ts";

/** What a command line prints on stdout, as lines. */
async function screen(
  line: string | readonly string[],
  setting: Parameters<typeof millrace>[1] = {},
): Promise<string[]> {
  const { out } = await millrace(line, setting);
  return out.trimEnd().split("\n");
}

const FROZEN = [
  "FROZEN  42 results are kept since 2026-11-20 12:59:00Z: too many gone at once",
  "  21 of 40 sources of input/{id}.txt (echo#input) vanished: more than half",
  "  transformed@101, output@101, transformed@102 and 39 more",
  "  do: bring the files back; or, when it was meant: millrace accept --deletions",
];

describe("status", () => {
  test("shows the daemon, the watcher, aligned counts and the failing tasks, in 80 columns", async () => {
    const lines = await screen("status");
    expect(lines).toEqual([
      ...FROZEN,
      "",
      "state/  daemon pid 4711 on mill, up 2 h",
      "        watcher live, 12 folders, canary 3 s ago",
      "        scan every 10 min; next retry in 42 s",
      "        rescans: 3 storm, 1 watch-error",
      "",
      "  stage               fresh  retrying  blocked",
      "  echo#input              3         -        -",
      "  echo#transformed        2         1        -",
      "  echo#output (held)      2         -        1",
      "",
      "  5 tasks need attention",
      "  retrying  transformed@003  attempt 2 of 7, next in 42 s",
      "            the node threw: boom",
      "  blocked   output@003",
      "            transformed@003 is retrying",
      "  and 3 more: millrace list --status failed,retrying,quarantined,blocked",
    ]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("shows tasks that failed alike as one entry, with examples and the command that retries them all", async () => {
    const root = sample.STATUS.roots[0]!;
    const [incident] = root.incidents;
    const alike = {
      ...incident!,
      id: "cd34ab12",
      tasks: 300,
      quarantined: 12,
      error: "out of tea",
      examples: ["transformed@1", "transformed@2", "transformed@3"],
    };
    const pair = { ...alike, id: "00000002", tasks: 2, error: "out of milk", quarantined: 0, nextRetryAt: null };
    const task = { ...root.trouble[0]!, task: "transformed@1", incident: alike.id };
    const report: StatusReport = {
      version: 1,
      roots: [
        {
          ...root,
          trouble: [...root.trouble, task],
          troubleTotal: 304,
          incidents: [alike, { ...pair, examples: alike.examples.slice(0, 2) }, incident!],
        },
      ],
    };
    const lines = await screen("status", { control: { status: async () => ok(report) } });
    expect(lines.slice(lines.indexOf("  304 tasks need attention") + 1)).toEqual([
      "  300 alike  echo#transformed  next in 42 s, 12 quarantined",
      "    out of tea",
      "    transformed@1, transformed@2, ...",
      "    do: millrace retry incident:cd34ab12",
      "  2 alike  echo#transformed  no retry by itself",
      "    out of milk",
      "    transformed@1, transformed@2",
      "    do: millrace retry incident:00000002",
      "  retrying  transformed@003  attempt 2 of 7, next in 42 s",
      "            the node threw: boom",
      "  blocked   output@003",
      "            transformed@003 is retrying",
    ]);
  });

  test("says how old the counters are where no daemon runs, and that nothing needs attention", async () => {
    const quiet: StatusReport = {
      version: 1,
      roots: [
        {
          ...sample.STATUS.roots[0]!,
          frozen: null,
          daemon: null,
          watcher: null,
          nextRetryAt: null,
          asOf: "2026-11-20T12:57:00.000Z",
          stages: sample.STATUS.roots[0]!.stages.slice(0, 1),
          trouble: [],
          troubleTotal: 0,
          incidents: [],
        },
      ],
    };
    expect(await screen("status", { control: { status: async () => ok(quiet) } })).toEqual([
      "state/  no daemon, as of 3 min ago",
      "",
      "  stage       fresh",
      "  echo#input      3",
      "",
      "  nothing needs attention",
    ]);
  });

  test("says why the watcher is not live, and how to look at a root that nobody looked at", async () => {
    const root = sample.STATUS.roots[0]!;
    const report: StatusReport = {
      version: 1,
      roots: [
        {
          ...root,
          frozen: null,
          asOf: null,
          watcher: {
            ...root.watcher!,
            mode: "polling",
            reason: "a network share",
            canary: { at: null, ok: false },
            rescans: {},
          },
        },
      ],
    };
    const lines = await screen("status", { control: { status: async () => ok(report) } });
    expect(lines.slice(0, 3)).toEqual([
      "state/  daemon pid 4711 on mill, up 2 h, never looked (look with: millrace status --scan)",
      "        watcher polling, 12 folders, canary lost (last none yet): a network share",
      "        scan every 10 min; next retry in 42 s",
    ]);
  });

  test("writes counts as words where their columns do not fit the terminal", async () => {
    const lines = await screen("status", { terminal: true, columns: 42, env: { NO_COLOR: "1" } });
    expect(lines).toContain("  echo#transformed    2 fresh, 1 retrying");
  });

  test("points a folder without pipelines to init", async () => {
    const empty: StatusReport = { version: 1, roots: [] };
    expect(await screen("status", { control: { status: async () => ok(empty) } })).toEqual([
      "no pipelines here (start a project with: millrace init)",
    ]);
  });
});

describe("plan", () => {
  test("lists the tasks with reasons and evidence", async () => {
    expect(await screen("plan")).toEqual([
      "3 tasks would run",
      "",
      "  transformed@004  output-missing",
      "  transformed@002  input-changed   input/002.txt  a1b2c3d4.. -> c3d4e5f6..",
      "  transformed@003  output-missing  retrying: attempt 2 of 7, next in 42 s",
    ]);
  });

  test("says what is fresh where there is nothing to do", async () => {
    const nothing: PlanReport = { version: 1, tasks: [], counts: { fresh: 4, waiting: 1 } };
    expect(await screen("plan", { control: { plan: async () => ok(nothing) } })).toEqual([
      "nothing to do: 4 fresh, 1 waiting",
    ]);
  });

  test("shows a hundred tasks and how many more there are; all of them with -v", async () => {
    const many: PlanReport = {
      version: 1,
      tasks: Array.from({ length: 150 }, () => sample.MISSING),
      counts: { missing: 150 },
    };
    const control = { plan: async () => ok(many) };
    const lines = await screen("plan", { control });
    expect(lines).toHaveLength(103);
    expect(lines.at(-1)).toBe("  and 50 more: millrace plan -v");
    expect(await screen("plan -v", { control })).toHaveLength(152);
  });

  test("names the pipeline of each task where there are several", async () => {
    const two: PlanReport = { version: 1, tasks: [sample.MISSING, { ...sample.STALE, pipeline: "other" }], counts: {} };
    const lines = await screen("plan", { control: { plan: async () => ok(two) } });
    expect(lines.slice(2)).toEqual([
      "  echo#transformed@004   output-missing",
      "  other#transformed@002  input-changed   input/002.txt  a1b2c3d4.. -> c3d4e5f6..",
    ]);
  });
});

describe("explain", () => {
  test("is a sentence, then the evidence, then what it was made from", async () => {
    expect(await screen("explain transformed@002")).toEqual([
      "transformed@002 is stale: input/002.txt changed since it was made",
      "",
      "  input-changed  input/002.txt  a1b2c3d4.. -> c3d4e5f6..",
      "",
      "  input   input/002.txt        a1b2c3d4.. -> c3d4e5f6..",
      "  read    words.json           absent",
      "  code                         55556666..",
      "  output  transformed/002.txt  11112222..",
      "  made 2026-11-20 12:57:00Z (3 min ago) by run k3j4h5g6f7d8",
    ]);
  });

  test("shows whole hashes with -v, and where two begin alike", async () => {
    expect(await screen("explain -v x")).toContain(
      "  input-changed  input/002.txt  a1b2c3d4e5f60718 -> c3d4e5f607182930",
    );
    const alike = { ...sample.EXPLAIN, code: { recorded: "5555666677778888", now: "5555666699990000" } };
    const lines = await screen("explain x", { control: { explain: async () => ok(alike) } });
    expect(lines).toContain("  code                         5555666677778888 -> 5555666699990000");
  });

  test("shows the whole error of a failing task, and what blocks a blocked one", async () => {
    const failing = { ...sample.EXPLAIN, task: sample.RETRYING, producedAt: null, runId: null };
    const lines = await screen("explain x", { control: { explain: async () => ok(failing) } });
    expect(lines.slice(2, 5)).toEqual([
      "  failed (node): attempt 2 of 7, next in 42 s",
      "    the node threw: boom",
      "      at run (nodes/shout.ts:3:9)",
    ]);
    expect(lines.at(-1)).toBe("  never made");
    const blocked = { ...sample.EXPLAIN, task: sample.BLOCKED };
    expect(await screen("explain x", { control: { explain: async () => ok(blocked) } })).toContain(
      "  transformed@003: it is retrying",
    );
  });
});

test("why-not marks the deciding fact", async () => {
  expect(await screen("why-not input/003.txt")).toEqual([
    "input/003.txt",
    "  -  it matches input/{id}.txt (echo#input)",
    "  => transformed@003 is retrying",
    "",
    "  retrying  transformed@003  transformed/003.txt  attempt 2 of 7, next in 42 s: the node threw: boom",
  ]);
});

test("list has a line per task and says how many more there are", async () => {
  expect(await screen("list")).toEqual([
    "  stale     transformed@002  transformed/002.txt  input-changed",
    "  retrying  transformed@003  transformed/003.txt  attempt 2 of 7, next in 42 s: the node threw: boom",
    "  blocked   output@003       output/003.json      transformed@003: it is retrying",
    "  and 9 more: raise --limit",
  ]);
});

test("show prints the manifest state by state, then the failures", async () => {
  expect(await screen("show 001")).toEqual([
    "001  state/.millrace/manifests/001.json",
    "",
    "transformed/{id}.txt",
    "  path  transformed/001.txt  11112222..",
    "  from  input/001.txt        a1b2c3d4..",
    "  from  words.json           absent",
    "  env   MODE                 ccccdddd..",
    "  tool  jq                   01234567..",
    "  code  55556666.., params 99990000..",
    "  made  2026-11-20 12:57:00Z in 12 ms by echo#transformed, run k3j4h5g6f7d8",
    "",
    "tagged/{id}.txt",
    "  path  tagged/001.txt  skipped: it chose to make nothing",
    "  left  tagged/001.txt  22223333..",
    "  from  input/001.txt   a1b2c3d4..",
    "  code  55556666..",
    "  made  2026-11-20 12:57:00Z in 1 ms by echo#tagged, run k3j4h5g6f7d8",
    "",
    "output/{id}.json failed (node)",
    "  2 times since 2026-11-20 12:58:00Z, last 2026-11-20 12:59:00Z, next retry 2026-11-20 13:00:42Z",
    "    the node threw: boom",
  ]);
});

test("history has a line per attempt", async () => {
  expect(await screen("history")).toEqual([
    "2026-11-20 12:59:00Z  failed  transformed@003  1.5 s  attempt 2: the node threw: boom",
    "2026-11-20 12:57:00Z  ran     output@001       12 ms  output-missing upstream-stale",
  ]);
});

test("logs name the attempt above what it printed", async () => {
  expect(await screen("logs")).toEqual([
    "2026-11-20 12:59:00Z  failed  transformed@003  attempt 2, run k3j4h5g6f7d9",
    "  the node threw: boom",
    "  reading",
    "  shouting",
  ]);
});

describe("run", () => {
  const NO_TROUBLE = { trouble: [], troubleTotal: 0, incidents: [] };
  const summary = async (report: Partial<RunReport>) => {
    const quiet = { ...sample.RUN, retracted: 0, frozen: null, unsettled: [], ...NO_TROUBLE, ...report };
    return screen("run", { door: { runOnce: async () => ok(quiet) } });
  };

  test("sums up in one line, then shows what needs eyes", async () => {
    expect(await screen("run")).toEqual([
      "2 ran, 1 failed, 4 taken away, 3 fresh, 1 retrying",
      ...FROZEN,
      "  not settled  input/big.txt  (still being written; see --settle-timeout)",
      "  1 task needs attention",
      "  retrying  transformed@003  attempt 2 of 7, next in 42 s",
      "            the node threw: boom",
    ]);
  });

  test("tells of many tasks that failed alike once, as status does", async () => {
    const incident = { ...sample.RUN.incidents[0]!, tasks: 312, quarantined: 2 };
    const report = { counts: { quarantined: 2, retrying: 310 }, troubleTotal: 312, incidents: [incident] };
    const lines = await summary({ ...report, trouble: sample.RUN.trouble, failed: true });
    expect(lines.slice(1, 3)).toEqual([
      "  312 tasks need attention",
      "  312 alike  echo#transformed  next in 42 s, 2 quarantined",
    ]);
    expect(lines.at(-1)).toBe("    do: millrace retry incident:ab12cd34");
    expect(lines.length).toBeLessThan(10);
  });

  test.each<[string, Partial<RunReport>]>([
    ["2 ran, 0 failed, 3 fresh", { results: { ran: 2 }, counts: { fresh: 3 }, failed: false }],
    ["0 ran, 2 unchanged, 0 failed, 3 fresh", { results: { unchanged: 2 }, counts: { fresh: 3 }, failed: false }],
    ["0 ran, 2 restored, 0 failed, 2 fresh", { results: { restored: 2 }, counts: { fresh: 2 }, failed: false }],
    ["nothing to do: 4 fresh", { results: {}, counts: { fresh: 4 }, failed: false }],
    ["nothing to do: there are no files for any stage yet", { results: {}, counts: {}, failed: false }],
    ["nothing could run: 4 fresh, 1 quarantined", { results: {}, counts: { fresh: 4, quarantined: 1 }, failed: true }],
    ["2 taken away, 4 fresh", { results: {}, counts: { fresh: 4 }, retracted: 2, failed: false }],
    ["1 ran, 1 failed, 0 fresh", { results: { ran: 1, failed: 1 }, counts: { failed: 1 }, failed: true }],
  ])("says %j", async (expected, report) => {
    expect(await summary(report)).toEqual([expected]);
  });
});

test("doctor says what to do under what is not ok", async () => {
  expect(await screen("doctor")).toEqual([
    "ok    node      Node 24.21.0",
    "fail  writable  state/ cannot be written: EACCES",
    "                do: give this user write permission",
    "",
    "1 failed, 0 to look at",
  ]);
});

describe("graph", () => {
  test("is a tree, with chained pipelines marked", async () => {
    expect(await screen("graph")).toEqual([
      "echo#input  input/{id}.txt  [source]",
      "|- echo#output  output/{id}.json  [set]",
      "|  `- ~> social#posts  output/{slug}.json  [source]",
      "`- echo#copy  copy/{id}.txt  [copy]",
    ]);
  });

  test("is a Mermaid flowchart", async () => {
    expect(await screen("graph --format mermaid")).toEqual([
      "flowchart LR",
      '  subgraph p0["echo"]',
      '    s0["input: input/{id}.txt  [source]"]',
      '    s1["output: output/{id}.json  [set]"]',
      '    s2["copy: copy/{id}.txt  [copy]"]',
      "  end",
      '  subgraph p1["social"]',
      '    s3["posts: output/{slug}.json  [source]"]',
      "  end",
      "  s0 --> s1",
      "  s0 --> s2",
      "  s1 -.-> s3",
    ]);
  });

  test("is a Graphviz digraph", async () => {
    const lines = await screen("graph --format dot");
    expect(lines[0]).toBe("digraph millrace {");
    expect(lines).toContain('    "echo#input" [label="input: input/{id}.txt  [source]"];');
    expect(lines).toContain('  "echo#output" -> "social#posts" [style=dashed];');
    expect(lines.at(-1)).toBe("}");
  });

  test("is the report itself as JSON", async () => {
    const { out } = await millrace("graph --format json");
    expect(JSON.parse(out)).toEqual(sample.GRAPH);
  });
});

describe("a command that changed", () => {
  const changedBy = async (count: number, flag = ""): Promise<string[]> => {
    const changed = Array.from({ length: count }, (_, at) => `output@${at + 1}`);
    const line = ["retry", "output", flag].filter((word) => word !== "");
    return screen(line, { control: { retry: async () => ok({ ...sample.ACTION, changed, refused: [] }) } });
  };

  test("ten tasks names each", async () => {
    expect(await changedBy(10)).toEqual(Array.from({ length: 10 }, (_, at) => `retry  output@${at + 1}`));
  });

  test("eleven says how many, with three of them", async () => {
    expect(await changedBy(11)).toEqual([
      "retry  11 tasks",
      "  output@1",
      "  output@2",
      "  output@3",
      "  and 8 more (-v names all)",
    ]);
  });

  test("many names all with -v", async () => {
    expect(await changedBy(312, "-v")).toHaveLength(312);
  });
});
