import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { COMMANDS, GLOBAL_FLAGS } from "../../src/cli/commands.ts";
import { problem } from "../../src/core/model/problem.ts";
import { fail } from "../../src/core/model/result.ts";
import { load } from "../support/definitions.ts";
import { millrace } from "../support/cli-world.ts";
import * as sample from "../support/sample-reports.ts";

const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

/** The sections of a page: heading to text. */
function sectionsOf(page: string): Map<string, string> {
  return new Map(
    page
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.slice(0, section.indexOf("\n")).trim(), section.slice(section.indexOf("\n"))]),
  );
}

/** The first cells of the rows of a section's tables that are code. */
function codeCells(section: string): string[] {
  return Array.from(section.matchAll(/^\| `(.+?)` +\|/gm), (match) => match[1] ?? "");
}

describe("docs/cli.md", () => {
  const sections = sectionsOf(read("cli.md"));

  test("has every command of the program, in its order, and no other", () => {
    const named = [...sections.keys()].filter((heading) => heading.startsWith("millrace "));
    expect(named).toEqual(COMMANDS.map(({ name }) => `millrace ${name}`));
  });

  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    "%s has its arguments, flags and examples",
    (name, spec) => {
      const section = sections.get(`millrace ${name}`) ?? "";
      expect(codeCells(section)).toEqual([
        ...spec.args.map(({ form }) => form),
        ...spec.flags.map(({ flags }) => flags),
      ]);
      for (const [line] of spec.examples) expect(section).toContain(`millrace ${line}`);
    },
  );

  test("has the flags of every command, and the exit codes", () => {
    expect(codeCells(sections.get("Flags of every command") ?? "")).toEqual([
      ...GLOBAL_FLAGS.map(({ flags }) => flags),
      "-h, --help",
      "-V, --version",
    ]);
    const codes = Array.from((sections.get("Exit codes") ?? "").matchAll(/^\| (\d+)/gm), ([, code]) => code);
    expect(codes).toEqual(["0", "1", "2", "3", "4", "130", "143"]);
  });

  test("the help of each command shows the same flags", async () => {
    for (const { name, flags, args } of COMMANDS) {
      const { out } = await millrace(`${name} --help`);
      const options = out.split("\nFlags:\n")[1]?.split("\n\n")[0] ?? "";
      const shown = Array.from(options.matchAll(/^ {2}(-\S.*?)(?: {2,}|$)/gm), ([, flag]) => flag);
      expect(shown, name).toEqual([...flags.map((flag) => flag.flags), "-h, --help"]);
      expect(out.split("\n")[0], name).toContain(args.map(({ form }) => form).join(" "));
    }
  });
});

/** Maps whose keys are free, by the name of their field, and what the page calls a key. */
const MAPS: Readonly<Record<string, string>> = {
  counts: "status",
  rescans: "cause",
  results: "result",
  states: "pattern",
  "roots[].states": "state",
  leftOut: "cause",
  failures: "pattern",
  inputHashes: "path",
  envHashes: "name",
  toolHashes: "name",
};
/** A task in a list is that of `explain`, and a leftover's record is one as the others. */
const NESTED_IN_TASKS = /^(tasks\[\]|task)\.|\.leftoverRecord\./;

/** Every field of a document as the page writes it. Tasks and problems have tables of their own. */
function fieldsOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => (isObject(item) ? fieldsOf(item, `${path}[]`) : []));
  if (!isObject(value)) return [];
  const map = MAPS[path] ?? MAPS[path.split(".").at(-1) ?? ""];
  return Object.entries(value).flatMap(([key, item]) => {
    const field = `${path === "" ? "" : `${path}.`}${map === undefined ? key : `<${map}>`}`;
    return [...(map !== undefined && isObject(item) ? [] : [field]), ...fieldsOf(item, field)];
  });
}
function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

describe("docs/cli-json.md", () => {
  const sections = sectionsOf(read("cli-json.md"));
  const documented = (heading: string) => codeCells(sections.get(heading) ?? "").toSorted();
  const withoutParts = (fields: readonly string[], problems: string) =>
    [...new Set(fields)].filter((field) => !NESTED_IN_TASKS.test(field) && !field.startsWith(problems)).toSorted();

  const pipeline = load({ name: "a", stages: [{ id: "in", type: "source", pattern: "a/{id}.txt" }] }).pipeline!;
  const door = { validateProject: async () => ({ pipelines: [pipeline], problems: [sample.PROBLEM] }) };
  const files = { "/project/README.md": "" };

  test.each([
    ["status", "status"],
    ["plan", "plan"],
    ["explain x", "explain"],
    ["why-not x", "why-not"],
    ["list", "list"],
    ["show x", "show"],
    ["history", "history"],
    ["logs", "logs"],
    ["graph", "graph"],
    ["run", "run"],
    ["retry x", "retry, invalidate, accept, hold, release"],
    ["hold x", "retry, invalidate, accept, hold, release"],
    ["quarantine", "quarantine"],
    ["trash", "trash"],
    ["trash restore x", "trash restore"],
    ["trash empty --yes", "trash empty"],
    ["clean", "clean"],
    ["validate", "validate"],
    ["doctor", "doctor"],
    ["verify", "verify"],
    ["init", "init, new"],
    ["version", "version"],
  ])("every field of %s is documented, and every documented field is there", async (line, heading) => {
    const { out } = await millrace(`${line} --json`, { door, files });
    const problems = heading === "status" ? "roots[].problems[]." : "problems[].";
    expect(withoutParts(fieldsOf(JSON.parse(out)), problems)).toEqual(documented(heading));
  });

  test("tasks have one table for all reports", () => {
    const tasks = [sample.STALE, sample.RETRYING];
    const fields = tasks.flatMap((task) => fieldsOf({ task })).filter((field) => field !== "task");
    expect([...new Set(fields)].toSorted()).toEqual(documented("Tasks"));
  });

  test("problems have one table for all reports", async () => {
    const why = [problem("M110", "held", "stop it", { place: sample.PROBLEM.place, notes: ["by pid 1"] })];
    const { out } = await millrace("status --json", { door: { openProject: async () => fail(...why) } });
    expect([...new Set(fieldsOf(JSON.parse(out)))].toSorted()).toEqual(documented("Problems"));
  });

  test("describes every command that prints JSON", () => {
    const described = [...sections.keys()].flatMap((heading) => heading.split(", "));
    const silent = ["completion", "start"];
    for (const { name } of COMMANDS) expect(described.includes(name), name).toBe(!silent.includes(name));
  });
});
