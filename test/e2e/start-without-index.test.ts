import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { echo, newProject } from "../support/rig.ts";

const FILES = 400;

test("a start without an index runs nothing again: a result counts as missing only after a look at its place", async () => {
  const project = newProject(echo());
  for (let i = 0; i < FILES; i++) project.drop(`input/${i}.txt`, `text ${i}`);
  await project.run("run");
  expect(await project.ran()).toHaveLength(2 * FILES);
  // As after a kill in a life that was never quiet.
  for (const end of ["", "-wal", "-shm"]) rmSync(project.at(`.millrace/index.db${end}`), { force: true });
  await project.run("run");
  expect(await project.ran()).toEqual([]);
});
