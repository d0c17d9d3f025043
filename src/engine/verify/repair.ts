import { documentText } from "../../core/model/document-json.ts";
import { formatManifest, isPathInRoot } from "../../core/model/manifest-json.ts";
import type { RelPath } from "../../core/model/words.ts";
import type { Task } from "../../core/plan/topology.ts";
import type { VerifyFinding } from "../control.ts";
import { sourceRecord } from "../orphans/source-records.ts";
import { isDiskError } from "../disk-error.ts";
import { withEntry } from "../manifest-book.ts";
import { recover } from "../recover.ts";
import type { Root } from "../root.ts";
import { readManifest } from "./check-manifests.ts";
import type { Rule } from "./findings.ts";

/** Does what is safe about one finding; `false`: it is for a person. */
type Mend = (finding: VerifyFinding, root: Root) => boolean | Promise<boolean>;

/**
 * Does what is safe about findings, in the process that owns the root, and says for each whether that was all. It never
 * touches a source and removes nothing that is not provably ours. What is to be made again is made by the next run, or
 * by the daemon at once.
 */
export async function repairRoot(root: Root, findings: readonly VerifyFinding[]): Promise<boolean[]> {
  const isLive = root.ports.makeQueue !== undefined;
  // What a dead process was about to record comes first: it explains much of the rest.
  if (!isLive) recover(root.ports.intents, root.book, root.ports.reader);
  const mended: boolean[] = [];
  for (const finding of findings) mended.push(isSound(finding) && (await mend(finding, root)));
  root.flushManifests();
  if (findings.length > 0 && !isLive) root.ports.index.discard();
  return mended;
}

/** Paths come from another process: they stay inside the root. */
function isSound({ path, rule }: VerifyFinding): boolean {
  return isPathInRoot(path) && Object.hasOwn(MENDS, rule);
}

async function mend(finding: VerifyFinding, root: Root): Promise<boolean> {
  try {
    return await MENDS[finding.rule as Rule](finding, root);
  } catch (error) {
    // What the disk refuses now is for the next try.
    if (!isDiskError(error)) throw error;
    return false;
  }
}

const nothing: Mend = () => false;

const MENDS: Readonly<Record<Rule, Mend>> = {
  "output-gone": lookAgain,
  "output-differs": lookAgain,
  "manifest-damaged": setManifestAside,
  "manifest-newer": nothing,
  "manifest-misnamed": nameManifest,
  "manifest-not-canonical": writeCanonically,
  "record-misfit": removeMisfits,
  "temp-left": removeTemp,
  "unexplained-file": lookAtStray,
  "believed-fresh": lookAgain,
  "source-record": recordSource,
  "index-damaged": discardIndex,
  "index-row": lookAgain,
  "source-unexplained": lookAgain,
  "chain-broken": invalidate,
  "leftover-product": lookAgain,
  "leftover-record": removeRecord,
  "leftover-source": nothing,
  "leftover-stage": nothing,
  "controls-damaged": writeControls,
  "ledger-damaged": beginLedger,
  "owner-damaged": nothing,
  "session-damaged": setAside,
  "trash-damaged": writeNote,
  "not-repeated": nothing,
};

// ---------------------------------------------------------------- files

/** Forgets what was known of a path and judges all that it concerns by the disk. Without a daemon the index goes instead. */
function lookAgain({ path }: VerifyFinding, root: Root): boolean {
  const row = root.table.find(path);
  if (row !== undefined && root.table.statusOf(row) !== "settling") root.table.setAbsent(row);
  root.journey.hint([path]);
  root.journey.replanAround([path]);
  return true;
}

/** A stray file is adopted or moved to the trash where its task runs; elsewhere it is for a person. */
function lookAtStray(finding: VerifyFinding, root: Root): boolean {
  const task = root.stages.topology.producerTask(finding.path);
  if (task === undefined) return false;
  lookAgain(finding, root);
  return hasInputs(task, root);
}

/** Are the task's inputs there, or will they be made? */
function hasInputs(task: Task, root: Root): boolean {
  return task.inputs.every(({ path }) => {
    const producer = root.stages.topology.producerTask(path);
    return root.ports.reader.look(path).is !== "absent" || (producer !== undefined && hasInputs(producer, root));
  });
}

function removeTemp({ path }: VerifyFinding, root: Root): boolean {
  const { disk, root: folder } = root.ports;
  if (!/^\.millrace\/tmp\/[^/]+$|\.millrace-tmp$/.test(path)) return false;
  disk.removeTree(`${folder}/${path}`);
  return disk.lstat(`${folder}/${path}`) === undefined;
}

function invalidate({ path }: VerifyFinding, root: Root): boolean {
  const task = root.stages.topology.producerTask(path);
  if (task === undefined) return false;
  const now = new Date(root.ports.clock.wallMs()).toISOString();
  root.setControls(
    { ...root.controls, forced: { ...root.controls.forced, [task.key]: now } },
    root.withFollowers(task),
  );
  return true;
}

// ---------------------------------------------------------------- manifests

function setManifestAside({ path }: VerifyFinding, root: Root): boolean {
  if (readManifest(path, root.ports).is !== "damaged") return true;
  root.ports.trash.put(path, "the manifest is damaged");
  judgeEverything(root);
  return true;
}

/** A manifest under another name: what it says goes to its place when nothing is there, and the file to the trash. */
function nameManifest({ path }: VerifyFinding, root: Root): boolean {
  const { manifests, trash, disk, root: folder } = root.ports;
  if (disk.lstat(`${folder}/${path}`) === undefined) return false;
  const read = readManifest(path, root.ports);
  if (read.is === "manifest" && disk.lstat(`${folder}/${manifests.fileOf(read.manifest.entityId)}`) === undefined)
    manifests.write(read.manifest);
  trash.put(path, "no manifest has this name");
  judgeEverything(root);
  return true;
}

function writeCanonically({ path }: VerifyFinding, root: Root): boolean {
  const { manifests, disk, root: folder } = root.ports;
  const read = readManifest(path, root.ports);
  if (read.is !== "manifest" || manifests.fileOf(read.manifest.entityId) !== path) return false;
  root.book.put(read.manifest);
  root.book.flush(read.manifest.entityId);
  const bytes = disk.read(`${folder}/${path}`);
  return bytes !== undefined && Buffer.from(bytes).toString("utf8") === formatManifest(read.manifest);
}

/** Removes the records of an entity that its patterns cannot have led to. */
function removeMisfits({ entity }: VerifyFinding, root: Root): boolean {
  if (entity === null) return false;
  const { topology } = root.stages;
  let manifest = root.book.get(entity);
  if (root.book.refusal(entity)) return false;
  for (const [pattern, record] of Object.entries(manifest.states)) {
    const stage = topology.stages.find((known) => known.pattern.text === pattern);
    const vars = stage && topology.varsOf(stage, record.path);
    if (stage === undefined || (vars !== undefined && topology.idOf(stage, vars) === entity)) continue;
    manifest = withEntry(manifest, "states", pattern, undefined);
  }
  root.book.put(manifest);
  judgeEverything(root);
  return true;
}

function removeRecord({ path, entity }: VerifyFinding, root: Root): boolean {
  if (entity === null || root.ports.reader.look(path).is !== "absent") return false;
  const manifest = root.book.get(entity);
  const found = Object.entries(manifest.states).find(([, record]) => record.path === path);
  if (root.book.refusal(entity) || found === undefined) return false;
  root.book.put(withEntry(manifest, "states", found[0], undefined));
  return true;
}

async function recordSource({ path, entity }: VerifyFinding, root: Root): Promise<boolean> {
  const hashed = await root.ports.reader.hash(path);
  if (hashed.is !== "hashed" || entity === null || root.book.refusal(entity)) return false;
  const manifest = root.book.get(entity);
  const found = Object.entries(manifest.states).find(([, record]) => record.path === path);
  if (found === undefined) return false;
  const { producedBy, runId } = found[1];
  const record = sourceRecord(path, hashed.hash, producedBy, runId, root.ports.clock.wallMs());
  root.book.put(withEntry(manifest, "states", found[0], record));
  return true;
}

/** A record that comes or goes shows in no file: every task is judged by the manifests as they are now. */
function judgeEverything(root: Root): void {
  const paths: RelPath[] = [];
  for (let row = 0; row < root.table.end; row++) {
    const path = root.table.pathOf(row);
    if (path !== undefined) paths.push(path);
  }
  root.journey.replanAround(paths);
}

// ---------------------------------------------------------------- what Millrace keeps

function discardIndex(_finding: VerifyFinding, root: Root): boolean {
  root.ports.index.discard();
  return true;
}

/** A damaged file was set aside when the root was opened, or is when it is read; what holds now is written. */
function writeControls(_finding: VerifyFinding, root: Root): boolean {
  root.setControls(root.controls, []);
  return true;
}

function beginLedger(_finding: VerifyFinding, root: Root): boolean {
  root.ports.ledger.check();
  return root.ports.ledger.check() === undefined;
}

function setAside({ path }: VerifyFinding, root: Root): boolean {
  if (root.ports.disk.lstat(`${root.ports.root}/${path}`) !== undefined)
    root.ports.trash.put(path, "it is not what Millrace writes");
  return true;
}

/** The thing lies in its entry under its path, so the note can be written again. */
function writeNote({ path }: VerifyFinding, root: Root): boolean {
  const { disk, trash, root: folder } = root.ports;
  const entry = trash.entries().find(({ kept, path: from }) => from === "" && kept === path);
  if (entry === undefined) return false;
  const thing = thingIn(entry.kept, "", root);
  if (thing === undefined) return false;
  const kept = `${entry.kept}${thing}`;
  const note = { path: thing.replace(/^_\/(?=note\.json)/i, ""), kept, why: "its note was damaged", at: entry.at };
  disk.write(`${folder}/${entry.kept}note.json`, documentText(note) + "\n");
  return trash.entries().some(({ name, path: from }) => name === entry.name && from !== "");
}

/** The one path below an entry; a folder with several things in it is a folder state. */
function thingIn(entry: RelPath, below: RelPath, root: Root): RelPath | undefined {
  const { disk, root: folder } = root.ports;
  const names = (disk.list(`${folder}/${entry}${below}`) ?? []).filter((name) => below !== "" || name !== "note.json");
  if (names.length !== 1) return below === "" ? undefined : below;
  const path = `${below}${names[0]!}`;
  return disk.lstat(`${folder}/${entry}${path}`)?.kind === "folder" ? thingIn(entry, `${path}/`, root) : path;
}
