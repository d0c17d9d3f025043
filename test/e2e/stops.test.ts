import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { moduleNode, newProject, type Project, single, shell, source, stage, until } from "../support/rig.ts";

const STOPS = 15;
/** New files before each stop. */
const BATCH = 12;

function chain(): Project {
  const project = newProject({
    name: "chain",
    stages: [
      source("input", "input/{id}.txt", { settle: "1ms" }),
      stage("upper", "input", "upper/{id}.txt", "$.input.content.toUpperCase()"),
      stage("marked", "upper", "marked/{id}.txt", moduleNode("nodes/mark.js")),
      stage("output", "marked", "output/{id}.txt", shell('cat "$MILLRACE_INPUT"; echo end')),
    ],
  });
  project.code("nodes/mark.js", `export default ({ input }) => input.content + "!";`);
  return project;
}

function dropBatch(project: Project, round: number): void {
  for (let i = 0; i < BATCH; i++) project.drop(`input/${round}-${i}.txt`, `file ${i} of ${round}`);
}

test(
  `after ${STOPS} stops at any moment of the work everything is saved, and a start goes on to the bytes of a calm run`,
  { timeout: 120_000 },
  async () => {
    const calm = chain();
    for (let round = 0; round < STOPS; round++) dropBatch(calm, round);
    expect((await calm.run("run")).code).toBe(0);

    const project = chain();
    const seed = Date.now() & 0x7fffffff;
    const moments = fc.sample(fc.integer({ min: 0, max: 250 }), { seed, numRuns: STOPS });
    for (const [round, moment] of moments.entries()) {
      const daemon = await project.daemon(["--grace", round % 2 === 0 ? "5s" : "0"]);
      dropBatch(project, round);
      await delay(moment);
      expect((await daemon.stop()).code, `seed ${seed}`).toBe(143);
      expect(project.names(".millrace/tmp"), `seed ${seed}`).toEqual([]);
      expect(project.survivors(), `seed ${seed}`).toEqual([]);
    }
    expect((await project.run("run")).code, `seed ${seed}`).toBe(0);
    expect(project.files(), `seed ${seed}`).toEqual(calm.files());
    // What a stop cut off is no failure, and nothing was done twice but what was cut off.
    const results = (await project.attempts()).map(({ result }) => result);
    expect(results.filter((result) => !["ran", "interrupted", "dropped"].includes(result))).toEqual([]);
    expect(results.filter((result) => result === "ran")).toHaveLength(3 * STOPS * BATCH);
  },
);

test("a second signal ends at once what the first one lets finish", async () => {
  const project = newProject();
  project.define(single(shell(project.gateLine())));
  project.drop("input/1.txt", "one");
  const daemon = await project.daemon(["--grace", "1h"]);
  await project.begun("1");
  const ended = daemon.stop("SIGTERM");
  await until(() => daemon.said("stopping").length > 0);
  void daemon.stop("SIGTERM");
  expect((await ended).code).toBe(143);
  await until(() => project.survivors().length === 0);
  // Cut off is not failed: it simply runs again.
  expect(await project.statuses()).toEqual({ "output@1": "missing" });
});
