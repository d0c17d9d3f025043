import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newProject, type Project, source, stage } from "../support/rig.ts";
import { check } from "./checker/check.ts";
import { diskView } from "./checker/disk-view.ts";
import type { Plan } from "./checker/plan.ts";
import type { Extras } from "./checker/view.ts";

const MANIFEST = ".millrace/manifests/a.json";

/** What is done to the disk of a root while nothing runs, and the rule that must notice. */
const DAMAGE: readonly (readonly [string, string, (project: Project) => void])[] = [
  ["nothing", "", () => {}],
  ["a byte of a result is flipped", "I4", (project) => project.rewrite("output/a.txt", "out(B)")],
  ["a result is empty", "I4", (project) => project.rewrite("middle/a.txt", "")],
  ["a result is gone", "I2", (project) => project.remove("output/a.txt")],
  ["a manifest is gone", "I5", (project) => project.remove(MANIFEST)],
  ["a manifest is cut", "I7", (project) => project.rewrite(MANIFEST, project.read(MANIFEST).slice(0, 80))],
  [
    "a manifest is not canonical",
    "I7",
    (project) => project.rewrite(MANIFEST, project.read(MANIFEST).replace("  ", "   ")),
  ],
  [
    "a manifest is another entity's",
    "I7",
    (project) => project.rewrite(MANIFEST, project.read(".millrace/manifests/b.json")),
  ],
  ["an output that nobody made", "I5", (project) => project.drop("output/zzz.txt", "whose?")],
  ["a batch was left in tmp", "I6", (project) => mkdirSync(project.at(".millrace/tmp/b1"))],
  [
    "a copy beside a target was left",
    "I6",
    (project) => project.drop("output/.a.txt.0123456789ab.millrace-tmp", "half"),
  ],
];

const PLAN: Plan = {
  version: 1,
  stages: [
    { key: "one#input", type: "source", pattern: "input/{id}.txt" },
    { key: "one#middle", type: "transform", pattern: "middle/{id}.txt", input: "input", op: "upper" },
    { key: "one#output", type: "transform", pattern: "output/{id}.txt", input: "middle", op: "wrap:out" },
  ],
  sources: ["a", "b", "c"].map((id) => ({ path: `input/${id}.txt`, versions: [id], last: id })),
};

test(
  "verify and the checker find the same damage on the disk, and neither finds what the other does not",
  { timeout: 90_000 },
  async () => {
    const project = newProject({
      name: "one",
      stages: [
        source("input", "input/{id}.txt", { settle: "1ms" }),
        stage("middle", "input", "middle/{id}.txt", "$.input.content.toUpperCase()"),
        stage("output", "middle", "output/{id}.txt", "'out(' + $.middle.content + ')'"),
      ],
    });
    for (const id of ["a", "b", "c"]) project.drop(`input/${id}.txt`, id);
    expect((await project.run("run")).code).toBe(0);
    const [root, whole] = [project.at(""), join(project.dir, "whole")];
    cpSync(root, whole, { recursive: true, preserveTimestamps: true });
    for (const [what, rule, damage] of DAMAGE) {
      damage(project);
      const { stdout, code } = await project.run("verify", "--json");
      const { findings } = (JSON.parse(stdout) as { roots: readonly { findings: NonNullable<Extras["verify"]> }[] })
        .roots[0]!;
      const found = check(diskView(root), PLAN, { verify: findings });
      expect([what, found.filter((finding) => finding.rule === "I16")]).toEqual([what, []]);
      expect([what, found.some((finding) => finding.rule === rule), code]).toEqual([
        what,
        rule !== "",
        rule === "" ? 0 : 1,
      ]);
      rmSync(root, { recursive: true });
      cpSync(whole, root, { recursive: true, preserveTimestamps: true });
    }
  },
);
