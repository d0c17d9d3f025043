import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { promisesOf, type TestReport, unproven } from "../guarantees/proofs.ts";
import { CHECKOUT } from "../support/shipped-project.ts";

describe("docs/guarantees.md", () => {
  const promises = promisesOf(readFileSync(join(CHECKOUT, "docs/guarantees.md"), "utf8"));

  test("states P1 to P19 and P23, each once", () => {
    expect(promises.map(({ id }) => id)).toEqual([...Array.from({ length: 19 }, (_, i) => `P${i + 1}`), "P23"]);
  });

  test.each(promises.map((promise) => [promise.id, promise] as const))(
    "%s says what happens, what one finds, its limit, and which tests prove it",
    (_id, { title, text, limit, proofs }) => {
      expect(title).not.toBe("");
      expect(text.match(/[.](?= |$)/g)?.length).toBe(2);
      expect(limit.length).toBeGreaterThan("Limit: ".length);
      expect(proofs.length).toBeGreaterThan(0);
      const files = proofs.map((proof) => proof.slice(0, proof.indexOf(" > ")));
      expect(files.filter((file) => !existsSync(join(CHECKOUT, file)))).toEqual([]);
    },
  );
});

describe("a proof", () => {
  const page = [
    "# Guarantees",
    "",
    "## P1 Kills cost nothing",
    "",
    "It happens.",
    "You find it.",
    "",
    "Limit: none.",
    "",
    "- `test/a.test.ts > kills > cost nothing`",
    "- `test/a.test.ts > alone`",
    "",
    "## Words",
    "",
    "- `test/b.test.ts > no proof`",
  ].join("\n");
  const report = (status: string): TestReport => ({
    testResults: [
      {
        name: "/project/test/a.test.ts",
        assertionResults: [
          { ancestorTitles: ["kills"], title: "cost nothing", status: "passed" },
          { ancestorTitles: [], title: "alone", status },
        ],
      },
    ],
  });

  test("is read from the page with its promise", () => {
    expect(promisesOf(page)).toEqual([
      {
        id: "P1",
        title: "Kills cost nothing",
        text: "It happens. You find it.",
        limit: "Limit: none.",
        proofs: ["test/a.test.ts > kills > cost nothing", "test/a.test.ts > alone"],
      },
    ]);
  });

  test.each([
    ["passed", []],
    ["failed", ["P1: failed: test/a.test.ts > alone"]],
    ["skipped", ["P1: skipped: test/a.test.ts > alone"]],
  ])("that %s is judged so", (status, missing) => {
    expect(unproven(promisesOf(page), report(status), "/project")).toEqual(missing);
  });

  test("that nobody ran is missing", () => {
    expect(unproven(promisesOf(page), { testResults: [] }, "/project")).toEqual([
      "P1: no such test ran: test/a.test.ts > kills > cost nothing",
      "P1: no such test ran: test/a.test.ts > alone",
    ]);
  });
});
