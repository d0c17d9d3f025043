import type { ReasonCode, RelPath } from "../../core/model/words.ts";
import { StateTable } from "../../core/plan/state-table.ts";
import { breathe } from "../watching/reconcile.ts";
import { verdictOf } from "../calls/reports.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import { statusAt } from "./check-outputs.ts";
import { hashOnDisk, type Scene } from "./scene.ts";

const PLACE: RelPath = ".millrace/index.db";
const SLICE = 2000;

/** Evidence that lies in files, of which only a look at the disk can tell. */
const IN_FILES: ReadonlySet<ReasonCode> = new Set([
  "output-missing",
  "output-modified",
  "input-changed",
  "input-added",
  "input-removed",
  "foreign-file",
]);

/**
 * Compares the saved index with what the disk says. What the next start would correct by itself (anything whose stat is
 * another one now) is no finding; a row that claims other bytes, or a result that is believed fresh and is not, is.
 */
export async function checkIndex(scene: Scene): Promise<void> {
  const { root, found, problems } = scene;
  const stored = root.ports.index.load();
  const damage = problems.find((problem) => problem.code === "M410");
  if (damage !== undefined) {
    found.add("index-damaged", PLACE, null, [damage.message, ...(damage.notes ?? [])].join(": "));
    return;
  }
  const meta = stored?.meta["snapshot"] as SnapshotMeta | undefined;
  if (stored === undefined || meta?.format !== 1) return;
  const saved = new StateTable();
  if (!unpacked(saved, stored.blobs)) {
    found.add("index-damaged", PLACE, null, `the index "${PLACE}" holds rows that cannot be read`);
    return;
  }
  for (let row = 0; row < saved.end; row++) {
    if (row % SLICE === SLICE - 1) await breathe(root.ports.clock);
    const path = saved.pathOf(row);
    if (path === undefined) continue;
    await checkRow(path, saved, scene);
    await checkBelief(path, saved, meta, scene);
  }
}

function unpacked(table: StateTable, blobs: ReadonlyMap<string, Uint8Array>): boolean {
  try {
    return table.unpack(blobs);
  } catch (error) {
    // Numbers in it that no table of ours has.
    if (error instanceof RangeError) return false;
    throw error;
  }
}

async function checkRow(path: RelPath, saved: StateTable, scene: Scene): Promise<void> {
  const claimed = saved.hashOf(saved.find(path)!);
  if (claimed === undefined || !isUnnoticed(path, saved, scene)) return;
  const now = await hashOnDisk(scene, path);
  if (now === null || now === undefined || now === claimed) return;
  scene.found.add(
    "index-row",
    path,
    null,
    `the index says that "${path}" has the hash ${claimed}; it has ${now}, and its size and times are those of the index`,
  );
}

/** Would the next start take the path for unchanged? */
function isUnnoticed(path: RelPath, saved: StateTable, { root }: Scene): boolean {
  const [before, now] = [saved.find(path), root.table.find(path)];
  const wasThere = before !== undefined && saved.isPresent(before);
  const isThere = now !== undefined && root.table.isPresent(now);
  if (!wasThere || !isThere) return wasThere === isThere;
  if (saved.isRacy(before)) return false;
  const { size, mtimeMs, ctimeMs, ino } = root.table.statOf(now);
  return saved.hasStat(before, size, mtimeMs, ctimeMs, ino);
}

/** A result that the index calls fresh, that is not, and that no difference of the disk would have judged again. */
async function checkBelief(path: RelPath, saved: StateTable, meta: SnapshotMeta, scene: Scene): Promise<void> {
  const { root, found } = scene;
  const believed = saved.statusOf(saved.find(path)!);
  if (believed !== "fresh" && believed !== "skipped") return;
  const now = statusAt(path, scene);
  if (now === "fresh" || now === "skipped" || now === undefined) return;
  const task = root.stages.topology.producerTask(path);
  if (task === undefined || isJudgedAnyway(task.stage.key, meta, scene)) return;
  const evidence = (await verdictOf(root, task)).evidence.filter(({ code }) => IN_FILES.has(code));
  if (evidence.length === 0) return;
  const states = [path, ...task.inputs.map((input) => input.path)];
  const subjects = evidence.map(({ subject }) => (subject === "output" ? path : subject));
  if (![...states, ...subjects].every((state) => isUnnoticed(state, saved, scene))) return;
  found.add(
    "believed-fresh",
    path,
    task.entity.id,
    `the index says that "${path}" is ${believed}, but ${evidence.map(({ code, subject }) => `${code} ${subject}`).join(", ")}`,
  );
}

/** Does the next start judge the stage's tasks again, though no file of theirs changed? */
function isJudgedAnyway(stage: string, meta: SnapshotMeta, { root }: Scene): boolean {
  const { disk, root: folder } = root.ports;
  const mtimeMs = disk.stat(`${folder}/.millrace/manifests`)?.mtimeMs ?? 0;
  return meta.manifestsMtimeMs !== mtimeMs || meta.stamps[stage] !== root.stages.stamps()[stage];
}
