/**
 * The work that is compared: N text files of 1 KB -> upper case -> wrapped as JSON.
 * As a Millrace project, as a Makefile and as a build.ninja, each in a folder of its own with inputs of its own.
 *
 * Alone: `node bench/generate.ts <folder> <n>` makes the Millrace project.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const WORDS =
  "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon";

/** The expression of the first stage, and the one that a changed node has. */
export const UPPER: string = "$.input.content.toUpperCase()";
export const UPPER_CHANGED: string = "$.input.content.toUpperCase().replaceAll('A', 'B')";

/** Name of the i-th entity. */
export function entity(i: number): string {
  return `e${String(i).padStart(6, "0")}`;
}

/** About 1,000 bytes of words, the same for the same i. */
export function textOf(i: number): string {
  const words = WORDS.split(" ");
  let text = "";
  for (let x = i + 1; text.length < 1000;) {
    x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
    text += `${words[(x >> 8) % words.length]} `;
  }
  return `${text.trim()}\n`;
}

/** Writes files `from` to `to` (not included) into a folder. */
export function writeInputs(folder: string, from: number, to: number): void {
  mkdirSync(folder, { recursive: true });
  for (let i = from; i < to; i++) writeFileSync(join(folder, `${entity(i)}.txt`), textOf(i));
}

/** A new Millrace project with n inputs in `state/input`. */
export function makeProject(folder: string, n: number): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "pipelines"), { recursive: true });
  writeDefinition(folder, UPPER);
  writeInputs(join(folder, "state/input"), 0, n);
}

/** The pipeline with the given expression as its first node. */
export function writeDefinition(folder: string, expression: string): void {
  const stages = [
    { id: "input", type: "source", pattern: "input/{id}.txt" },
    {
      id: "transformed",
      type: "transform",
      input: "input",
      pattern: "transformed/{id}.txt",
      node: { typeId: "transform", data: { expression } },
    },
    {
      id: "output",
      type: "transform",
      input: "transformed",
      pattern: "output/{id}.json",
      node: { typeId: "set", data: { fields: [{ name: "text", value: "{{$.transformed.content}}" }] } },
    },
  ];
  writeFileSync(join(folder, "pipelines/upper.json"), `${JSON.stringify({ name: "upper", stages }, null, 2)}\n`);
}

// In both files $$ stands for one $.
const WRAP = String.raw`sed -e 's/\\/\\\\/g;s/"/\\"/g;s/^/{"text":"/;s/$$/"}/'`;

/** A Makefile that runs one `tr` and one `sed` for each entity; `code` stands for the command, which make does not compare. */
export function makeMakefile(folder: string, n: number): void {
  emptyGraph(folder, n);
  writeFileSync(join(folder, "stage1.code"), "first\n");
  writeFileSync(
    join(folder, "Makefile"),
    `OUT := $(patsubst input/%.txt,output/%.json,$(wildcard input/*.txt))
all: $(OUT)
.SECONDARY:
.DELETE_ON_ERROR:
transformed/%.txt: input/%.txt stage1.code
\t@tr a-z A-Z <$< >$@
output/%.json: transformed/%.txt
\t@${WRAP} <$< >$@
`,
  );
}

/** The same work for ninja; another `letters` is another command. */
export function makeNinja(folder: string, n: number): void {
  emptyGraph(folder, n);
  writeNinja(folder, n, "A-Z");
}

export function writeNinja(folder: string, n: number, letters: string): void {
  let text = `rule up\n  command = tr a-z ${letters} <$in >$out\nrule wrap\n  command = ${WRAP} <$in >$out\n`;
  for (let i = 0; i < n; i++) {
    const id = entity(i);
    text += `build transformed/${id}.txt: up input/${id}.txt\nbuild output/${id}.json: wrap transformed/${id}.txt\n`;
  }
  writeFileSync(join(folder, "build.ninja"), text);
}

function emptyGraph(folder: string, n: number): void {
  rmSync(folder, { recursive: true, force: true });
  for (const name of ["transformed", "output"]) mkdirSync(join(folder, name), { recursive: true });
  writeInputs(join(folder, "input"), 0, n);
}

if (import.meta.main) {
  const [folder, n] = process.argv.slice(2);
  if (folder === undefined || !(Number(n) > 0)) {
    console.error("usage: node bench/generate.ts <folder> <n>");
    process.exit(2);
  }
  makeProject(folder, Number(n));
}
