import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { echo, moduleNode, newProject, type Project, shell, source, stage, until } from "../support/rig.ts";

const KILLS = 20;
/** New files before each kill. */
const BATCH = 12;
/** Attempts of one pipeline at a time. */
const AT_ONCE = 10;

/** A chain of both quick lanes; each run of the module leaves a mark outside the root. */
function chain(): object {
  return {
    name: "chain",
    maxConcurrentEntities: AT_ONCE,
    stages: [
      source("input", "input/{id}.txt", { settle: "1ms" }),
      stage("upper", "input", "upper/{id}.txt", "$.input.content.toUpperCase()"),
      stage("marked", "upper", "marked/{id}.txt", moduleNode("nodes/mark.ts")),
      stage("output", "upper", "output/{id}.json", "({ id: $.entity.id, text: $.upper.content })"),
    ],
  };
}

function prepare(): Project {
  const project = newProject(chain());
  project.code(
    "nodes/mark.ts",
    `import { appendFileSync } from "node:fs";
     export default ({ entity, input }) => {
       appendFileSync(${JSON.stringify(`${project.dir}/runs`)}, entity.id + "\\n");
       return input.content + "!";
     };`,
  );
  return project;
}

function dropBatch(project: Project, round: number): void {
  for (let i = 0; i < BATCH; i++) project.drop(`input/${round}-${i}.txt`, `file ${i} of ${round}`);
}

test(
  `after ${KILLS} kills at any moment a restart reaches the bytes of an uninterrupted run, and only what was underway runs again`,
  { timeout: 120_000 },
  async () => {
    const undisturbed = prepare();
    for (let round = 0; round < KILLS; round++) dropBatch(undisturbed, round);
    expect((await undisturbed.run("run")).code).toBe(0);
    const expected = undisturbed.files();
    expect(Object.keys(expected)).toHaveLength(4 * KILLS * BATCH);

    const project = prepare();
    // The moments are drawn from a seed that is printed when the test fails.
    const seed = Date.now() & 0x7fffffff;
    const moments = fc.sample(fc.integer({ min: 0, max: 300 }), { seed, numRuns: KILLS });
    for (const [round, moment] of moments.entries()) {
      const daemon = project.launch();
      // Every third kill hits the start and its recovery, the others the work on new files.
      if (round % 3 > 0) await daemon.ready();
      dropBatch(project, round);
      await delay(moment);
      await daemon.kill();
    }
    expect((await project.run("run")).code, `seed ${seed}`).toBe(0);
    expect(project.files(), `seed ${seed}`).toEqual(expected);
    expect(project.names(".millrace/tmp")).toEqual([]);
    expect(project.trashed(), `no result of ours is taken for an edit, seed ${seed}`).toEqual([]);
    expect(project.survivors()).toEqual([]);

    const runs = project.read("../runs").split("\n").slice(0, -1);
    expect(runs.length, `seed ${seed}`).toBeLessThanOrEqual(KILLS * BATCH + KILLS * AT_ONCE);
    const most = Math.max(...[...Map.groupBy(runs, (id) => id).values()].map((of) => of.length));
    expect(most, `seed ${seed}`).toBeLessThanOrEqual(KILLS + 1);
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
