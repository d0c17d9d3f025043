/** One promise of `docs/guarantees.md`, as far as it can be checked. */
export interface Promised {
  /** `P5`. */
  readonly id: string;
  readonly title: string;
  /** What happens, and what one finds afterwards. */
  readonly text: string;
  readonly limit: string;
  /** Tests by file and full name: `test/e2e/kill.test.ts > describe > title`. */
  readonly proofs: readonly string[];
}

/** What a test run's JSON report says of its tests, as far as it is read here. */
export interface TestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

/** The promises of the page, in its order: sections `## P<n> <title>`, each a text, a line `Limit: ...` and a list of proofs. */
export function promisesOf(page: string): Promised[] {
  const sections = page.split(/^(?=## P\d+ )/m).filter((part) => part.startsWith("## P"));
  return sections.map((section) => {
    const [, id = "", title = ""] = /^## (P\d+) (.*)$/m.exec(section) ?? [];
    const body = section.slice(section.indexOf("\n") + 1).split(/^## /m)[0] ?? "";
    const paragraphs = body.split(/\n\n+/).map((paragraph) => paragraph.replaceAll("\n", " ").trim());
    return {
      id,
      title,
      text: paragraphs.find((paragraph) => paragraph !== "") ?? "",
      limit: paragraphs.find((paragraph) => paragraph.startsWith("Limit: ")) ?? "",
      proofs: [...body.matchAll(/^- `(test\/[^`]+)`$/gm)].map((found) => found[1] ?? ""),
    };
  });
}

/** The proofs that did not run or did not pass, each with what the report says of it. */
export function unproven(promises: readonly Promised[], report: TestReport, folder: string): string[] {
  const statuses = new Map<string, string>();
  for (const { name, assertionResults } of report.testResults) {
    const file = name.startsWith(`${folder}/`) ? name.slice(folder.length + 1) : name;
    for (const { ancestorTitles, title, status } of assertionResults)
      statuses.set([file, ...ancestorTitles, title].join(" > "), status);
  }
  return promises.flatMap(({ id, proofs }) =>
    proofs
      .filter((proof) => statuses.get(proof) !== "passed")
      .map((proof) => `${id}: ${statuses.get(proof) ?? "no such test ran"}: ${proof}`),
  );
}
