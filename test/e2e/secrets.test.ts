import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { moduleNode, newProject, type Project, shell, source, stage, until } from "../support/rig.ts";

/** A secret of its own for each way that one could get out. Some must be escaped in a URL and in JSON. */
const SECRETS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    "EXPRESSION",
    "FIELD",
    "TEMPLATE",
    "CONDITION",
    "MODULE",
    "STACK",
    "LOG",
    "STDERR",
    "PASSED",
    "HEADER",
    "URL",
    "BODY",
    "DECLARED",
  ].map((name) => [`CANARY_${name}`, `bird-${name.toLowerCase()} "&/+ä-4f8c`]),
);

function pipeline(port: number): { name: string; stages: object[] } {
  const url = `http://127.0.0.1:${port}`;
  const throwing = (name: string): string =>
    `(() => { throw new Error('refused for ' + $env.CANARY_${name} + ' of ' + $.entity.id) })()`;
  const nodes: Record<string, [object, object?]> = {
    expression: [{ typeId: "transform", data: { expression: throwing("EXPRESSION") } }],
    field: [{ typeId: "set", data: { fields: [{ name: "x", value: `{{${throwing("FIELD")}}}` }] } }],
    template: [{ typeId: "template", data: { template: `{{${throwing("TEMPLATE")}}}` } }],
    condition: [{ typeId: "if", data: { condition: throwing("CONDITION") } }, { then: { typeId: "copy", data: {} } }],
    module: [moduleNode("nodes/throws.js"), { env: ["CANARY_MODULE", "CANARY_STACK"] }],
    log: [moduleNode("nodes/logs.js"), { env: ["CANARY_LOG"] }],
    stderr: [shell('echo "no entry with $CANARY_STDERR" >&2; exit 3'), { env: ["CANARY_STDERR"] }],
    passed: [shell('echo "$CANARY_PASSED" | tee /dev/stderr; exit 4'), { env: ["CANARY_PASSED"] }],
    header: [
      {
        typeId: "http",
        data: { url: `${url}/header`, headers: { authorization: "Bearer {{encodeURIComponent($env.CANARY_HEADER)}}" } },
      },
    ],
    url: [{ typeId: "http", data: { url: `${url}/url?key={{$env.CANARY_URL}}` } }],
    body: [{ typeId: "http", data: { url: `${url}/body`, method: "POST", body: { key: "{{$env.CANARY_BODY}}" } } }],
    declared: [
      { typeId: "transform", data: { expression: "String($.input.content.length)" } },
      { env: ["CANARY_DECLARED"] },
    ],
  };
  return {
    name: "birds",
    stages: [
      source("input", "input/{id}.txt"),
      ...Object.entries(nodes).map(([id, [node, more]]) => stage(id, "input", `${id}/{id}.txt`, node, more)),
    ],
  };
}

/** Answers with an error that says back all that it was sent, as careless services do. */
async function parrot(): Promise<number> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      response.statusCode = 500;
      response.end(JSON.stringify({ url: request.url, header: request.headers.authorization, body }));
    });
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Every byte that we wrote: below the root and the project, in the log, and in what commands say. */
async function allThatWasSaid(project: Project, log: string): Promise<Map<string, string>> {
  const said = new Map([["the log", log]]);
  for (const entry of readdirSync(project.dir, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) {
      const path = join(entry.parentPath, entry.name);
      said.set(path.slice(project.dir.length + 1), readFileSync(path, "latin1"));
    }
  const tasks = (await project.tasks()).map(({ task }) => task).filter((task) => task.endsWith("@a"));
  const asked = [
    ["status"],
    ["list"],
    ["history"],
    ["logs"],
    ["plan"],
    ["show", "a"],
    ...tasks.map((task) => ["explain", task]),
  ];
  for (const args of asked)
    for (const form of [[], ["--json"]]) {
      const { stdout, stderr } = await project.run(...args, ...form);
      said.set([...args, ...form].join(" "), Buffer.from(stdout + stderr, "utf8").toString("latin1"));
    }
  return said;
}

/** The value as it is, and as URLs and JSON write it. */
function forms(value: string): string[] {
  const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
  return [value, encodeURIComponent(value), encodeURI(value), JSON.stringify(value).slice(1, -1)].map(bytes);
}

test(
  "secrets that nodes read by name are in nothing that Millrace writes, says or starts",
  { timeout: 90_000 },
  async () => {
    const project = newProject(pipeline(await parrot()));
    project.code(
      "nodes/throws.js",
      `export default () => { const e = new Error("bad key " + process.env.CANARY_MODULE); e.stack += process.env.CANARY_STACK; throw e; };`,
    );
    project.code(
      "nodes/logs.js",
      `export default ({ log }) => { log(process.env.CANARY_LOG); console.error(process.env.CANARY_LOG); throw new Error("told"); };`,
    );
    for (const id of ["a", "b"]) project.drop(`input/${id}.txt`, id);
    const env = { env: SECRETS };
    const daemon = await project.daemon(["--log-level", "debug"], env);
    await until(async () => Object.values(await project.statuses()).every((s) => s === "retrying" || s === "fresh"));
    const commandLines = readdirSync("/proc")
      .filter((pid) => /^\d+$/.test(pid))
      .map((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "latin1");
        } catch {
          return "";
        }
      });
    // Every node did read its secret: the masks stand where it would have been.
    const errors = JSON.stringify((await project.tasks()).map(({ failure }) => failure?.error));
    expect(errors.match(/\*\*\*CANARY_\w+\*\*\*/g)?.length).toBeGreaterThan(10);
    const said = await allThatWasSaid(project, "");
    await daemon.stop();
    said.set("the log", daemon.lines.map((line) => JSON.stringify(line)).join("\n"));
    said.set("command lines", commandLines.join("\n"));
    const leaks = [...said].flatMap(([where, text]) =>
      Object.entries(SECRETS)
        .filter(([, value]) => forms(value).some((form) => text.includes(form)))
        .map(([name]) => `${name} in ${where}`),
    );
    expect(leaks).toEqual([]);
  },
);
