import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newProject, type Project, single, source, stage, until } from "../support/rig.ts";

const FULL = process.env["MILLRACE_FULL"] === "1";
const FILES = FULL ? 10_000 : 2_000;

/** Ways to bring a folder of files into the watched one, each as people do it. */
const WAYS: readonly (readonly [string, (from: string, to: string, dir: string) => void])[] = [
  ["cp", (from, to) => run("sh", ["-c", 'cp "$0"/* "$1"/', from, to])],
  ["mv", (from, to) => run("sh", ["-c", 'mv "$0"/* "$1"/', from, to])],
  ["rsync", (from, to) => run("rsync", ["-a", `${from}/`, `${to}/`])],
  [
    "unzip",
    (from, to, dir) => {
      const zip = join(dir, "files.zip");
      run("zip", ["-q", "-r", "-0", zip, "."], from);
      run("unzip", ["-q", zip, "-d", to]);
    },
  ],
];

/** A missing tool fails the test: the README's list of tools has it. */
function run(program: string, args: readonly string[], cwd?: string): void {
  execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"], ...(cwd === undefined ? {} : { cwd }) });
}

function ids(prefix: string): string[] {
  return Array.from({ length: FILES }, (_, i) => `${prefix}${String(i).padStart(5, "0")}`);
}

/** A folder of new files, outside the root. */
function prepare(project: Project, prefix: string): string {
  const folder = join(project.dir, `new-${prefix}`);
  mkdirSync(folder);
  for (const id of ids(prefix)) writeFileSync(join(folder, `${id}.txt`), `text of ${id}`);
  return folder;
}

test(
  `${FILES} files that come by cp, mv, rsync and unzip while the daemon runs are each processed once, none is lost`,
  { timeout: FULL ? 600_000 : 120_000 },
  async () => {
    const project = newProject(single("$.input.content.toUpperCase()"));
    await project.daemon();
    for (const [way, bring] of WAYS) {
      bring(prepare(project, way), project.at("input"), project.dir);
      await until(
        () => project.names("output").filter((name) => name.startsWith(way)).length === FILES,
        `all of ${way}`,
        90_000,
      );
    }
    // The daemon has found everything by itself: a look at the whole disk finds nothing left to do.
    expect((await project.run("run")).code).toBe(0);
    const ran = await project.ran();
    expect(ran).toHaveLength(WAYS.length * FILES);
    expect(new Set(ran)).toEqual(new Set(WAYS.flatMap(([way]) => ids(way).map((id) => `output@${id} ran`))));
    for (const [way] of WAYS)
      for (const id of ids(way)) if (!project.holds(`output/${id}.txt`, `TEXT OF ${id.toUpperCase()}`)) expect.fail(id);
    expect(project.names(".millrace/tmp")).toEqual([]);
  },
);

test(
  "a tree of many new folders that is moved in or copied in is processed whole, each file once",
  { timeout: 60_000 },
  async () => {
    const project = newProject({
      name: "tree",
      stages: [source("in", "input/{path...}.txt"), stage("out", "in", "output/{path...}.txt", "$.in.content")],
    });
    await project.daemon();
    const paths: string[] = [];
    for (let i = 0; i < 60; i++)
      for (let j = 0; j < 5; j++) {
        const path = `d${i}/e${j}/f`;
        paths.push(`moved/${path}`, `copied/${path}`);
        for (const top of ["moved", "copied"]) {
          mkdirSync(join(project.dir, "new", top, `d${i}/e${j}`), { recursive: true });
          writeFileSync(join(project.dir, "new", top, `${path}.txt`), path);
        }
      }
    renameSync(join(project.dir, "new/moved"), project.at("input/moved"));
    run("cp", ["-r", join(project.dir, "new/copied"), project.at("input/copied")]);
    await until(() => paths.every((path) => project.has(`output/${path}.txt`)));
    expect((await project.run("run")).code).toBe(0);
    expect((await project.ran()).toSorted()).toEqual(paths.map((path) => `out@${path} ran`).toSorted());
  },
);

test("many quick changes of few files end with the last content, and no result is older than its input", async () => {
  const project = newProject(single("$.input.content"));
  await project.daemon();
  for (let round = 0; round < 300; round++) project.drop(`input/${round % 7}.txt`, `round ${round}`);
  for (let id = 0; id < 7; id++) {
    const last = 299 - ((299 - id) % 7);
    await until(() => project.holds(`output/${id}.txt`, `round ${last}`), `the last of ${id}`);
  }
  expect((await project.run("run")).code).toBe(0);
  expect(Object.values(await project.statuses()).every((status) => status === "fresh")).toBe(true);
  expect((await project.ran()).filter((line) => line.endsWith("failed"))).toEqual([]);
});
