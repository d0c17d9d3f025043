import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { millrace } from "../support/cli-world.ts";

describe("wrong usage exits 2 and says what to write", () => {
  test.each([
    ["statsu", 'unknown command "statsu"', 'write status; see "millrace --help"'],
    ["help statsu", 'unknown command "statsu"', 'write status; see "millrace --help"'],
    ["frobnicate", 'unknown command "frobnicate"', 'see "millrace --help"'],
    ["status --jsn", 'unknown option "--jsn"', 'write --json; see "millrace status --help"'],
    ["run --settle-timout 3s", 'unknown option "--settle-timout"', 'write --settle-timeout; see "millrace run --help"'],
    ["explain", 'missing required argument "target"', 'see "millrace explain --help"'],
    ["retry", 'missing required argument "targets"', 'see "millrace retry --help"'],
    ["show a b", 'too many arguments for "show". Expected 1 argument but got 2: a, b', 'see "millrace show --help"'],
    [
      "list --limit 0",
      'option "--limit <n>" argument "0" is invalid',
      'write a whole number of at least 1; see "millrace list --help"',
    ],
    [
      "run --settle-timeout soon",
      'option "--settle-timeout <time>" argument "soon" is invalid',
      'write a time with its unit, such as "500ms", "30s" or "5m"; see "millrace run --help"',
    ],
    [
      "graph --format png",
      'option "--format <format>" argument "png" is invalid',
      'write one of ascii, mermaid, dot, json; see "millrace graph --help"',
    ],
    ["run --settle-timeout", 'option "--settle-timeout <time>" argument missing', 'see "millrace run --help"'],
    ["status --watch --exit-code", '"--watch" and "--exit-code" exclude each other', "leave one of them out"],
    ["graph --json --format dot", '"--json" and "--format dot" exclude each other', "leave one of them out"],
    ["start --once --grace 1s", '"--once" and "--grace" exclude each other', "leave one of them out"],
    ["start --once --log-level info", '"--once" and "--log-level" exclude each other', "leave one of them out"],
    ["completion tcsh", '"tcsh" is no shell that is known here', "write one of bash, zsh, fish"],
    ["completion bash --json", '"completion" prints a shell script, no JSON', 'leave out "--json"'],
    ["new widget x", 'a "widget" cannot be made', "write pipeline or node"],
    ["new node x --template copy", '"--template" belongs to "new pipeline"', 'write "millrace new node x"'],
    ["new pipeline ../x", '"../x" is no name for a pipeline', "use lower-case letters, digits, - and _, at most 64"],
  ])("millrace %s", async (line, message, hint) => {
    const { code, err } = await millrace(line, { engine: false });
    expect(err).toBe(`error M101  ${message}\n  do: ${hint}\n`);
    expect(code).toBe(2);
  });

  test("nothing at all: the help, on stderr", async () => {
    const { code, out, err } = await millrace("", { engine: false });
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("Usage: millrace");
  });

  test("with --json the problem is also the document on stdout", async () => {
    const { out } = await millrace("status --json --nope", { engine: false });
    expect(JSON.parse(out)).toMatchObject({ version: 1, problems: [{ code: "M101", severity: "error" }] });
  });
});

describe("what does not need the engine does not load it", () => {
  test.each(["--help", "help", "help plan", "--version", "version", "completion bash", "init", "new node x"])(
    "millrace %s",
    async (line) => {
      expect((await millrace(line, { engine: false })).code).toBe(0);
    },
  );
});

test("flags of all commands work before and after the command", async () => {
  const before = await millrace("-C sub --json status");
  const after = await millrace("status -C sub --json");
  expect(before).toEqual(after);
  expect(before.calls[0]).toBe("openProject read /project/sub");
});

test('"--" ends the flags', async () => {
  expect((await millrace("explain -- -x@1")).calls).toContain('explain {"target":"-x@1"}');
});

test("queries reach the engine as they were asked", async () => {
  const query = async (line: string) => (await millrace(line)).calls[1];
  expect(await query("list a b --status failed,retrying --limit 5")).toBe(
    'list {"targets":["a","b"],"limit":5,"status":["failed","retrying"]}',
  );
  expect(await query("list")).toBe('list {"targets":[],"limit":1000}');
  expect(await query("history output@001 --result failed")).toBe(
    'history {"target":"output@001","limit":100,"result":"failed"}',
  );
  expect(await query("logs")).toBe('logs {"limit":100}');
  expect(await query("status --scan")).toBe('status {"scan":true}');
  expect(await query("plan echo")).toBe('plan {"targets":["echo"]}');
});

describe("help", () => {
  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    "of %s ends with its examples",
    async (name, spec) => {
      const { out, code } = await millrace(`${name} --help`, { engine: false });
      const examples = out.split("Examples:\n")[1]?.trimEnd().split("\n") ?? [];
      expect(code).toBe(0);
      expect(examples.map((line) => line.split("  #")[0]?.trim())).toEqual(
        spec.examples.map(([line]) => `millrace ${line}`),
      );
    },
  );

  test("fits 80 columns", async () => {
    for (const line of ["--help", ...COMMANDS.map(({ name }) => `${name} --help`)]) {
      const { out } = await millrace(line, { engine: false });
      const [text = ""] = out.split("Examples:");
      expect(text.split("\n").filter((each) => each.length > 80)).toEqual([]);
    }
  });

  test("names every command and every exit code", async () => {
    const { out } = await millrace("--help");
    for (const { name, summary } of COMMANDS) expect(out.replace(/\s+/g, " ")).toContain(`${name} ${summary}`);
    for (const code of ["0", "1", "2", "3", "4", "130", "143"]) expect(out).toMatch(new RegExp(`\\b${code}\\b`));
  });

  test("every example is a command line that is understood", async () => {
    for (const { examples } of COMMANDS) {
      for (const [line] of examples) {
        const words = (line.split(/ [|>] /)[0] ?? "").replaceAll("'", "").split(" ");
        if (words.includes("--watch") || words.includes("-f")) continue;
        expect((await millrace(words)).err, line).not.toContain("M101  unknown");
      }
    }
  });
});
