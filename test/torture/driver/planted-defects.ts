/** Ways to spoil a root that nothing is wrong with, each with the rule that must notice. */
import type { Effect, Plan } from "../checker/plan.ts";
import { fileNameOf } from "../checker/records.ts";
import type { Entry, Extras, Rule } from "../checker/view.ts";
import { xxh64 } from "../checker/xxh64.ts";

/** A root, its plan and what is known beside, to be spoiled. */
export class Spoilt {
  readonly entries: Map<string, Entry>;
  plan: Plan;
  extras: Extras = {};

  constructor(entries: ReadonlyMap<string, Entry>, plan: Plan) {
    this.entries = new Map(entries);
    this.plan = plan;
  }

  text(path: string): string {
    const entry = this.entries.get(path);
    if (entry === undefined) throw new Error(`there is no ${path} to spoil`);
    return new TextDecoder().decode(entry.bytes());
  }

  put(path: string, text: string, more: Partial<Entry> = {}): void {
    const bytes = new TextEncoder().encode(text);
    this.entries.set(path, { ...this.entries.get(path), kind: "file", ...more, bytes: () => bytes });
  }

  remove(path: string): void {
    if (!this.entries.delete(path)) throw new Error(`there is no ${path} to remove`);
  }

  /** Changes what the manifest of an entity says, and keeps its form. */
  manifest(entity: string, change: (manifest: LooseManifest) => void): void {
    const path = manifestOf(entity);
    const manifest = JSON.parse(this.text(path)) as LooseManifest;
    change(manifest);
    this.put(path, `${JSON.stringify(sorted(manifest), null, 2)}\n`);
  }
}

interface LooseManifest {
  version: number;
  entityId: string;
  states: Record<
    string,
    { path: string; contentHash: string | null; codeHash: string; inputHashes: Record<string, string | null> }
  >;
  failures?: Record<string, { error: string }>;
}

function manifestOf(entity: string): string {
  return `.millrace/manifests/${fileNameOf(entity)}`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [key, sorted(member)] as const);
  return Object.fromEntries(members.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const MIDDLE = "middle/{id}.txt";
const OUTPUT = "output/{id}.txt";

function run(nonce: string, start: number, end: number | null, more: Partial<Effect> = {}): Effect {
  return { stage: "one#middle", entity: "a", input: "in", nonce, start, end, life: 1, ...more };
}

function told(...effects: Effect[]): (root: Spoilt) => void {
  return (root) => {
    root.plan = { ...root.plan, effects, kills: [{ life: 1, at: 50, cost: ["r1"] }] };
  };
}

/** Listed as it should be, but for what is given. */
function listed(root: Spoilt, status: (path: string) => string | undefined): void {
  const paths = [...root.entries.keys()].filter((path) => /^(?:middle|output|last)\//.test(path));
  root.extras = {
    listed: paths.flatMap((path) => {
      const is = status(path);
      return is === undefined
        ? []
        : [{ pipeline: path.startsWith("last") ? "two" : "one", task: path, path, status: is }];
    }),
  };
}

/**
 * The root has the entities `a`, `b`, `c` (done), `p` (failing), `s` (its second stage made nothing) and `g` (its source is gone).
 * Each defect says in words what was done to it.
 */
export const DEFECTS: readonly (readonly [string, Rule, (root: Spoilt) => void])[] = [
  ["a source was changed", "I1", (root) => root.put("input/a.txt", "other")],
  ["a source is gone", "I1", (root) => root.remove("input/a.txt")],
  [
    "a source has other permissions",
    "I1",
    (root) => root.put("input/a.txt", root.text("input/a.txt"), { mode: 0o600 }),
  ],
  ["a source was touched", "I1", (root) => root.put("input/a.txt", root.text("input/a.txt"), { mtimeNs: "2" })],
  ["an output is gone", "I2", (root) => root.remove("output/a.txt")],
  ["an intermediate result is gone", "I2", (root) => root.remove("middle/a.txt")],
  ["a result of another pipeline is gone", "I2", (root) => root.remove("last/a.json")],
  [
    "a task fails for no reason that the plan knows",
    "I2",
    (root) => root.manifest("a", (m) => (m.failures = { [MIDDLE]: failure() })),
  ],
  ["a failing task has no reason", "I2", (root) => root.manifest("p", (m) => delete m.failures)],
  [
    "an edited result was overwritten and is not in the trash",
    "I2",
    (root) => (root.plan = { ...root.plan, keepsakes: [{ path: "output/a.txt", content: "mine", mayStay: false }] }),
  ],
  ["an output is empty", "I3", (root) => root.put("output/a.txt", "")],
  ["an output is cut", "I3", (root) => root.put("output/a.txt", root.text("output/a.txt").slice(0, -1))],
  [
    "a byte of an output is flipped",
    "I3",
    (root) => root.put("output/a.txt", root.text("output/a.txt").replace("A", "B")),
  ],
  [
    "an output and its record are consistent and stale",
    "I3",
    (root) => {
      root.put("output/a.txt", "stale");
      root.manifest("a", (m) => (m.states[OUTPUT]!.contentHash = xxh64("stale")));
    },
  ],
  [
    "two entities have each other's output",
    "I3",
    (root) => {
      const [a, b] = [root.text("output/a.txt"), root.text("output/b.txt")];
      root.put("output/a.txt", b);
      root.put("output/b.txt", a);
      root.manifest("a", (m) => (m.states[OUTPUT]!.contentHash = xxh64(b)));
      root.manifest("b", (m) => (m.states[OUTPUT]!.contentHash = xxh64(a)));
    },
  ],
  ["a stage that made nothing left its older result", "I3", (root) => root.put("output/s.txt", "older")],
  [
    "a record has another content hash",
    "I4",
    (root) => root.manifest("a", (m) => (m.states[OUTPUT]!.contentHash = xxh64("x"))),
  ],
  [
    "a record has another input hash",
    "I4",
    (root) => root.manifest("a", (m) => (m.states[OUTPUT]!.inputHashes = { "middle/a.txt": xxh64("x") })),
  ],
  ["a record lacks its input", "I4", (root) => root.manifest("a", (m) => (m.states[OUTPUT]!.inputHashes = {}))],
  [
    "a record is of older code",
    "I4",
    (root) => root.manifest("a", (m) => (m.states[OUTPUT]!.codeHash = xxh64("older"))),
  ],
  [
    "an output is of the upstream's earlier bytes, with a record that says so",
    "I4",
    (root) => {
      root.put("last/a.json", "last(earlier)");
      root.manifest("a", (m) => {
        m.states["last/{name}.json"]!.contentHash = xxh64("last(earlier)");
        m.states["last/{name}.json"]!.inputHashes = { "output/a.txt": xxh64("earlier") };
      });
    },
  ],
  ["a failing task's last good result is not what its record says", "I4", (root) => root.put("middle/p.txt", "spoilt")],
  ["a manifest is gone", "I5", (root) => root.remove(manifestOf("a"))],
  ["a record is gone", "I5", (root) => root.manifest("a", (m) => delete m.states[OUTPUT])],
  [
    "the record of a result that made nothing is gone",
    "I5",
    (root) => root.manifest("s", (m) => delete m.states[OUTPUT]),
  ],
  ["an output that nobody made", "I5", (root) => root.put("output/zzz.txt", "whose?")],
  ["a file where none belongs", "I5", (root) => root.put("elsewhere/zzz", "whose?")],
  ["a failing task's last good result is gone and its record is not", "I5", (root) => root.remove("middle/p.txt")],
  ["a copy beside a target was left", "I6", (root) => root.put("output/.a.txt.0123.millrace-tmp", "half")],
  ["an editor's lock was left", "I6", (root) => root.put("output/a.txt.lock", "")],
  ["a batch was left in tmp", "I6", (root) => root.put(".millrace/tmp/b1/intent.json", "{}")],
  ["a file in the manifests folder is no manifest", "I6", (root) => root.put(".millrace/manifests/a.json.tmp", "{}")],
  ["a file in .millrace that has no business there", "I6", (root) => root.put(".millrace/write-1", "{}")],
  ["a manifest is cut", "I7", (root) => root.put(manifestOf("a"), root.text(manifestOf("a")).slice(0, 100))],
  ["a manifest is empty", "I7", (root) => root.put(manifestOf("a"), "")],
  [
    "a manifest is not canonical",
    "I7",
    (root) => root.put(manifestOf("a"), root.text(manifestOf("a")).replace("  ", "   ")),
  ],
  ["a manifest has another version", "I7", (root) => root.manifest("a", (m) => (m.version = 2))],
  ["a manifest is another entity's", "I7", (root) => root.put(manifestOf("a"), root.text(manifestOf("b")))],
  [
    "a manifest has a hash that is none",
    "I7",
    (root) => root.manifest("a", (m) => (m.states[OUTPUT]!.contentHash = "x")),
  ],
  [
    "a record's path is another entity's",
    "I7",
    (root) => root.manifest("a", (m) => (m.states[OUTPUT]!.path = "output/b.txt")),
  ],
  ["a task ran twice", "I8", told(run("r2", 60, 70, { life: 2 }), run("r3", 80, 90, { life: 2 }))],
  ["a task ran again though the kill had not cost it", "I8", told(run("r0", 10, 20), run("r2", 60, 70, { life: 2 }))],
  ["two runs of a task at once", "I8", told(run("r1", 10, null), run("r2", 40, 70, { life: 2 }))],
  [
    "two runs with one nonce",
    "I8",
    told(run("r2", 60, 70, { life: 2 }), run("r2", 80, 90, { life: 2, input: "other" })),
  ],
  ["a run began and neither ended nor was killed", "I8", told(run("r2", 60, null, { life: 2 }))],
  [
    "what fails is tried more often than it may be",
    "I8",
    (root) => {
      const failed = [60, 70, 80].map((at) => run(`r${at}`, at, at + 5, { life: 2, failed: true }));
      told(...failed)(root);
      root.plan = { ...root.plan, stages: root.plan.stages.map((stage) => ({ ...stage, maxAttempts: 2 })) };
    },
  ],
  [
    "a task is not listed",
    "I9",
    (root) =>
      listed(root, (path) => (path === "output/a.txt" ? undefined : path.includes("p.") ? "retrying" : "fresh")),
  ],
  ["a failing task is said to be fresh", "I9", (root) => listed(root, () => "fresh")],
  ["a source is not counted", "I9", (root) => (root.extras = { sourceCounts: { "one#input": 4, "two#from": 3 } })],
  [
    "an attempt is missing in the history",
    "I9",
    (root) => {
      told(run("r2", 60, 70, { life: 2 }))(root);
      root.extras = { attempts: {} };
    },
  ],
  [
    "an acknowledged result is another now",
    "I10",
    (root) => (root.plan = { ...root.plan, acks: [{ path: "output/b.txt", content: "told", at: 1 }] }),
  ],
  ["a source that was deleted on purpose is back", "I11", (root) => root.put("input/g.txt", "g")],
  [
    "the product of a source that is gone is there",
    "I11",
    (root) => {
      root.put("middle/g.txt", "G");
      root.put(manifestOf("g"), root.text(manifestOf("a")).replaceAll(/\ba(?=\.txt|"|\.json)/g, "g"));
      root.manifest("g", (m) => {
        m.states = { [MIDDLE]: { ...m.states[MIDDLE]!, contentHash: xxh64("G") } };
      });
    },
  ],
  ["a second start ran a task", "I11", (root) => (root.extras = { second: { ran: ["one#output@a"], wrote: [] } })],
  ["a second start wrote a file", "I11", (root) => (root.extras = { second: { ran: [], wrote: ["output/a.txt"] } })],
  [
    "a run began before its input was made",
    "I13",
    told(run("r2", 60, 70, { output: "made" }), run("r3", 65, 80, { stage: "one#output", input: "made" })),
  ],
  ["a process outlived its daemon", "I14", (root) => (root.extras = { leaks: ["4711 sleep"] })],
  [
    "a secret stands in the history",
    "I15",
    (root) => canary(root, () => root.put(".millrace/ledger.db", "..s3cr3t..")),
  ],
  [
    "a secret stands in a log",
    "I15",
    (root) => canary(root, () => (root.extras = { written: { log: "token s3cr3t" } })),
  ],
  [
    "verify does not see a flipped byte",
    "I16",
    (root) => {
      root.put("output/a.txt", "flipped");
      root.extras = { verify: [] };
    },
  ],
  [
    "verify sees what is not there",
    "I16",
    (root) => (root.extras = { verify: [{ code: "M600", path: "output/a.txt", entity: "a" }] }),
  ],
];

function canary(root: Spoilt, plant: () => void): void {
  root.plan = { ...root.plan, canaries: ["s3cr3t"] };
  plant();
}

function failure(): { error: string } {
  const at = "2026-01-01T00:00:00.000Z";
  const times = { firstFailedAt: at, lastFailedAt: at, nextRetryAt: null, delayMs: 0 };
  return { error: "it broke", category: "node", attempts: 1, signature: "", inputHashes: {}, ...times } as {
    error: string;
  };
}
