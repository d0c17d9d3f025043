import type { Effect } from "../checker/plan.ts";
import type { Plan } from "../checker/plan.ts";
import type { Entry, RootView } from "../checker/view.ts";
import { check } from "../checker/check.ts";
import { EngineRig } from "../../support/engine-rig.ts";
import type { MemoryDisk } from "../../support/memory-disk.ts";
import { ACCEPTED } from "../../../src/core/model/manifest.ts";
import type { Status } from "../../../src/core/model/words.ts";
import { abilities } from "./abilities.ts";
import { definitionsOf, outputOf, plannedStages, stagesOf } from "./family.ts";
import type { Life } from "./life.ts";
import { ROOT } from "./places.ts";
import type { Run } from "./process.ts";

const TORN: ReadonlySet<string> = new Set(["NO-RECORD", "HASH-MISMATCH"]);
const FOLDERS: ReadonlySet<string> = new Set(["near#parts", "near#bundle"]);

/** Heals whatever is broken, waits until nothing is left to do, and looks whether all that was promised is so. */
export async function judged(life: Life): Promise<void> {
  const { process } = life;
  await heal(life);
  if (failed(life)) return;
  lookAround(life);
  await compareWithFresh(life);
  const second = await lookAgain(life);
  if (failed(life)) return;
  const plan = planOf(life);
  for (const { rule, what, path, entity, expected, got } of check(viewOf(process.rig.disk), plan, { second })) {
    // What a power cut tore of a result that nothing makes any more looks like somebody's edit, and is never touched.
    const isLeft = expected === "nothing" || what === "NOT-RETRACTED" || (TORN.has(what) && !life.isMade(path!));
    if (process.watchman.powerWasCut && isLeft) continue;
    process.watchman.complain(`${rule} ${what}`, `${path ?? ""} ${entity ?? ""}: expected ${expected}, got ${got}`);
  }
}

function failed({ process }: Life): boolean {
  return process.watchman.violations.length > 0;
}

// ---------------------------------------------------------------- healing

/** Every fault is over, nothing is held, what was given up is tried again, what a person took for right is made anew. */
async function heal(life: Life): Promise<void> {
  const { process } = life;
  const { rig } = process;
  process.lift();
  life.cure();
  await process.quiet();
  // What a fault has stopped goes on by itself.
  for (let minute = 0; minute < 10 && process.rig.root.pauses.current !== null; minute++) await process.pass(60_000);
  if (process.rig.root.pauses.current !== null) process.watchman.complain("paused", "nothing is broken any more");
  await process.quiet();
  life.release();
  if (!process.isDead) life.makeAcceptedAnew(ACCEPTED);
  for (let round = 0; round < 3; round++) {
    process.now(() => void rig.root.retractions.accept());
    await process.during(() => rig.root.scan());
    await process.quiet();
    life.retryAll();
    await process.quiet();
    await process.pass(3000);
  }
  if (process.isDead) process.watchman.complain("died", "the process died without a crash");
}

/** The process has nothing left to do and says so of everything. */
function lookAround({ process, desk }: Life): void {
  const { rig, watchman } = process;
  if (rig.own("tmp").length > 0) watchman.complain("tmp-left", rig.own("tmp").join(" "));
  for (const [path, { last }] of desk.sources)
    if (last !== null && rig.status(path) !== "fresh")
      watchman.complain("source-without-status", `${path} is ${rig.status(path) ?? "nothing"}`);
}

// ---------------------------------------------------------------- a fresh run

async function compareWithFresh(life: Life): Promise<void> {
  const { process, desk, family } = life;
  const fresh = new EngineRig(definitionsOf(family), { settleMs: 0 });
  fresh.scripts.set("parts", process.rig.scripts.get("parts")!);
  for (const [path, { last }] of desk.sources) if (last !== null) fresh.put(path, last);
  await fresh.begin();
  await fresh.quiet();
  const [is, wanted] = [essence(process.rig, life), essence(fresh, life)];
  for (const path of new Set([...Object.keys(is), ...Object.keys(wanted)]))
    if (is[path] !== wanted[path])
      process.watchman.complain(
        "unlike-fresh",
        `${path} is ${is[path] ?? "nothing"}, fresh ${wanted[path] ?? "nothing"}`,
      );
}

/** What can be compared of a root: of each living task its result, its status and what its record says of its making. */
function essence(rig: EngineRig, { desk, family }: Life): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [source, { last }] of desk.sources) {
    if (last === null) continue;
    const id = source.slice(3, -4);
    const manifest = rig.manifest(id);
    for (const stage of stagesOf(family)) {
      const path = outputOf(stage.id, id);
      const status: Status | undefined = rig.status(path);
      const record = manifest.states[stage.pattern];
      const isMade = status === "fresh";
      const files = path.endsWith("/") ? JSON.stringify(rig.files(path)) : rig.text(path);
      const failure = manifest.failures[stage.pattern]?.error ?? "";
      const made = isMade ? [files, record?.contentHash, record?.codeHash, record?.inputHashes] : [];
      // What is kept of an earlier result, or is somebody's own, lies where nothing is made.
      const isNothing = status === undefined || status === "orphaned" || status === "skipped";
      found[path] = JSON.stringify([isNothing ? "nothing" : status, failure, ...made]);
    }
  }
  return found;
}

// ---------------------------------------------------------------- a second start

async function lookAgain({ process }: Life): Promise<{ ran: string[]; wrote: string[] }> {
  const { rig } = process;
  await process.stop();
  const runs = process.runs.length;
  const wrote: string[] = [];
  process.onWrite = (path): void => {
    const at = path.slice(ROOT.length + 1);
    // A session says of itself when it began; the clock of the trash goes on; the canary proves the watcher.
    if (path !== "" && !/^\.millrace(?:$|\/(?:session\.json|clock\.json|canary))/.test(at)) wrote.push(at);
  };
  await process.revive(undefined);
  await process.during(() => rig.root.look());
  await process.quiet();
  await process.stop();
  process.onWrite = undefined;
  return { ran: process.runs.slice(runs).map(({ request }) => request.taskKey), wrote };
}

// ---------------------------------------------------------------- for the checker

function planOf(life: Life): Plan {
  const { process, desk, family, kills } = life;
  const stages = plannedStages(family).filter(({ key }) => !FOLDERS.has(key));
  const kept = new Map([...desk.keepsakes, ...acceptedOrphans(life)]);
  const keepsakes = [...kept].map(([path, content]) => ({ path, content, mayStay: true }));
  const others = [...desk.strays, "parts/", "bundle/", ...gone(family.has)];
  const effects = process.runs.filter(({ stage }) => !FOLDERS.has(stage)).map(effectOf);
  return {
    version: 1,
    stages,
    sources: desk.planned(),
    keepsakes,
    effects,
    kills,
    others,
    mayLinger: !abilities.orphanPolicies,
  };
}

/** What somebody took for right is theirs: where nothing is made any more it stays, whatever was recorded since. */
function acceptedOrphans(life: Life): [string, string][] {
  return life.tasks().flatMap(({ path }): [string, string][] => {
    const text = path.endsWith("/") ? undefined : life.process.rig.text(path);
    const isTheirs = text !== undefined && life.process.watchman.isWritten(path, text);
    return isTheirs && !life.isMade(path) ? [[path, text]] : [];
  });
}

/** Folders of stages that are not there at the end. */
function gone(has: readonly string[]): string[] {
  return ["tail", "side"].filter((id) => !has.includes(id)).map((id) => `${id}/`);
}

function effectOf({ request, stage, input, code, life, start, end, result }: Run): Effect {
  const { attemptId, entity } = request;
  const isVoid = result === "failed" || result === "dropped";
  return { stage, entity: entity.id, input, code, nonce: attemptId, start, end, life, failed: isVoid };
}

/** The disk as the checker sees it. */
function viewOf(disk: MemoryDisk): RootView {
  const entries = new Map<string, Entry>();
  const walk = (folder: string): void => {
    for (const name of disk.list(`${ROOT}${folder}`) ?? []) {
      const at = `${folder}/${name}`;
      const stat = disk.lstat(ROOT + at)!;
      const kind = stat.kind;
      entries.set(at.slice(1), { kind, bytes: () => (kind === "file" ? disk.read(ROOT + at)! : new Uint8Array()) });
      if (kind === "folder") walk(at);
    }
  };
  walk("");
  return { entries };
}
