import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { VerifiedRoot, VerifyReport } from "../../src/engine/control.ts";
import { moduleNode, newProject, type Project, shell, single, source, stage, until } from "../support/rig.ts";

/** A node that counts its runs; those at the same time may get one number, later ones never an earlier one. */
const COUNT = `import { appendFileSync, statSync } from "node:fs";
export default ({ input }) => {
  appendFileSync(COUNTER, ".");
  return input.content + statSync(COUNTER).size;
};`;

/** A stage of each kind of node, all of which repeat themselves. */
function everyKind(more: readonly object[] = []): Project {
  const project = newProject({
    name: "kinds",
    stages: [
      source("input", "input/{id}.txt", { settle: "1ms" }),
      stage("upper", "input", "upper/{id}.txt", "$.input.content.toUpperCase()"),
      stage("told", "upper", "told/{id}.json", {
        typeId: "set",
        data: { fields: [{ name: "id", value: "{{$.entity.id}}" }] },
      }),
      stage("page", "told", "page/{id}.html", {
        typeId: "template",
        data: { template: "<p>{{$.input.content.length}}</p>" },
      }),
      stage(
        "some",
        "input",
        "some/{id}.txt",
        { typeId: "if", data: { condition: "$.entity.id !== '2'" } },
        {
          then: { typeId: "copy", data: {} },
        },
      ),
      stage("same", "upper", "same/{id}.txt"),
      stage("shout", "upper", "shout/{id}.txt", moduleNode("nodes/shout.ts", { mark: "!" })),
      stage("parts", "upper", "parts/{id}/", moduleNode("nodes/parts.ts")),
      stage("sorted", "upper", "sorted/{id}.txt", shell('sort "$MILLRACE_INPUT"; echo "$MILLRACE_TEST"'), {
        env: ["MILLRACE_TEST"],
      }),
      ...more,
    ],
  });
  project.code("nodes/shout.ts", "export default ({ input, params }) => input.content + params.mark;");
  project.code(
    "nodes/parts.ts",
    `import { mkdirSync, writeFileSync } from "node:fs";
     export default ({ input, output }) => {
       mkdirSync(output.path + "/deep", { recursive: true });
       for (const [i, line] of input.content.split("\\n").entries()) writeFileSync(output.path + "/deep/" + i + ".txt", line);
     };`,
  );
  return project;
}

/** Everything below the root with its kind, size, times, number and bytes, but for what SQLite keeps beside a database that is read. */
function stateOf(project: Project): Record<string, string> {
  const folder = project.at("");
  const all: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    if (/\.db-(?:shm|wal)$/.test(name)) continue;
    const stat = lstatSync(join(folder, name));
    const { mode, size, mtimeMs, ctimeMs, ino } = stat;
    const bytes = stat.isFile()
      ? createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex")
      : "";
    all[name] = [mode, size, mtimeMs, ctimeMs, ino, bytes].join(" ");
  }
  return all;
}

/** A folder for what is temporary, and what Millrace has in it; Node keeps its own things there, too. */
function temporary(project: Project): { readonly env: Record<string, string>; readonly left: () => string[] } {
  const folder = join(project.dir, "temporary");
  mkdirSync(folder, { recursive: true });
  return { env: { TMPDIR: folder }, left: () => readdirSync(folder).filter((name) => name.startsWith("millrace")) };
}

async function rebuild(
  project: Project,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly root: VerifiedRoot; readonly stderr: string }> {
  const place = temporary(project);
  const how = { env: { ...place.env, ...env } };
  const { code, stdout, stderr } = await project.start(["verify", "--rebuild", ...args, "--json"], how).ended;
  expect(place.left()).toEqual([]);
  return { code, root: (JSON.parse(stdout) as VerifyReport).roots[0]!, stderr };
}

const named = ({ findings }: VerifiedRoot): string[] => findings.map(({ rule, path }) => `${rule} ${path}`);

test("nodes of every kind that repeat themselves pass, and the root stays as it is to the byte and to the time", async () => {
  const project = everyKind();
  for (const id of ["1", "2", "-x'y"]) project.drop(`input/${id}.txt`, `b of ${id}\na`);
  expect((await project.run("run")).code).toBe(0);
  // A plain look makes SQLite's files: from here on the folder itself counts, too.
  await project.run("verify");
  const before = stateOf(project);
  expect(Object.keys(before)).toContain(".millrace/manifests/1.json");
  const { code, root, stderr } = await rebuild(project);
  expect(stateOf(project)).toEqual(before);
  expect({ code, stderr, findings: root.findings }).toEqual({ code: 0, stderr: "", findings: [] });
  expect(root.checked.rebuilt).toEqual({ outputs: 24, rebuilt: 24, same: 24, differ: 0, failed: 0, leftOut: {} });

  const { stdout } = await project.run("verify", "--rebuild", "upper");
  expect(stdout.split("\n")[1]).toBe("  rebuilt 3 of 3 outputs: 3 the same");
  // A declared variable that has another value here makes its stage stale, and nothing is said of its node.
  const elsewhere = await rebuild(project, ["sorted"], { MILLRACE_TEST: "other" });
  expect(elsewhere.root.checked.rebuilt).toMatchObject({ rebuilt: 0, leftOut: { stale: 3 } });
});

test("nodes planted on purpose that ask for the clock, for chance, for a counter or for their process are named, and no other", async () => {
  const project = everyKind([
    stage("clock", "upper", "clock/{id}.txt", "$.input.content + Date.now()"),
    stage("after", "clock", "after/{id}.txt", "$.input.content.length"),
    stage("dice", "upper", "dice/{id}.txt", "$.input.content + Math.random()"),
    stage("count", "upper", "count/{id}.txt", moduleNode("nodes/count.ts")),
    stage("process", "upper", "process/{id}.txt", shell('cat "$MILLRACE_INPUT"; echo $$')),
  ]);
  project.code("nodes/count.ts", COUNT.replaceAll("COUNTER", JSON.stringify(join(project.dir, "counter"))));
  const ids = ["1", "2", "3", "4", "5"];
  for (const id of ids) project.drop(`input/${id}.txt`, id);
  expect((await project.run("run")).code).toBe(0);
  await project.run("verify");
  const before = stateOf(project);
  const { code, root } = await rebuild(project);
  expect(stateOf(project)).toEqual(before);
  expect(code).toBe(1);
  const stages = ["clock", "count", "dice", "process"];
  expect(named(root)).toEqual(stages.flatMap((name) => ids.map((id) => `not-repeated ${name}/${id}.txt`)));
  const nodes = new Map(
    root.findings.map(({ code: is, rebuild: of }) => [of!.stage, `${is} ${of!.node} ${of!.error}`]),
  );
  expect(Object.fromEntries(nodes)).toEqual({
    "kinds#clock": "M616 transform null",
    "kinds#count": "M616 module nodes/count.ts null",
    "kinds#dice": "M616 transform null",
    "kinds#process": "M616 run_command null",
  });
  expect(root.checked.rebuilt).toMatchObject({ outputs: 65, rebuilt: 65, same: 45, differ: 20 });

  const { stdout } = await project.run("verify", "--rebuild", "clock", "after");
  expect(stdout).toContain("rebuilt 10 of 10 outputs: 5 the same, 5 differ\n");
  expect(stdout.match(/M616 not-repeated/g)).toHaveLength(3);
  expect(stdout).toContain("and 2 more of kinds#clock");
});

test("under a daemon nothing of its is disturbed: it runs nothing, says nothing, and goes on", async () => {
  const project = newProject({
    name: "mixed",
    stages: [
      source("input", "input/{id}.txt"),
      stage("clock", "input", "clock/{id}.txt", "$.input.content + Date.now()"),
      stage("upper", "input", "upper/{id}.txt", "$.input.content.toUpperCase()"),
      {
        ...stage("sent", "upper", "sent/{id}.txt", shell('echo sent >> "$MILLRACE_ROOT/../sent"; echo done')),
        type: "sink",
      },
    ],
  });
  const daemon = await project.daemon();
  for (const id of ["1", "2", "3"]) project.drop(`input/${id}.txt`, `text ${id}`);
  const isDone = async (): Promise<boolean> =>
    Object.values(await project.statuses()).filter((status) => status === "fresh").length === 9;
  await until(isDone, "everything is fresh");
  const sent = readFileSync(join(project.dir, "sent"), "utf8");
  expect(sent).toBe("sent\n".repeat(3));
  const attempts = await project.attempts();
  const files = project.files();
  const lines = daemon.lines.length;
  const { code, root } = await rebuild(project);
  expect(code).toBe(1);
  expect(named(root)).toEqual(["1", "2", "3"].map((id) => `not-repeated clock/${id}.txt`));
  expect(daemon.lines.slice(lines)).toEqual([]);
  expect(root.checked.rebuilt).toEqual({
    ...{ outputs: 9, rebuilt: 6, same: 3, differ: 3, failed: 0 },
    leftOut: { sink: 3 },
  });
  expect(readFileSync(join(project.dir, "sent"), "utf8")).toBe(sent);
  expect(await project.attempts()).toEqual(attempts);
  expect(project.files()).toEqual(files);
  expect(project.names(".millrace/tmp")).toEqual([]);
  // What else is off is looked at twice; what was made again is told beside it.
  project.drop(".millrace/trash/20260101T000000000Z-aaaaaaaaaaaa/note.json", "{");
  project.drop(".millrace/trash/20260101T000000000Z-aaaaaaaaaaaa/input/9.txt", "nine");
  const second = await rebuild(project, ["clock@1"]);
  expect(named(second.root)).toEqual(["not-repeated clock/1.txt"]);
  const third = await rebuild(project);
  expect(named(third.root).toSorted()).toEqual([
    ...["1", "2", "3"].map((id) => `not-repeated clock/${id}.txt`),
    "trash-damaged .millrace/trash/20260101T000000000Z-aaaaaaaaaaaa/",
  ]);
  expect(third.root.checked.rebuilt).toEqual(root.checked.rebuilt);
  project.drop("input/4.txt", "one more");
  await until(() => project.has("sent/4.txt"), "the daemon goes on");
  await daemon.stop();
});

test("Ctrl-C in the middle leaves nothing behind, and what was compared so far is told", async () => {
  const project = newProject(single(undefined));
  project.define(single(shell(project.gateLine())));
  for (const id of ["1", "2"]) {
    project.drop(`input/${id}.txt`, id);
    project.open(id);
  }
  expect((await project.run("run")).code).toBe(0);
  for (const id of ["1", "2"]) project.close(id);
  await project.run("verify");
  const before = stateOf(project);
  const place = temporary(project);
  const started = project.start(["verify", "--rebuild"], { env: place.env });
  for (const id of ["1", "2"]) await project.begun(id, 2);
  expect(place.left()).toHaveLength(1);
  started.child.kill("SIGINT");
  const { code, stdout } = await started.ended;
  expect(code).toBe(130);
  expect(stdout).toContain("rebuilt 0 of 2 outputs: 0 the same; left out: 2 interrupted");
  expect(place.left()).toEqual([]);
  expect(project.survivors()).toEqual([]);
  expect(stateOf(project)).toEqual(before);
});

test("a repair at the same time is refused", async () => {
  const project = newProject(single());
  const { code, stderr } = await project.run("verify", "--rebuild", "--repair");
  expect(code).toBe(2);
  expect(stderr).toContain('M101  "--rebuild" and "--repair" exclude each other');
});
