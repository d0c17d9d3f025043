import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { newProject, single, until } from "../support/rig.ts";

const SESSION = ".millrace/session.json";

test("a daemon forces its work to the medium when it is quiet, and says on disk that it was stopped", async () => {
  const project = newProject(single("$.input.content"));
  const session = (): Record<string, unknown> => JSON.parse(project.read(SESSION)) as Record<string, unknown>;
  const daemon = await project.daemon();
  expect(session()).toMatchObject({ version: 1, bootId: expect.any(String), checkpointAt: null, clean: false });
  project.drop("input/1.txt", "one");
  await until(() => session()["checkpointAt"] !== null, "the daemon forced its work to the medium");
  expect(project.read("output/1.txt")).toBe("one");
  await daemon.stop();
  expect(session()).toMatchObject({ clean: true });
});

test("a start after an unclean boot says so, verifies, and repeats nothing that is whole", async () => {
  const project = newProject(single("$.input.content"));
  const before = await project.daemon();
  project.drop("input/1.txt", "one");
  project.drop("input/2.txt", "two");
  await until(() => project.has("output/1.txt") && project.has("output/2.txt"));
  await project.run("run");
  await before.kill();
  // As if the machine had gone down: another boot, and one output that never reached the medium.
  const session = JSON.parse(project.read(SESSION)) as object;
  writeFileSync(project.at(SESSION), JSON.stringify({ ...session, bootId: "another" }));
  writeFileSync(project.at("output/2.txt"), "\0\0\0");
  await project.ran();
  const after = await project.daemon();
  expect(after.said("M515")).toHaveLength(1);
  await until(() => project.holds("output/2.txt", "two"));
  await project.run("run");
  expect(await project.ran()).toEqual(["output@2 unchanged"]);
  await after.stop();
  // The boot is known now.
  const again = await project.daemon();
  expect(again.said("M515")).toEqual([]);
  await again.stop();
});
