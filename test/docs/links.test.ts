import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createNodeTypes } from "../../src/adapters/execute/nodes/registry.ts";
import { loadDefinition } from "../../src/core/pipeline/load.ts";
import { docBlocks } from "../support/doc-blocks.ts";
import { CHECKOUT } from "../support/shipped-project.ts";

const PAGES = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(CHECKOUT, "docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
];

test.each(PAGES)("every link of %s leads somewhere", (page) => {
  const text = readFileSync(join(CHECKOUT, page), "utf8");
  const links = [...text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map(([, path = ""]) => path);
  const broken = links.filter((path) => !existsSync(join(CHECKOUT, dirname(page), path)));
  expect(broken).toEqual([]);
});

test("the pipelines that README names are those that are shipped", () => {
  const named = [...readFileSync(join(CHECKOUT, "README.md"), "utf8").matchAll(/^\| `([\w-]+)` +\|/gm)].map(
    ([, name = ""]) => name,
  );
  const shipped = readdirSync(join(CHECKOUT, "pipelines")).filter((name) => name.endsWith(".json"));
  expect(named.toSorted()).toEqual(shipped.map((name) => name.replace(".json", "")).toSorted());
});

test("the definition in README loads as it stands", () => {
  const nodeTypes = createNodeTypes(new URL("file:///host-that-is-never-started.ts"));
  const examples = docBlocks(readFileSync(join(CHECKOUT, "README.md"), "utf8")).filter(
    (one) => one.language === "jsonc",
  );
  expect(examples).toHaveLength(1);
  for (const { text } of examples)
    expect(loadDefinition(text, { file: "pipelines/readme.json", nodeTypes }).problems).toEqual([]);
});
