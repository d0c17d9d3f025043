import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Daemon, newProject, type Project, single, until } from "../support/rig.ts";

/** Every name is an entity id; all are legal on Linux. */
const NAMES: readonly string[] = [
  "two words",
  "it's",
  'say "hi"',
  "line\nbreak",
  "tab\there",
  "-rf",
  "--help",
  "🦊",
  "e\u0301 NFD",
  "\u00e9 NFC",
  "\u00e9 NFD".normalize("NFD"),
  "UPPER",
  "upper",
  "con",
  "a.b.c",
  "{id}",
  "*?[x]",
  "back\\slash",
  "%41",
  "__proto__",
  "constructor",
  "\u202egnp",
  "#hash",
  "x".repeat(251),
  "ü".repeat(125),
];

test("names with spaces, quotes, newlines, dashes, emoji, both normal forms and 255 bytes each have a result and a manifest of their own", async () => {
  const project = newProject(single("$.entity.id + '|' + $.input.content"));
  const unique = [...new Set(NAMES)];
  for (const [i, name] of unique.entries()) project.drop(`input/${name}.txt`, String(i));
  expect(await project.run("run")).toMatchObject({ code: 0, stderr: "" });
  for (const [i, name] of unique.entries()) expect(project.read(`output/${name}.txt`)).toBe(`${name}|${i}`);
  expect((await project.ran()).toSorted()).toEqual(unique.map((name) => `output@${name} ran`).toSorted());
  expect(project.names(".millrace/manifests")).toHaveLength(unique.length);
  expect((await project.run("run")).stdout).toContain("nothing to do");
  expect(await project.ran()).toEqual([]);
  // Each of them can be asked for by its name.
  for (const name of ["line\nbreak", "🦊", "__proto__", "*?[x]"])
    expect(await project.json("explain", `output@${name}`)).toMatchObject({ task: { entity: name, status: "fresh" } });
});

test("the same names in a running daemon, and their removal", async () => {
  const project = newProject(single("$.input.content"));
  await project.daemon();
  const names = NAMES.filter((name) => Buffer.byteLength(name) < 200);
  for (const name of names) project.drop(`input/${name}.txt`, name);
  await until(() => names.every((name) => project.holds(`output/${name}.txt`, name)));
  await project.run("run");
  expect((await project.ran()).toSorted()).toEqual([...new Set(names)].map((name) => `output@${name} ran`).toSorted());
  for (const name of names) rmSync(project.at(`input/${name}.txt`), { force: true });
  // All at once is too much, unless somebody says so.
  await until(async () => Object.values(await project.statuses("output")).every((status) => status === "orphaned"));
  await until(async () => (await project.run("status")).stdout.startsWith("FROZEN"));
  await project.run("accept", "--deletions");
  await until(() => project.names("output").length === 0);
});

test("a name that is no UTF-8 is named in the log and in status, and hides no other file", async () => {
  const project = newProject(single("$.input.content"));
  writeFileSync(
    Buffer.concat([Buffer.from(`${project.at("input")}/caf`), Buffer.from([0xe9]), Buffer.from(".txt")]),
    "lost?",
  );
  project.drop("input/good.txt", "good");
  const run = await project.run("run");
  expect(run.stderr).toContain("caf\\xE9.txt");
  expect(await project.ran()).toEqual(["output@good ran"]);
  const daemon = await project.daemon();
  expect(daemon.said("caf\\\\xE9.txt")).toHaveLength(1);
  writeFileSync(
    Buffer.concat([Buffer.from(`${project.at("input")}/na`), Buffer.from([0xef]), Buffer.from("ve.txt")]),
    "lost?",
  );
  await until(() => daemon.said("na\\\\xEFve.txt").length === 1);
  await project.run("run");
  const { roots } = await project.json<{ roots: { problems: { code: string; message: string }[] }[] }>("status");
  expect(roots[0]!.problems.map(({ message }) => message).join("\n")).toMatch(/caf\\xE9\.txt[^]*na\\xEFve\.txt/);
  expect((await project.run("status")).stdout + (await project.run("status")).stderr).toContain("caf\\xE9.txt");
});

test("an empty file is a state, and a filter can say otherwise", async () => {
  const filtered = { ...single("$.input.content"), name: "filtered" };
  const project = newProject(single("$.input.content"));
  project.drop("input/1.txt", "");
  expect((await project.run("run")).code).toBe(0);
  expect(project.read("output/1.txt")).toBe("");
  const [input, output] = filtered.stages as [object, object];
  project.define({ name: "single", stages: [{ ...input, filter: { minSize: 1 } }, output] } as { name: string });
  project.drop("input/2.txt", "");
  expect((await project.run("run")).code).toBe(0);
  expect(project.has("output/2.txt")).toBe(false);
  expect((await project.run("why-not", "input/2.txt")).stdout).toMatch(/=> .*0 bytes/);
  expect(await project.ran()).toEqual(["output@1 ran"]);
});

test("a file of 1 GB is copied, hashed and found fresh in bounded memory", { timeout: 120_000 }, async () => {
  const project = newProject(single());
  const size = 1024 ** 3;
  const file = openSync(project.at("input/big.txt"), "w");
  ftruncateSync(file, size);
  closeSync(file);
  const daemon = await project.daemon();
  await until(() => project.has("output/big.txt"), "the copy is there", 90_000);
  await until(async () => (await project.statuses())["output@big"] === "fresh");
  expect(statSync(project.at("output/big.txt")).size).toBe(size);
  expect(peakMegabytes(daemon.pid)).toBeLessThan(600);
  await project.run("run");
  expect(await project.ran()).toEqual(["output@big ran"]);
});

test("links inside the root are followed, links that lead outside are refused and told", async () => {
  const project = newProject(single("$.input.content"));
  project.drop("elsewhere/real.txt", "inside");
  writeFileSync(join(project.dir, "secret.txt"), "outside");
  symlinkSync("../elsewhere/real.txt", project.at("input/in.txt"));
  symlinkSync("../../secret.txt", project.at("input/out.txt"));
  symlinkSync("/etc/hostname", project.at("input/abs.txt"));
  symlinkSync("nowhere.txt", project.at("input/dangling.txt"));
  symlinkSync("loop.txt", project.at("input/loop.txt"));
  linkSync(project.at("elsewhere/real.txt"), project.at("input/hard.txt"));
  const run = await project.run("run");
  expect(await project.ran().then((ran) => ran.toSorted())).toEqual(["output@hard ran", "output@in ran"]);
  expect(project.files("output")).toEqual({ "output/hard.txt": "inside", "output/in.txt": "inside" });
  expect(run.stderr + run.stdout).not.toContain("outside\n");
  for (const name of ["out", "abs"])
    expect((await project.run("why-not", `input/${name}.txt`)).stdout).toMatch(/=> .*outside/);
  // A change of what the link leads to is a change of the state.
  project.rewrite("elsewhere/real.txt", "changed");
  await project.run("run");
  expect((await project.ran()).toSorted()).toEqual(["output@hard ran", "output@in ran"]);
});

test("FIFOs and sockets are ignored and hold nothing up", async () => {
  const project = newProject(single("$.input.content"));
  execFileSync("mkfifo", [project.at("input/pipe.txt")]);
  const server = createServer();
  onTestFinished(() => void server.close());
  server.listen(project.at("input/socket.txt"));
  await once(server, "listening");
  project.drop("input/folder.txt/inner", "a folder in the place of a file");
  project.drop("input/good.txt", "good");
  const daemon = await project.daemon();
  await until(() => project.has("output/good.txt"));
  expect((await project.run("run")).code).toBe(0);
  expect(await project.ran()).toEqual(["output@good ran"]);
  expect((await project.run("why-not", "input/pipe.txt")).stdout).toContain(
    "cannot be a state: FIFO, socket or device",
  );
  rmSync(project.at("input/pipe.txt"));
  project.drop("input/pipe.txt", "a file now");
  await until(() => project.has("output/pipe.txt"));
  expect(daemon.hasEnded).toBe(false);
});

/** Root may read everything; without these two rights it is an ordinary user as far as files go. */
const ORDINARY: readonly string[] =
  process.getuid?.() === 0 ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] : [];

test("an unreadable file is told, holds up nothing else, and runs once it can be read", async () => {
  const project = newProject(single("$.input.content"));
  project.drop("input/locked.txt", "locked");
  project.drop("input/good.txt", "good");
  project.drop("input/2/inner.txt", "in a folder");
  chmodSync(project.at("input/locked.txt"), 0);
  onTestFinished(() => chmodSync(project.at("input"), 0o755));
  const daemon = await project.daemon([], { under: ORDINARY });
  await until(() => project.has("output/good.txt"));
  await project.run("run");
  expect(await project.ran()).toEqual(expect.arrayContaining(["output@good ran"]));
  expect(project.has("output/locked.txt")).toBe(false);
  const whyNot = await project.run("why-not", "input/locked.txt");
  expect(whyNot.stdout).toMatch(/=> .*(EACCES|permission|read)/i);
  chmodSync(project.at("input/locked.txt"), 0o644);
  await until(() => project.holds("output/locked.txt", "locked"));
  expect(daemon.hasEnded).toBe(false);
});

test("a source folder that cannot be listed is told, and nothing below it counts as gone", async () => {
  const project = newProject(single("$.input.content"));
  project.drop("input/1.txt", "one");
  expect((await project.run("run")).code).toBe(0);
  chmodSync(project.at("input"), 0);
  onTestFinished(() => chmodSync(project.at("input"), 0o755));
  const run = await project.start(["run"], { under: ORDINARY }).ended;
  expect(run.stderr).toMatch(/M501[^]*input/);
  expect(await project.ran()).toEqual(["output@1 ran"]);
  const listed = await project.start(["list", "--json"], { under: ORDINARY }).ended;
  expect(listed.stdout).not.toContain("orphaned");
  expect(project.read("output/1.txt")).toBe("one");
});

test("a file that is written slowly is read when it is quiet; a run names what does not settle in time", async () => {
  const project = newProject(single("$.input.content"));
  const [input, output] = single("$.input.content").stages as [object, object];
  project.define({ name: "single", stages: [{ ...input, settle: "1h" }, output] } as { name: string });
  project.drop("input/slow.txt", "not yet");
  const run = await project.run("run", "--settle-timeout", "50ms");
  expect(run.code).toBe(1);
  expect(run.stdout + run.stderr).toContain("input/slow.txt");
  expect(await project.ran()).toEqual([]);
  project.define({ name: "single", stages: [{ ...input, settle: "300ms" }, output] } as { name: string });
  await project.daemon();
  const writer = spawn("sh", [
    "-c",
    `for i in 1 2 3 4 5; do printf "$i" >> '${project.at("input/w.txt")}'; sleep 0.05; done`,
  ]);
  await once(writer, "exit");
  await until(() => project.has("output/w.txt"));
  await project.run("run");
  expect(project.read("output/w.txt")).toBe("12345");
  expect((await project.ran()).filter((line) => line.includes("@w"))).toEqual(["output@w ran"]);
});

test("temporary files of editors and copying tools, and what .millraceignore names, are no states", async () => {
  const project = newProject({
    name: "all",
    stages: single("$.input.content", {}).stages.map((s) => ({
      ...s,
      pattern: (s as { id: string }).id === "input" ? "input/{id}" : "output/{id}",
    })),
  });
  project.drop(".millraceignore", "*.draft\n");
  for (const name of ["a", ".a.swp", "a~", "b.tmp", "c.part", "d.crdownload", "mine.draft"])
    project.drop(`input/${name}`, name);
  await project.daemon();
  await until(() => project.has("output/a"));
  await project.run("run");
  expect(project.names("output")).toEqual(["a"]);
  expect((await project.run("why-not", "input/mine.draft")).stdout).toMatch(/=> .*ignored by the rule/);
  project.drop(".millraceignore", "");
  await until(() => project.has("output/mine.draft"));
});

test("an ambiguous name is a failure that is told, and nothing is written", async () => {
  const project = newProject({
    name: "pairs",
    stages: [
      { id: "in", type: "source", pattern: "in/{a}/{b}.txt", settle: "20ms" },
      { id: "out", type: "transform", input: "in", pattern: "out/{a}-{b}.txt" },
    ],
  });
  project.drop("in/x-y/z.txt", "ambiguous");
  project.drop("in/x/z.txt", "fine");
  expect((await project.run("run")).code).toBe(1);
  expect(project.files("out")).toEqual({ "out/x-z.txt": "fine" });
  expect(await project.ran()).toEqual(["out@x/z ran"]);
  const ambiguous = (await project.tasks()).filter(({ status }) => status === "failed");
  expect(ambiguous).toMatchObject([{ reasons: ["ambiguous-name"] }]);
});

test("folders are states: their tree is one input, and a change deep in it is a change", async () => {
  const project: Project = newProject({
    name: "folders",
    stages: [
      { id: "in", type: "source", pattern: "albums/{name}/", settle: "20ms" },
      {
        id: "out",
        type: "transform",
        input: "in",
        pattern: "lists/{name}.txt",
        node: { typeId: "run_command", data: { command: 'cd "$MILLRACE_INPUT" && find . -type f | sort' } },
      },
      { id: "copy", type: "transform", input: "in", pattern: "copies/{name}/" },
    ],
  });
  await project.daemon();
  project.drop("../outside/summer/1.jpg", "1");
  project.drop("../outside/summer/deep/2.jpg", "2");
  mkdirSync(project.at("albums"), { recursive: true });
  renameSync(join(project.dir, "outside/summer"), project.at("albums/summer"));
  await until(
    () =>
      project.holds("lists/summer.txt", "./1.jpg\n./deep/2.jpg\n") && project.holds("copies/summer/deep/2.jpg", "2"),
  );
  project.drop("albums/summer/deep/3.jpg", "3");
  await until(() => project.has("copies/summer/deep/3.jpg") && project.read("lists/summer.txt").includes("3.jpg"));
  await project.run("run");
  expect((await project.ran()).toSorted()).toEqual([
    "copy@summer ran",
    "copy@summer ran",
    "out@summer ran",
    "out@summer ran",
  ]);
});

function peakMegabytes(pid: Daemon["pid"]): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line![1]) / 1024;
}
