import type { SourceStage } from "../../core/model/pipeline.ts";
import type { RelPath, Status } from "../../core/model/words.ts";
import { matchPattern } from "../../core/pattern/pattern.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { WatchBase } from "../../ports.ts";
import type { SourceState } from "../control.ts";
import { whyNotTaken } from "../facts.ts";
import { breathe, watchBases } from "../watching/reconcile.ts";
import { summaryOf, taskReport } from "../calls/reports.ts";
import { statusAt } from "./check-outputs.ts";
import { hashOnDisk, type Scene } from "./scene.ts";
import { type Entry, walkRoot } from "./walk.ts";

/** How many entries that are not done are named in a report. */
const EXPLAINED = 100;
const SLICE = 2000;
/** What a commit to an output folder on another disk is called until it is renamed: `.<name>.<id>.millrace-tmp`. */
const TEMP_COPY = /(?:^|\/)\.[^/]*\.[0-9a-z]{12}\.millrace-tmp$/;

/** Where every entry below the source patterns' folders stands. */
export interface SourceCensus {
  /** Entries that may be sources, counted by bytes; the states add up to it. */
  entries: number;
  readonly states: Partial<Record<SourceState, number>>;
  readonly explained: { readonly path: RelPath; readonly state: SourceState; readonly reason: string }[];
  /** Files elsewhere that belong to no pattern. */
  notOurs: number;
}

/** Walks the whole root by bytes: temp files, files that nobody recorded, and the state of every source. */
export async function checkFiles(scene: Scene): Promise<SourceCensus> {
  const { disk, root, clock } = scene.root.ports;
  const census: SourceCensus = { entries: 0, states: {}, explained: [], notOurs: 0 };
  const { topology } = scene.root.stages;
  const isFolderState = (path: RelPath): boolean => topology.stages.some((stage) => isState(stage, path));
  const bases = sourceBases(scene);
  let walked = 0;
  for (const entry of walkRoot({ disk, root, ignored: scene.ignored, isFolderState })) {
    if (++walked % SLICE === 0) await breathe(clock);
    if (isTempLeft(entry, scene)) {
      scene.found.add("temp-left", entry.path, null, `"${entry.path}" is what a commit that never ended left behind`);
      continue;
    }
    await checkEntry(entry, isUnder(bases, entry.path), census, scene);
  }
  return census;
}

function isState(stage: Scene["root"]["stages"]["topology"]["stages"][number], path: RelPath): boolean {
  return stage.pattern.isFolder && matchPattern(stage.pattern, path) !== undefined;
}

/** The folders that sources are dropped into. */
function sourceBases({ root }: Scene): WatchBase[] {
  const sources = root.stages.topology.stages.filter((stage) => stage.type === "source");
  const own = sources.map(({ pattern }) => ({
    path: pattern.base,
    depth: pattern.isFolder ? Infinity : pattern.depth,
  }));
  const watched = watchBases(root.stages.topology);
  // A base that is watched deeper for another stage is no deeper for its sources.
  return own.filter((base) => watched.length > 0 && base.depth > 0);
}

function isUnder(bases: readonly WatchBase[], path: RelPath): boolean {
  const depth = path.replace(/\/$/, "").split("/").length;
  return bases.some(({ path: base, depth: levels }) => {
    if (base !== "" && !path.startsWith(`${base}/`)) return false;
    return depth - (base === "" ? 0 : base.split("/").length) <= levels;
  });
}

/** Left by a process that is gone: nobody holds the root, or whoever does came later. */
function isTempLeft({ path, mtimeMs }: Entry, { owner }: Scene): boolean {
  if (!TEMP_COPY.test(path)) return false;
  return owner === undefined || mtimeMs === undefined || mtimeMs < Date.parse(owner.since);
}

async function checkEntry(entry: Entry, isUnderSource: boolean, census: SourceCensus, scene: Scene): Promise<void> {
  const { topology } = scene.root.stages;
  const { producer, sources } = topology.role(topology.roleNumber(entry.path));
  const tell = (state: SourceState, reason: string): void => {
    if (isUnderSource) count(census, state, entry.shown, reason);
  };
  if (entry.rule !== undefined) return tell("ignored", `ignored by the rule ${entry.rule}`);
  if (producer) {
    await checkProduct(entry, scene);
    return tell("product", `made by ${producer.key}`);
  }
  const refusal = REFUSED[entry.kind];
  if (refusal !== undefined) return tell("refused", refusal);
  if (sources.length > 0) {
    const [state, reason] = await sourceState(entry.path, sources, scene);
    if (state === "unexplained")
      scene.found.add("source-unexplained", entry.path, null, `"${entry.path}" is a source and in no state: ${reason}`);
    else if (state !== "gone") count(census, state, entry.path, reason);
    return;
  }
  if (topology.statesAt(entry.path).length > 0) return tell("marker", "the done-file of another file");
  if (isUnderSource) tell("unmatched", "matches no pattern");
  else census.notOurs++;
}

const REFUSED: Readonly<Partial<Record<Entry["kind"], string>>> = {
  other: "is a FIFO, a socket or a device",
  "bad-name": "its name is not valid UTF-8",
  unreadable: "the folder cannot be listed",
  "link-outside": "is a link that leads outside the root or in a circle",
  "link-nowhere": "is a link that leads to nothing",
};

function count(census: SourceCensus, state: SourceState, path: RelPath, reason: string): void {
  census.entries++;
  census.states[state] = (census.states[state] ?? 0) + 1;
  if (!SETTLED.has(state) && census.explained.length < EXPLAINED) census.explained.push({ path, state, reason });
}

/** States that need no words. */
const SETTLED: ReadonlySet<SourceState> = new Set(["done", "product", "marker"]);

// ---------------------------------------------------------------- products

/** A file under an output pattern that no manifest records. */
async function checkProduct(entry: Entry, scene: Scene): Promise<void> {
  const { found, root, records, underway } = scene;
  if (entry.kind === "bad-name" || entry.kind === "link-outside" || entry.kind === "other") {
    found.add("unexplained-file", entry.shown, null, `"${entry.shown}" lies where outputs lie; no manifest records it`);
    return;
  }
  const task = root.stages.topology.producerTask(entry.path);
  const recorded = records.get(entry.path);
  if (task === undefined || recorded?.record.contentHash != null) return;
  const entity = task.entity.id;
  // A manifest of a later release says what it is to that release.
  if (root.book.refusal(entity) !== undefined) return;
  if (recorded !== undefined) {
    found.note(
      "leftover-product",
      entry.path,
      entity,
      `"${entry.path}" is there, though ${task.stage.key} chose to make nothing of its input`,
      'keep it, or delete it; "onOrphan" decides about an older result of Millrace',
    );
    return;
  }
  const hash = await hashOnDisk(scene, entry.path);
  if (hash === null || (underway.has(entry.path) && underway.get(entry.path) === hash)) return;
  const { failures } = root.book.get(entity);
  const pattern = task.stage.pattern.text;
  if (Object.hasOwn(failures, pattern) && failures[pattern]!.category === "foreign") {
    found.note("unexplained-file", entry.path, entity, failures[pattern]!.error, '"millrace accept" takes it');
    return;
  }
  const comesBack = statusAt(entry.path, scene) !== "orphaned";
  found.add(
    "unexplained-file",
    entry.path,
    entity,
    `"${entry.path}" lies where outputs lie; no manifest records it`,
    ...(comesBack ? ['"millrace run" adopts it where it has the right bytes, else moves it to the trash'] : []),
  );
}

// ---------------------------------------------------------------- sources

/** The worst first: one of them is enough. */
const WORST: readonly (readonly [Status, SourceState])[] = [
  ["quarantined", "quarantined"],
  ["failed", "failed"],
  ["retrying", "retrying"],
  ["blocked", "blocked"],
  ["held", "held"],
  ["running", "due"],
  ["queued", "due"],
  ["missing", "due"],
  ["stale", "due"],
  ["settling", "settling"],
  ["waiting", "waiting"],
  ["orphaned", "waiting"],
];

/** The one state of a source that is there, and why. */
async function sourceState(
  path: RelPath,
  sources: readonly SourceStage[],
  scene: Scene,
): Promise<readonly [SourceState | "unexplained" | "gone", string]> {
  const { root } = scene;
  const { table, stages } = root;
  const row = table.find(path);
  if (row === undefined || !(table.isPresent(row) || table.isRefused(row) || table.statusOf(row) === "settling")) {
    // It came after the look, or went after the walk: the disk tells.
    const seen = root.ports.reader.look(path);
    if (seen.is === "absent") return ["gone", ""];
    if (seen.is === "refused") return ["refused", seen.reason];
    return isNewer(seen.stat.ctimeMs, scene) ? ["due", "it came just now"] : ["unexplained", "no look has met it"];
  }
  if (table.statusOf(row) === "settling") return ["settling", "it was changed just now"];
  if (table.isRefused(row)) {
    const seen = root.ports.reader.look(path);
    return ["refused", seen.is === "refused" ? seen.reason : "it could not be read, and now it can"];
  }
  const kept = sources.map((source) => whyNotTaken(source, path, row, root.facts));
  const why = kept.find((reason) => reason !== undefined);
  if (why !== undefined && kept.every((reason) => reason !== undefined))
    return [why.is === "absent" ? "filtered" : "waiting", why.why];
  const tasks = stages.topology.affected(path, stages.topology.role(table.roleOf(row)));
  if (tasks.length === 0) return ["unused", `no stage takes ${sources.map(({ key }) => key).join(", ")} as its input`];
  return worstOf(tasks, scene);
}

function isNewer(ctimeMs: number, { root }: Scene): boolean {
  return root.lastLookAt !== undefined && ctimeMs >= root.lastLookAt - 2000;
}

async function worstOf(tasks: readonly Task[], scene: Scene): Promise<readonly [SourceState | "unexplained", string]> {
  const byStatus = new Map<Status | undefined, Task>();
  for (const task of tasks) {
    const status = statusAt(task.path, scene);
    if (!byStatus.has(status)) byStatus.set(status, task);
  }
  for (const [status, state] of WORST) {
    const task = byStatus.get(status);
    if (task !== undefined) return [state, summaryOf(await taskReport(scene.root, task))];
  }
  const idle = byStatus.get(undefined);
  if (idle !== undefined && byStatus.size === 1) return ["waiting", summaryOf(await taskReport(scene.root, idle))];
  return ["done", ""];
}
