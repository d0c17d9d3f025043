import { expect, test } from "vitest";
import { echo, newProject, single, source, stage, until } from "../support/rig.ts";

test("in the running daemon an edited output is made again and a deleted one is back; the edit lies in the trash", async () => {
  const project = newProject(echo());
  project.drop("input/1.txt", "one");
  await project.daemon();
  await until(() => project.has("output/1.json"));
  await project.ran();
  project.drop("transformed/1.txt", "edited by hand");
  await until(() => project.holds("transformed/1.txt", "ONE"));
  await project.run("run");
  expect(project.trashed()).toContain("edited by hand");
  expect(await project.ran()).toEqual(["transformed@1 unchanged"]);

  project.remove("output/1.json");
  await until(() => project.has("output/1.json"));
  await project.run("run");
  expect(await project.ran()).toEqual(["output@1 unchanged"]);
  expect((await project.attempts()).at(-1)!.reasons).toBe("output-missing");

  project.remove("transformed");
  await until(() => project.has("transformed/1.txt"));
  await project.run("run");
  expect(await project.ran()).toEqual(["transformed@1 unchanged"]);
});

test("an output edited or deleted while the daemon was down is made again at its start", async () => {
  const project = newProject(single("$.input.content"));
  for (const id of ["edited", "deleted", "left"]) project.drop(`input/${id}.txt`, id);
  await project.run("run");
  await project.ran();
  project.drop("output/edited.txt", "mine");
  project.remove("output/deleted.txt");
  await project.daemon();
  await until(() => project.holds("output/edited.txt", "edited") && project.has("output/deleted.txt"));
  await project.run("run");
  expect((await project.ran()).toSorted()).toEqual(["output@deleted unchanged", "output@edited unchanged"]);
  expect(project.trashed()).toContain("mine");
});

test("an edit that was accepted stays until the input changes, and what follows is made from it", async () => {
  const project = newProject(echo());
  project.drop("input/1.txt", "one");
  await project.run("run");
  await project.ran();
  project.drop("transformed/1.txt", "better");
  expect(await project.run("accept", "transformed@1")).toMatchObject({ code: 0 });
  await project.daemon();
  await until(() => project.read("output/1.json").includes("better"));
  await project.run("run");
  expect(await project.ran()).toEqual(["output@1 ran"]);
  expect(project.read("transformed/1.txt")).toBe("better");
  project.drop("input/1.txt", "two");
  await until(() => project.read("output/1.json").includes("TWO"));
  await project.run("run");
  expect(await project.ran()).toEqual(["transformed@1 ran", "output@1 ran"]);
});

test("where edits are kept, what follows is made from the edit, and a changed input waits for a decision", async () => {
  const project = newProject({
    name: "kept",
    stages: [
      source("input", "input/{id}.txt"),
      stage("draft", "input", "draft/{id}.txt", "$.input.content.toUpperCase()", { onEdit: "keep" }),
      stage("output", "draft", "output/{id}.txt", "$.draft.content + '!'"),
    ],
  });
  project.drop("input/1.txt", "one");
  await project.daemon();
  await until(() => project.has("output/1.txt"));
  project.drop("draft/1.txt", "better");
  await until(() => project.holds("output/1.txt", "better!"));
  project.drop("input/1.txt", "two");
  await until(async () => (await project.statuses())["draft@1"] === "held");
  expect(await project.ran()).toEqual(["draft@1 ran", "output@1 ran", "output@1 ran"]);
  expect(project.read("draft/1.txt")).toBe("better");
  expect(await project.run("accept", "draft@1")).toMatchObject({ code: 0 });
  await until(async () => (await project.statuses())["output@1"] === "fresh");
  expect(await project.statuses()).toMatchObject({ "draft@1": "fresh", "output@1": "fresh" });
  expect(await project.ran()).toEqual([]);
  expect(await project.run("invalidate", "draft@1")).toMatchObject({ code: 0 });
  await until(() => project.holds("output/1.txt", "TWO!"));
  expect(project.trashed()).toContain("better");
});

test("a foreign file that another pipeline reads is left alone until it is accepted", async () => {
  const reader = {
    name: "reader",
    stages: [source("made", "made/{id}.txt"), stage("read", "made", "read/{id}.txt", "'read ' + $.input.content")],
  };
  const maker = {
    name: "maker",
    stages: [source("in", "input/{id}.txt"), stage("make", "in", "made/{id}.txt", "'made ' + $.input.content")],
  };
  const project = newProject(reader, maker);
  project.drop("made/1.txt", "by hand");
  project.drop("input/1.txt", "x");
  const run = await project.run("run");
  expect(run.code).toBe(1);
  expect(project.read("made/1.txt")).toBe("by hand");
  expect(await project.task("make@1")).toMatchObject({ failure: { error: expect.stringContaining("foreign-file") } });
  expect(await project.run("accept", "make@1")).toMatchObject({ code: 0 });
  expect((await project.run("run")).code).toBe(0);
  expect(project.read("made/1.txt")).toBe("by hand");
  expect(project.read("read/1.txt")).toBe("read by hand");
  expect((await project.ran()).filter((line) => line.startsWith("read"))).toEqual(["read@1 ran"]);
  expect(project.trashed()).toEqual([]);
});

test("a foreign file that nobody reads goes to the trash, and one with our very bytes is adopted", async () => {
  const project = newProject(single("$.input.content"));
  project.drop("output/1.txt", "somebody's");
  project.drop("output/2.txt", "two");
  project.drop("input/1.txt", "one");
  project.drop("input/2.txt", "two");
  expect((await project.run("run")).code).toBe(0);
  expect((await project.ran()).toSorted()).toEqual(["output@1 ran", "output@2 unchanged"]);
  expect(project.read("output/1.txt")).toBe("one");
  expect(project.trashed().filter((text) => text === "somebody's" || text === "two")).toEqual(["somebody's"]);
});

test("a held stage does not start, in the daemon at once and over a restart, until it is released", async () => {
  const project = newProject(echo());
  let daemon = await project.daemon();
  expect(await project.run("hold", "echo#output")).toMatchObject({ code: 0 });
  project.drop("input/1.txt", "one");
  await until(() => project.has("transformed/1.txt"));
  await until(async () => (await project.statuses())["output@1"] === "held");
  await daemon.stop();
  daemon = await project.daemon();
  await project.run("run");
  expect(await project.ran()).toEqual(["transformed@1 ran"]);
  expect(await project.statuses()).toMatchObject({ "output@1": "held" });
  expect(await project.run("release", "echo#output")).toMatchObject({ code: 0 });
  await until(() => project.has("output/1.json"));
  await project.run("run");
  expect(await project.ran()).toEqual(["output@1 ran"]);
});

test("a task that is invalidated runs once more, live and without a daemon, and equal bytes wake nothing", async () => {
  const project = newProject(echo());
  project.drop("input/1.txt", "one");
  const daemon = await project.daemon();
  await until(() => project.has("output/1.json"));
  await project.ran();
  expect(await project.run("invalidate", "transformed@1")).toMatchObject({ code: 0 });
  await until(async () => (await project.attempts()).length === 3);
  await project.run("run");
  expect(await project.ran()).toEqual(["transformed@1 unchanged"]);
  await daemon.stop();
  expect(await project.run("invalidate", "output@1")).toMatchObject({ code: 0 });
  expect((await project.run("run")).code).toBe(0);
  expect(await project.ran()).toEqual(["output@1 unchanged"]);
  expect((await project.run("run")).stdout).toContain("nothing to do");
});

test("an environment variable that a stage names counts as an input, and its value is written nowhere", async () => {
  const project = newProject(single("$.input.content + $env.GREETING_OF_TEST", { env: ["GREETING_OF_TEST"] }));
  project.drop("input/1.txt", "1 ");
  const runWith = (value: string) => project.start(["run"], { env: { GREETING_OF_TEST: value } }).ended;
  await runWith("hello-there");
  await runWith("hello-there");
  expect(await project.ran()).toEqual(["output@1 ran"]);
  await runWith("good-bye");
  expect(await project.ran()).toEqual(["output@1 ran"]);
  expect(project.read("output/1.txt")).toBe("1 good-bye");
  expect((await project.attempts()).at(-1)!.reasons).toBe("env-changed");
  expect(project.read(".millrace/manifests/1.json")).not.toContain("good-bye");
});
