import { describe, expect, test } from "vitest";
import { ok } from "../../src/core/model/result.ts";
import type { StatusReport } from "../../src/engine/control.ts";
import { millrace } from "../support/cli-world.ts";
import * as sample from "../support/sample-reports.ts";

const ESCAPE = "\u001b";

describe("colours", () => {
  const lines = [
    "status",
    "plan",
    "explain x",
    "why-not x",
    "list",
    "show 1",
    "history",
    "logs",
    "graph",
    "run",
    "doctor",
    "retry x",
    "version",
    "--help",
  ];

  test.each(lines)("%s has none without a terminal", async (line) => {
    const { out, err } = await millrace(line);
    expect(out + err).not.toContain(ESCAPE);
  });

  test.each(lines)("%s has none with NO_COLOR, --no-color or a dumb terminal", async (line) => {
    const quiet = `${line}${line === "--help" ? "" : " -q"}`;
    for (const setting of [{ env: { NO_COLOR: "1" } }, { env: { TERM: "dumb" } }]) {
      const { out, err } = await millrace(quiet, { terminal: true, ...setting });
      expect(out + err).not.toContain(ESCAPE);
    }
    if (line === "--help") return;
    const { out, err } = await millrace(`${quiet} --no-color`, { terminal: true });
    expect(out + err).not.toContain(ESCAPE);
  });

  test("are there on a terminal", async () => {
    expect((await millrace("status", { terminal: true })).out).toContain(`${ESCAPE}[32mfresh${ESCAPE}[39m`);
    expect((await millrace("statsu", { terminal: true })).err).toContain(`${ESCAPE}[31merror${ESCAPE}[39m M101`);
  });

  test("an empty NO_COLOR does not count", async () => {
    expect((await millrace("status", { terminal: true, env: { NO_COLOR: "" } })).out).toContain(ESCAPE);
  });
});

describe("the progress bar of run", () => {
  test("is drawn on a terminal, on stderr, and is gone at the end", async () => {
    const { out, err } = await millrace("run", { terminal: true, env: { NO_COLOR: "1" } });
    expect(err).toContain("1/2 50%");
    expect(out).not.toContain("1/2");
  });

  test.each([
    ["run", false],
    ["run -q", true],
    ["run --json", true],
  ])("is not drawn by %j with terminal %j", async (line, terminal) => {
    expect((await millrace(line, { terminal })).err).toBe("");
  });
});

describe("names cannot do anything to the terminal", () => {
  const evil = "a\u001b[2Jb\r\nc\u202etxt.exe\u0007";
  const shown = "a\\e[2Jb\\r\\nc\\u202etxt.exe\\x07";
  const poison = <T>(report: T): T =>
    JSON.parse(JSON.stringify(report), (key, value: unknown) =>
      typeof value === "string" &&
      ["task", "path", "entity", "subject", "summary", "pattern", "node", "message", "error"].includes(key)
        ? evil
        : value,
    ) as T;

  test.each<[string, Parameters<typeof millrace>[1]]>([
    ["status", { control: { status: async () => ok(poison(sample.STATUS)) } }],
    ["plan", { control: { plan: async () => ok(poison(sample.PLAN)) } }],
    ["explain x", { control: { explain: async () => ok(poison(sample.EXPLAIN)) } }],
    ["why-not x", { control: { whyNot: async () => ok(poison(sample.WHY_NOT)) } }],
    ["list", { control: { list: async () => ok(poison(sample.LIST)) } }],
    ["show x", { control: { show: async () => ok(poison(sample.SHOW)) } }],
    ["history", { control: { history: async () => ok(poison(sample.HISTORY)) } }],
    ["logs", { control: { logs: async () => ok(poison(sample.LOGS)) } }],
    ["graph", { control: { graph: async () => ok(poison(sample.GRAPH)) } }],
    ["run", { door: { runOnce: async () => ok(poison(sample.RUN)) } }],
  ])("in %s", async (line, setting) => {
    const { out, err } = await millrace(line, setting);
    // oxlint-disable-next-line no-control-regex -- control characters are what it is about
    expect(out + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(out + err).toContain(line === "logs" || line === "run" ? "\\e[2J" : shown.slice(0, 8));
  });

  test("in a problem", async () => {
    const { err } = await millrace("plan", { problems: [{ ...sample.PROBLEM, message: evil }] });
    expect(err.split("\n")[0]).toBe(`warning M204  ${shown}`);
  });

  test("in JSON they stay what they are", async () => {
    const { out } = await millrace("explain x --json", {
      control: { explain: async () => ok(poison(sample.EXPLAIN)) },
    });
    expect(JSON.parse(out)).toMatchObject({ summary: evil });
  });
});

describe("problems of definitions", () => {
  const told = `warning M204  output pattern uses "{slug}", which no input binds
  pipelines/echo.json:14:16  /stages/1/pattern
        "pattern": "{slug}.json"
                   ~~~~~~
  inputs bind: {id}
  do: write {id} here
`;

  test("are told on stderr, each once", async () => {
    expect((await millrace("status", { problems: [sample.PROBLEM] })).err).toBe(told);
    expect((await millrace("plan", { problems: [sample.PROBLEM, sample.PROBLEM] })).err).toBe(told);
  });

  test("-q leaves out warnings, never errors", async () => {
    expect((await millrace("plan -q", { problems: [sample.PROBLEM] })).err).toBe("");
    const error = { ...sample.PROBLEM, severity: "error" } as const;
    expect((await millrace("plan -q", { problems: [error] })).err).toBe(told.replace("warning", "error"));
  });
});

test("the last column is cut to a terminal, and whole with -v or without one", async () => {
  const setting = { terminal: true, columns: 70, env: { NO_COLOR: "1" } };
  const longest = async (line: string, more: object) =>
    Math.max(...(await millrace(line, more)).out.split("\n").map((each) => each.length));
  expect(await longest("list", setting)).toBeLessThanOrEqual(70);
  expect(await longest("list -v", setting)).toBeGreaterThan(70);
  expect(await longest("list", { columns: 70 })).toBeGreaterThan(70);
});

describe("status --watch", () => {
  test("opens the project anew for each look, until Ctrl-C", async () => {
    const { code, calls, out } = await millrace("status --watch", {
      onSleep: (times, world) => times === 1 && world.interrupt("SIGINT"),
    });
    expect(code).toBe(130);
    const look = ["openProject read /project", 'status {"scan":false}', "close"];
    expect(calls).toEqual([...look, ...look, "stop listening"]);
    expect(out.split("5 tasks need attention")).toHaveLength(3);
    expect(out).not.toContain(ESCAPE);
  });

  test("clears a terminal before each screen", async () => {
    const { out } = await millrace("status --watch", {
      terminal: true,
      onSleep: (_, world) => world.interrupt("SIGTERM"),
    });
    expect(out.startsWith(`${ESCAPE}[2J${ESCAPE}[3J${ESCAPE}[H`)).toBe(true);
  });

  test("prints one JSON line per look with --json, and ends when nobody reads any more", async () => {
    const { code, out } = await millrace("status --watch --json", {
      onSleep: (times, world) => times === 2 && world.closeOut(),
    });
    expect(code).toBe(0);
    expect(
      out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as StatusReport),
    ).toEqual(Array(3).fill(sample.STATUS));
  });
});

describe("logs -f", () => {
  const entry = (many: number) => ({ ...sample.LOGS.entries[0]!, runId: `run${many}` });

  test("prints the last entries, then each new one once", async () => {
    let last = 2;
    const { out, code } = await millrace("logs -f --json", {
      control: {
        logs: async ({ limit = 0 }) =>
          ok({ version: 1, entries: Array.from({ length: last }, (_, at) => entry(at)).slice(-limit) }),
      },
      onSleep: (times, world) => {
        last += times;
        if (times === 3) world.interrupt("SIGINT");
      },
    });
    expect(code).toBe(130);
    const ids = out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { runId: string }).runId);
    expect(ids).toEqual(["run0", "run1", "run2", "run3", "run4"]);
  });

  test("asks further back when more came at once than it asked for", async () => {
    let last = 2;
    const limits: number[] = [];
    const { out } = await millrace("logs --follow --limit 2 --json", {
      control: {
        logs: async ({ limit = 0 }) => {
          limits.push(limit);
          return ok({ version: 1, entries: Array.from({ length: last }, (_, at) => entry(at)).slice(-limit) });
        },
      },
      onSleep: (times, world) => {
        last = 9;
        if (times === 1) world.interrupt("SIGINT");
      },
    });
    expect(limits).toEqual([2, 2, 8]);
    expect(out.trim().split("\n")).toHaveLength(9);
  });
});
