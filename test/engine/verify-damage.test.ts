import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { SqliteIndexStore } from "../../src/adapters/store/index-db.ts";
import { NodeDisk } from "../../src/adapters/system/disk.ts";
import { hashBytes } from "../../src/core/hash/hash.ts";
import { formatManifest } from "../../src/core/model/manifest-json.ts";
import type { Manifest, StateRecord } from "../../src/core/model/manifest.ts";
import { StateTable } from "../../src/core/plan/state-table.ts";
import { runOnce, verifyProject } from "../../src/engine/compose.ts";
import type { VerifyReport } from "../../src/engine/control.ts";
import { echo, newProject, type Project, source } from "../support/rig.ts";

const IDS = ["001", "002", "003"];

async function run(project: Project): Promise<Readonly<Record<string, number | undefined>>> {
  const report = await runOnce({
    projectFolder: project.dir,
    settleTimeoutMs: 10_000,
    wait: false,
    onProgress: () => {},
    signal: new AbortController().signal,
  });
  if (!report.ok) throw new Error(report.problems.map(({ message }) => message).join());
  return report.value.results;
}

async function verify(project: Project, repair = false, targets: readonly string[] = []): Promise<VerifyReport> {
  const report = await verifyProject({ projectFolder: project.dir, targets, repair });
  if (!report.ok) throw new Error(report.problems.map(({ message }) => message).join());
  return report.value;
}

/** What is off, as `rule path`, sorted. */
function off(report: VerifyReport): string[] {
  const left = report.roots.flatMap(({ findings }) => findings.filter(({ repaired }) => !repaired));
  return left.map(({ rule, path }) => `${rule} ${path}`).toSorted();
}

/** `echo` with a source that is taken as soon as it is there. */
const DEFINITION = {
  name: "echo",
  stages: [source("input", "input/{id}.txt", { settle: "1ms" }), ...echo().stages.slice(1)],
};

async function made(): Promise<Project> {
  const project = newProject(DEFINITION);
  for (const id of IDS) project.drop(`input/${id}.txt`, `text of ${id}`);
  await run(project);
  return project;
}

// ---------------------------------------------------------------- ways to do damage

const MANIFEST = ".millrace/manifests/001.json";

function write(project: Project, path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(project.at(path)), { recursive: true });
  writeFileSync(project.at(path), content);
}

/** Edits the manifest of 001 in its place: its folder shows no change. */
function edit(project: Project, change: (manifest: Manifest) => Partial<Manifest>): void {
  const manifest = JSON.parse(project.read(MANIFEST)) as Manifest;
  write(project, MANIFEST, formatManifest({ ...manifest, failures: manifest.failures ?? {}, ...change(manifest) }));
}

const OUTPUT = "output/{id}.json";
const MIDDLE = "transformed/{id}.txt";
const SOURCE = "input/{id}.txt";

function editState(project: Project, pattern: string, change: Partial<StateRecord>): void {
  edit(project, ({ states }) => ({ states: { ...states, [pattern]: { ...states[pattern]!, ...change } } }));
}

/** Changes rows of the saved index. */
function lie(project: Project, change: (table: StateTable) => void): void {
  const store = new SqliteIndexStore(project.at(""), { disk: new NodeDisk(), readOnly: false, onProblem: () => {} });
  const stored = store.load()!;
  const table = new StateTable();
  expect(table.unpack(stored.blobs)).toBe(true);
  change(table);
  store.save(stored.meta, table.pack(true));
  store.close();
}

/** Makes the index believe that a file is as it was, though it is what it is now. */
function hide(project: Project, table: StateTable, path: string, hash: string): void {
  const { size, mtimeMs, ctimeMs, ino } = statSync(project.at(path));
  table.setPresent(table.find(path)!, { size, mtimeMs, ctimeMs, ino }, hash, false);
}

/** The same size and time of change as before, other bytes. */
function flipByte(project: Project, path: string): void {
  const { atime, mtime } = statSync(project.at(path));
  const bytes = readFileSync(project.at(path));
  bytes[0]! ^= 1;
  writeFileSync(project.at(path), bytes);
  utimesSync(project.at(path), atime, mtime);
}

interface Damage {
  readonly what: string;
  readonly inflict: (project: Project) => void | Promise<void>;
  /** What `verify` finds, as `rule path`. */
  readonly finds: readonly string[];
  /** What is left for a person after `--repair` and a run. */
  readonly left?: readonly string[];
}

/** The index would never ask again: a manifest that is edited in its place shows in no folder. */
const BELIEVED = ["believed-fresh output/001.json", "believed-fresh transformed/001.txt"];
const UNRECORDED = ["unexplained-file output/001.json", "unexplained-file transformed/001.txt"];

const DAMAGES: readonly Damage[] = [
  {
    what: "an output cut short",
    inflict: (p) => truncateSync(p.at("output/001.json"), 3),
    finds: ["output-differs output/001.json"],
  },
  {
    what: "an output with a flipped byte and its old time",
    inflict: (p) => flipByte(p, "output/002.json"),
    finds: ["output-differs output/002.json"],
  },
  {
    what: "an output that is gone",
    inflict: (p) => p.remove("output/001.json"),
    finds: ["output-gone output/001.json"],
  },
  {
    what: "an intermediate that is gone",
    inflict: (p) => p.remove("transformed/001.txt"),
    finds: ["output-gone transformed/001.txt"],
  },
  {
    what: "a whole output folder that is gone",
    inflict: (p) => p.remove("output"),
    finds: IDS.map((id) => `output-gone output/${id}.json`),
  },
  {
    what: "outputs of two entities swapped",
    inflict: (p) => {
      renameSync(p.at("output/001.json"), p.at("output/aside"));
      renameSync(p.at("output/002.json"), p.at("output/001.json"));
      renameSync(p.at("output/aside"), p.at("output/002.json"));
    },
    finds: ["output-differs output/001.json", "output-differs output/002.json"],
  },
  {
    what: "a staged result left behind",
    inflict: (p) => write(p, ".millrace/tmp/0batch/0", "half"),
    finds: ["temp-left .millrace/tmp/0batch"],
  },
  {
    what: "a copy beside its target left behind",
    inflict: (p) => write(p, "output/.001.json.0123456789ab.millrace-tmp", "half"),
    finds: ["temp-left output/.001.json.0123456789ab.millrace-tmp"],
  },
  {
    what: "an output that nothing leads to",
    inflict: (p) => write(p, "output/009.json", "{}"),
    finds: ["unexplained-file output/009.json"],
    left: ["unexplained-file output/009.json"],
  },
  {
    what: "an output whose name is not UTF-8",
    inflict: (p) =>
      writeFileSync(Buffer.concat([Buffer.from(p.at("output/")), Buffer.from([0xff]), Buffer.from(".json")]), "x"),
    finds: ["unexplained-file output/\\xFF.json"],
    left: ["unexplained-file output/\\xFF.json"],
  },
  { what: "a manifest that is gone", inflict: (p) => p.remove(MANIFEST), finds: UNRECORDED },
  {
    what: "all manifests gone",
    inflict: (p) => p.remove(".millrace/manifests"),
    finds: IDS.flatMap((id) => UNRECORDED.map((line) => line.replace("001", id))).toSorted(),
  },
  {
    what: "a manifest cut short",
    inflict: (p) => truncateSync(p.at(MANIFEST), 40),
    finds: [...BELIEVED, `manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "an empty manifest",
    inflict: (p) => truncateSync(p.at(MANIFEST), 0),
    finds: [...BELIEVED, `manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "a manifest that is not UTF-8",
    inflict: (p) => write(p, MANIFEST, Buffer.from([0x7b, 0xff, 0x7d])),
    finds: [...BELIEVED, `manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "a folder in a manifest's place",
    inflict: (p) => {
      p.remove(MANIFEST);
      write(p, `${MANIFEST}/inside`, "x");
    },
    finds: [`manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "a manifest with prototype keys",
    inflict: (p) =>
      write(p, MANIFEST, p.read(MANIFEST).replace('"states"', '"__proto__": {"isAdmin": true}, "states"')),
    finds: [...BELIEVED, `manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "a manifest with prototype keys among its inputs",
    inflict: (p) =>
      write(p, MANIFEST, p.read(MANIFEST).replaceAll('"inputHashes": {', '"inputHashes": {"__proto__": {"x": 1},')),
    finds: [...BELIEVED, `manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "a manifest with gigantic numbers",
    inflict: (p) => write(p, MANIFEST, p.read(MANIFEST).replaceAll(/"durationMs": [\d.]+/g, '"durationMs": 1e999')),
    finds: [...BELIEVED, `manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "a manifest with wrong types",
    inflict: (p) => write(p, MANIFEST, '{"version": 1, "entityId": "001", "states": [], "failures": 7}\n'),
    finds: [...BELIEVED, `manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "a manifest whose path leads out of the root",
    inflict: (p) => write(p, MANIFEST, p.read(MANIFEST).replace('"output/001.json"', '"../../etc/passwd"')),
    finds: [...BELIEVED, `manifest-damaged ${MANIFEST}`, ...UNRECORDED],
  },
  {
    what: "a manifest of a later release",
    inflict: (p) => write(p, MANIFEST, '{"version": 99, "entityId": "001"}\n'),
    finds: [`manifest-newer ${MANIFEST}`],
    left: [`manifest-newer ${MANIFEST}`],
  },
  {
    what: "a manifest under another name",
    inflict: (p) => renameSync(p.at(MANIFEST), p.at(".millrace/manifests/other.json")),
    finds: ["manifest-misnamed .millrace/manifests/other.json", ...UNRECORDED],
  },
  {
    what: "a copy of a manifest under another name",
    inflict: (p) => cpSync(p.at(MANIFEST), p.at(".millrace/manifests/other.json")),
    finds: ["manifest-misnamed .millrace/manifests/other.json"],
  },
  {
    what: "a file among the manifests that is none",
    inflict: (p) => write(p, ".millrace/manifests/notes.txt", "mine"),
    finds: ["manifest-damaged .millrace/manifests/notes.txt"],
  },
  {
    what: "a manifest written in another form",
    inflict: (p) => write(p, MANIFEST, JSON.stringify(JSON.parse(p.read(MANIFEST)))),
    finds: [`manifest-not-canonical ${MANIFEST}`],
  },
  {
    what: "a record removed from its manifest",
    inflict: (p) => edit(p, ({ states: { [OUTPUT]: _gone, ...states } }) => ({ states })),
    finds: ["believed-fresh output/001.json", "unexplained-file output/001.json"],
  },
  {
    what: "a record of another path",
    inflict: (p) => editState(p, OUTPUT, { path: "output/002.json" }),
    finds: [`record-misfit ${MANIFEST}`, "unexplained-file output/001.json"],
  },
  {
    what: "a record with another hash",
    inflict: (p) => editState(p, OUTPUT, { contentHash: "0123456789abcdef" }),
    finds: ["believed-fresh output/001.json", "output-differs output/001.json"],
  },
  {
    what: "a record of an input that was never read",
    inflict: (p) => editState(p, MIDDLE, { inputHashes: { "input/001.txt": "0123456789abcdef" } }),
    finds: ["believed-fresh transformed/001.txt"],
  },
  {
    what: "a source's record with another hash",
    inflict: (p) => editState(p, SOURCE, { contentHash: "0123456789abcdef" }),
    finds: ["source-record input/001.txt"],
  },
  {
    what: "a record whose files are gone, its source too",
    inflict: (p) => {
      for (const path of ["input/001.txt", "transformed/001.txt", "output/001.json"]) p.remove(path);
    },
    finds: ["leftover-record output/001.json", "leftover-record transformed/001.txt"],
  },
  {
    what: "an index row that lies about an output",
    inflict: (p) => lie(p, (table) => hide(p, table, "output/001.json", "0123456789abcdef")),
    finds: ["index-row output/001.json"],
  },
  {
    what: "a source that changed while the index says that it did not",
    inflict: (p) => {
      const before = hashBytes(p.read("input/001.txt"));
      p.rewrite("input/001.txt", "other text");
      lie(p, (table) => hide(p, table, "input/001.txt", before));
    },
    finds: ["believed-fresh transformed/001.txt", "index-row input/001.txt"],
  },
  {
    what: "an output that changed while the index says that it did not",
    inflict: (p) => {
      const before = hashBytes(p.read("output/001.json"));
      p.rewrite("output/001.json", "mine");
      lie(p, (table) => hide(p, table, "output/001.json", before));
    },
    finds: ["believed-fresh output/001.json", "index-row output/001.json", "output-differs output/001.json"],
  },
  {
    what: "an index of garbage",
    inflict: (p) => write(p, ".millrace/index.db", "garbage ".repeat(1000)),
    finds: ["index-damaged .millrace/index.db"],
  },
  {
    what: "an index with a flipped byte in its rows",
    inflict: (p) => {
      // Nothing of it may be waiting in the log.
      const bytes = readFileSync(p.at(".millrace/index.db"));
      const at = bytes.indexOf("transformed/001.txt");
      expect(at).toBeGreaterThan(0);
      bytes[at]! ^= 1;
      writeFileSync(p.at(".millrace/index.db"), bytes);
    },
    finds: ["index-damaged .millrace/index.db"],
  },
  {
    what: "a ledger of garbage",
    inflict: (p) => write(p, ".millrace/ledger.db", "garbage ".repeat(1000)),
    finds: ["ledger-damaged .millrace/ledger.db"],
  },
  {
    what: "a ledger with a page of zeros",
    inflict: (p) => {
      const bytes = readFileSync(p.at(".millrace/ledger.db"));
      bytes.fill(0, bytes.length - 4096);
      writeFileSync(p.at(".millrace/ledger.db"), bytes);
    },
    finds: ["ledger-damaged .millrace/ledger.db"],
  },
  {
    what: "controls of garbage",
    inflict: (p) => write(p, ".millrace/controls.json", "{"),
    finds: ["controls-damaged .millrace/controls.json"],
  },
  {
    what: "a session of garbage",
    inflict: (p) => write(p, ".millrace/session.json", "[]"),
    finds: ["session-damaged .millrace/session.json"],
  },
  {
    what: "a note of the trash that is damaged",
    inflict: async (p) => {
      p.rewrite("output/001.json", "edited by hand");
      await run(p);
      const [entry] = readdirSync(p.at(".millrace/trash"));
      write(p, `.millrace/trash/${entry}/note.json`, "{");
    },
    finds: ["trash-damaged .millrace/trash/ENTRY/"],
  },
  {
    what: "a lock of garbage",
    inflict: (p) => write(p, ".millrace/owner", "garbage ".repeat(1000)),
    finds: ["owner-damaged .millrace/owner"],
    left: ["refused M111"],
  },
];

test("there are more than 20 kinds of damage, each another one", () => {
  expect(new Set(DAMAGES.map(({ what }) => what)).size).toBe(DAMAGES.length);
  expect(DAMAGES.length).toBeGreaterThan(20);
});

test.each(DAMAGES)("$what is found, and mended as far as it can be", async ({ inflict, finds, left = [] }) => {
  const project = await made();
  const sources = project.files("input");
  await inflict(project);
  const changed = project.files("input");
  const named = off(await verify(project)).map((line) => line.replace(/trash\/[^/]+\//, "trash/ENTRY/"));
  expect(named).toEqual([...finds].toSorted());

  if (left[0]?.startsWith("refused")) {
    const refused = await verifyProject({ projectFolder: project.dir, targets: [], repair: true });
    expect(refused.ok ? [] : refused.problems.map(({ code }) => `refused ${code}`)).toEqual(left);
    return;
  }
  const repaired = await verify(project, true);
  expect(off(repaired)).toEqual(left);
  expect(repaired.ok).toBe(left.length === 0);
  await run(project);
  expect(off(await verify(project))).toEqual(left);
  // No repair ever touches a source.
  expect(project.files("input")).toEqual(changed);
  const gone = Object.keys(sources).filter((path) => !(path in changed));
  for (const [path, text] of Object.entries(changed)) {
    const id = path.slice("input/".length, -".txt".length);
    if (left.length === 0) expect(project.read(`transformed/${id}.txt`)).toBe(text.toUpperCase());
  }
  for (const path of gone) expect(existsSync(project.at(path))).toBe(false);
});

test("what an interrupted commit was about to record is recorded by the repair: nothing runs again", async () => {
  const project = await made();
  const manifest = JSON.parse(project.read(MANIFEST)) as Manifest;
  const records = [OUTPUT, MIDDLE].map((pattern) => ({
    taskKey: `echo#x@001`,
    entityId: "001",
    pattern,
    path: manifest.states[pattern]!.path,
    staged: "0",
    record: manifest.states[pattern]!,
  }));
  write(project, ".millrace/tmp/batch1/intent.json", `${JSON.stringify({ version: 1, batchId: "batch1", records })}\n`);
  rmSync(project.at(MANIFEST));
  expect(off(await verify(project))).toEqual(["temp-left .millrace/tmp/batch1", ...UNRECORDED]);
  expect((await verify(project, true)).ok).toBe(true);
  expect(off(await verify(project))).toEqual([]);
  expect(await run(project)).toEqual({});
});

test("a target narrows what is told; one that names nothing is refused", async () => {
  const project = await made();
  project.remove("output/001.json");
  project.remove("transformed/002.txt");
  expect(off(await verify(project, false, ["output"]))).toEqual(["output-gone output/001.json"]);
  expect(off(await verify(project, false, ["transformed@002"]))).toEqual(["output-gone transformed/002.txt"]);
  expect(off(await verify(project, false, ["output@003"]))).toEqual([]);
  const refused = await verifyProject({ projectFolder: project.dir, targets: ["nothing@001"], repair: false });
  expect(refused.ok ? [] : refused.problems.map(({ code }) => code)).toEqual(["M131"]);
});

test("an index that is older than the files is no finding: the next start corrects it by itself", async () => {
  const project = await made();
  const old = join(project.dir, "old.db");
  cpSync(project.at(".millrace/index.db"), old);
  project.drop("input/001.txt", "newer");
  project.drop("input/004.txt", "new");
  project.remove("input/003.txt");
  await run(project);
  cpSync(old, project.at(".millrace/index.db"));
  expect(off(await verify(project)).filter((line) => !line.startsWith("leftover-product"))).toEqual([]);
});
