import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DocBlock, docBlocks } from "../support/doc-blocks.ts";
import { CHECKOUT } from "../support/shipped-project.ts";

const BLOCKS = docBlocks(readFileSync(join(CHECKOUT, "docs/walkthrough.md"), "utf8"));
const CODE = BLOCKS.filter(({ language }) => language === "ts");
const MARK = "---- block";

/** What a block of code must print: the block below it that is announced as output. */
function expectedOf(code: DocBlock): string {
  const next = BLOCKS[BLOCKS.indexOf(code) + 1];
  return next?.above === "Output:" ? next.text : "";
}

/** Hashes belong to a release, not to the walkthrough. */
function withoutHashes(text: string): string {
  return text.replace(/\b[0-9a-f]{16}\b/g, "<hash>");
}

describe("the walkthrough, executed", () => {
  let folder: string;
  let printed: readonly string[];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "millrace-walkthrough-"));
    cpSync(join(CHECKOUT, "pipelines"), join(folder, "pipelines"), { recursive: true });
    const own = join(folder, "package");
    mkdirSync(own);
    mkdirSync(join(folder, "node_modules"));
    writeFileSync(join(own, "package.json"), '{ "name": "millrace", "type": "module", "exports": "./index.ts" }');
    const index = JSON.stringify(pathToFileURL(join(CHECKOUT, "src/index.ts")).href);
    writeFileSync(join(own, "index.ts"), `export * from ${index};\n`);
    // A link: Node strips types of no file that really lies in node_modules.
    symlinkSync(own, join(folder, "node_modules/millrace"));
    for (const { language, text, above } of BLOCKS) {
      const name = /`([\w-]+\.json)`$/.exec(above)?.[1];
      if (language === "json" && name !== undefined) writeFileSync(join(folder, name), text);
      if (language === "bash") execFileSync("/bin/sh", ["-e"], { cwd: folder, input: text });
    }
    const code = CODE.map(({ text }) => `${text}\nconsole.log(${JSON.stringify(MARK)});\n`).join("");
    writeFileSync(join(folder, "walkthrough.mts"), code);
    const output = execFileSync(process.execPath, ["walkthrough.mts"], { cwd: folder, encoding: "utf8" });
    printed = output.split(`${MARK}\n`);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("it has its code, and its outputs are compared", () => {
    expect(CODE.length).toBeGreaterThanOrEqual(9);
    expect(CODE.filter((code) => expectedOf(code) !== "").length).toBe(
      BLOCKS.filter(({ above }) => above === "Output:").length,
    );
  });

  test.each(CODE.map((code, i) => [code.line, i] as const))(
    "the block of line %i prints what is printed below it",
    (_line, i) => {
      expect(withoutHashes(printed[i] ?? "(nothing)")).toBe(withoutHashes(expectedOf(CODE[i]!)));
    },
  );

  test("nothing is printed after the last block", () => {
    expect(printed.slice(CODE.length)).toEqual([""]);
  });
});
