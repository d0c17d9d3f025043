/**
 * Tells each test as it ends, in a line of JSON: a run that hangs afterwards has told what failed before. For `run.ts`, which
 * names this file as vitest's reporter.
 */
import { relative } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";

/** What a line says. */
export type Told =
  | { readonly is: "passed" }
  | { readonly is: "failed"; readonly file: string; readonly name: string }
  /** A test file that could not be loaded: no test of it ran. */
  | { readonly is: "broken"; readonly file: string; readonly why: string };

/** Begins each line, so that what tests print is none. */
export const MARK = "mutation-test ";

/** The reporter. */
// oxlint-disable-next-line import/no-default-export -- vitest takes a reporter from its file's default export
export default class MutationReporter implements Reporter {
  readonly #told = new Set<string>();

  onTestCaseResult(test: TestCase): void {
    const { state } = test.result();
    if (this.#told.has(test.id)) return;
    if (state === "passed" || state === "failed") this.#told.add(test.id);
    if (state === "passed") tell({ is: "passed" });
    if (state === "failed") tell({ is: "failed", file: fileOf(test.module), name: nameOf(test) });
  }

  onTestModuleEnd(module: TestModule): void {
    for (const { message } of module.errors()) tell({ is: "broken", file: fileOf(module), why: message });
  }

  /** A run that ends at its first failure may not have told of it. */
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) for (const test of module.children.allTests("failed")) this.onTestCaseResult(test);
  }
}

function fileOf(module: TestModule): string {
  return relative(process.cwd(), module.moduleId);
}

/** As vitest's `-t` has it. */
function nameOf(test: TestCase): string {
  const names = [test.name];
  for (let { parent } = test; parent.type === "suite"; { parent } = parent) names.unshift(parent.name);
  return names.join(" > ");
}

function tell(told: Told): void {
  process.stdout.write(`\n${MARK}${JSON.stringify(told)}\n`);
}
