import { once } from "node:events";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { z } from "../../../core/pipeline/schema.ts";
import type { ErrorCategory } from "../../../core/model/manifest.ts";
import type { AbsPath } from "../../../core/model/words.ts";
import type { DataFault } from "../../../core/pipeline/node-type.ts";
import type { Failed, SingleContext, SingleNodeType, SingleResult } from "../node-type.ts";
import { STOP_GRACE_MS, type ProcessTree, type ProcessTrees } from "../process/trees.ts";
import { shellLine } from "../../../core/plan/shell-line.ts";
import type { AttemptRequest } from "../../../ports.ts";
import { type CommandContext, expandReferences, wordsOf } from "./command-line.ts";

const DATA = z.strictObject({
  command: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A line for /bin/sh. Values of files reach it as "$MILLRACE_INPUT" and the like, never as text of the line.',
    ),
  argv: z
    .tuple([z.string().min(1)], z.string())
    .optional()
    .describe(
      "The program and its arguments, without a shell. {input}, {output}, {entity}, {root} and {vars.name} are replaced inside an argument. " +
        "{input} and {output} are absolute paths; {entity} and {vars.name} come from file names and may begin with a dash: put -- before them.",
    ),
  cwd: z.string().min(1).optional().describe("Where it runs, relative to the project folder (the project folder)."),
  env: z.record(z.string(), z.string()).optional().describe("Further environment variables."),
  stdin: z
    .enum(["input", "none"])
    .optional()
    .describe("What it reads on standard input: the input file, or nothing (none)."),
});
type Data = z.infer<typeof DATA>;

/** How much of what a command printed on stdout goes to the log when it is not the output. */
const STDOUT_LOG_BYTES = 64 * 1024;

/** The node type that runs a command; its processes live in `trees`. */
export function createRunCommand(trees: ProcessTrees): SingleNodeType {
  return {
    typeId: "run_command",
    lane: "single",
    description: "Runs a command; what it writes to $MILLRACE_OUTPUT, else what it prints, is the output",
    version: 1,
    data: DATA,
    dataIs: "code",
    branches: false,
    findFaults,
    codeFiles: () => [],
    codeWords: (data) => wordsOf(data as Data),
    run: (context) => runCommand(context, trees),
    byHand: commandByHand,
    close: () => trees.close(),
  };
}

function findFaults(data: unknown): readonly DataFault[] {
  const { command, argv, env } = data as Data;
  const faults: DataFault[] = [];
  if ((command === undefined) === (argv === undefined)) {
    faults.push({
      path: [],
      message: command === undefined ? "a command is missing" : '"command" and "argv" are both given',
      hint: 'give "command" (a shell line) or "argv" (a list), not both',
    });
  }
  for (const name of Object.keys(env ?? {})) {
    if (/^[^=\0]+$/.test(name)) continue;
    faults.push({
      path: ["env", name],
      message: `"${name}" cannot be the name of a variable`,
      hint: "leave out = and NUL",
    });
  }
  return faults;
}

async function runCommand(context: SingleContext, trees: ProcessTrees): Promise<SingleResult> {
  const data = context.node.data as Data;
  const { output } = context.request;
  const project = dirname(context.request.work.pipelinesFolder);
  const cwd = resolve(project, data.cwd ?? ".");
  if (!existsSync(cwd)) return failed(`cwd "${data.cwd ?? "."}" does not exist`, "definition");
  const command = commandOf(data, context, cwd);
  if ("kind" in command) return command;

  if (output.path.endsWith("/")) mkdirSync(output.staged, { recursive: true });
  const printed = printedPath(output.staged);
  const streams: number[] = [];
  try {
    const stdin = openInput(data, context);
    if (typeof stdin === "object") return stdin;
    if (stdin !== undefined) streams.push(stdin);
    const stdout = openSync(printed, "ax+");
    streams.push(stdout);
    const tree = trees.start({
      ...command,
      cwd,
      env: { ...process.env, ...ownEnvironment(context, data) },
      stdio: [stdin ?? "ignore", stdout, "pipe"],
    });
    const failure = await follow(tree, context, describe(data));
    return failure ?? (await collect(context, stdout, printed));
  } finally {
    for (const stream of streams) closeSync(stream);
    rmSync(printed, { force: true });
  }
}

/** The command of a stage's own node as a line for a shell. */
function commandByHand(request: AttemptRequest): string | undefined {
  const data = request.work.node.data as Data;
  const { root } = request;
  const inputs = request.inputs.map(({ list, items }) => ({
    list,
    items: items.map(({ path }) => ({ path, absolutePath: join(root, path).replace(/\/$/, "") })),
  }));
  const context = { request, inputs };
  const cwd = resolve(dirname(request.work.pipelinesFolder), data.cwd ?? ".");
  const command = commandOf(data, context, cwd);
  if ("kind" in command) return undefined;
  const { staged, path } = request.output;
  const stdin = data.stdin === "input" ? inputs[0]?.items[0]?.absolutePath : undefined;
  const folder = path.endsWith("/") ? staged : dirname(staged);
  return shellLine({ ...command, cwd, env: ownEnvironment(context, data), stdin, folder });
}

function failed(error: string, category: ErrorCategory = "node"): Failed {
  return { kind: "failed", error, category };
}

function describe({ command, argv }: Data): string {
  const text = command ?? argv?.join(" ") ?? "";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function commandOf(
  data: Data,
  context: CommandContext,
  cwd: AbsPath,
): { readonly file: string; readonly args: readonly string[] } | Failed {
  if (data.argv === undefined) return { file: "/bin/sh", args: ["-c", data.command ?? ""] };
  const words: string[] = [];
  for (const element of data.argv) {
    const expanded = expandReferences(element, context);
    if (typeof expanded !== "string") return expanded;
    words.push(expanded);
  }
  const [program = "", ...args] = words;
  return { file: programPath(program, cwd, context.request.work.pipelinesFolder), args };
}

/** A program named by a relative path may lie below the working folder or below the pipelines folder. */
function programPath(program: string, cwd: AbsPath, pipelinesFolder: AbsPath): string {
  if (!program.includes("/")) return program;
  const here = resolve(cwd, program);
  const there = resolve(pipelinesFolder, program);
  return !existsSync(here) && existsSync(there) ? there : here;
}

/** What a command's environment has beside that of Millrace itself. */
function ownEnvironment({ request, inputs }: CommandContext, data: Data): Record<string, string | undefined> {
  const [first] = inputs;
  const [only] = first === undefined || first.list ? [] : first.items;
  const vars = Object.entries(request.entity.vars).map(([name, value]) => [
    `MILLRACE_VAR_${name.toUpperCase()}`,
    value,
  ]);
  return {
    ...data.env,
    MILLRACE_INPUT: only?.absolutePath,
    MILLRACE_OUTPUT: request.output.staged,
    MILLRACE_ENTITY: request.entity.id,
    ...(Object.fromEntries(vars) as Record<string, string>),
    MILLRACE_ATTEMPT: String(request.attempt),
    MILLRACE_RUN_ID: request.attemptId,
    MILLRACE_ROOT: request.root,
    MILLRACE_IDEMPOTENCY_KEY: request.idempotencyKey,
  };
}

/** The input as an open file for the command's stdin; `undefined` when it wants none. */
function openInput(data: Data, { inputs }: SingleContext): number | undefined | Failed {
  if (data.stdin !== "input") return undefined;
  const [first] = inputs;
  const [item] = first?.items ?? [];
  if (first === undefined || item === undefined || first.list || item.path.endsWith("/")) {
    return failed('stdin "input" needs an input that is one file', "definition");
  }
  return openSync(item.absolutePath, "r");
}

/** Where stdout goes: beside the staged output, under another name. */
function printedPath(staged: AbsPath): AbsPath {
  const name = ".millrace-stdout";
  return join(dirname(staged), basename(staged) === name ? `${name}-2` : name);
}

/** Of what came in any pieces: a line is over only at its newline, so the pieces are joined first. */
function lastLineOf(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

/** Waits until nothing of the command runs any more; says how it failed, if it did. */
async function follow(tree: ProcessTree, context: SingleContext, shown: string): Promise<Failed | undefined> {
  const { child } = tree;
  const { signal } = context;
  let end = "";
  const decoder = new StringDecoder("utf8");
  child.stderr?.on("data", (chunk: Buffer) => {
    const text = decoder.write(chunk);
    context.log(text);
    end = (end + text).slice(-2_000);
  });
  let stopping: Promise<void> | undefined;
  const stop = (): void => {
    stopping ??= tree.stop(STOP_GRACE_MS);
  };
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    const closed = once(child, "close").then(() => undefined);
    // A start that fails is reported once, below.
    closed.catch(() => undefined);
    const [code, by] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    await (stopping ?? tree.finish(STOP_GRACE_MS, signal));
    await Promise.race([closed, new Promise((done) => setTimeout(done, 1_000).unref())]);
    child.stderr?.destroy();
    return verdict(code, by, shown, lastLineOf(end), child.spawnfile === "/bin/sh");
  } catch (error) {
    return startFailure(error as NodeJS.ErrnoException, shown, child.spawnfile);
  } finally {
    signal.removeEventListener("abort", stop);
    await stopping;
  }
}

function verdict(
  code: number | null,
  signal: NodeJS.Signals | null,
  shown: string,
  lastLine: string,
  isShell: boolean,
): Failed | undefined {
  if (code === 0) return undefined;
  // What went wrong comes first: screens cut long lines.
  const why = lastLine === "" ? "" : `: ${lastLine.slice(-300)}`;
  if (code === null) return failed(`the command was killed by ${signal}${why}; it is "${shown}"`);
  const cannotRun = isShell && (code === 127 || code === 126);
  const meaning = cannotRun ? (code === 127 ? " (command not found)" : " (not executable)") : "";
  const hint = cannotRun ? "; install it, or correct its name or PATH" : "";
  return failed(
    `the command exited with code ${code}${meaning}${why}${hint}; it is "${shown}"`,
    cannotRun ? "definition" : "node",
  );
}

function startFailure(error: NodeJS.ErrnoException, shown: string, file: string): Failed {
  if (error.code === "ENOENT") {
    return failed(`command "${file}" was not found; install it, or correct its name or PATH`, "definition");
  }
  if (error.code === "EACCES") return failed(`command "${file}" is not executable; chmod +x it`, "definition");
  const isMachine = ["EAGAIN", "EMFILE", "ENFILE", "ENOMEM"].includes(error.code ?? "");
  return failed(`command "${shown}" could not start: ${error.message}`, isMachine ? "resource" : "node");
}

/** Takes what was printed as the output, unless the command wrote to the output path itself. */
async function collect(context: SingleContext, stdout: number, printed: AbsPath): Promise<SingleResult> {
  const { staged, path } = context.request.output;
  const isFolder = path.endsWith("/");
  if (isFolder && existsSync(staged) && readdirSync(staged).length === 0) {
    logEnd(context, stdout);
    return failed('command wrote nothing into the folder "$MILLRACE_OUTPUT"');
  }
  if (isFolder || existsSync(staged)) logEnd(context, stdout);
  else renameSync(printed, staged);
  return context.stage(undefined);
}

function logEnd(context: SingleContext, stdout: number): void {
  const { size } = fstatSync(stdout);
  const bytes = Buffer.alloc(Math.min(size, STDOUT_LOG_BYTES));
  const read = readSync(stdout, bytes, 0, bytes.length, size - bytes.length);
  if (read > 0) context.log(bytes.toString("utf8", 0, read));
}
