/** Names and files as weapons, against the real program: each is processed right or refused for a reason, and nothing leaves the root. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { moduleNode, newProject, type Project, shell, single, source, stage, until } from "../support/rig.ts";

const FULL = process.env["MILLRACE_FULL"] === "1";
const LONG = { timeout: FULL ? 900_000 : 120_000 };

/** Entity ids; whoever takes one for a command makes a file called `pwned`. */
const NAMES: readonly string[] = [
  "line\nbreak",
  "cr\r\nlf",
  "it's",
  'say "hi"',
  "-rf",
  "--output=pwned",
  "-e touch pwned",
  "$(touch pwned)",
  "`touch pwned`",
  "a; touch pwned;",
  "a && touch pwned",
  "a | tee pwned",
  "a > pwned",
  "${IFS}touch",
  "*",
  "?[a-z]{1,2}",
  "{id}",
  "{{$.entity.id}}",
  "${process.exit(1)}",
  "'); process.exit(1); ('",
  "%2e%2e%2fetc%2fpasswd",
  "a..%2f..%2fsecret",
  "a\\..\\..\\secret",
  "C:secret",
  "a#b?c=d&e",
  "http:evil.example@host",
  "\u{1f98a}",
  "e\u0301",
  "\u00e9",
  "\u202egpj.exe",
  "\u001b[2Jescape",
  "zero\u200bwidth",
  "__proto__",
  "constructor",
  "CON",
  "UPPER",
  "upper",
  "<img src=x onerror=alert(1)>",
  "a...",
  "x".repeat(251),
];

/** Every file below a folder but those in `.millrace`, by path. */
function allNames(folder: string, prefix = ""): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === ".millrace") return [];
    const path = `${prefix}${entry.name}`;
    return entry.isDirectory() ? allNames(join(folder, entry.name), `${path}/`) : [path];
  });
}

/** A server that answers with the path it was asked for, decoded once. */
async function echoServer(): Promise<string> {
  const server = createServer(({ url }, answer) => answer.end(decodeURIComponent(url!.slice(1))));
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test(
  "every awkward name goes through every type of node as data, and none of them is a command, a path or code",
  LONG,
  async () => {
    const base = await echoServer();
    const nodes: Record<string, string | object | undefined> = {
      expression: "$.entity.id + '|' + $.input.content",
      template: { typeId: "template", data: { template: "{{$.entity.id}}|{{$.input.content}}" } },
      set: { typeId: "set", data: { fields: [{ name: "id", value: "{{$.entity.id}}" }] } },
      copy: undefined,
      module: moduleNode("nodes/name.ts"),
      shell: shell('printf "%s|" "$MILLRACE_ENTITY"; cat "$MILLRACE_INPUT"'),
      argv: { typeId: "run_command", data: { argv: ["printf", "%s|%s", "{entity}", "{vars.id}"] } },
      http: { typeId: "http", data: { url: `${base}/{{$.entity.id}}` } },
    };
    const expected: Record<string, (id: string, text: string) => string> = {
      expression: (id, text) => `${id}|${text}`,
      template: (id, text) => `${id}|${text}`,
      set: (id) => JSON.stringify({ id }),
      copy: (_id, text) => text,
      module: (id, text) => `${id}|${text}`,
      shell: (id, text) => `${id}|${text}`,
      argv: (id) => `${id}|${id}`,
      http: (id) => id,
    };
    const stages = Object.entries(nodes).map(([id, node]) => stage(id, "input", `${id}/{id}.txt`, node));
    const project = newProject({ name: "names", stages: [source("input", "input/{id}.txt"), ...stages] });
    project.code("nodes/name.ts", 'export default ({ entity, input }) => entity.id + "|" + input.content;');
    const names = [...new Set(NAMES)];
    for (const [i, name] of names.entries()) project.drop(`input/${name}.txt`, `text ${i}`);
    const before = allNames(project.dir);
    const run = await project.run("run");
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const wrong: string[] = [];
    for (const [i, name] of names.entries())
      for (const [type, make] of Object.entries(expected)) {
        const got = project.has(`${type}/${name}.txt`) ? project.read(`${type}/${name}.txt`).trimEnd() : undefined;
        const wanted = make(name, `text ${i}`);
        const isEqual =
          type === "set" ? got !== undefined && JSON.stringify(JSON.parse(got)) === wanted : got === wanted;
        if (!isEqual) wrong.push(`${type} ${JSON.stringify(name)}: ${JSON.stringify(got)}`);
      }
    expect(wrong).toEqual([]);
    const made = names.length * Object.keys(expected).length;
    expect(await project.ran()).toHaveLength(made);
    // Exactly the outputs are new: nothing called `pwned`, nothing beside the root.
    expect(allNames(project.dir)).toHaveLength(before.length + made);
    // What a terminal would take for a command is not printed as one.
    const listed = await project.run("list", "--limit", "1000");
    for (const trick of ["\u001b[2J", "\u202e"]) expect(listed.stdout).not.toContain(trick);
  },
);

describe("what leads outside is not followed", () => {
  /** A file beside the root that nobody may read or change. */
  function withSecret(project: Project): string {
    const secret = join(project.dir, "secret.txt");
    writeFileSync(secret, "the secret");
    return secret;
  }

  function leaks(project: Project): string[] {
    return Object.entries(project.files("output")).flatMap(([path, text]) => (/secret/.test(text) ? [path] : []));
  }

  test(
    "a file that is swapped for a link to a secret while it is read gives the secret away not once",
    LONG,
    async () => {
      const rounds = FULL ? 10_000 : 400;
      const project = newProject({
        name: "swap",
        stages: [
          source("input", "input/{id}.txt", { settle: "1ms" }),
          stage("output", "input", "output/{id}.txt", "$.input.content"),
          stage("copied", "input", "output/copied/{id}.txt"),
          stage("shelled", "input", "output/shelled/{id}.txt", moduleNode("nodes/read.ts")),
        ],
      });
      project.code("nodes/read.ts", "export default ({ input }) => input.text();");
      const secret = withSecret(project);
      const daemon = await project.daemon();
      const [link, file] = [join(project.dir, "link"), join(project.dir, "file")];
      for (let round = 0; round < rounds; round++) {
        const at = project.at(`input/${round % 5}.txt`);
        symlinkSync(secret, link);
        renameSync(link, at);
        writeFileSync(file, `round ${round}`);
        renameSync(file, at);
        if (round % 20 === 0) await until(() => project.names("output").length > 0 || round === 0);
        if (round % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await until(() => project.holds(`output/${(rounds - 1) % 5}.txt`, `round ${rounds - 1}`));
      expect(leaks(project)).toEqual([]);
      expect(daemon.hasEnded).toBe(false);
      expect(readFileSync(secret, "utf8")).toBe("the secret");
    },
  );

  test("a folder that is swapped for a link to one outside gives nothing away either", LONG, async () => {
    const rounds = FULL ? 2_000 : 100;
    const project = newProject({
      name: "swap",
      stages: [
        source("input", "input/{dir}/{id}.txt", { settle: "1ms" }),
        stage("output", "input", "output/{dir}-{id}.txt", "$.input.content"),
      ],
    });
    withSecret(project);
    const outside = join(project.dir, "outside");
    mkdirSync(outside);
    for (let i = 0; i < 5; i++) writeFileSync(join(outside, `${i}.txt`), "the secret");
    for (let i = 0; i < 5; i++) project.drop(`input/d/${i}.txt`, `own ${i}`);
    await project.daemon();
    const [at, own] = [project.at("input/d"), join(project.dir, "own")];
    for (let round = 0; round < rounds; round++) {
      renameSync(at, own);
      symlinkSync(outside, at);
      await new Promise((resolve) => setImmediate(resolve));
      rmSync(at);
      renameSync(own, at);
      for (let i = 0; i < 5; i++) project.rewrite(`input/d/${i}.txt`, `own ${i} of ${round}`);
      if (round % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await until(() => project.holds("output/d-4.txt", `own 4 of ${rounds - 1}`));
    expect(leaks(project)).toEqual([]);
  });

  test("an output folder that is a link to outside is refused, and nothing is written there", async () => {
    const retryPolicy = { maxAttempts: 9, backoffSeconds: [0.1] };
    const project = newProject(single("$.input.content", {}, { retryPolicy }));
    const outside = join(project.dir, "outside");
    mkdirSync(outside);
    symlinkSync(outside, project.at("output"));
    project.drop("input/1.txt", "one");
    const run = await project.run("run");
    expect(run.code).toBe(1);
    expect(run.stdout + run.stderr).toMatch(/outside/);
    expect(readdirSync(outside)).toEqual([]);
    rmSync(project.at("output"));
    expect((await project.run("run", "--wait")).code).toBe(0);
    expect(project.read("output/1.txt")).toBe("one");
  });

  test("a result replaces a hard link to a file outside, and leaves that file as it was", async () => {
    const project = newProject(single("$.input.content"));
    const outside = withSecret(project);
    project.drop("input/1.txt", "one");
    mkdirSync(project.at("output"));
    linkSync(outside, project.at("output/1.txt"));
    linkSync(outside, project.at("input/2.txt"));
    expect((await project.run("run")).code).toBe(0);
    expect(readFileSync(outside, "utf8")).toBe("the secret");
    expect(project.read("output/1.txt")).toBe("one");
    // A hard link is the file itself: whoever may make one here could have copied it.
    expect(project.read("output/2.txt")).toBe("the secret");
    expect(lstatSync(outside).nlink).toBeGreaterThan(1);
  });

  test.each(["../secret.txt", "/etc/passwd", "input/../../secret.txt", "output@../secret", "file:///etc/passwd"])(
    "the target %j names nothing outside",
    async (target) => {
      const project = newProject(single("$.input.content"));
      withSecret(project);
      project.drop("input/1.txt", "one");
      await project.run("run");
      for (const command of ["show", "explain", "why-not", "logs"]) {
        const { code, stdout, stderr } = await project.run(command, target);
        expect([0, 2], `${command}: ${stdout}${stderr}`).toContain(code);
        expect(stdout + stderr).not.toMatch(/the secret|root:.*:0:0/);
        expect(stderr).not.toContain("Millrace itself failed");
      }
    },
  );
});

describe("a manifest that was made hostile by hand", () => {
  const record = (more: object): object => ({
    path: "output/1.txt",
    contentHash: "0123456789abcdef",
    codeHash: "0123456789abcdef",
    paramsHash: "",
    inputHashes: { "input/1.txt": "0123456789abcdef" },
    producedAt: "2026-11-20T13:06:55.123Z",
    producedBy: "single#output",
    runId: "r",
    durationMs: 1,
    ...more,
  });
  const manifest = (state: object, more: object = {}): string =>
    JSON.stringify({ version: 1, entityId: "1", states: { "output/{id}.txt": state }, failures: {}, ...more });

  test.each<[string, string]>([
    [
      "keys of the prototype",
      `{"version":1,"entityId":"1","states":{"__proto__":{"path":"x"}},"failures":{},"__proto__":{"a":1}}`,
    ],
    ["a constructor", manifest(record({}), { constructor: { prototype: { polluted: 1 } } })],
    ["states that are a list", `{"version":1,"entityId":"1","states":[],"failures":{}}`],
    ["a path outside", manifest(record({ path: "../secret.txt" }))],
    ["an absolute path", manifest(record({ path: "/etc/passwd" }))],
    ["inputs outside", manifest(record({ inputHashes: { "../secret.txt": "0123456789abcdef", "/etc/passwd": null } }))],
    ["gigantic numbers", manifest(record({ durationMs: 1e308 })).replace("1e+308", "1e400")],
    ["a version beyond numbers", `{"version":1e400,"entityId":"1","states":{},"failures":{}}`],
    ["a negative version", `{"version":-1,"entityId":"1","states":{},"failures":{}}`],
    ["the entity of another", manifest(record({}), { entityId: "2" })],
    [
      "a failure that waits for ever",
      manifest(record({}), {
        failures: {
          "output/{id}.txt": {
            error: "x",
            category: "node",
            attempts: 1e15,
            firstFailedAt: "2026-11-20T13:06:55.123Z",
            lastFailedAt: "9999-11-20T13:06:55.123Z",
            nextRetryAt: "9999-12-31T23:59:59.999Z",
            delayMs: 1e15,
            signature: "0123456789abcdef",
            inputHashes: {},
          },
        },
      }),
    ],
    ["a hundred thousand brackets", "[".repeat(100_000)],
    ["nothing", ""],
    ["null", "null"],
    ["bytes that are no text", "\u0000\ufffd\u0001"],
  ])("with %s costs at most another run", async (_what, text) => {
    const project = newProject(single("$.input.content"));
    const secret = join(project.dir, "secret.txt");
    writeFileSync(secret, "the secret");
    project.drop("input/1.txt", "one");
    expect((await project.run("run")).code).toBe(0);
    writeFileSync(project.at(".millrace/manifests/1.json"), text);
    rmSync(project.at("output/1.txt"));
    project.rewrite("input/1.txt", "changed");
    const run = await project.run("run");
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).not.toContain("itself failed");
    expect(project.read("output/1.txt")).toBe("changed");
    expect(JSON.parse(project.read(".millrace/manifests/1.json"))).toMatchObject({ version: 1, entityId: "1" });
    expect((await project.run("run")).stdout).toContain("nothing to do");
    expect(readFileSync(secret, "utf8")).toBe("the secret");
  });
});

describe("sizes that others did not think of", () => {
  test("a file two hundred folders deep has its result", async () => {
    const project = newProject({
      name: "deep",
      stages: [
        source("input", "input/{path...}.txt"),
        stage("output", "input", "output/{path...}.txt", "$.input.content"),
      ],
    });
    const deep = `${Array.from({ length: 200 }, () => "d").join("/")}/file`;
    project.drop(`input/${deep}.txt`, "deep");
    expect((await project.run("run")).code).toBe(0);
    expect(project.read(`output/${deep}.txt`)).toBe("deep");
    expect((await project.run("run")).stdout).toContain("nothing to do");
  });

  test(`one folder with ${FULL ? 100_000 : 5_000} files is worked through, each once`, LONG, async () => {
    const count = FULL ? 100_000 : 5_000;
    const project = newProject(single("$.input.content"));
    for (let i = 0; i < count; i++) writeFileSync(project.at(`input/${i}.txt`), String(i));
    expect((await project.run("run", "--settle-timeout", "10m")).code).toBe(0);
    expect(readdirSync(project.at("output"))).toHaveLength(count);
    expect(project.read(`output/${count - 1}.txt`)).toBe(String(count - 1));
    expect((await project.run("run")).stdout).toContain("nothing to do");
  });

  test("a path that is longer than the system allows is refused and holds nothing up", async () => {
    const project = newProject({
      name: "deep",
      stages: [
        source("input", "input/{path...}.txt"),
        stage("output", "input", `output/${"long-".repeat(40)}/{path...}.txt`, "$.input.content"),
      ],
    });
    const long = Array.from({ length: 16 }, () => "x".repeat(240)).join("/");
    const folder = project.at(`input/${dirname(long)}`);
    // The shell goes there step by step: the whole path is too long for one call.
    execFileSync(
      "sh",
      [
        "-c",
        `for part in $(echo "$1" | tr / ' '); do mkdir -p "$part" && cd "$part"; done; echo x > end.txt`,
        "sh",
        folder.slice(1),
      ],
      { cwd: "/" },
    );
    project.drop("input/good.txt", "good");
    const run = await project.run("run");
    expect(project.read(`output/${"long-".repeat(40)}/good.txt`)).toBe("good");
    expect([0, 1]).toContain(run.code);
    if (run.code === 1) expect(run.stdout + run.stderr).toMatch(/ENAMETOOLONG|too long/);
    expect(run.stderr).not.toContain("itself failed");
    expect(existsSync(project.at(".millrace/tmp")) && readdirSync(project.at(".millrace/tmp"))).toEqual([]);
  });
});
