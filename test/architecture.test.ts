import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkImports } from "./support/import-rules.ts";

const src = new URL("../src/", import.meta.url);

test("every file of src imports only what its layer may", () => {
  const names = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  const files = new Map(names.map((name) => [name, readFileSync(new URL(name, src), "utf8")]));
  const { filesChecked, violations } = checkImports(files);
  console.log(`architecture: ${filesChecked} files checked`);
  expect(violations).toEqual([]);
  // A check that sees nothing finds nothing.
  expect(filesChecked).toBeGreaterThan(20);
  expect([...files.keys()]).toEqual(expect.arrayContaining(["ports.ts", "core/model/words.ts", "core/hash/hash.ts"]));
});

describe("a planted violation is found", () => {
  test.each([
    ["core/model/words.ts", 'import { a } from "../hash/hash.ts";'],
    ["core/model/words.ts", 'import type { a } from "../pattern/pattern.ts";'],
    ["core/model/pipeline.ts", 'import { a } from "../pattern/pattern.ts";'],
    ["core/pattern/match.ts", 'import { a } from "../pipeline/load.ts";'],
    ["core/plan/verdict.ts", 'import { a } from "node:path/posix";'],
    ["core/plan/verdict.ts", 'import { a } from "fs";'],
    ["core/plan/verdict.ts", 'import type { Clock } from "../../ports.ts";'],
    ["core/pipeline/load.ts", 'import { a } from "../plan/verdict.ts";'],
    ["core/pipeline/load.ts", 'import glob from "fast-glob";'],
    ["ports.ts", 'import { ok } from "./core/model/result.ts";'],
    ["ports.ts", 'import type { a } from "./engine/control.ts";'],
    ["ports.ts", 'import type { a } from "pino";'],
    ["adapters/watch/watch.ts", 'import { a } from "../queue/local.ts";'],
    ["adapters/watch/watch.ts", 'import type { a } from "../queue/local.ts";'],
    ["adapters/watch/watch.ts", 'export { a } from "../queue/local.ts";'],
    ["adapters/watch/watch.ts", 'export * from "../queue/local.ts";'],
    ["adapters/watch/watch.ts", 'const a = await import("../queue/local.ts");'],
    ["adapters/watch/watch.ts", 'type A = import("../queue/local.ts").A;'],
    ["adapters/watch/watch.ts", 'import "../../engine/journey.ts";'],
    ["engine/journey.ts", 'import { a } from "../adapters/queue/local.ts";'],
    ["engine/journey.ts", 'import { a } from "../cli/program.ts";'],
    ["cli/program.ts", 'import { a } from "../engine/control.ts";'],
    ["cli/program.ts", 'import { a } from "../engine/compose.ts";'],
    ["cli/program.ts", 'import type { a } from "../ports.ts";'],
    ["cli/main.ts", 'import { a } from "../engine/journey.ts";'],
    ["elsewhere/file.ts", ""],
  ])("%s: %s", (path, text) => {
    const { violations } = checkImports(new Map([[path, text]]));
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain(path);
  });

  test("a library in two folders", () => {
    const text = 'import glob from "fast-glob/out/index.js";';
    const files = new Map([
      ["adapters/scan/a.ts", text],
      ["adapters/watch/b.ts", text],
    ]);
    expect(checkImports(files).violations).toEqual([
      "fast-glob is imported in more than one folder: adapters/scan, adapters/watch",
    ]);
  });
});

describe("what the table allows passes", () => {
  test.each([
    ["core/model/pipeline.ts", 'import type { a } from "../pattern/pattern.ts";'],
    ["core/pipeline/load.ts", 'import { a } from "../hash/hash.ts"; import { z } from "zod";'],
    ["core/plan/verdict.ts", 'import { a } from "../resilience/retry.ts";'],
    ["ports.ts", 'import type { ok } from "./core/model/result.ts";'],
    [
      "adapters/watch/watch.ts",
      'import { a } from "./scope.ts"; import { b } from "../../ports.ts"; import fs from "node:fs";',
    ],
    ["engine/compose-root.ts", 'import { a } from "../adapters/queue/local.ts";'],
    ["engine/batch-worker.ts", 'import { a } from "../adapters/execute/piece.ts";'],
    ["cli/program.ts", 'import type { a } from "../engine/control.ts"; import { b } from "../core/model/words.ts";'],
    ["cli/main.ts", 'const a = await import("../engine/compose.ts");'],
    ["index.ts", 'export { a } from "./adapters/store/manifests.ts";'],
  ])("%s: %s", (path, text) => {
    expect(checkImports(new Map([[path, text]])).violations).toEqual([]);
  });
});
