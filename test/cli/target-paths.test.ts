import { expect, test } from "vitest";
import { millrace } from "../support/cli-world.ts";

/** What the engine is asked to explain. The project is /project with its root state/, unless `-C` says otherwise; the command runs in /project. */
async function explained(line: string): Promise<string | undefined> {
  const { calls } = await millrace(line);
  return calls.find((call) => call.startsWith("explain"));
}

test.each([
  ["explain output@001", "output@001"],
  ["explain output/001.json", "output/001.json"],
  ["explain output@hackernews/1", "output@hackernews/1"],
  ["explain state/output/001.json", "output/001.json"],
  ["explain ./state/output/001.json", "output/001.json"],
  ["explain /project/state/output/001.json", "output/001.json"],
  ["explain state/output/*.json", "output/*.json"],
  ["explain state/docs/a/", "docs/a/"],
  ["explain state/", "state/"],
  ["explain state/../other/x", "state/../other/x"],
  ["explain /elsewhere/001.json", "/elsewhere/001.json"],
  ["explain stately/x", "stately/x"],
  ["-C /elsewhere explain state/output/001.json", "state/output/001.json"],
  ["-C /elsewhere explain ../elsewhere/state/x", "x"],
])("millrace %s", async (line, target) => {
  expect(await explained(line)).toBe(`explain {"target":${JSON.stringify(target)}}`);
});

test("every command with targets takes paths as the shell completes them", async () => {
  for (const command of [
    "plan",
    "why-not",
    "list",
    "show",
    "history",
    "logs",
    "graph",
    "retry",
    "invalidate",
    "accept",
    "hold",
    "release",
  ]) {
    const { calls } = await millrace(`${command} state/output/001.json`);
    expect(calls.at(-2), command).toContain('"output/001.json"');
  }
});

test("targets that are no paths cost no question for the roots", async () => {
  expect((await millrace("explain output@001")).calls).toHaveLength(3);
});
