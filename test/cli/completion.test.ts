import { execFile } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { COMMANDS, GLOBAL_FLAGS } from "../../src/cli/commands.ts";
import { ok } from "../../src/core/model/result.ts";
import { millrace } from "../support/cli-world.ts";
import * as sample from "../support/sample-reports.ts";

/** Where bash finds no files to offer. */
const emptyFolder = mkdtempSync(join(tmpdir(), "millrace-"));
afterAll(() => rmdirSync(emptyFolder));

/** What bash offers for a line with the cursor at its end; `millrace __complete` is a function that answers with `targets`. */
async function bashOffers(line: string, targets: readonly string[] = []): Promise<string[]> {
  const script = `${(await millrace("completion bash")).out}
millrace() { printf '%s\\n' "called $*" >&2; printf '%s\\n' ${targets.map((target) => `'${target}'`).join(" ")}; }
COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'; COMP_LINE=$1; COMP_POINT=\${#1}; COMP_WORDS=(millrace); _millrace; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)("bash", ["-c", script, "bash", line], { cwd: emptyFolder });
  return stdout.split("\n").filter(Boolean);
}

describe("in bash", () => {
  test("the commands", async () => {
    expect(await bashOffers("millrace ")).toEqual([...COMMANDS.map(({ name }) => name), "help"]);
    expect(await bashOffers("millrace st")).toEqual(["start", "status"]);
    expect(await bashOffers("millrace help ex")).toEqual(["explain"]);
  });

  test("the flags of a command and of all", async () => {
    expect(await bashOffers("millrace status --")).toEqual([
      "--json",
      "--no-color",
      "--quiet",
      "--verbose",
      "--help",
      "--watch",
      "--scan",
      "--exit-code",
    ]);
    expect(await bashOffers("millrace --json -C . run --w")).toEqual(["--wait"]);
  });

  test("the values of a flag", async () => {
    expect(await bashOffers("millrace graph --format ")).toEqual(["ascii", "mermaid", "dot", "json"]);
    expect(await bashOffers("millrace list --status qu")).toEqual(["queued", "quarantined"]);
    expect(await bashOffers("millrace completion ")).toEqual(["bash", "zsh", "fish"]);
  });

  test("the targets, after an @ too, where readline breaks words", async () => {
    expect(await bashOffers("millrace explain out", ["output", "other"])).toEqual(["output"]);
    expect(await bashOffers("millrace explain output@0", ["output@001", "output@002"])).toEqual(["001", "002"]);
    expect(await bashOffers("millrace version ", ["output"])).toEqual([]);
  });
});

describe("what the scripts ask the program", () => {
  test("stages and pipelines", async () => {
    const { out, code } = await millrace("__complete -- ec");
    expect([code, out]).toEqual([0, "echo\necho#input\necho#output\necho#copy\n"]);
  });

  test("tasks after an @", async () => {
    const { out, calls } = await millrace("__complete -- output@0");
    expect(calls[1]).toBe('list {"targets":["output@0*"],"limit":50}');
    expect(out).toBe("output@003\n");
    expect((await millrace("__complete -- echo#output@0")).out).toBe("echo#output@003\n");
  });

  test("nothing that a shell would not take as one plain word", async () => {
    const names = ["output@1 2", "output@$(x)", "output@a'b", "output@\u001b", "output@3"];
    const tasks = names.map((task) => ({ ...sample.MISSING, task }));
    const control = { list: async () => ok({ version: 1 as const, total: 5, tasks }) };
    expect((await millrace("__complete -- output@", { control })).out).toBe("output@3\n");
  });

  test("silence about everything that is wrong", async () => {
    const door = { openProject: async () => ({ ok: false as const, problems: [sample.PROBLEM] }) };
    expect(await millrace("__complete -- x", { door })).toMatchObject({ code: 0, out: "", err: "" });
  });
});

test.each(["zsh", "fish"])("the script for %s names every command and every flag", async (shell) => {
  const { out } = await millrace(`completion ${shell}`);
  for (const { name } of COMMANDS) expect(out).toContain(` ${name}`);
  for (const { flags } of [...GLOBAL_FLAGS, ...COMMANDS.flatMap((command) => command.flags)]) {
    const long = /--([a-z-]+)/.exec(flags)?.[1];
    if (long !== undefined) expect(out).toContain(shell === "fish" ? `-l ${long}` : `--${long}[`);
  }
  expect(out).toContain("__complete --");
});

test("the hidden command is not in the help", async () => {
  expect((await millrace("--help")).out).not.toContain("__complete");
});
