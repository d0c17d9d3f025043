import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { echo, moduleNode, newProject, type Project, shell, source, stage, until } from "../support/rig.ts";

const KILLS = 20;
const FILES = 120;

/** A chain of every lane: batch, module, command. */
function chain(): object {
  return {
    name: "chain",
    stages: [
      source("input", "input/{id}.txt", { settle: "1ms" }),
      stage("upper", "input", "upper/{id}.txt", "$.input.content.toUpperCase()"),
      stage("marked", "upper", "marked/{id}.txt", moduleNode("nodes/mark.ts")),
      stage("output", "upper", "output/{id}.json", "({ id: $.entity.id, text: $.upper.content })"),
    ],
  };
}

function fill(project: Project): void {
  project.code("nodes/mark.ts", 'export default ({ input }) => input.content + "!";\n');
  for (let i = 0; i < FILES; i++) project.drop(`input/${i}.txt`, `file ${i}`);
}

test(
  `after ${KILLS} kills at any moment a restart reaches the bytes of an uninterrupted run, at most one more attempt per task and kill`,
  { timeout: 120_000 },
  async () => {
    const undisturbed = newProject(chain());
    fill(undisturbed);
    expect((await undisturbed.run("run")).code).toBe(0);
    const expected = undisturbed.files();
    expect(Object.keys(expected)).toHaveLength(4 * FILES);

    const project = newProject(chain());
    fill(project);
    // The moments are drawn from a seed that is printed when the test fails.
    const seed = Date.now() & 0x7fffffff;
    const moments = fc.sample(fc.integer({ min: 0, max: 400 }), { seed, numRuns: KILLS });
    for (const [round, moment] of moments.entries()) {
      const daemon = project.launch();
      // Half of the kills hit the start and its recovery, half the work; new input keeps coming.
      if (round % 2 === 0) await daemon.ready();
      project.drop(`input/${round}.txt`, `changed ${round}`);
      project.drop(`input/${round}.txt`, `file ${round}`);
      await delay(moment);
      await daemon.kill();
    }
    expect((await project.run("run")).code, `seed ${seed}`).toBe(0);
    expect(project.files(), `seed ${seed}`).toEqual(expected);
    expect(project.names(".millrace/tmp")).toEqual([]);
    expect(project.trashed(), `no own result is taken for an edit, seed ${seed}`).toEqual([]);
    expect(project.survivors()).toEqual([]);
    const perTask = new Map<string, number>();
    for (const { task, result } of await project.attempts())
      if (result === "ran") perTask.set(task, (perTask.get(task) ?? 0) + 1);
    expect(Math.max(...perTask.values())).toBeLessThanOrEqual(KILLS + 1);
    expect((await project.run("run")).stdout).toContain("nothing to do");
  },
);

test(
  "commands that are killed with their daemon leave no process and no half result",
  { timeout: 60_000 },
  async () => {
    const slow = shell('printf half > "$MILLRACE_OUTPUT"; sleep 0.05; cat "$MILLRACE_INPUT" > "$MILLRACE_OUTPUT"');
    const project = newProject({
      name: "commands",
      stages: [source("input", "input/{id}.txt", { settle: "1ms" }), stage("output", "input", "output/{id}.txt", slow)],
    });
    for (let i = 0; i < 40; i++) project.drop(`input/${i}.txt`, `file ${i}`);
    for (let round = 1; round <= 4; round++) {
      const daemon = await project.daemon();
      await until(() => project.names("output").length >= round * 3);
      await daemon.kill();
      await until(() => project.survivors().length === 0);
    }
    expect((await project.run("run")).code).toBe(0);
    expect(project.files("output")).toEqual(
      Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`output/${i}.txt`, `file ${i}`])),
    );
    expect(project.names(".millrace/tmp")).toEqual([]);
  },
);

test("a kill between a result and its record costs no edit: the result is known as ours", async () => {
  const project = newProject(echo());
  project.drop("input/1.txt", "one");
  const daemon = await project.daemon();
  await until(() => project.has("transformed/1.txt"));
  await daemon.kill();
  expect((await project.run("run")).code).toBe(0);
  expect(project.trashed()).toEqual([]);
  expect(JSON.parse(project.read("output/1.json"))).toEqual({ id: "1", text: "ONE" });
});
