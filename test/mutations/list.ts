import type { Mutation } from "./mutation.ts";

/**
 * A planted fault for each promise: each must make at least one test fail (`npm run mutate`). They run from the sources, so
 * their tests are those that need no build.
 */
export const MUTATIONS: readonly Mutation[] = [
  {
    promise: "P9",
    fault: "the inputs are not looked at again before a result is put in place",
    file: "src/engine/commit.ts",
    find: "const overtaken = this.#findOvertaken(attempt);",
    replace: "const overtaken = undefined as RelPath | undefined;",
    tests: ["test/engine/commit.test.ts"],
  },
];
