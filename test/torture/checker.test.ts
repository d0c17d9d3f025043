import { spawnSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { createHashStream, hashBytes, loadHasher, treeHash } from "../../src/core/hash/hash.ts";
import { manifestFileName } from "../../src/core/model/entity-file-name.ts";
import { newProject, source, stage } from "../support/rig.ts";
import { check } from "./checker/check.ts";
import { diskView } from "./checker/disk-view.ts";
import type { Plan } from "./checker/plan.ts";
import { fileNameOf } from "./checker/records.ts";
import type { Finding } from "./checker/view.ts";
import { hashOfTree, xxh64 } from "./checker/xxh64.ts";
import { type CleanLife, cleanLife, oneOfEach } from "./driver/clean-lives.ts";
import { DEFECTS, Spoilt } from "./driver/planted-defects.ts";

const CHECKER = join(import.meta.dirname, "checker");
const MAIN = join(CHECKER, "main.ts");

await loadHasher();

describe("what is planted is found", () => {
  let clean: CleanLife;
  beforeAll(async () => {
    clean = await oneOfEach();
  });

  test("nothing is wrong with the root that the defects are planted in", () => {
    expect(check(clean.view, clean.plan)).toEqual([]);
    expect(DEFECTS.length).toBeGreaterThanOrEqual(30);
  });

  test.each(DEFECTS)("%s: %s", (_, rule, spoil) => {
    const root = new Spoilt(clean.view.entries, clean.plan);
    spoil(root);
    const findings = check({ entries: root.entries }, root.plan, root.extras);
    expect(findings.map((finding) => finding.rule)).toContain(rule);
  });

  test("a kill excuses the run that it cost, a failure excuses another try", () => {
    const run = { stage: "one#middle", entity: "a", input: "in" };
    const effects = [
      { ...run, nonce: "r1", start: 10, end: null, life: 1 },
      { ...run, nonce: "r2", start: 60, end: 70, life: 2, failed: true },
      { ...run, nonce: "r3", start: 80, end: 90, life: 2 },
    ];
    const plan = { ...clean.plan, effects, kills: [{ life: 1, at: 50, cost: ["r1"] }] };
    expect(check(clean.view, plan)).toEqual([]);
  });
});

describe("where nothing is wrong, nothing is found", () => {
  test("in 200 random lives of the engine in memory", { timeout: 180_000 }, async () => {
    const alarms: Record<number, Finding[]> = {};
    for (let seed = 1; seed <= 200; seed++) {
      const { plan, view } = await cleanLife(seed);
      const findings = check(view, plan);
      if (findings.length > 0) alarms[seed] = findings;
    }
    expect(alarms).toEqual({});
  });

  test("in 20 roots of the real program, with files added, changed and failing", { timeout: 180_000 }, async () => {
    const project = newProject({
      name: "one",
      retryPolicy: { maxAttempts: 2, backoffSeconds: [3600] },
      stages: [
        source("input", "input/{id}.txt", { settle: "1ms" }),
        stage(
          "middle",
          "input",
          "middle/{id}.txt",
          "$.input.content.includes('poison') ? fail() : $.input.content.toUpperCase()",
        ),
        stage("output", "middle", "output/{id}.txt", "'out(' + $.middle.content + ')'"),
      ],
    });
    const contents = new Map<string, string>();
    for (let round = 0; round < 20; round++) {
      const id = ["plain", "with space", "ümlaut", "Großer Name", `n${round}`, "x".repeat(230)][round % 6]!;
      contents.set(`input/${id}.txt`, `${round % 5 === 4 ? "poison" : "text"} ${round}`);
      for (const [path, text] of contents) if (!project.holds(path, text)) project.drop(path, text);
      const { code } = await project.run("run");
      expect(code).toBeLessThanOrEqual(1);
      const plan: Plan = {
        version: 1,
        stages: [
          { key: "one#input", type: "source", pattern: "input/{id}.txt" },
          {
            key: "one#middle",
            type: "transform",
            pattern: "middle/{id}.txt",
            input: "input",
            op: "upper",
            failsOn: "poison",
          },
          { key: "one#output", type: "transform", pattern: "output/{id}.txt", input: "middle", op: "wrap:out" },
        ],
        sources: [...contents].map(([path, last]) => ({ path, versions: [last], last })),
      };
      expect(check(diskView(project.at("")), plan), `root ${round}`).toEqual([]);
    }
  });
});

describe("the program", () => {
  function judge(...args: string[]): { code: number | null; lines: Record<string, unknown>[]; stderr: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
    const lines = stdout.split("\n").slice(0, -1);
    return { code: status, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), stderr };
  }

  test("tells of each finding on a line, counts them, and exits with 0, 1 or 2", async () => {
    const project = newProject({
      name: "one",
      stages: [source("input", "input/{id}.txt", { settle: "1ms" }), stage("output", "input", "output/{id}.txt")],
    });
    project.drop("input/a.txt", "text");
    await project.run("run");
    const planFile = join(project.dir, "plan.json");
    const plan: Plan = {
      version: 1,
      stages: [
        { key: "one#input", type: "source", pattern: "input/{id}.txt" },
        { key: "one#output", type: "transform", pattern: "output/{id}.txt", input: "input", op: "copy" },
      ],
      sources: [{ path: "input/a.txt", versions: ["text"], last: "text" }],
    };
    writeFileSync(planFile, JSON.stringify(plan));
    const clean = judge(project.at(""), planFile);
    expect([clean.code, clean.lines.length, clean.lines[0]]).toMatchObject([0, 1, { findings: 0 }]);
    project.rewrite("output/a.txt", "torn");
    const torn = judge(project.at(""), planFile);
    expect(torn.code).toBe(1);
    expect(torn.lines.map((line) => line["rule"])).toEqual(["I3", "I4", undefined]);
    expect(torn.lines.at(-1)).toMatchObject({ findings: 2, byRule: { I3: 1, I4: 1 } });
    expect(judge(project.at(""), join(project.dir, "no-plan.json"))).toMatchObject({ code: 2, lines: [] });
    expect(judge().stderr).toContain("usage");
  });

  test("takes nothing from the product: it imports only Node's own modules and its own folder", () => {
    const files = globSync("*.ts", { cwd: CHECKER });
    expect(files.length).toBeGreaterThanOrEqual(8);
    const strangers = files.flatMap((file) => {
      const text = readFileSync(join(CHECKER, file), "utf8");
      const imports = [...text.matchAll(/^(?:import|export|\}) .*?"([^"]+)";$|import\("([^"]+)"\)/gm)].map(
        ([, from, dynamic]) => (from ?? dynamic)!,
      );
      return imports.filter((name) => !/^(?:node:|\.\/[^/]+\.ts$)/.test(name)).map((name) => `${file}: ${name}`);
    });
    expect(strangers).toEqual([]);
  });
});

describe("its own small copies of what is documented agree with the product", () => {
  test("hashes of bytes and texts", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(xxh64(bytes)).toBe(createHashStream().update(bytes).digest());
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(xxh64(text)).toBe(hashBytes(text));
      }),
    );
  });

  test("hashes of folders", () => {
    const leaf = fc.record({
      path: fc.string({ minLength: 1 }),
      kind: fc.constantFrom("file" as const, "folder" as const, "symlink" as const),
      bytes: fc.uint8Array({ maxLength: 20 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(leaf, { selector: ({ path }) => path }), (leaves) => {
        const entries = leaves.map(({ path, kind, bytes }) => ({
          path,
          kind,
          hash: kind === "folder" ? "" : hashBytes(bytes),
        }));
        expect(hashOfTree(leaves)).toBe(treeHash(entries));
      }),
    );
  });

  test("names of manifests", () => {
    const id = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 250 }),
      fc.constantFrom("", "con", "COM1.x", "a.b", ".a", "-a", "é"),
    );
    fc.assert(
      fc.property(id, (id) => {
        expect(fileNameOf(id)).toBe(manifestFileName(id, hashBytes));
      }),
    );
  });
});
