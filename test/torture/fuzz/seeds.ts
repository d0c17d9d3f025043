/** Valid texts of every kind, from which the cases are made. */

const node = { typeId: "transform", data: { expression: "$.input.content.toUpperCase()" } };
const state = {
  path: "out/001.txt",
  contentHash: "0123456789abcdef",
  codeHash: "fedcba9876543210",
  paramsHash: "",
  inputHashes: { "input/001.txt": "00112233445566aa", "input/gone.txt": null },
  envHashes: { HOME: "aa" },
  producedAt: "2026-11-20T13:06:55.123Z",
  producedBy: "echo#out",
  runId: "r1",
  durationMs: 1.5,
};
const failure = {
  error: "it broke",
  category: "node",
  attempts: 3,
  firstFailedAt: "2026-11-20T13:06:55.123Z",
  lastFailedAt: "2026-11-20T13:07:55.123Z",
  nextRetryAt: null,
  delayMs: 60000,
  signature: "0123456789abcdef",
  inputHashes: { "input/001.txt": "00112233445566aa" },
};
const trashNote = {
  path: "out/001.txt",
  kept: ".millrace/trash/20261120T130655123Z-abc/out/001.txt",
  why: "its source is gone",
  at: "2026-11-20T13:06:55.123Z",
  of: { taskKey: "echo#out@001", entityId: "001", pattern: "out/{id}.txt", record: state },
};
const text = (value: object): string => JSON.stringify(value, undefined, 1);

export const DEFINITIONS: readonly string[] = [
  text({
    name: "echo",
    mode: "pipeline",
    stateRoot: "state/",
    scanInterval: 30,
    retryPolicy: { maxAttempts: 3, backoffSeconds: [5, 10] },
    stages: [
      { id: "input", type: "source", pattern: "input/{id}.txt", settle: "500ms", filter: { minSize: 1 } },
      { id: "upper", type: "transform", input: "input", pattern: "upper/{id}.txt", node, timeout: "5m", priority: 2 },
      {
        id: "out",
        type: "transform",
        input: { a: "upper" },
        pattern: "out/{id}.json",
        onEdit: "rebuild",
        env: ["HOME"],
      },
    ],
  }),
  text({ stages: [{ id: "in", type: "source", pattern: "{a}-{b:int}/{c...}.md" }] }),
  `// a comment\n{ "stages": [ { "id": "in", "type": "source", "pattern": "x/{d:date}.csv", }, ] }`,
];

export const PATTERNS: readonly string[] = [
  "input/{id}.txt",
  "orders/{region}/{date:date}.csv",
  "docs/{path...}.md",
  "{a}-{b}-{c}-{d}-{e}.txt",
  "{x:/[a-z]{2,3}/}-{y:/(a|ab)*/}",
  "albums/{id}/",
  "{id}/{id}.txt",
  "{n:int}{{literal}}",
  "config.json",
];

export const NAMES: readonly string[] = [
  "input/001.txt",
  "orders/eu/2026-02-29.csv",
  "docs/a/b/c.md",
  "-".repeat(251),
  "ab-abab",
  "albums/x/",
  "a/a.txt",
  "line\nbreak",
  "e\u0301/\u00e9",
  "CON.json",
  "con",
  "%41.json",
  "__proto__",
  "\ud83e\udd8a/\ud800",
  "",
  "..",
  ".millrace/key",
  "ü".repeat(125),
];

export const DOCUMENTS: Readonly<Record<"manifest" | "controls" | "intent" | "trash" | "session", readonly string[]>> =
  {
    manifest: [
      text({ version: 1, entityId: "001", states: { "out/{id}.txt": state }, failures: { "x/{id}": failure } }),
      text({ version: 1, entityId: "001", states: {}, failures: {} }),
      text({ version: 2, entityId: "001", more: [] }),
    ],
    controls: [
      text({
        version: 1,
        held: { "echo#out": "2026-11-20T13:06:55.123Z" },
        forced: { "echo#out@001": "2026-11-20T13:06:55.123Z" },
      }),
      text({
        version: 1,
        held: {},
        forced: {},
        retractions: { "echo#out@001": { at: "2026-11-20T13:06:55.123Z", is: "frozen" } },
      }),
    ],
    intent: [
      text({
        version: 1,
        batchId: "abc123",
        records: [
          {
            taskKey: "echo#out@001",
            entityId: "001",
            pattern: "out/{id}.txt",
            path: "out/001.txt",
            staged: "0",
            record: state,
          },
        ],
      }),
    ],
    trash: [text(trashNote)],
    session: [
      text({
        version: 1,
        bootId: "00000000-0000-4000-8000-000000000000",
        startedAt: "2026-11-20T13:06:55.123Z",
        checkpointAt: null,
        clean: false,
      }),
    ],
  };
