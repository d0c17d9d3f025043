import { mkdtempSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createLog, type LogOptions } from "../../../src/adapters/observe/log.ts";
import { problem, renderProblem, type Problem } from "../../../src/core/model/problem.ts";
import type { Log } from "../../../src/ports.ts";

function logTo(lines: string[], options: Partial<LogOptions> = {}): Log {
  return createLog({ pretty: false, level: "debug", destination: { write: (line) => lines.push(line) }, ...options });
}
const first = (lines: readonly string[]): Record<string, unknown> =>
  JSON.parse(lines[0] ?? "") as Record<string, unknown>;

const broken: Problem = problem("M101", 'there is no command "rnu"', 'write "run"', {
  place: { file: "pipelines/a.json", line: 3, column: 5, length: 4, pointer: "/name", excerpt: '    "rnu"' },
  notes: ["commands are: run, start"],
});

describe("JSON lines", () => {
  test("have the level's name, an ISO time, the fields as given and the message", () => {
    const lines: string[] = [];
    logTo(lines).info({ task: "echo#output@001", run: "r1", bytes: 12 }, "ran");
    const { time, ...rest } = first(lines);
    expect(rest).toEqual({ level: "info", task: "echo#output@001", run: "r1", bytes: 12, msg: "ran" });
    expect(new Date(String(time)).toISOString()).toBe(time);
    expect(lines[0]).toMatch(/^[^\n]*\n$/);
  });

  test.each([
    ["debug", ["debug", "info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["silent", []],
  ] as const)("at level %s are %j", (level, written) => {
    const lines: string[] = [];
    const log = logTo(lines, { level });
    for (const severity of ["debug", "info", "warn", "error"] as const) log[severity]({}, "x");
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(written);
  });

  test("of a problem have its code, place, notes and hint as fields, at its severity", () => {
    const lines: string[] = [];
    const log = logTo(lines);
    log.problem(broken);
    log.problem({ ...broken, severity: "warning" });
    expect(first(lines)).toMatchObject({
      level: "error",
      code: "M101",
      place: { file: "pipelines/a.json", line: 3, column: 5, pointer: "/name" },
      notes: ["commands are: run, start"],
      hint: 'write "run"',
      msg: 'there is no command "rnu"',
    });
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({ level: "warn" });
  });

  test("stay one line each, whatever a file is called", () => {
    const lines: string[] = [];
    logTo(lines).warn({ path: 'input/a\n"b"\u001b[2J.txt' }, "odd\nname");
    expect(lines).toHaveLength(1);
    expect(first(lines)).toMatchObject({ path: 'input/a\n"b"\u001b[2J.txt', msg: "odd\nname" });
    expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
  });
});

describe("pretty lines", () => {
  test("show level, message and fields", () => {
    const lines: string[] = [];
    logTo(lines, { pretty: true }).info({ task: "echo#output@001" }, "ran");
    expect(lines.join("")).toMatch(/INFO.*ran.*echo#output@001/);
  });

  test("show a problem as its whole text", () => {
    const lines: string[] = [];
    logTo(lines, { pretty: true }).problem(broken);
    expect(lines.join("").replace(/\n +/g, "\n")).toContain(renderProblem(broken).replace(/\n +/g, "\n"));
  });

  test("have colours only when asked for", () => {
    const plain: string[] = [];
    const coloured: string[] = [];
    logTo(plain, { pretty: true }).info({}, "ran");
    logTo(coloured, { pretty: true, colour: true }).info({}, "ran");
    expect(plain.join("")).not.toContain("\u001b");
    expect(coloured.join("")).toContain("\u001b");
  });

  test("let no file name steer the terminal", () => {
    const lines: string[] = [];
    logTo(lines, { pretty: true }).info({ path: "a\u001b[2J" }, 'read "b\u001b[2J\u009b1m"');
    for (const control of ["\u001b", "\u009b"]) expect(lines.join("")).not.toContain(control);
    expect(lines.join("")).toContain("b\\u001b[2J");
  });
});

describe("secrets", () => {
  test.each([true, false])("are masked in messages, fields, lists, errors and problems (pretty: %s)", (pretty) => {
    const lines: string[] = [];
    const secrets = new Set<string>();
    const log = logTo(lines, { pretty, secrets });
    secrets.add("hunter2");
    secrets.add('hunter2"and more');
    log.info({ env: { TOKEN: "hunter2" }, list: ["x", "Bearer hunter2"], err: new Error("hunter2") }, "is hunter2");
    log.info({ text: 'a hunter2"and more b' }, "longer");
    log.problem({ ...broken, message: '"hunter2" is wrong', hint: "not hunter2" });
    expect(lines.join("")).not.toContain("hunter2");
    expect(lines.join("")).not.toContain("and more");
    expect(lines.join("")).toContain("Bearer ***");
  });

  test("that are too short to be secret leave the line as it is", () => {
    const lines: string[] = [];
    logTo(lines, { secrets: ["", "a", "1"] }).info({ n: 11 }, "banana 1");
    expect(first(lines)).toMatchObject({ n: 11, msg: "banana 1" });
  });

  test("do not trip over an object that contains itself", () => {
    const lines: string[] = [];
    const loop: Record<string, unknown> = { token: "hunter2" };
    loop["self"] = loop;
    logTo(lines, { secrets: ["hunter2"] }).info({ loop }, "x");
    expect(first(lines)).toMatchObject({ loop: { token: "***", self: "[Circular]" } });
  });
});

test("a file descriptor is written at once", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-log-"));
  const file = join(folder, "log");
  const fd = openSync(file, "w");
  try {
    const log = createLog({ pretty: false, level: "info", destination: fd });
    log.info({}, "one");
    expect(readFileSync(file, "utf8")).toContain('"msg":"one"');
    log.info({}, "two");
    log.flush();
    expect(readFileSync(file, "utf8").trimEnd().split("\n")).toHaveLength(2);
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
});
