import { symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { newProject, shell, source, stage } from "../support/rig.ts";

/** Every way a dropped file can come to nothing, in one project. */
const DEFINITION = {
  name: "w",
  retryPolicy: { maxAttempts: 2, backoffSeconds: [3600] },
  stages: [
    source("in", "in/{id}.txt"),
    stage(
      "up",
      "in",
      "up/{id}.txt",
      shell('case $MILLRACE_ENTITY in bad*) echo oops >&2; exit 3;; esac; cat "$MILLRACE_INPUT"'),
    ),
    stage("end", "up", "end/{id}.txt"),
    stage("once", "in", "once/{id}.txt", "$.nope.content", { retryPolicy: { maxAttempts: 1 } }),
    source("marked", "marked/{id}.txt", { marker: "marked/{id}.done", filter: { minSize: 3 } }),
    stage("copy", "marked", "copy/{id}.txt"),
    source("lonely", "lonely/{id}.txt"),
  ],
};

interface Report {
  readonly reasons: readonly string[];
  readonly tasks: readonly { readonly task: string; readonly status: string }[];
}

test("why-not names what keeps a file, and nothing that only follows from it", async () => {
  const project = newProject(DEFINITION);
  for (const path of ["in/good.txt", "in/bad.txt", "in/.hidden.txt", "marked/waits.txt", "lonely/l.txt", "else/x.txt"])
    project.drop(path, "content");
  project.drop("marked/small.txt", "s");
  project.drop("../outside.txt", "o");
  symlinkSync("../../outside.txt", project.at("in/out.txt"));
  await project.run("hold", "w#end");
  await project.run("run", "--settle-timeout", "1");

  const whyNot = async (path: string): Promise<[string[], Record<string, string>]> => {
    const { reasons, tasks } = await project.json<Report>("why-not", path);
    const words = (text: string): string => text.replaceAll(project.dir, "").replace(/; the next is due .*/, "");
    return [reasons.map(words), Object.fromEntries(tasks.map(({ task, status }) => [task, status]))];
  };
  const once = 'is quarantined: its only attempt failed; "retry" or any change of its inputs or code frees it';

  expect(await whyNot("in/bad.txt")).toEqual([
    ["up@bad is retrying: attempt 1 of 2 failed", `once@bad ${once}`],
    { "up@bad": "retrying", "end@bad": "blocked", "once@bad": "quarantined" },
  ]);
  expect(await whyNot("in/good.txt")).toEqual([
    ['end@good is held: its output is missing; "release" lets it go on', `once@good ${once}`],
    { "up@good": "fresh", "end@good": "held", "once@good": "quarantined" },
  ]);
  expect(await whyNot("in/out.txt")).toEqual([
    ['in/out.txt cannot be a state: link that leads outside the state root, to "/outside.txt"'],
    { "up@out": "blocked", "end@out": "blocked", "once@out": "blocked" },
  ]);
  expect(await whyNot("in/.hidden.txt")).toEqual([["in/.hidden.txt is ignored by the rule .*"], {}]);
  expect(await whyNot("marked/waits.txt")).toEqual([
    ["marked/waits.txt waits for its done-file marked/waits.done"],
    { "copy@waits": "settling" },
  ]);
  expect(await whyNot("marked/small.txt")).toEqual([
    ['marked/small.txt has 1 bytes, the filter of "marked" wants at least 3'],
    {},
  ]);
  expect(await whyNot("lonely/l.txt")).toEqual([['no stage of w takes "lonely" as its input'], {}]);
  expect((await whyNot("else/x.txt"))[0]).toEqual([
    expect.stringContaining("else/x.txt matches no pattern; the nearest is "),
  ]);
  for (const path of ["/etc/passwd", "../../x"])
    expect(await whyNot(path)).toEqual([[`${path} lies outside state/, the folder that is watched`], {}]);
  expect(await whyNot("end/bad.txt")).toEqual([
    ["there is nothing at end/bad.txt", "end@bad is blocked: up/bad.txt is retrying (up)"],
    { "end@bad": "blocked" },
  ]);
});

test("a task that is not there is told with what it needs", async () => {
  const project = newProject(DEFINITION);
  const told = async (target: string): Promise<string> => (await project.run("explain", target)).stderr;
  expect(await told("end@none")).toContain(
    '"end" has no task for "none"\n  do: it needs a file that matches in/{id}.txt',
  );
  expect(await told("in@none")).toContain('"in" is a source, which has no tasks');
  expect(await told("in")).toContain('"in" is a source, which has no tasks');
  expect(await told("end")).toContain('"end" has no tasks yet');
  expect((await project.run("graph", "nope")).stderr).toContain('no stage is called "nope"');
  expect(await told("onec")).toContain('nothing here is called "onec"\n  do: write once');
});

test("releasing a stage releases its tasks, and a task of a held stage is not released alone", async () => {
  const project = newProject(DEFINITION);
  project.drop("in/a.txt", "a");
  await project.run("run");
  for (const target of ["end@a", "w#end"]) expect(await project.run("hold", target)).toMatchObject({ code: 0 });
  await project.run("invalidate", "end@a");
  const alone = await project.run("release", "end@a");
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining("the whole stage is held; release w#end") });
  await project.run("hold", "end@a");
  expect(await project.run("release", "w#end")).toMatchObject({ code: 0 });
  await project.run("run");
  expect((await project.statuses())["end@a"]).toBe("fresh");
});
