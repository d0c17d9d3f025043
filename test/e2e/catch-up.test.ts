import { rmSync, truncateSync } from "node:fs";
import { expect, test } from "vitest";
import { echo, moduleNode, newProject, shell, single, source, stage, until } from "../support/rig.ts";

test("files that came, changed and vanished while the daemon was down are caught up with; what has lost its source goes", async () => {
  const project = newProject(echo());
  for (const id of ["same", "changed", "gone"]) project.drop(`input/${id}.txt`, id);
  const first = await project.daemon();
  await until(() => ["same", "changed", "gone"].every((id) => project.has(`output/${id}.json`)));
  expect((await first.stop()).code).toBe(143);
  expect(await project.ran()).toHaveLength(6);

  project.drop("input/new.txt", "new");
  project.drop("input/changed.txt", "other");
  project.remove("input/gone.txt");
  await project.daemon();
  await until(() => project.has("output/new.json") && project.read("output/changed.json").includes("OTHER"));
  await project.run("run");
  expect((await project.ran()).toSorted()).toEqual([
    "output@changed ran",
    "output@new ran",
    "transformed@changed ran",
    "transformed@new ran",
  ]);
  expect([project.has("transformed/gone.txt"), project.has("output/gone.json")]).toEqual([false, false]);
  expect(Object.keys(await project.statuses("output")).toSorted()).toEqual([
    "output@changed",
    "output@new",
    "output@same",
  ]);
});

test("an output that comes out byte for byte the same wakes nothing, also after a restart", async () => {
  const project = newProject(echo());
  project.drop("input/1.txt", "Hello");
  let daemon = await project.daemon();
  await until(() => project.has("output/1.json"));
  await project.ran();
  project.drop("input/1.txt", "HELLO");
  await until(
    async () => (await project.statuses())["transformed@1"] === "fresh" && (await project.attempts()).length === 3,
  );
  await project.run("run");
  expect(await project.ran()).toEqual(["transformed@1 unchanged"]);

  await daemon.stop();
  project.drop("input/1.txt", "hello");
  daemon = await project.daemon();
  await project.run("run");
  expect(await project.ran()).toEqual(["transformed@1 unchanged"]);
  expect(await project.statuses()).toMatchObject({ "output@1": "fresh" });
});

test("what an expression read of an earlier stage counts as an input, and so does that it was absent", async () => {
  const project = newProject({
    name: "reads",
    stages: [
      source("raw", "input/{id}.txt"),
      stage("size", "raw", "size/{id}.txt", "String($.raw.content.length)"),
      stage("report", "size", "report/{id}.txt", "$.size.content + ' of ' + $.raw.content"),
    ],
  });
  project.drop("input/1.txt", "one");
  await project.run("run");
  expect(await project.ran()).toEqual(["size@1 ran", "report@1 ran"]);
  project.drop("input/1.txt", "two");
  await project.run("run");
  expect(await project.ran()).toEqual(["size@1 unchanged", "report@1 ran"]);
  expect(project.read("report/1.txt")).toBe("3 of two");
  expect((await project.json<{ inputs: object[] }>("explain", "report@1")).inputs).toMatchObject([
    { path: "size/1.txt", declared: true },
    { path: "input/1.txt", declared: false },
  ]);
});

test("a deleted index costs no attempt, and deleted manifests cost attempts that find the same bytes", async () => {
  const project = newProject(echo());
  for (const id of ["1", "2"]) project.drop(`input/${id}.txt`, id);
  await project.run("run");
  await project.ran();
  for (const file of ["index.db", "index.db-wal", "index.db-shm"])
    rmSync(project.at(`.millrace/${file}`), { force: true });
  expect((await project.run("run")).stdout).toContain("nothing to do");
  expect(await project.ran()).toEqual([]);

  const before = project.files();
  rmSync(project.at(".millrace/manifests"), { recursive: true });
  expect(await project.run("run")).toMatchObject({ code: 0 });
  expect((await project.ran()).toSorted()).toEqual(
    ["output@1", "output@2", "transformed@1", "transformed@2"].map((task) => `${task} unchanged`),
  );
  expect(project.files()).toEqual(before);
  expect(project.trashed()).toEqual([]);
});

test("a damaged manifest is set aside and its outputs are adopted again", async () => {
  const project = newProject(echo());
  project.drop("input/1.txt", "one");
  await project.run("run");
  await project.ran();
  truncateSync(project.at(".millrace/manifests/1.json"), 20);
  rmSync(project.at(".millrace/index.db"));
  const run = await project.run("run");
  expect(run).toMatchObject({ code: 0, stderr: expect.stringContaining("M401") });
  expect(await project.ran()).toEqual(["transformed@1 unchanged", "output@1 unchanged"]);
  expect(JSON.parse(project.read(".millrace/manifests/1.json"))).toMatchObject({ entityId: "1" });
});

test("pipelines chain through files, and a change travels through both, in one run and live", async () => {
  const first = {
    name: "writer",
    stages: [
      source("draft", "drafts/{slug}.md"),
      stage("article", "draft", "articles/{slug}.md", "$.input.content.trim()"),
    ],
  };
  const second = {
    name: "publisher",
    stages: [
      source("article", "articles/{slug}.md"),
      stage("post", "article", "posts/{slug}.txt", "'post: ' + $.input.content"),
    ],
  };
  const project = newProject(first, second);
  project.drop("drafts/a.md", " one ");
  expect(await project.run("run")).toMatchObject({ code: 0 });
  expect(await project.ran()).toEqual(["article@a ran", "post@a ran"]);
  await project.daemon();
  project.drop("drafts/a.md", "two");
  await until(() => project.holds("posts/a.txt", "post: two"));
  project.drop("articles/mine.md", "by hand");
  await until(() => project.holds("posts/mine.txt", "post: by hand"));
  await project.run("run");
  expect(await project.ran()).toEqual(["article@a ran", "post@a ran", "post@mine ran"]);
  project.remove("drafts/a.md");
  await until(() => !project.has("posts/a.txt") && !project.has("articles/a.md"));
  // What somebody put among the products is as good a source as any other.
  expect(await project.statuses()).toEqual({ "post@mine": "fresh", "article@mine": "orphaned" });
});

test("two pipelines that share an entity keep one manifest of both", async () => {
  const left = {
    name: "left",
    stages: [source("in", "input/{id}.txt"), stage("left", "in", "left/{id}.txt", "'l' + $.in.content")],
  };
  const right = {
    name: "right",
    stages: [source("in", "input/{id}.txt"), stage("right", "in", "right/{id}.txt", "'r' + $.in.content")],
  };
  const project = newProject(left, right);
  await project.daemon();
  project.drop("input/1.txt", "1");
  await until(() => project.holds("left/1.txt", "l1") && project.holds("right/1.txt", "r1"));
  await project.run("run");
  expect((await project.ran()).toSorted()).toEqual(["left@1 ran", "right@1 ran"]);
  const { states } = JSON.parse(project.read(".millrace/manifests/1.json")) as { states: object };
  expect(Object.keys(states)).toEqual(["input/{id}.txt", "left/{id}.txt", "right/{id}.txt"]);
});

test("an if chooses between then and else, and choosing nothing retracts what it made before", async () => {
  const choice = { typeId: "if", data: { condition: "$.input.content.startsWith('a')" } };
  const project = newProject({
    name: "choice",
    stages: [
      source("input", "input/{id}.txt"),
      stage("both", "input", "both/{id}.txt", choice, {
        then: { typeId: "transform", data: { expression: "'yes ' + $.input.content" } },
        else: { typeId: "transform", data: { expression: "'no ' + $.input.content" } },
      }),
      stage("some", "input", "some/{id}.txt", choice, { then: { typeId: "copy", data: {} } }),
      stage("after", "some", "after/{id}.txt"),
    ],
  });
  project.drop("input/1.txt", "apple");
  project.drop("input/2.txt", "pear");
  expect((await project.run("run")).code).toBe(0);
  expect([project.read("both/1.txt"), project.read("both/2.txt")]).toEqual(["yes apple", "no pear"]);
  expect(project.names("some")).toEqual(["1.txt"]);
  expect((await project.ran()).toSorted()).toEqual([
    "after@1 ran",
    "both@1 ran",
    "both@2 ran",
    "some@1 ran",
    "some@2 skipped",
  ]);
  expect(await project.statuses("some")).toEqual({ "some@1": "fresh", "some@2": "skipped" });

  project.drop("input/1.txt", "plum");
  expect((await project.run("run")).code).toBe(0);
  expect(project.names("some")).toEqual([]);
  expect(project.trashed()).toContain("apple");
  expect((await project.ran()).toSorted()).toEqual(["both@1 ran", "some@1 skipped"]);
  expect((await project.run("run")).stdout).toContain("nothing to do");
});

test("an output that fails its validation keeps the old good one, and the reason is shown", async () => {
  const project = newProject(
    single("$.input.content", { validation: { minSize: 3 } }, { retryPolicy: { maxAttempts: 1, backoffSeconds: [0] } }),
  );
  project.drop("input/1.txt", "good");
  expect((await project.run("run")).code).toBe(0);
  project.drop("input/1.txt", "no");
  expect((await project.run("run")).code).toBe(1);
  expect(project.read("output/1.txt")).toBe("good");
  expect(await project.ran()).toEqual(["output@1 ran", "output@1 failed"]);
  expect(await project.task("output@1")).toMatchObject({
    status: "quarantined",
    failure: { category: "validation", attempts: 1, nextRetryAt: null },
  });
  expect(project.names(".millrace/tmp")).toEqual([]);
});

test("a quarantined task runs again when it is told to, live and without a daemon", async () => {
  const project = newProject(
    single(
      shell('test -e "$MILLRACE_PROJECT/ok" && cat "$MILLRACE_INPUT"'),
      {},
      { retryPolicy: { maxAttempts: 2, backoffSeconds: [0] } },
    ),
  );
  const command = shell(`test -e '${project.dir}/ok' && cat "$MILLRACE_INPUT"`);
  project.define(single(command, {}, { retryPolicy: { maxAttempts: 2, backoffSeconds: [0] } }));
  project.drop("input/1.txt", "one");
  const daemon = await project.daemon();
  await until(async () => (await project.statuses())["output@1"] === "quarantined");
  expect(await project.ran()).toEqual(["output@1 failed", "output@1 failed"]);
  expect(await project.run("retry", "output@1")).toMatchObject({ code: 0 });
  await until(async () => (await project.attempts()).length === 4);
  await until(async () => (await project.statuses())["output@1"] === "quarantined");
  project.code("../ok", "");
  await project.run("run");
  expect(await project.ran()).toEqual(["output@1 failed", "output@1 failed"]);
  await daemon.stop();
  expect(await project.run("retry", "output@1")).toMatchObject({ code: 0 });
  expect((await project.run("run")).code).toBe(0);
  expect(project.read("output/1.txt")).toBe("one");
  expect(await project.ran()).toEqual(["output@1 ran"]);
});

test("a module without a result for one file fails that file alone", async () => {
  const project = newProject(
    single(moduleNode("nodes/work.ts"), {}, { retryPolicy: { maxAttempts: 1, backoffSeconds: [0] } }),
  );
  project.code(
    "nodes/work.ts",
    'export default ({ input }) => { if (input.id === "bad") process.exit(7); return input.content; };\n',
  );
  for (const id of ["a", "bad", "c"]) project.drop(`input/${id}.txt`, id);
  expect((await project.run("run")).code).toBe(1);
  expect((await project.ran()).toSorted()).toEqual(["output@a ran", "output@bad failed", "output@c ran"]);
  expect(project.names("output")).toEqual(["a.txt", "c.txt"]);
});
