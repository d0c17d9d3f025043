import { expect, test } from "vitest";
import { newProject, shell, single, until } from "../support/rig.ts";

test("a second daemon and a second run find the root taken, and a killed owner's hold is free at once", async () => {
  const project = newProject(single("$.input.content"));
  const first = await project.daemon();
  const second = await project.launch().ended;
  expect(second.code).toBe(4);
  expect(second.stderr).toContain("M110");
  expect(second.stderr).toContain(String(first.pid));
  // A run asks the daemon instead.
  project.drop("input/1.txt", "one");
  expect((await project.run("run")).code).toBe(0);
  expect(project.read("output/1.txt")).toBe("one");

  await first.kill();
  const third = await project.daemon();
  expect((await project.run("status")).stdout).toContain(`daemon pid ${third.pid}`);
  project.drop("input/2.txt", "two");
  await until(() => project.has("output/2.txt"));
  await project.run("run");
  expect(await project.ran()).toEqual(["output@1 ran", "output@2 ran"]);
});

test("SIGTERM lets the running attempt finish within the grace time and ends with 143, SIGINT with 130", async () => {
  const project = newProject();
  project.define(single(shell(project.gateLine())));
  let daemon = await project.daemon();
  project.drop("input/1.txt", "one");
  project.drop("input/2.txt", "two");
  await project.begun("1");
  await project.begun("2");
  const ended = daemon.stop("SIGTERM");
  await until(() => daemon.said("stopping").length > 0);
  project.open("1");
  project.open("2");
  expect((await ended).code).toBe(143);
  expect(project.files("output")).toEqual({ "output/1.txt": "one", "output/2.txt": "two" });
  expect((await project.ran()).toSorted()).toEqual(["output@1 ran", "output@2 ran"]);
  daemon = await project.daemon();
  expect((await daemon.stop("SIGINT")).code).toBe(130);
  expect(await project.ran()).toEqual([]);
});

test("an attempt that outlasts the grace time is interrupted: no failure, no backoff, its children are gone", async () => {
  const project = newProject();
  project.define(single(shell(project.gateLine())));
  const daemon = await project.daemon(["--grace", "10ms"]);
  project.drop("input/1.txt", "one");
  await project.begun("1");
  expect((await daemon.stop()).code).toBe(143);
  await until(() => project.survivors().length === 0);
  expect(project.names(".millrace/tmp")).toEqual([]);
  expect(await project.task("output@1")).toMatchObject({ status: "missing", failure: null });
  project.open("1");
  expect((await project.run("run")).code).toBe(0);
  expect(await project.ran()).toEqual(["output@1 interrupted", "output@1 ran"]);
});

test("the processes of a command die with a daemon that is killed, and the task runs again", async () => {
  const project = newProject();
  project.define(single(shell(`(${project.gateLine()}) & wait`)));
  const daemon = await project.daemon();
  project.drop("input/1.txt", "one");
  await project.begun("1");
  expect(project.survivors().length).toBeGreaterThan(1);
  await daemon.kill();
  await until(() => project.survivors().length === 0);
  project.define(single(shell(project.gateLine())));
  await project.daemon();
  await project.begun("1", 2);
  project.open("1");
  await until(() => project.has("output/1.txt"));
  expect((await project.run("run")).code).toBe(0);
  expect((await project.ran()).filter((line) => line.endsWith("ran"))).toEqual(["output@1 ran"]);
  expect(project.names(".millrace/tmp")).toEqual([]);
});

test("an interrupted run ends with 130 and leaves nothing half done", async () => {
  const project = newProject();
  project.define(single(shell(project.gateLine())));
  project.drop("input/1.txt", "one");
  const run = project.start(["run"]);
  await project.begun("1");
  run.child.kill("SIGINT");
  run.child.kill("SIGINT");
  expect((await run.ended).code).toBe(130);
  await until(() => project.survivors().length === 0);
  expect(project.has("output/1.txt")).toBe(false);
  project.open("1");
  expect((await project.run("run")).code).toBe(0);
  expect(project.read("output/1.txt")).toBe("one");
  expect(project.names(".millrace/tmp")).toEqual([]);
});

test("read commands answer the same with and without a daemon", async () => {
  const project = newProject(single("$.input.content"));
  project.drop("input/1.txt", "one");
  const daemon = await project.daemon();
  await until(() => project.has("output/1.txt"));
  await project.run("run");
  const answers = async () => ({
    list: await project.tasks(),
    explain: await project.json("explain", "output@1"),
    show: await project.json("show", "1"),
    whyNot: await project.json("why-not", "input/1.txt"),
    plan: await project.json("plan"),
    history: await project.attempts(),
    graph: await project.json("graph"),
  });
  const live = await answers();
  await daemon.stop();
  expect(await answers()).toEqual(live);
});
