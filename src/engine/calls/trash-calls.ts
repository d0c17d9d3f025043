import { problem } from "../../core/model/problem.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import { parseTarget, type Target } from "../../core/plan/targets.ts";
import type { Disk, TrashEntry } from "../../ports.ts";
import type { ActionReport, RestoreReport, TrashReport } from "../control.ts";
import { isDiskError } from "../disk-error.ts";
import { withEntry } from "../manifest-book.ts";
import type { Root } from "../root.ts";
import { nameOf } from "./task-finder.ts";

interface Kept {
  readonly root: Root;
  readonly entry: TrashEntry;
}

/** What is in the trash of some roots, newest first; with targets only what they name. */
export function listTrash(
  roots: readonly Root[],
  { targets = [], limit = 1000 }: { readonly targets?: readonly string[] | undefined; readonly limit?: number },
): Result<TrashReport> {
  const all = everything(roots);
  const found = targets.length === 0 ? ok(all) : namedBy(all, targets);
  if (!found.ok) return found;
  const entries = found.value.slice(0, limit).map(({ root, entry: { name, path, kept, why, at, of } }) => ({
    root: root.ports.name,
    name,
    path,
    kept,
    why,
    at,
    bytes: sizeOf(root.ports.disk, `${root.ports.root}/${kept.replace(/\/$/, "")}`),
    task: of === null ? null : of.taskKey,
  }));
  return ok({ version: 1, total: found.value.length, entries });
}

/**
 * Puts things back where they were, of each path the newest. A retracted result whose inputs are there gets its record back,
 * so that it is a result again; without them it simply lies there.
 */
export function restoreFromTrash(roots: readonly Root[], targets: readonly string[]): Result<RestoreReport> {
  const found = namedBy(everything(roots), targets);
  if (!found.ok) return found;
  const restored: { path: RelPath; name: string; what: string }[] = [];
  const refused: { target: string; why: string }[] = [];
  const seen = new Set<string>();
  for (const { root, entry } of found.value) {
    const place = entry.path === "" ? entry.name : `${root.ports.name}\n${entry.path}`;
    // An older thing of the same path is meant only where its own name was typed.
    if (seen.has(place) && !targets.includes(entry.name)) continue;
    seen.add(place);
    const why = putBack(root, entry);
    if (why !== undefined) refused.push({ target: entry.path === "" ? entry.name : entry.path, why });
    else restored.push({ path: entry.path, name: entry.name, what: giveRecordBack(root, entry) });
  }
  return ok({ version: 1, restored, refused });
}

/** Removes for ever what is older than `olderThanMs`, or everything. */
export function emptyTrash(roots: readonly Root[], olderThanMs: number): Result<ActionReport> {
  const changed: string[] = [];
  const refused: { target: string; why: string }[] = [];
  for (const { root, entry } of everything(roots)) {
    if (root.ports.clock.wallMs() - Date.parse(entry.at) < olderThanMs) continue;
    const target = entry.path === "" ? entry.name : entry.path;
    const fault = refusedByDisk(() => root.ports.trash.remove(entry.name));
    if (fault === undefined) changed.push(target);
    else refused.push({ target, why: fault });
  }
  return ok({ version: 1, changed, refused });
}

// ---------------------------------------------------------------- which

function everything(roots: readonly Root[]): Kept[] {
  const all = roots.flatMap((root) => root.ports.trash.entries().map((entry) => ({ root, entry })));
  return all.toSorted((a, b) => (a.entry.at < b.entry.at ? 1 : a.entry.at > b.entry.at ? -1 : 0));
}

/** What targets name: entries, paths, and the tasks, stages and pipelines of retracted results. M141 for one that names nothing. */
function namedBy(all: readonly Kept[], targets: readonly string[]): Result<Kept[]> {
  const parsed = targets.map(parseTarget);
  const unknown = parsed.find((target) => !all.some(({ entry }) => isNamed(target, entry)));
  if (unknown)
    return fail(
      problem("M141", `the trash has nothing of "${unknown.text}"`, "see what it has with millrace trash list"),
    );
  return ok(all.filter(({ entry }) => parsed.some((target) => isNamed(target, entry))));
}

function isNamed(target: Target, { name, path, of }: TrashEntry): boolean {
  return [name, path, path.replace(/\/$/, ""), ...(of === null ? [] : namesOfTask(of.taskKey))].some(
    (text) => text !== "" && target.matches(text),
  );
}

/** `pipeline#stage@entity` and every shorter way to name it. */
function namesOfTask(key: string): string[] {
  const hash = key.indexOf("#");
  const at = key.indexOf("@", hash);
  if (hash < 0 || at < 0) return [key];
  return [key, key.slice(hash + 1), key.slice(0, at), key.slice(hash + 1, at), key.slice(0, hash)];
}

/** In bytes; of a folder all files below it, links not followed. */
function sizeOf(disk: Disk, path: AbsPath): number {
  const stat = disk.lstat(path);
  if (stat === undefined) return 0;
  if (stat.kind !== "folder") return stat.size;
  return (disk.list(path) ?? []).reduce((sum, name) => sum + sizeOf(disk, `${path}/${name}`), 0);
}

// ---------------------------------------------------------------- back

/** Why it was not put back; `undefined` when it was. */
function putBack(root: Root, entry: TrashEntry): string | undefined {
  let why: string | undefined;
  const fault = refusedByDisk(() => {
    const made = root.ports.trash.restore(entry.name);
    if (!made.ok) why = made.problems.map(({ message, hint }) => `${message}; ${hint}`).join("; ");
  });
  return fault ?? why;
}

function refusedByDisk(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (!isDiskError(error)) throw error;
    return error.message;
  }
}

/** Says what the thing is now that it is back. */
function giveRecordBack(root: Root, { path, of }: TrashEntry): string {
  const task = root.stages.topology.producerTask(path);
  const around = (): void => root.journey.hint([path]);
  if (task === undefined) {
    around();
    return "no stage makes it: it lies there as it was";
  }
  const pattern = task.stage.pattern.text;
  const manifest = root.book.get(task.entity.id);
  const recorded = Object.hasOwn(manifest.states, pattern) ? manifest.states[pattern] : undefined;
  const isOurs = of !== null && of.taskKey === task.key && of.pattern === pattern;
  if (!isOurs || (recorded !== undefined && recorded.contentHash !== null)) {
    around();
    return `it is not what was last recorded of ${nameOf(task)}: keep it with "millrace accept ${path}"`;
  }
  const missing = Object.entries(of.record.inputHashes).find(([input, hash]) => hash !== null && !isThere(root, input));
  if (missing) {
    around();
    return `it lies there without a record: what it was made from is not there (${missing[0]})`;
  }
  root.book.put(withEntry(manifest, "states", pattern, of.record));
  root.book.flush(task.entity.id);
  around();
  root.journey.replan(root.withFollowers(task));
  return `it is the result of ${nameOf(task)} again`;
}

function isThere(root: Root, path: RelPath): boolean {
  const { is } = root.ports.reader.look(path);
  return is === "file" || is === "folder";
}
