import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { newProject, type Project, single, source, stage, until } from "../support/rig.ts";

/** How a program saves a text over a file that is there. */
const SAVES: Readonly<Record<string, (path: string, text: string, gapMs: number) => Promise<void>>> = {
  "truncate, wait, write": async (path, text, gapMs) => {
    writeFileSync(path, "");
    await delay(gapMs);
    writeFileSync(path, text);
  },
  "half, wait, the rest": async (path, text, gapMs) => {
    writeFileSync(path, text.slice(0, 3));
    await delay(gapMs);
    appendFileSync(path, text.slice(3));
  },
  "write beside, rename over": async (path, text, gapMs) => {
    writeFileSync(`${path}.tmp`, text);
    await delay(gapMs);
    renameSync(`${path}.tmp`, path);
  },
  "move the old aside, write, remove the old": async (path, text, gapMs) => {
    renameSync(path, `${path}~`);
    writeFileSync(path, text);
    await delay(gapMs);
    rmSync(`${path}~`);
  },
  "delete, wait, create": async (path, text, gapMs) => {
    rmSync(path);
    await delay(gapMs);
    writeFileSync(path, text);
  },
  "same size, times put back": async (path, text, gapMs) => {
    await delay(gapMs);
    const { atime, mtime } = statSync(path);
    writeFileSync(path, text);
    utimesSync(path, atime, mtime);
  },
};
/** Times that files are given, in seconds since 1970. */
const TIMES = [0, -315_619_200, 4_102_444_800];

const textOf = (id: string, version: number): string => `${id} in version ${version}`;

/** The manifest's input hash is the hash that the input's own record has. */
function chained(project: Project, id: string): boolean {
  const { states } = JSON.parse(project.read(`.millrace/manifests/${id}.json`)) as {
    states: Record<string, { contentHash: string; inputHashes: Record<string, string> }>;
  };
  return states["output/{id}.txt"]!.inputHashes[`input/${id}.txt`] === states["input/{id}.txt"]!.contentHash;
}

test(
  "however a file is saved, the output comes from the last bytes, and the record says so",
  { timeout: 60_000 },
  async () => {
    const upper = single("$.input.content.toUpperCase()");
    const project = newProject({
      ...upper,
      stages: [source("input", "input/{id}.txt", { settle: "30ms" }), upper.stages[1]!],
    });
    const seed = Date.now() & 0x7fffffff;
    const gaps = fc.sample(fc.integer({ min: 0, max: 200 }), { seed, numRuns: 10 });
    const files = Object.keys(SAVES).flatMap((how, style) =>
      gaps.map((gapMs, i) => ({ how, gapMs, id: `${style}-${i}` })),
    );
    for (const { id } of files) project.drop(`input/${id}.txt`, textOf(id, 0));
    await project.daemon();
    await until(() => files.every(({ id }) => project.holds(`output/${id}.txt`, textOf(id, 0).toUpperCase())));
    await Promise.all(
      files.map(({ how, gapMs, id }) => SAVES[how]!(project.at(`input/${id}.txt`), textOf(id, 1), gapMs)),
    );
    for (const [i, seconds] of TIMES.entries()) {
      project.drop(`input/time-${i}.txt`, textOf(`time-${i}`, 1));
      utimesSync(project.at(`input/time-${i}.txt`), seconds, seconds);
    }
    const all = [...files.map(({ id }) => id), ...TIMES.map((_, i) => `time-${i}`)];
    const isDone = (id: string): boolean => project.holds(`output/${id}.txt`, textOf(id, 1).toUpperCase());
    await until(() => all.every(isDone), `seed ${seed}`);
    expect((await project.run("run")).code).toBe(0);
    expect(
      all.filter((id) => !isDone(id)),
      `seed ${seed}`,
    ).toEqual([]);
    expect(
      all.filter((id) => !chained(project, id)),
      `seed ${seed}`,
    ).toEqual([]);
  },
);

/** Ways to bring a folder of files in, each of which shows some of them half at some time or other. */
const COPIES: Readonly<Record<string, (from: string, to: string) => Promise<void>>> = {
  cp: async (from, to) => void execFileSync("cp", ["-r", `${from}/.`, to]),
  "cp -p": async (from, to) => void execFileSync("cp", ["-rp", `${from}/.`, to]),
  rsync: async (from, to) => void execFileSync("rsync", ["-a", `${from}/`, to]),
  "rsync --inplace": async (from, to) =>
    void execFileSync("rsync", ["-a", "--inplace", "--bwlimit=2000", `${from}/`, to]),
  "mv from another file system": async (from, to) => void execFileSync("sh", ["-c", 'mv "$1"/* "$2"/', "sh", from, to]),
  unzip: async (from, to) => {
    execFileSync("zip", ["-q", "-r", `${from}.zip`, "."], { cwd: from });
    execFileSync("unzip", ["-q", "-o", `${from}.zip`, "-d", to]);
  },
};
const MANY = 20;

/** A text of `bytes` bytes that ends with its own length, so that a part of it is told. */
function long(bytes: number): string {
  const end = `\nend of ${bytes}`;
  return "x".repeat(bytes - end.length) + end;
}

test(
  "files that copying tools bring in are read whole, and each is done once more at most",
  { timeout: 60_000 },
  async () => {
    const project = newProject({
      name: "copies",
      stages: [
        source("input", "input/{way}/{id}.txt", { settle: "200ms" }),
        stage("output", "input", "output/{way}/{id}.txt", "$.input.content.slice(-20)"),
      ],
    });
    await project.daemon();
    const names = Object.keys(COPIES);
    for (const [way, name] of names.entries()) {
      const from = `/dev/shm/millrace-copies-${process.pid}-${way}`;
      mkdirSync(from, { recursive: true });
      for (let i = 0; i < MANY; i++) writeFileSync(join(from, `${i}.txt`), long(20_000 + i));
      mkdirSync(project.at(`input/${way}`), { recursive: true });
      await COPIES[name]!(from, project.at(`input/${way}`));
      rmSync(from, { recursive: true, force: true });
      rmSync(`${from}.zip`, { force: true });
    }
    const expected = Object.fromEntries(
      names.flatMap((_, way) =>
        Array.from({ length: MANY }, (_u, i) => [`output/${way}/${i}.txt`, long(20_000 + i).slice(-20)]),
      ),
    );
    await until(() => Object.keys(project.files("output")).length === names.length * MANY);
    expect((await project.run("run")).code).toBe(0);
    expect(project.files("output")).toEqual(expected);
    const runs = Map.groupBy(await project.attempts(), ({ task }) => task);
    expect(Math.max(...[...runs.values()].map((of) => of.length))).toBeLessThanOrEqual(2);
  },
);

test(
  "a file that is renamed into place or announced by a done-file is never taken early, however slowly it is written",
  { timeout: 60_000 },
  async () => {
    const project = newProject(
      {
        name: "renamed",
        stages: [
          source("input", "renamed/{id}.txt", { settle: "1ms" }),
          stage("output", "input", "from-renamed/{id}.txt"),
        ],
      },
      {
        name: "marked",
        stages: [
          source("input", "marked/{id}.txt", { settle: "1ms", marker: "marked/{id}.done" }),
          stage("output", "input", "from-marked/{id}.txt"),
        ],
      },
    );
    for (const folder of ["renamed", "marked"]) mkdirSync(project.at(folder));
    await project.daemon();
    const ids = Array.from({ length: 25 }, (_, i) => `${i}`);
    for (let part = 0; part < 4; part++) {
      for (const id of ids) {
        appendFileSync(project.at(`renamed/.${id}.txt.part`), `part ${part}\n`);
        appendFileSync(project.at(`marked/${id}.txt`), `part ${part}\n`);
      }
      // Far longer than the settle time: by quietness alone each part would be taken for the whole.
      await delay(150);
    }
    expect((await project.attempts()).length).toBe(0);
    for (const id of ids) {
      renameSync(project.at(`renamed/.${id}.txt.part`), project.at(`renamed/${id}.txt`));
      writeFileSync(project.at(`marked/${id}.done`), "");
    }
    await until(() => project.names("from-renamed").length + project.names("from-marked").length === 2 * ids.length);
    expect((await project.run("run")).code).toBe(0);
    const whole = [0, 1, 2, 3].map((part) => `part ${part}\n`).join("");
    expect(new Set(Object.values({ ...project.files("from-renamed"), ...project.files("from-marked") }))).toEqual(
      new Set([whole]),
    );
    expect((await project.attempts()).map(({ result }) => result)).toEqual(Array(2 * ids.length).fill("ran"));
  },
);
