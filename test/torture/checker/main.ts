/**
 * The checker as a program: `node test/torture/checker/main.ts <root> <plan.json> [<extras.json>]`.
 * One line of JSON for each finding, then one with the counts. Exit 0: none; 1: some; 2: it could not judge.
 */
import { readFileSync } from "node:fs";
import { check } from "./check.ts";
import { diskView } from "./disk-view.ts";
import type { Plan } from "./plan.ts";
import type { Extras } from "./view.ts";

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

function judge([root, planFile, extrasFile]: readonly string[]): number {
  if (root === undefined || planFile === undefined) {
    process.stderr.write("usage: node main.ts <root> <plan.json> [<extras.json>]\n");
    return 2;
  }
  try {
    const plan = readJson(planFile) as Plan;
    if (plan.version !== 1) throw new Error(`the plan's version is ${JSON.stringify(plan.version)}, not 1`);
    const extras = extrasFile === undefined ? {} : (readJson(extrasFile) as Extras);
    const began = performance.now();
    const view = diskView(root);
    const findings = check(view, plan, extras);
    for (const finding of findings) process.stdout.write(`${JSON.stringify(finding)}\n`);
    const byRule = Object.fromEntries(
      [...Map.groupBy(findings, ({ rule }) => rule)].map(([rule, of]) => [rule, of.length]),
    );
    const checked = { entries: view.entries.size, sources: plan.sources.length, runs: plan.effects?.length ?? 0 };
    const ms = Math.round(performance.now() - began);
    process.stdout.write(`${JSON.stringify({ findings: findings.length, byRule, checked, ms })}\n`);
    return findings.length === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`it could not be judged: ${(error as Error).message}\n`);
    return 2;
  }
}

process.exitCode = judge(process.argv.slice(2));
