import { defineConfig } from "vitest/config";
import { LongFirst } from "./test/support/long-first.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    globalSetup: ["test/support/not-proven.ts"],
    // Processes, not threads: tests change folders, signals and limits of their process.
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // The JSON is for the last line of .ci/run.
    reporters: ["default", ["json", { outputFile: "coverage/test-results.json" }]],
    coverage: { provider: "v8", include: ["src/**/*.ts"], reportsDirectory: "coverage/report" },
  },
});
