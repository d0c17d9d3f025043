import type { Problem } from "../../src/core/model/problem.ts";
import type {
  ActionReport,
  CleanReport,
  DoctorReport,
  ExplainReport,
  FrozenReport,
  GraphReport,
  HistoryReport,
  ListReport,
  LogsReport,
  PlanReport,
  QuarantineReport,
  RestoreReport,
  RunReport,
  ShowReport,
  StatusReport,
  TaskReport,
  TrashReport,
  VerifyReport,
  WhyNotReport,
} from "../../src/engine/control.ts";

/** What time it is on every sample. */
export const NOW: string = "2026-11-20T13:00:00.000Z";

/** A project with one failing task, in which every field of every report has a value: the documentation is checked against it. */
export const PROBLEM: Problem = {
  code: "M204",
  severity: "warning",
  message: 'output pattern uses "{slug}", which no input binds',
  place: {
    file: "pipelines/echo.json",
    line: 14,
    column: 16,
    length: 6,
    pointer: "/stages/1/pattern",
    excerpt: '    "pattern": "{slug}.json"',
  },
  notes: ["inputs bind: {id}"],
  hint: "write {id} here",
};

export const STALE: TaskReport = {
  root: "state/",
  pipeline: "echo",
  stage: "transformed",
  entity: "002",
  task: "transformed@002",
  path: "transformed/002.txt",
  status: "stale",
  reasons: ["input-changed"],
  evidence: [{ code: "input-changed", subject: "input/002.txt", before: "a1b2c3d4e5f60718", now: "c3d4e5f607182930" }],
  waitingFor: [],
  failure: null,
};

export const MISSING: TaskReport = {
  ...STALE,
  entity: "004",
  task: "transformed@004",
  path: "transformed/004.txt",
  status: "missing",
  reasons: ["output-missing"],
  evidence: [{ code: "output-missing", subject: "transformed/004.txt" }],
};

export const RETRYING: TaskReport = {
  ...STALE,
  entity: "003",
  task: "transformed@003",
  path: "transformed/003.txt",
  status: "retrying",
  reasons: ["output-missing"],
  evidence: [],
  failure: {
    error: "the node threw: boom\n  at run (nodes/shout.ts:3:9)",
    category: "node",
    attempts: 2,
    maxAttempts: 7,
    nextRetryAt: "2026-11-20T13:00:42.000Z",
  },
};

export const BLOCKED: TaskReport = {
  ...STALE,
  stage: "output",
  entity: "003",
  task: "output@003",
  path: "output/003.json",
  status: "blocked",
  reasons: ["upstream-stale"],
  evidence: [],
  waitingFor: ["transformed@003: it is retrying"],
};

const FROZEN: FrozenReport = {
  total: 42,
  since: "2026-11-20T12:59:00.000Z",
  why: ["21 of 40 sources of input/{id}.txt (echo#input) vanished: more than half"],
  examples: ["transformed@101", "output@101", "transformed@102"],
};

export const STATUS: StatusReport = {
  version: 1,
  roots: [
    {
      root: "state/",
      daemon: { pid: 4711, host: "mill", since: "2026-11-20T11:00:00.000Z", door: "http://127.0.0.1:4000" },
      asOf: NOW,
      watcher: {
        mode: "live",
        reason: "",
        canary: { at: "2026-11-20T12:59:57.000Z", ok: true },
        watchedFolders: 12,
        rescans: { storm: 3, "watch-error": 1 },
      },
      scanIntervalSeconds: 600,
      stages: [
        {
          pipeline: "echo",
          stage: "input",
          type: "source",
          pattern: "input/{id}.txt",
          counts: { fresh: 3 },
          held: false,
        },
        {
          pipeline: "echo",
          stage: "transformed",
          type: "transform",
          pattern: "transformed/{id}.txt",
          counts: { fresh: 2, retrying: 1 },
          held: false,
        },
        {
          pipeline: "echo",
          stage: "output",
          type: "transform",
          pattern: "output/{id}.json",
          counts: { fresh: 2, blocked: 1 },
          held: true,
        },
      ],
      trouble: [
        {
          task: "transformed@003",
          incident: "ab12cd34",
          pipeline: "echo",
          status: "retrying",
          error: "the node threw: boom\n  at run (nodes/shout.ts:3:9)",
          attempts: 2,
          maxAttempts: 7,
          nextRetryAt: "2026-11-20T13:00:42.000Z",
        },
        {
          task: "output@003",
          incident: null,
          pipeline: "echo",
          status: "blocked",
          error: "transformed@003 is retrying",
          attempts: 0,
          maxAttempts: 7,
          nextRetryAt: null,
        },
      ],
      troubleTotal: 5,
      incidents: [
        {
          id: "ab12cd34",
          stage: "echo#transformed",
          category: "node",
          error: "the node threw: boom\n  at run (nodes/shout.ts:3:9)",
          tasks: 1,
          examples: ["transformed@003"],
          firstFailedAt: "2026-11-20T12:58:00.000Z",
          lastFailedAt: "2026-11-20T12:59:00.000Z",
          nextRetryAt: "2026-11-20T13:00:42.000Z",
          quarantined: 0,
        },
      ],
      nextRetryAt: "2026-11-20T13:00:42.000Z",
      problems: [PROBLEM],
      paused: null,
      frozen: FROZEN,
    },
  ],
};

export const PLAN: PlanReport = {
  version: 1,
  tasks: [MISSING, STALE, RETRYING],
  counts: { fresh: 7, missing: 1, stale: 1, retrying: 1 },
};

export const EXPLAIN: ExplainReport = {
  version: 1,
  task: STALE,
  summary: "transformed@002 is stale: input/002.txt changed since it was made",
  inputs: [
    { path: "input/002.txt", declared: true, recorded: "a1b2c3d4e5f60718", now: "c3d4e5f607182930" },
    { path: "words.json", declared: false, recorded: null, now: null },
  ],
  output: { path: "transformed/002.txt", recorded: "1111222233334444", now: "1111222233334444" },
  code: { recorded: "5555666677778888", now: "5555666677778888" },
  log: "",
  byHand: null,
  producedAt: "2026-11-20T12:57:00.000Z",
  runId: "k3j4h5g6f7d8",
};

export const WHY_NOT: WhyNotReport = {
  version: 1,
  path: "input/003.txt",
  reasons: ["it matches input/{id}.txt (echo#input)", "transformed@003 is retrying"],
  tasks: [RETRYING],
};

export const LIST: ListReport = { version: 1, total: 12, tasks: [STALE, RETRYING, BLOCKED] };

export const SHOW: ShowReport = {
  version: 1,
  root: "state/",
  entity: "001",
  file: ".millrace/manifests/001.json",
  manifest: {
    version: 1,
    entityId: "001",
    states: {
      "transformed/{id}.txt": {
        path: "transformed/001.txt",
        contentHash: "1111222233334444",
        codeHash: "5555666677778888",
        paramsHash: "99990000aaaabbbb",
        inputHashes: { "input/001.txt": "a1b2c3d4e5f60718", "words.json": null },
        envHashes: { MODE: "ccccddddeeeeffff" },
        toolHashes: { jq: "0123456789abcdef" },
        producedAt: "2026-11-20T12:57:00.000Z",
        producedBy: "echo#transformed",
        runId: "k3j4h5g6f7d8",
        durationMs: 12,
      },
      "tagged/{id}.txt": {
        path: "tagged/001.txt",
        contentHash: null,
        leftover: "2222333344445555",
        leftoverRecord: {
          path: "tagged/001.txt",
          contentHash: "2222333344445555",
          codeHash: "5555666677778888",
          paramsHash: "",
          inputHashes: { "input/001.txt": "b1b2c3d4e5f60718" },
          producedAt: "2026-11-20T12:55:00.000Z",
          producedBy: "echo#tagged",
          runId: "k3j4h5g6f7d7",
          durationMs: 1,
        },
        codeHash: "5555666677778888",
        paramsHash: "",
        inputHashes: { "input/001.txt": "a1b2c3d4e5f60718" },
        producedAt: "2026-11-20T12:57:00.000Z",
        producedBy: "echo#tagged",
        runId: "k3j4h5g6f7d8",
        durationMs: 1,
      },
    },
    failures: {
      "output/{id}.json": {
        error: "the node threw: boom",
        category: "node",
        attempts: 2,
        firstFailedAt: "2026-11-20T12:58:00.000Z",
        lastFailedAt: "2026-11-20T12:59:00.000Z",
        nextRetryAt: "2026-11-20T13:00:42.000Z",
        delayMs: 102_000,
        signature: "fedcba9876543210",
        inputHashes: { "transformed/001.txt": "1111222233334444" },
        envHashes: { MODE: "ccccddddeeeeffff" },
        log: "shouting\n",
      },
    },
  },
};

export const HISTORY: HistoryReport = {
  version: 1,
  attempts: [
    {
      root: "state/",
      runId: "k3j4h5g6f7d9",
      taskKey: "echo#transformed@003",
      pipeline: "echo",
      stage: "transformed",
      entity: "003",
      path: "transformed/003.txt",
      attempt: 2,
      result: "failed",
      reasons: "output-missing",
      startedAt: "2026-11-20T12:59:00.000Z",
      durationMs: 1532,
      contentHash: null,
      error: "the node threw: boom\n  at run (nodes/shout.ts:3:9)",
      category: "node",
    },
    {
      root: "state/",
      runId: "k3j4h5g6f7d8",
      taskKey: "echo#output@001",
      pipeline: "echo",
      stage: "output",
      entity: "001",
      path: "output/001.json",
      attempt: 1,
      result: "ran",
      reasons: "output-missing upstream-stale",
      startedAt: "2026-11-20T12:57:00.000Z",
      durationMs: 12,
      contentHash: "1111222233334444",
      error: null,
      category: null,
    },
  ],
};

export const LOGS: LogsReport = {
  version: 1,
  entries: [
    {
      task: "transformed@003",
      runId: "k3j4h5g6f7d9",
      attempt: 2,
      result: "failed",
      startedAt: "2026-11-20T12:59:00.000Z",
      error: "the node threw: boom",
      log: "reading\nshouting\n",
    },
  ],
};

export const ACTION: ActionReport = {
  version: 1,
  changed: ["output@001", "output@002"],
  refused: [{ target: "output@009", why: "there is no such task" }],
};

export const TRASH: TrashReport = {
  version: 1,
  total: 3,
  entries: [
    {
      root: "state/",
      name: "20261120T120000000Z-k3j4h5g6f7d8",
      path: "output/001.json",
      kept: ".millrace/trash/20261120T120000000Z-k3j4h5g6f7d8/output/001.json",
      why: "its source is gone",
      at: "2026-11-20T12:00:00.000Z",
      bytes: 4300,
      task: "echo#output@001",
    },
    {
      root: "state/",
      name: "20261119T120000000Z-k3j4h5g6f7d7",
      path: "output/002.json",
      kept: ".millrace/trash/20261119T120000000Z-k3j4h5g6f7d7/output/002.json",
      why: "edited by hand, made again",
      at: "2026-11-19T12:00:00.000Z",
      bytes: 12,
      task: null,
    },
  ],
};

export const RESTORE: RestoreReport = {
  version: 1,
  restored: [
    {
      path: "output/001.json",
      name: "20261120T120000000Z-k3j4h5g6f7d8",
      what: "it is the result of output@001 again",
    },
  ],
  refused: [{ target: "output/002.json", why: "something is there now; move it away" }],
};

export const CLEAN: CleanReport = {
  version: 1,
  removed: false,
  dead: [
    {
      root: "state/",
      path: "old/001.json",
      stage: "echo#old",
      entity: "001",
      bytes: 2048,
      producedAt: "2026-11-20T12:00:00.000Z",
    },
  ],
  records: 2,
  left: [{ root: "state/", path: "old/002.json", why: "it was changed since Millrace wrote it" }],
};

export const QUARANTINE: QuarantineReport = {
  version: 1,
  total: 2,
  quarantined: [
    {
      root: "state/",
      pipeline: "echo",
      stage: "transformed",
      entity: "003",
      task: "transformed@003",
      path: "transformed/003.txt",
      incident: "ab12cd34",
      error: "the command exited with code 3: no title\n  in line 2",
      category: "node",
      attempts: 7,
      firstFailedAt: "2026-11-20T12:58:00.000Z",
      lastFailedAt: "2026-11-20T12:59:00.000Z",
      log: "reading\nno title\n",
      inputs: [{ path: "input/003.txt", then: "a1b2c3d4e5f60718", now: "c3d4e5f607182930" }],
      byHand: "mkdir -p /tmp/millrace-try && cd /project && env MILLRACE_INPUT=/project/state/input/003.txt ./shout.sh",
    },
  ],
};

export const GRAPH: GraphReport = {
  version: 1,
  stages: [
    { root: "state/", pipeline: "echo", stage: "input", type: "source", pattern: "input/{id}.txt", node: null },
    { root: "state/", pipeline: "echo", stage: "output", type: "transform", pattern: "output/{id}.json", node: "set" },
    { root: "state/", pipeline: "echo", stage: "copy", type: "transform", pattern: "copy/{id}.txt", node: "copy" },
    { root: "state/", pipeline: "social", stage: "posts", type: "source", pattern: "output/{slug}.json", node: null },
  ],
  edges: [
    { from: "echo#input", to: "echo#output", by: "input" },
    { from: "echo#input", to: "echo#copy", by: "input" },
    { from: "echo#output", to: "social#posts", by: "pattern" },
  ],
};

export const RUN: RunReport = {
  version: 1,
  results: { ran: 2, failed: 1 },
  counts: { fresh: 3, retrying: 1 },
  retracted: 4,
  frozen: FROZEN,
  unsettled: ["input/big.txt"],
  trouble: [STATUS.roots[0]!.trouble[0]!],
  troubleTotal: 1,
  incidents: [STATUS.roots[0]!.incidents[0]!],
  durationMs: 1204,
  failed: true,
};

export const DOCTOR: DoctorReport = {
  version: 1,
  healthy: false,
  checks: [
    { check: "node", result: "ok", finding: "Node 24.21.0", advice: null },
    {
      check: "writable",
      result: "fail",
      finding: "state/ cannot be written: EACCES",
      advice: "give this user write permission",
    },
  ],
};

export const VERIFY: VerifyReport = {
  version: 1,
  roots: [
    {
      root: "state/",
      findings: [
        {
          code: "M601",
          rule: "output-gone",
          path: "output/001.json",
          entity: "001",
          message: 'the output "output/001.json" is recorded and not there',
          hint: '"millrace run" makes it again',
          repaired: false,
        },
        {
          code: "M608",
          rule: "temp-left",
          path: ".millrace/tmp/0mabc",
          entity: null,
          message: '".millrace/tmp/0mabc" is what a process that is gone left behind',
          hint: '"millrace verify --repair" removes it',
          repaired: true,
        },
        {
          code: "M616",
          rule: "not-repeated",
          path: "output/002.json",
          entity: "002",
          message:
            '"output/002.json" of echo#output@002 (node: module nodes/stamp.ts) is not repeated: recorded is 00000000000000aa; made again, it has 00000000000000bb',
          hint: "let the node give the same result for the same input",
          repaired: false,
          rebuild: {
            task: "echo#output@002",
            stage: "echo#output",
            node: "module nodes/stamp.ts",
            recorded: "00000000000000aa",
            now: "00000000000000bb",
            error: null,
          },
        },
      ],
      notes: [
        {
          code: "M614",
          rule: "leftover-source",
          path: "input/009.txt",
          entity: "009",
          message: 'the source "input/009.txt" is recorded and gone',
          hint: "nothing: a record without a file does no harm",
          repaired: false,
        },
      ],
      checked: {
        outputs: 4,
        manifests: 3,
        sources: 3,
        notOurs: 1,
        rebuilt: { outputs: 4, rebuilt: 2, same: 1, differ: 1, failed: 0, leftOut: { sink: 1, retrying: 1 } },
      },
      states: { done: 2, retrying: 1 },
      explained: [{ path: "input/003.txt", state: "retrying", reason: "transformed@003 is retrying" }],
    },
  ],
  ok: false,
};
