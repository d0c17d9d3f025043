import { COMMIT_FAULTS } from "./faults/commit.ts";
import { DELETIONS_FAULTS } from "./faults/deletions.ts";
import { MEDIUM_FAULTS } from "./faults/medium.ts";
import { RECORDS_FAULTS } from "./faults/records.ts";
import { RUNNING_FAULTS } from "./faults/running.ts";
import { WATCHING_FAULTS } from "./faults/watching.ts";
import type { Mutation } from "./mutation.ts";

/**
 * Planted faults for each promise of `docs/guarantees.md`: each must make at least one test fail (`npm run mutate`). They run
 * from the sources, so their tests are those that need no build.
 */
export const MUTATIONS: readonly Mutation[] = [
  ...COMMIT_FAULTS,
  ...MEDIUM_FAULTS,
  ...WATCHING_FAULTS,
  ...DELETIONS_FAULTS,
  ...RUNNING_FAULTS,
  ...RECORDS_FAULTS,
];
