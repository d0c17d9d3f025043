import { existsSync, readFileSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRunCommand } from "../../../src/adapters/execute/nodes/run-command.ts";
import { environmentHas, listProcesses } from "../../../src/adapters/execute/process/listing.ts";
import { ProcessTrees } from "../../../src/adapters/execute/process/trees.ts";
import type { SingleNodeType } from "../../../src/adapters/execute/node-type.ts";
import { attemptRequest, stageWork } from "../../support/attempt-requests.ts";
import { attempt, TestProject, type Attempted, type AttemptOptions } from "../../support/single-attempt.ts";

let project: TestProject;
let trees: ProcessTrees;
let node: SingleNodeType;
beforeEach(() => {
  project = new TestProject();
  trees = new ProcessTrees();
  node = createRunCommand(trees);
});
afterEach(async () => {
  await node.close?.();
  project[Symbol.dispose]();
});

function shell(command: string, options: Partial<AttemptOptions> = {}): Promise<Attempted> {
  return attempt(node, project, { ...options, data: { command, ...options.data } });
}
function argv(words: readonly string[], options: Partial<AttemptOptions> = {}): Promise<Attempted> {
  return attempt(node, project, { ...options, data: { argv: words, ...options.data } });
}
/** Processes whose environment has a text, beside those that are ending. */
function marked(text: string): number[] {
  return listProcesses()
    .map((row) => row.pid)
    .filter((pid) => environmentHas(pid, text));
}
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

describe("the output", () => {
  test("is what was printed", async () => {
    const { result, output } = await shell('tr a-z A-Z < "$MILLRACE_INPUT"');
    expect(result).toEqual({ kind: "produced" });
    expect(output).toBe("HELLO");
  });

  test("is the file at MILLRACE_OUTPUT when the command wrote one; then what it printed is log", async () => {
    const { output, log } = await shell('echo note; echo warned >&2; printf data > "$MILLRACE_OUTPUT"');
    expect(output).toBe("data");
    expect(log).toContain("note\n");
    expect(log).toContain("warned\n");
  });

  test("is empty when nothing was printed or written", async () => {
    expect((await shell("true")).output).toBe("");
  });

  test("of a folder pattern is the folder that was filled; an empty one is a failure", async () => {
    const filled = await shell('echo 1 > "$MILLRACE_OUTPUT/a"', { outputPath: "pages/001/" });
    expect(filled.result).toEqual({ kind: "produced" });
    expect(readdirSync(filled.staged)).toEqual(["a"]);
    const empty = await shell("true", { outputPath: "pages/001/" });
    expect(empty.result).toMatchObject({ kind: "failed", error: expect.stringContaining("wrote nothing") });
  });

  test("bears its final name, with nothing beside it afterwards", async () => {
    const { staged } = await shell('case "$MILLRACE_OUTPUT" in *.txt) echo yes ;; esac');
    expect(readFileSync(staged, "utf8")).toBe("yes\n");
    expect(readdirSync(dirname(staged))).toEqual(["001.txt"]);
  });
});

describe("what a command gets", () => {
  test("the variables of the attempt", async () => {
    const { output } = await shell("env | grep ^MILLRACE_ | grep -v MARK | sort", {
      entity: "eu/1",
      vars: { region: "eu", n: "1" },
      data: { env: { MILLRACE_OWN: "x" } },
    });
    const values = Object.fromEntries(
      (output ?? "")
        .trim()
        .split("\n")
        .map((line) => line.split("=", 2) as [string, string]),
    );
    expect(values).toEqual({
      MILLRACE_ATTEMPT: "1",
      MILLRACE_ENTITY: "eu/1",
      MILLRACE_IDEMPOTENCY_KEY: "key-1",
      MILLRACE_INPUT: join(project.root, "input/001.txt"),
      MILLRACE_OUTPUT: expect.stringMatching(/\.millrace\/tmp\/.*\/001\.txt$/),
      MILLRACE_OWN: "x",
      MILLRACE_ROOT: project.root,
      MILLRACE_RUN_ID: expect.stringMatching(/^attempt/),
      MILLRACE_VAR_N: "1",
      MILLRACE_VAR_REGION: "eu",
    });
  });

  test("runs in the project folder, or in its cwd", async () => {
    expect((await shell("pwd -P")).output).toContain(project.folder.split("/").at(-1));
    expect((await shell("pwd", { data: { cwd: "pipelines" } })).output).toMatch(/\/pipelines\n$/);
    expect((await shell("pwd", { data: { cwd: "nowhere" } })).result).toMatchObject({ category: "definition" });
  });

  test("reads the input when it wants it on stdin, and nothing otherwise", async () => {
    expect((await shell("cat", { data: { stdin: "input" }, input: "in" })).output).toBe("in");
    expect((await shell("cat")).output).toBe("");
  });

  test.each(["$(touch owned)", "; touch owned;", "a b'\"", "-rf", "line\nbreak", "émoji 🎉"])(
    "the value %j reaches it as it is, in a variable and in an argument",
    async (value) => {
      const vars = { name: value };
      expect((await shell('printf %s "$MILLRACE_VAR_NAME"', { vars })).output).toBe(value);
      expect((await argv(["printf", "%s|", "{vars.name}", "x{vars.name}"], { vars })).output).toBe(
        `${value}|x${value}|`,
      );
      expect(existsSync(join(project.folder, "owned"))).toBe(false);
    },
  );

  test("arguments keep braces that are no references, and unknown variables are a definition's fault", async () => {
    expect((await argv(["printf", "%s", "{print $1}{ input }{entity}"])).output).toBe("{print $1}{ input }001");
    expect((await argv(["echo", "{vars.nope}"])).result).toMatchObject({ category: "definition" });
  });

  test("a program below the pipelines folder is found by its relative path", async () => {
    const file = project.write("pipelines/bin/go.sh", "#!/bin/sh\necho went\n");
    await once(spawn("chmod", ["+x", file]), "exit");
    expect((await argv(["bin/go.sh"])).output).toBe("went\n");
  });
});

describe("a command that fails", () => {
  test("says its code and the last line of stderr, and leaves no output", async () => {
    const { result, output, log } = await shell("echo part; echo first >&2; echo 'last words' >&2; exit 3");
    expect(result).toMatchObject({
      kind: "failed",
      category: "node",
      error: expect.stringMatching(/^the command exited with code 3: last words; it is "/),
    });
    expect(output).toBeUndefined();
    expect(log).toContain("first\nlast words\n");
  });

  test("says the last line alone, also when stderr came line by line", async () => {
    const { result } = await shell("echo first >&2; sleep 0.1; echo 'last words' >&2; sleep 0.1; exit 3");
    expect(result).toMatchObject({
      error: expect.stringMatching(/^the command exited with code 3: last words; it is "/),
    });
  });

  test("by a signal says which", async () => {
    expect((await shell("kill -SEGV $$")).result).toMatchObject({
      error: expect.stringContaining("was killed by SIGSEGV"),
    });
  });

  test("with megabytes of stderr passes all of them to the log, which keeps the end", async () => {
    let end = "";
    const { result } = await shell("head -c 5000000 /dev/zero | tr '\\0' x >&2; echo END >&2; exit 1", {
      onLog: (text) => (end = text),
    });
    expect(end).toMatch(/END\n$/);
    expect(result).toMatchObject({ error: expect.stringMatching(/END; it is "head/) });
  });

  test.each([
    ["a program that is not there", { argv: ["no-such-program"] }, /"no-such-program" was not found; install it/],
    ["a shell line with such a program", { command: "no-such-program" }, /code 127 \(command not found\)/],
    ["a program that may not run", { argv: ["pipelines/plain.txt"] }, /not executable/],
  ])("because of %s is not tried again before an edit", async (_what, data, error) => {
    project.write("pipelines/plain.txt", "text");
    const { result } = await attempt(node, project, { data });
    expect(result).toMatchObject({ kind: "failed", category: "definition", error: expect.stringMatching(error) });
  });

  test.each([
    [{}, "a command is missing"],
    [{ command: "a", argv: ["b"] }, "both given"],
    [{ command: "a", env: { "A=B": "1" } }, "cannot be the name"],
  ])("%j is refused when the definition is loaded", (data, message) => {
    expect(
      node
        .findFaults(node.data.parse(data))
        .map((fault) => fault.message)
        .join(),
    ).toContain(message);
  });
});

describe("the whole tree ends", () => {
  const TREE = [
    "sleep 1001 &",
    "(sleep 1002 & sleep 1003) &", // a grandchild
    "(setsid sleep 1004 >/dev/null 2>&1 &)", // its parent is gone, another session
    "env -i sleep 1005 &", // without the mark, but a child
    "trap '' TERM; sh -c 'trap \"\" TERM; sleep 1006; sleep 1006' &", // deaf to SIGTERM
  ].join("\n");

  test("when the attempt is stopped", async () => {
    const stop = new AbortController();
    const tag = `MILLRACE_TAG=stop${process.pid}`;
    const [name, value] = tag.split("=") as [string, string];
    const running = shell(`${TREE}\nwait`, { signal: stop.signal, data: { env: { [name]: value } } });
    await until(() => marked(tag).length >= 6);
    const pids = marked(tag);
    stop.abort("timeout");
    expect((await running).result.kind).toBe("failed");
    expect(marked(tag)).toEqual([]);
    expect(listProcesses().filter((row) => pids.includes(row.pid))).toEqual([]);
  }, 30_000);

  test("when the command has exited and left some of its group behind", async () => {
    const tag = `MILLRACE_TAG=left${process.pid}`;
    const { output } = await shell("echo done; sleep 1007 &", { data: { env: { MILLRACE_TAG: tag.split("=")[1] } } });
    expect(output).toBe("done\n");
    expect(marked(tag)).toEqual([]);
  }, 30_000);

  test("when the node type is closed", async () => {
    const tag = `MILLRACE_TAG=close${process.pid}`;
    const running = shell(`${TREE}\nwait`, { data: { env: { MILLRACE_TAG: tag.split("=")[1] } } });
    await until(() => marked(tag).length >= 5);
    await node.close?.();
    expect((await running).result.kind).toBe("failed");
    expect(marked(tag)).toEqual([]);
  }, 30_000);

  test("when the process that started it is killed by SIGKILL", async () => {
    const script = project.write(
      "parent.mts",
      `import { ProcessTrees } from ${JSON.stringify(new URL("../../../src/adapters/execute/process/trees.ts", import.meta.url).href)};
       const trees = new ProcessTrees();
       trees.start({ file: "/bin/sh", args: ["-c", process.argv[2] + "\\nwait"], cwd: "/", env: process.env, stdio: "ignore" });
       setInterval(() => {}, 1000);`,
    );
    const tag = `MILLRACE_TAG=killed${process.pid}`;
    const parent = spawn(process.execPath, [script, TREE], {
      env: { ...process.env, MILLRACE_TAG: tag.split("=")[1] },
      stdio: "inherit",
    });
    // The parent, the shell, and what the shell started.
    await until(() => marked(tag).length >= 7);
    const bare = (): number[] =>
      listProcesses().flatMap(({ pid }) => (commandOf(pid).startsWith("sleep 1005") ? [pid] : []));
    expect(bare()).not.toEqual([]);
    parent.kill("SIGKILL");
    await once(parent, "exit");
    await until(() => marked(tag).length === 0 && bare().length === 0);
  }, 30_000);

  test("and the supervisor with it", async () => {
    await shell("true");
    const supervisors = (): number[] =>
      listProcesses().flatMap(({ pid, parent }) =>
        parent === process.pid && commandOf(pid).includes("millrace-supervisor") ? [pid] : [],
      );
    expect(supervisors()).toHaveLength(1);
    await node.close?.();
    expect(supervisors()).toEqual([]);
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

describe("the line to try a command by hand", () => {
  function byHand(data: object, more: { readonly id?: string; readonly output?: string } = {}): string | undefined {
    const { id = "001", output = "out/001.txt" } = more;
    project.write(`state/input/${id}.txt`, "hello");
    const parsed = node.data.parse(data) as Readonly<Record<string, unknown>>;
    const work = stageWork(project, ["run_command", parsed]);
    const request = attemptRequest(project, work, id, { output });
    const staged = join(project.folder, "try", output.replace(/\/$/, "").split("/").at(-1)!);
    return node.byHand!({ ...request, output: { path: output, staged } });
  }
  const run = (line: string | undefined): string =>
    execFileSync("bash", ["-c", line ?? "exit 9"], { encoding: "utf8" });

  test("runs a shell line with its variables and its folder", () => {
    const line = byHand({ command: 'cat "$MILLRACE_INPUT"; echo " $MILLRACE_ENTITY $OWN $PWD"', env: { OWN: "a b" } });
    expect(run(line)).toBe(`hello 001 a b ${realpathSync(project.folder)}\n`);
  });

  test.each(["it's", "$(touch pwned)", "-rf", "a b;c", "`id`", '"', "*", "a\nb", "\u202etxt"])(
    "takes the name %j for nothing but a name",
    (id) => {
      const line = byHand({ argv: ["sh", "-c", 'cat "$0"; printf "|%s" "$1"', "{input}", "{entity}"] }, { id });
      expect(run(line)).toBe(`hello|${id}`);
      expect(line).not.toContain("\n");
    },
  );

  test("gives it its standard input, and the folder it fills", () => {
    const line = byHand({ command: 'tr a-z A-Z > "$MILLRACE_OUTPUT/a"', stdin: "input" }, { output: "pages/001/" });
    run(line);
    expect(readFileSync(join(project.folder, "try/001/a"), "utf8")).toBe("HELLO");
  });

  test("does not show the environment of Millrace itself", () => {
    const line = byHand({ command: "true" });
    expect(line).toContain("MILLRACE_IDEMPOTENCY_KEY=");
    expect(line).not.toContain("PATH=");
  });

  test("is none where an attempt would fail before it ran anything", () => {
    expect(byHand({ argv: ["echo", "{vars.nothing}"] })).toBeUndefined();
  });
});
