import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { hashBytes, loadHasher } from "../../src/core/hash/hash.ts";
import type { Place } from "../../src/core/model/problem.ts";
import { parseTemplate } from "../../src/adapters/execute/expression/template.ts";
import type { SingleContext, SingleNodeType, SingleResult } from "../../src/adapters/execute/node-type.ts";
import type { InspectRequest } from "../../src/ports.ts";

export const PLACE: Place = {
  file: "pipelines/p.json",
  line: 1,
  column: 1,
  length: 1,
  pointer: "/stages/1/node/data",
  excerpt: "",
};

/** A project folder with `pipelines/` and `state/`, removed when disposed. */
export class TestProject {
  readonly folder: string = mkdtempSync(join(tmpdir(), "millrace-execute-"));
  readonly pipelines: string = join(this.folder, "pipelines");
  readonly root: string = join(this.folder, "state");
  readonly cache: string = join(this.root, ".millrace", "cache");

  constructor() {
    mkdirSync(this.pipelines);
    mkdirSync(this.root);
  }

  /** Writes a file relative to the project folder; returns its absolute path. */
  write(path: string, content: string | Uint8Array): string {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  inspect(typeId: string, data: Readonly<Record<string, unknown>>, more: Partial<InspectRequest> = {}): InspectRequest {
    return {
      node: { typeId, data, place: PLACE },
      then: undefined,
      else: undefined,
      tools: {},
      pipelinesFolder: this.pipelines,
      cacheFolder: this.cache,
      ...more,
    };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface AttemptOptions {
  readonly data: Readonly<Record<string, unknown>>;
  /** Content of the input, a file; the path is `input/001.txt` unless given. */
  readonly input?: string | Uint8Array;
  readonly inputPath?: string;
  readonly entity?: string;
  readonly vars?: Readonly<Record<string, string>>;
  /** `output/001.txt` unless given. */
  readonly outputPath?: string;
  readonly module?: string;
  readonly signal?: AbortSignal;
  /** Called for each piece of log. */
  readonly onLog?: (text: string) => void;
  /** What `{{expression}}` yields, by expression. */
  readonly values?: Readonly<Record<string, unknown>>;
}

export interface Attempted {
  readonly result: SingleResult;
  readonly log: string;
  readonly staged: string;
  /** The staged file's text; `undefined` when there is no file. */
  readonly output: string | undefined;
}

let attempts = 0;

/** Runs one attempt of a single-lane node as the runner would. */
export async function attempt(type: SingleNodeType, project: TestProject, options: AttemptOptions): Promise<Attempted> {
  await loadHasher();
  const inputPath = options.inputPath ?? "input/001.txt";
  const input = project.write(join("state", inputPath), options.input ?? "hello");
  const outputPath = options.outputPath ?? "output/001.txt";
  const attemptId = `attempt${++attempts}`;
  const staged = join(
    project.root,
    ".millrace",
    "tmp",
    attemptId,
    outputPath.replace(/\/$/, "").split("/").at(-1) ?? "",
  );
  mkdirSync(dirname(staged), { recursive: true });
  const data = type.data.parse(options.data) as Readonly<Record<string, unknown>>;
  const node = { typeId: type.typeId, data, place: PLACE };
  const id = options.entity ?? "001";
  const vars = options.vars ?? { id };
  const bytes = readFileSync(input);
  const item = { id, vars, path: inputPath, absolutePath: input, hash: hashBytes(bytes), size: bytes.length };
  let log = "";
  const context: SingleContext = {
    request: {
      attemptId,
      work: {
        stageKey: "p#s",
        node,
        then: undefined,
        else: undefined,
        validation: {},
        timeoutMs: 300_000,
        env: [],
        code: { codeHash: "", paramsHash: "", toolHashes: {}, files: [], modules: {} },
        pipelinesFolder: project.pipelines,
      },
      taskKey: `p#s@${id}`,
      entity: { id, vars },
      root: project.root,
      inputs: [{ name: "input", list: false, items: [{ id, vars, path: inputPath }] }],
      ancestors: [],
      output: { path: outputPath, staged },
      attempt: 1,
      idempotencyKey: "key-1",
      alone: false,
    },
    node,
    place: "node",
    modulePath: options.module,
    inputs: [{ name: "input", list: false, items: [item] }],
    signal: options.signal ?? new AbortController().signal,
    stage: (value) => stage(value, staged),
    log: (text) => {
      log += text;
      options.onLog?.(text);
    },
    fill: (value) => Promise.resolve({ kind: "filled", value: fill(value, options.values ?? {}) }),
  };
  const result = await type.run(context);
  const isFile = statSync(staged, { throwIfNoEntry: false })?.isFile() === true;
  return { result, log, staged, output: isFile ? readFileSync(staged, "utf8") : undefined };
}

async function stage(value: unknown, staged: string): Promise<SingleResult> {
  if (value === undefined) {
    if (statSync(staged, { throwIfNoEntry: false }) !== undefined) return { kind: "produced" };
    return { kind: "failed", category: "node", error: "nothing was staged" };
  }
  const parts: Buffer[] = [];
  const chunks = typeof value === "string" ? [value] : (value as AsyncIterable<string | Uint8Array>);
  for await (const chunk of chunks) parts.push(Buffer.from(chunk));
  writeFileSync(staged, Buffer.concat(parts));
  return { kind: "produced" };
}

function fill(value: unknown, values: Readonly<Record<string, unknown>>): unknown {
  if (typeof value === "string") {
    const filled = parseTemplate(value).parts.map((part) => ("text" in part ? part.text : values[part.expression]));
    return filled.length === 1 ? filled[0] : filled.map(String).join("");
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, values));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, values)]));
}
