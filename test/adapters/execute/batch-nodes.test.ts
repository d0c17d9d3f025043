import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PieceWorker } from "../../../src/adapters/execute/piece-worker.ts";
import { NODE_TYPES } from "../../../src/adapters/execute/nodes/index.ts";
import type { ExecutePorts, PieceEnd } from "../../../src/adapters/execute/wire.ts";
import { hashBytes } from "../../../src/core/hash/hash.ts";
import { executePorts } from "../../../src/engine/compose-execute.ts";
import {
  attemptRequest,
  type RequestOptions,
  stageWork,
  stateSet,
  type TestNode,
  type WorkOptions,
} from "../../support/attempt-requests.ts";
import { TestProject } from "../../support/single-attempt.ts";

let worker: PieceWorker;
let project: TestProject;
beforeAll(async () => {
  worker = await PieceWorker.create(executePorts());
});
beforeEach(async () => {
  project = new TestProject();
  project.write("state/input/001.txt", "hello");
  await worker.startMessage();
});
afterEach(() => project[Symbol.dispose]());

interface Ran {
  readonly end: PieceEnd;
  /** What was staged; `undefined` when nothing. */
  readonly staged: string | undefined;
}

type Options = WorkOptions & RequestOptions & { readonly isAlone?: boolean; readonly by?: PieceWorker };

function run(node: TestNode, options: Options = {}): Ran {
  const request = attemptRequest(project, stageWork(project, node, options), "001", options);
  const { isAlone = true, by = worker } = options;
  const conditions = { isAlone, isAgain: false, isCancelled: () => false };
  const end = by.do({ do: "run", place: "node", request }, conditions);
  const { staged } = request.output;
  const isFile = existsSync(staged) && !request.output.path.endsWith("/");
  return { end, staged: isFile ? readFileSync(staged, "utf8") : undefined };
}
function transform(expression: string, options: Options = {}): Ran {
  return run(["transform", { expression }], options);
}

describe("a node's result is staged with its hash and size", () => {
  test.each<[string, TestNode, string]>([
    ["copy", ["copy"], "hello"],
    ["transform to text", ["transform", { expression: "$.input.content.toUpperCase()" }], "HELLO"],
    ["transform to JSON", ["transform", { expression: "({ a: [1] })" }], '{\n  "a": [\n    1\n  ]\n}\n'],
    ["transform to bytes", ["transform", { expression: "new Uint8Array([104, 105])" }], "hi"],
    [
      "set",
      [
        "set",
        {
          fields: [
            { name: "id", value: "{{$.entity.id}}" },
            { name: "n", value: "{{1 + 1}}" },
            { name: "c", value: [true] },
          ],
        },
      ],
      '{\n  "id": "001",\n  "n": 2,\n  "c": [\n    true\n  ]\n}\n',
    ],
    ["template", ["template", { template: "# {{$.entity.id}}\n{{$.input.content}}!" }], "# 001\nhello!"],
  ])("%s", (_what, node, text) => {
    const { end, staged } = run(node);
    expect(staged).toBe(text);
    expect(end).toMatchObject({ kind: "produced", hash: hashBytes(text), size: Buffer.byteLength(text) });
  });

  test("a template in a file", () => {
    project.write("pipelines/page.md", "<{{$.input.content}}>");
    expect(run(["template", { file: "page.md" }]).staged).toBe("<hello>");
  });

  test("copies bytes that are no text, and empty files", () => {
    writeFileSync(join(project.root, "input/001.txt"), new Uint8Array([0, 255, 254, 0]));
    expect(run(["copy"]).end).toMatchObject({ hash: hashBytes(new Uint8Array([0, 255, 254, 0])), size: 4 });
    project.write("state/input/001.txt", "");
    expect(run(["copy"])).toMatchObject({ staged: "", end: { kind: "produced", size: 0 } });
  });
});

describe("a folder", () => {
  const folders = { input: "input/001/", output: "out/001/" };
  test("is copied as a tree, with the hash of the state it was", () => {
    project.write("state/input/001/a/b.txt", "deep");
    project.write("state/input/001/c.txt", "flat");
    mkdirSync(join(project.root, "input/001/empty"));
    const { end } = run(["copy"], folders);
    const copied = join(project.root, ".millrace/tmp/001/result");
    expect(readFileSync(join(copied, "a/b.txt"), "utf8")).toBe("deep");
    expect(existsSync(join(copied, "empty"))).toBe(true);
    expect(end).toMatchObject({ kind: "produced", size: 8, hash: end.reads[0]?.hash });
  });

  test.each<[string, TestNode, RequestOptions, string]>([
    [
      "a value",
      ["transform", { expression: "1" }],
      { output: "out/001/" },
      `"out/001/" is a folder; fill the folder output.path`,
    ],
    [
      "a file",
      ["copy"],
      { output: "out/001/" },
      `"input/001.txt" is a file and cannot be copied to the folder "out/001/"`,
    ],
    [
      "a folder",
      ["copy"],
      { input: "input/001/" },
      `"input/001/" is a folder and cannot be copied to the file "out/001.txt"`,
    ],
    [
      "content",
      ["transform", { expression: "$.input.content" }],
      { input: "input/001/" },
      `"input/001/" is a folder and has no content`,
    ],
  ])("is not mixed up with a file: %s", (_what, node, options, error) => {
    project.write("state/input/001/c.txt", "flat");
    expect(run(node, options).end).toMatchObject({
      kind: "failed",
      category: "definition",
      error: expect.stringContaining(error),
    });
  });
});

describe("a file too large to share a thread", () => {
  function enlarge(megabytes: number): void {
    truncateSync(join(project.root, "input/001.txt"), megabytes << 20);
  }
  test("is left to a thread of its own, and copied there", () => {
    enlarge(17);
    expect(run(["copy"], { isAlone: false })).toMatchObject({
      end: { kind: "alone", because: "large" },
      staged: undefined,
    });
    expect(run(["copy"], { isAlone: true }).end).toMatchObject({ kind: "produced", size: 17 << 20 });
  });

  test("of more than 64 MB has no content for expressions, but a size and a copy", () => {
    enlarge(65);
    expect(transform("$.input.content.length").end).toMatchObject({
      kind: "failed",
      category: "definition",
      error: '"input/001.txt" is too large for an expression (65 MB, at most 64 MB); use a module or run_command node',
    });
    expect(transform("$.input.size").staged).toBe(`${65 << 20}\n`);
    expect(run(["copy"]).end).toMatchObject({ kind: "produced", size: 65 << 20 });
  });
});

describe("an `if`", () => {
  const branches = { then: ["template", { template: "yes" }], else: ["transform", { expression: "'no'" }] } as const;
  test.each([
    ["true", "yes"],
    ["''", "no"],
    ["$.input.content === 'hello'", "yes"],
    ["undefined", "no"],
  ])("with %s makes %s", (condition, text) => {
    expect(run(["if", { condition }], branches).staged).toBe(text);
  });

  test("whose branch is missing skips, having read what it read", () => {
    const { end, staged } = run(["if", { condition: "$.input.content === 'bye'" }], { then: branches.then });
    expect(end).toMatchObject({ kind: "skipped", reads: [{ path: "input/001.txt" }] });
    expect(staged).toBeUndefined();
  });

  test("hands a branch of the single lane over", () => {
    const then: TestNode = ["run_command", { command: "true" }];
    expect(run(["if", { condition: "1" }], { then }).end).toMatchObject({ kind: "branch", place: "then" });
  });

  test("cannot be the branch of another", () => {
    const { end } = run(["if", { condition: "1" }], { then: ["if", { condition: "1" }] });
    expect(end).toMatchObject({ kind: "failed", category: "definition" });
  });
});

describe("what an attempt reads is recorded", () => {
  const note = stateSet("note", "notes/001.json");
  const gone = stateSet("gone", "gone/001.txt");

  test("the declared inputs always, even when nothing looks at them", () => {
    expect(transform("1").end.reads).toMatchObject([{ path: "input/001.txt", hash: hashBytes("hello") }]);
  });

  test.each(["content", "hash", "size"])("an ancestor whose .%s was read, and no other", (property) => {
    project.write("state/notes/001.json", '{"a": 1}');
    const { end } = transform(`$.note.${property}`, { ancestors: [note, gone] });
    expect(end.reads.map(({ path, hash }) => [path, hash])).toEqual([
      ["input/001.txt", hashBytes("hello")],
      ["notes/001.json", hashBytes('{"a": 1}')],
    ]);
  });

  test("not one whose path or id was read", () => {
    expect(transform("$.note.path + $.note.id", { ancestors: [note] })).toMatchObject({
      staged: "notes/001.json001",
      end: { reads: [{ path: "input/001.txt" }] },
    });
  });

  test("the absence of an ancestor", () => {
    const { end, staged } = transform("String($.gone.content)", { ancestors: [gone] });
    expect(staged).toBe("undefined");
    expect(end.reads[1]).toEqual({ path: "gone/001.txt", hash: null, stat: undefined });
  });

  test("also when the attempt fails", () => {
    project.write("state/notes/001.json", "{");
    const { end } = transform("$.note.content.a", { ancestors: [note] });
    expect(end).toMatchObject({ kind: "failed", category: "node", reads: [{}, { path: "notes/001.json" }] });
  });

  test("JSON is parsed, also behind a byte order mark", () => {
    project.write("state/notes/001.json", '\uFEFF{"a": [1, 2]}');
    expect(transform("$.note.content.a.length", { ancestors: [note] }).staged).toBe("2\n");
  });

  test("environment variables beside those declared; their values are masked in errors", () => {
    process.env["MILLRACE_TEST_SECRET"] = "swordfish";
    process.env["MILLRACE_TEST_PLAIN"] = "plaintext";
    const expression = "(() => { throw new Error($env.MILLRACE_TEST_SECRET + ' ' + $env.MILLRACE_TEST_PLAIN); })()";
    const { end } = transform(expression, { env: ["MILLRACE_TEST_PLAIN"] });
    expect(end.envReads).toEqual(["MILLRACE_TEST_SECRET"]);
    expect(end).toMatchObject({
      error: expect.stringContaining("***MILLRACE_TEST_SECRET*** ***MILLRACE_TEST_PLAIN***"),
    });
    expect(JSON.stringify(end)).not.toContain("swordfish");
  });
});

describe("an input that cannot be read", () => {
  test("because it vanished: the attempt is overtaken", () => {
    rmSync(join(project.root, "input/001.txt"));
    expect(run(["copy"]).end).toMatchObject({ kind: "overtaken", path: "input/001.txt" });
  });

  test("because it leads out of the root: refused", () => {
    rmSync(join(project.root, "input/001.txt"));
    symlinkSync("/etc/hostname", join(project.root, "input/001.txt"));
    expect(run(["copy"]).end).toMatchObject({
      kind: "failed",
      category: "input",
      error: expect.stringContaining("outside"),
    });
  });

  test("because it changes while it is read: the attempt is overtaken, even if the expression catches", async () => {
    const by = await PieceWorker.create(changing("notes/001.txt"));
    project.write("state/notes/001.txt", "moving");
    const { end, staged } = transform("(() => { try { return $.note.content; } catch { return 'caught'; } })()", {
      ancestors: [stateSet("note", "notes/001.txt")],
      by,
    });
    expect(end).toMatchObject({ kind: "overtaken", path: "notes/001.txt" });
    expect(staged).toBeUndefined();
  });

  /** Ports whose reader finds one path changing. */
  function changing(path: string): ExecutePorts {
    const ports = executePorts();
    return {
      ...ports,
      openRoot(root) {
        const access = ports.openRoot(root);
        const { reader } = access;
        return {
          hashTree: access.hashTree,
          reader: {
            look: (one) => reader.look(one),
            read: (one) => (one === path ? { is: "changing" } : reader.read(one)),
            hashNow: (one) => (one === path ? { is: "changing" } : reader.hashNow(one)),
            hash: (one) => reader.hash(one),
            countFiles: (one) => reader.countFiles(one),
          },
        };
      },
    };
  }
});

describe("a result that breaks `validation` is not staged", () => {
  test.each<[string, WorkOptions["validation"], string, string]>([
    ["minSize", { minSize: 3 }, "'ab'", 'the result has 2 bytes, "minSize" wants at least 3'],
    ["maxSize, in bytes", { maxSize: 2 }, "'ä€'", 'the result has 5 bytes, "maxSize" allows at most 2'],
    ["json", { json: true }, "'{'", "the result is no JSON"],
    ["matches", { matches: "[0-9]{3}" }, "'a12b'", 'the result has no match of "matches"'],
    ["matches, in linear time", { matches: "(a+)+b" }, "'a'.repeat(20000)", "the result has no match"],
  ])("%s", (_what, validation, expression, error) => {
    const { end, staged } = transform(expression, { validation: validation ?? {} });
    expect(end).toMatchObject({ kind: "failed", category: "validation", error: expect.stringContaining(error) });
    expect(staged).toBeUndefined();
  });

  test.each<[string, WorkOptions["validation"], string]>([
    ["sizes", { minSize: 2, maxSize: 2 }, "'ab'"],
    ["json", { json: true }, "({})"],
    ["matches", { matches: "[0-9]{2}" }, "'a12b'"],
  ])("and one that keeps it is: %s", (_what, validation, expression) => {
    expect(transform(expression, { validation: validation ?? {} }).end.kind).toBe("produced");
  });
});

test("a staging place that cannot be written is a failure of the output", () => {
  const request = attemptRequest(project, stageWork(project, ["copy"]));
  const nowhere = { ...request, output: { ...request.output, staged: join(project.root, "not-there/result") } };
  const conditions = { isAlone: true, isAgain: false, isCancelled: () => false };
  expect(worker.do({ do: "run", place: "node", request: nowhere }, conditions)).toMatchObject({
    kind: "failed",
    category: "output",
  });
});

test("an input that must not be read is a failure of the input", () => {
  const input = join(project.root, "input/001.txt");
  rmSync(input);
  // A link that leads out of the root is refused to everybody, root included.
  symlinkSync(import.meta.filename, input);
  expect(run(["copy"]).end).toMatchObject({ kind: "failed", category: "input" });
});

describe("faults in `data` are found when a definition is loaded", () => {
  test.each<[string, unknown, readonly (string | number)[], string]>([
    [
      "transform",
      { expression: "1 +" },
      ["expression"],
      'expression "1 +" does not parse: it ends too early (line 1, column 4)',
    ],
    ["if", { condition: "a b" }, ["condition"], "(line 1, column 3)"],
    ["set", { fields: [{ name: "a", value: { b: ["x {{1 +}}"] } }] }, ["fields", 0, "value", "b", 0], "at character 3"],
    [
      "set",
      {
        fields: [
          { name: "a", value: 1 },
          { name: "a", value: 2 },
        ],
      },
      ["fields", 1, "name"],
      'field "a" is set twice',
    ],
    ["template", { template: "{{" }, ["template"], '"{{" is never closed by "}}"'],
  ])("%s", (typeId, data, path, message) => {
    const faults = NODE_TYPES.get(typeId)?.findFaults(data) ?? [];
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ path, message: expect.stringContaining(message) });
    expect(faults[0]?.hint).not.toBe("");
  });

  test.each<[string, unknown]>([
    ["transform", { expression: "$.input.content" }],
    ["set", { fields: [{ name: "a", value: "{{1}} {{({ a: {} })}}" }] }],
    ["template", { file: "a.md" }],
    ["if", { condition: "true" }],
    ["copy", {}],
  ])("none in a right %s", (typeId, data) => {
    const type = NODE_TYPES.get(typeId);
    expect(type?.data.safeParse(data).success).toBe(true);
    expect(type?.findFaults(data)).toEqual([]);
  });

  test.each<[string, unknown]>([
    ["transform", {}],
    ["transform", { expression: "1", extra: 1 }],
    ["set", { fields: [] }],
    ["template", { template: "a", file: "b" }],
    ["if", { condition: 1 }],
    ["copy", { from: "x" }],
  ])("the schema of %s refuses %j", (typeId, data) => {
    expect(NODE_TYPES.get(typeId)?.data.safeParse(data).success).toBe(false);
  });
});
