/**
 * `npm run mutate [-- <promise or text>...]`: plants each fault of the list in a copy of the project and runs the tests that
 * must notice it. Prints a line per fault; exits 1 when one goes unnoticed, or cannot be planted any more.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTATIONS } from "./list.ts";
import { type Mutation, plant } from "./mutation.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const COPIED = [
  "src",
  "test",
  "docs",
  "pipelines",
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "vitest.config.ts",
  "README.md",
];
/** Faults tried at one time. */
const AT_ONCE = 2;

type Outcome = { readonly noticed: boolean; readonly told: string };

function copyOfProject(): string {
  const copy = mkdtempSync(join(tmpdir(), "millrace-mutation-"));
  for (const name of COPIED) cpSync(join(project, name), join(copy, name), { recursive: true });
  for (const name of ["node_modules", "dist"]) symlinkSync(join(project, name), join(copy, name));
  return copy;
}

async function tryOut(mutation: Mutation, copy: string): Promise<Outcome> {
  const file = join(copy, mutation.file);
  const before = readFileSync(file, "utf8");
  const planted = plant(before, mutation);
  if ("wrong" in planted) return { noticed: false, told: planted.wrong };
  writeFileSync(file, planted.source);
  try {
    const output = await runTests(mutation, copy);
    return output;
  } finally {
    writeFileSync(file, before);
  }
}

function runTests({ tests, only }: Mutation, copy: string): Promise<Outcome> {
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--bail=1",
    ...tests,
  ];
  if (only !== undefined) args.push("-t", only);
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: copy, stdio: "ignore" });
    child.once("close", () => resolve(judge(join(copy, "coverage/test-results.json"))));
  });
}

/** Noticed is a test that failed; a run in which nothing ran says nothing. */
function judge(report: string): Outcome {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    numPassedTests: number;
    numFailedTests: number;
    testResults: { assertionResults: { status: string; fullName: string }[] }[];
  };
  rmSync(report);
  const failed = testResults.flatMap((file) => file.assertionResults).find(({ status }) => status === "failed");
  if (failed) return { noticed: true, told: `noticed by "${failed.fullName}"` };
  return { noticed: false, told: `${numPassedTests} passed, ${numFailedTests} failed: nobody noticed` };
}

async function main(wanted: readonly string[]): Promise<number> {
  const list = MUTATIONS.filter(
    (m) => wanted.length === 0 || wanted.some((text) => m.promise === text || m.fault.includes(text)),
  );
  const waiting = [...list];
  let unnoticed = 0;
  const work = async (): Promise<void> => {
    const copy = copyOfProject();
    for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
      const { noticed, told } = await tryOut(mutation, copy);
      if (!noticed) unnoticed++;
      console.log(`${noticed ? "ok  " : "FAIL"} ${mutation.promise.padEnd(4)} ${mutation.fault}: ${told}`);
    }
    rmSync(copy, { recursive: true, force: true });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  console.log(`${list.length - unnoticed} of ${list.length} planted faults were noticed`);
  return unnoticed > 0 || list.length === 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
