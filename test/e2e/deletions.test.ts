import { renameSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { RunReport, StatusReport } from "../../src/engine/control.ts";
import { echo, newProject, type Project, single, source, stage, until } from "../support/rig.ts";

/** A project of `count` files, all made. */
async function made(count: number, ...definitions: readonly object[]): Promise<Project> {
  const project = newProject(...definitions);
  for (let i = 1; i <= count; i++) project.drop(`input/${i}.txt`, `text ${i}`);
  expect(await project.run("run")).toMatchObject({ code: 0 });
  await project.ran();
  return project;
}

/** What lies in the trash, without the notes. */
function inTrash(project: Project): string[] {
  return project.trashed().filter((text) => !text.includes('"why":'));
}

function removeSources(project: Project, from: number, to: number): void {
  for (let i = from; i <= to; i++) project.remove(`input/${i}.txt`);
}

describe("one file that is removed", () => {
  test("takes what was made of it to the trash, in one run, and the next has nothing to do", async () => {
    const project = await made(2, echo());
    project.remove("input/1.txt");
    const run = await project.run("run");
    expect([run.code, run.stdout]).toEqual([0, "2 taken away, 2 fresh\n"]);
    expect([project.names("transformed"), project.names("output")]).toEqual([["2.txt"], ["2.json"]]);
    expect(inTrash(project)).toHaveLength(2);
    expect(project.names(".millrace/manifests")).toEqual(["2.json"]);
    expect((await project.run("run")).stdout).toBe("nothing to do: 2 fresh\n");
    expect(await project.ran()).toEqual([]);
  });

  test("the same in a running daemon", async () => {
    const project = await made(2, echo());
    await project.daemon();
    project.remove("input/1.txt");
    await until(() => !project.has("output/1.json") && !project.has("transformed/1.txt"));
    await until(() => project.names(".millrace/manifests").length === 1);
    expect(inTrash(project)).toHaveLength(2);
    project.drop("input/1.txt", "text 1");
    await until(() => project.has("output/1.json"));
  });

  test("and put back as it was has everything back from the trash: nothing runs", async () => {
    const project = await made(2, echo());
    const output = project.read("output/1.json");
    project.remove("input/1.txt");
    await project.run("run");
    project.drop("input/1.txt", "text 1");
    const run = await project.run("run");
    expect([run.code, run.stdout]).toEqual([0, "0 ran, 2 restored, 0 failed, 4 fresh\n"]);
    expect(await project.ran()).toEqual(["transformed@1 restored", "output@1 restored"]);
    expect([project.read("output/1.json"), inTrash(project)]).toEqual([output, []]);
    expect((await project.run("history", "--result", "restored")).stdout).toMatch(/restored\s+output@1/);
    expect((await project.run("run")).stdout).toBe("nothing to do: 4 fresh\n");
    expect((await project.run("verify")).code).toBe(0);
  });

  test("and put back with other contents, or forced, is made again, in a running daemon", async () => {
    const project = await made(2, echo());
    await project.daemon();
    project.remove("input/1.txt");
    await until(() => project.names(".millrace/manifests").length === 1);
    project.drop("input/1.txt", "text 1");
    await until(() => project.has("output/1.json"));
    await project.run("run");
    expect(await project.ran()).toEqual(["transformed@1 restored", "output@1 restored"]);
    project.remove("input/1.txt");
    await until(() => project.names(".millrace/manifests").length === 1);
    project.drop("input/1.txt", "other");
    await until(() => project.has("output/1.json"));
    await project.run("run");
    expect(await project.ran()).toEqual(["transformed@1 ran", "output@1 ran"]);
    await project.run("invalidate", "transformed@1");
    await project.run("run");
    expect(await project.ran()).toEqual(["transformed@1 unchanged"]);
  });

  test("follows `onOrphan`: kept, or removed for good", async () => {
    const project = await made(1, {
      name: "policies",
      stages: [
        source("input", "input/{id}.txt"),
        stage("kept", "input", "kept/{id}.txt", "$.input.content", { onOrphan: "keep" }),
        stage("removed", "input", "removed/{id}.txt", "$.input.content", { onOrphan: "delete" }),
      ],
    });
    project.remove("input/1.txt");
    await project.run("run");
    expect([project.names("kept"), project.names("removed"), project.trashed()]).toEqual([["1.txt"], [], []]);
    expect(await project.statuses()).toEqual({ "kept@1": "orphaned" });
    expect((await project.run("explain", "kept@1")).stdout).toContain('"onOrphan" keeps its output');
  });

  test("leaves what was edited by hand, and says so", async () => {
    const project = await made(1, single("$.input.content"));
    project.rewrite("output/1.txt", "mine");
    project.remove("input/1.txt");
    await project.run("run");
    expect([project.read("output/1.txt"), await project.statuses()]).toEqual(["mine", { "output@1": "orphaned" }]);
    expect((await project.run("explain", "output@1")).stdout).toContain("edited by hand, so it stays");
  });

  test("and that has another name now takes what it made along", async () => {
    const project = await made(2, echo());
    const daemon = await project.daemon();
    renameSync(project.at("input/1.txt"), project.at("input/renamed.txt"));
    await until(() => project.has("output/renamed.json") && !project.has("output/1.json"));
    await until(() => daemon.said("a source has moved").length === 1);
    expect(project.names("output")).toEqual(["2.json", "renamed.json"]);
  });
});

describe("more than half of forty files that are removed at once", () => {
  const FROZEN =
    /^FROZEN  50 results are kept since .*\n  25 of 40 sources of input\/\{id\}\.txt \(echo#input\) vanished: more than half\n/;

  test("stay made, loudly, until a person lets them go", async () => {
    const project = await made(40, echo());
    removeSources(project, 1, 25);
    const run = await project.run("run");
    expect(run.code).toBe(1);
    expect(run.stdout).toContain("millrace accept --deletions");
    expect(run.stderr).toContain("M517");
    expect(project.names("output")).toHaveLength(40);
    const status = await project.run("status");
    expect(status.stdout).toMatch(FROZEN);
    expect((await project.json<StatusReport>("status")).roots[0]!.frozen).toMatchObject({ total: 50 });
    expect((await project.run("why-not", "input/1.txt")).stdout).toContain("millrace accept --deletions");
    expect((await project.run("run")).code).toBe(1);

    const accepted = await project.run("accept", "--deletions");
    expect([accepted.code, accepted.stdout.split("\n")[0]]).toEqual([
      0,
      "accept  50 results are taken away now, by the daemon or by the next run",
    ]);
    expect(await project.json<RunReport>("run")).toMatchObject({ retracted: 50, frozen: null, failed: false });
    expect([project.names("output").length, inTrash(project).length]).toEqual([15, 50]);
    expect((await project.run("run")).stdout).toBe("nothing to do: 30 fresh\n");
    expect((await project.run("accept", "--deletions")).stdout).toBe("accept: no deletions are frozen\n");
  });

  test("in a running daemon, which does other work meanwhile, and lets go what is accepted", async () => {
    const project = await made(40, echo());
    await project.daemon();
    removeSources(project, 1, 25);
    await until(async () => FROZEN.test((await project.run("status")).stdout));
    project.drop("input/new.txt", "new");
    await until(() => project.has("output/new.json"));
    expect(project.names("output")).toHaveLength(41);
    await project.run("accept", "--deletions");
    await until(() => project.names("output").length === 16);
    expect((await project.json<StatusReport>("status")).roots[0]!.frozen).toBeNull();
  });

  test("are as they were when the files come back", async () => {
    const project = await made(40, echo());
    renameSync(project.at("input"), project.at("elsewhere"));
    expect((await project.run("run")).code).toBe(1);
    renameSync(project.at("elsewhere"), project.at("input"));
    const run = await project.run("run");
    expect([run.code, run.stdout]).toEqual([0, "nothing to do: 80 fresh\n"]);
    expect([await project.ran(), project.trashed()]).toEqual([[], []]);
  });
});
