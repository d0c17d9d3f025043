import { basename, dirname, join } from "node:path/posix";
import type { AbsPath, RelPath } from "../core/model/words.ts";
import type { Disk, IntentStore, Random } from "../ports.ts";
import { isDiskError } from "./disk-error.ts";

/** A name for a copy beside a target on another file system until it is renamed: `.<name>.<id>.millrace-tmp`. */
export function copyName(target: string, random: Random): string {
  return `${copyPrefix(target)}${random.id()}${SUFFIX}`;
}

const SUFFIX = ".millrace-tmp";
const ID = /^[0-9a-z]{12}$/;

function copyPrefix(target: string): string {
  return `.${target.slice(0, 100)}.`;
}

/**
 * Removes the copies that a process which died left beside targets on another file system: only what is named exactly as
 * ours, only beside a target that an intent names. What the disk refuses stays, and `verify` finds it.
 */
export function removeCopiesLeft(intents: IntentStore, disk: Disk, root: AbsPath): void {
  attempt(() => {
    const paths = intents.readAll().intents.flatMap(({ records }) => records);
    const published = paths.filter(({ staged }) => staged !== "").map(({ path }) => path);
    for (const [folder, targets] of targetsByFolder(published, root)) attempt(() => removeFrom(folder, targets, disk));
  });
}

function targetsByFolder(paths: readonly RelPath[], root: AbsPath): Map<AbsPath, Set<string>> {
  const folders = new Map<AbsPath, Set<string>>();
  for (const path of paths) {
    const target = join(root, path.replace(/\/$/, ""));
    const prefixes = folders.get(dirname(target)) ?? new Set();
    folders.set(dirname(target), prefixes.add(copyPrefix(basename(target))));
  }
  return folders;
}

function removeFrom(folder: AbsPath, prefixes: ReadonlySet<string>, disk: Disk): void {
  for (const name of disk.list(folder) ?? []) {
    if (!name.endsWith(SUFFIX)) continue;
    const bare = name.slice(0, -SUFFIX.length);
    const at = bare.lastIndexOf(".") + 1;
    const isOurs = prefixes.has(bare.slice(0, at)) && ID.test(bare.slice(at));
    if (isOurs) attempt(() => disk.removeTree(join(folder, name)));
  }
}

function attempt(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!isDiskError(error)) throw error;
  }
}
