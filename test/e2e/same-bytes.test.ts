import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type HowToStart, moduleNode, newProject, type Project, shell, source, stage } from "../support/rig.ts";

/** One stage of each kind of node, over text, names and numbers that locales and zones treat differently. */
function build(pipeline: object = {}): Project {
  const project = newProject({
    name: "kinds",
    ...pipeline,
    stages: [
      source("input", "input/{id}.txt", { settle: "1ms" }),
      stage("upper", "input", "upper/{id}.txt", "$.input.content.toUpperCase()"),
      stage("told", "upper", "told/{id}.json", {
        typeId: "set",
        data: {
          fields: [
            { name: "id", value: "{{$.entity.id}}" },
            { name: "lines", value: "{{$.input.content.split('\\n').sort()}}" },
          ],
        },
      }),
      stage("page", "told", "page/{id}.html", {
        typeId: "template",
        data: { template: "<p>{{$.told.content.lines.length}}</p>" },
      }),
      stage("shout", "upper", "shout/{id}.txt", moduleNode("nodes/shout.js", { mark: "!" })),
      stage("parts", "upper", "parts/{id}/", moduleNode("nodes/parts.js")),
      stage("sorted", "upper", "sorted/{id}.txt", shell('LC_ALL=C sort "$MILLRACE_INPUT"')),
    ],
  });
  project.code(
    "nodes/shout.js",
    `export default ({ input, params }) => [...input.content].reverse().join("") + params.mark;`,
  );
  project.code(
    "nodes/parts.js",
    `import { mkdirSync, writeFileSync } from "node:fs";
     export default ({ input, output }) => {
       for (const [i, line] of input.content.split("\\n").entries()) writeFileSync(output.path + "/" + i + ".txt", line);
     };`,
  );
  return project;
}

const IDS = ["ä", "I", "i", "z", "10", "9", "ß"];
function text(id: string): string {
  return [`line of ${id}`, "istanbul", "Straße", createHash("sha256").update(id).digest("hex")].join("\n");
}

async function made(project: Project, ids: readonly string[], how: HowToStart = {}): Promise<Record<string, string>> {
  for (const id of ids) project.drop(`input/${id}.txt`, text(id));
  const { code, stdout, stderr } = await project.start(["run"], how).ended;
  expect(code, stdout + stderr).toBe(0);
  return project.files();
}

// Each variant lies in a folder of its own.
test("outputs are the same bytes in another zone, locale, umask, order, number at a time and folder", async () => {
  const first = build();
  const wanted = await made(first, IDS);
  expect(Object.keys(wanted)).toHaveLength(IDS.length * 10);
  const variants: readonly [string, Project, readonly string[], HowToStart?][] = [
    ["zone", build(), IDS, { env: { TZ: "Asia/Kathmandu" } }],
    ["locale", build(), IDS, { env: { LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" } }],
    ["umask", build(), IDS, { under: ["sh", "-c", 'umask 077; exec "$@"', "sh"] }],
    ["order", build(), IDS.toReversed()],
    ["one at a time", build({ maxConcurrentEntities: 1 }), IDS],
    ["sixteen at a time", build({ maxConcurrentEntities: 16 }), IDS],
  ];
  for (const [name, project, ids, how] of variants) expect(await made(project, ids, how), name).toEqual(wanted);

  for (const folder of ["upper", "told", "page", "shout", "parts", "sorted", ".millrace"]) first.remove(folder);
  expect(await made(first, []), "everything taken away").toEqual(wanted);
});
