import { hostname } from "node:os";
import { join } from "node:path";
import { livingDoor } from "../adapters/door/socket.ts";
import { FileOwnerLock } from "../adapters/store/owner.ts";
import { NodeDisk } from "../adapters/system/disk.ts";
import { hashBytes } from "../core/hash/hash.ts";
import type { Pipeline } from "../core/model/pipeline.ts";
import { type Problem, problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import { refusalOf } from "../core/model/refusal.ts";
import type { Owner, OwnerLock } from "../ports.ts";
import type { Project } from "./config.ts";
import { isDiskError } from "./disk-error.ts";

const disk: NodeDisk = new NodeDisk();

/** The pipelines that are to run. */
export function enabled(pipelines: readonly Pipeline[]): Pipeline[] {
  return pipelines.filter((pipeline) => pipeline.enabled);
}

/**
 * The first root with a living owner. Where a definition cannot be read, its root is not known; a daemon that runs the last
 * good one is then looked for in the folders of the project.
 */
export function findDaemon(project: Project, projectFolder: AbsPath): { owner: Owner } | undefined {
  const known = project.roots.map(({ root }) => root);
  const isComplete = project.files.every((file) => file.newest);
  for (const root of isComplete ? known : new Set([...known, ...likelyRoots(projectFolder)])) {
    const owner = new FileOwnerLock(root, disk).current();
    if (owner) return { owner };
  }
  const door = doorOfProject(projectFolder);
  return door === undefined ? undefined : { owner: { pid: 0, host: hostname(), since: "", door } };
}

/** The door of a daemon that runs this project, found without its roots: they may be away. */
function doorOfProject(projectFolder: AbsPath): AbsPath | undefined {
  return livingDoor(hashBytes(projectFolder));
}

/** Fails with M110 when a daemon runs this project, though its roots, being away, do not say so. */
export function refuseSecondDaemon(project: Project, projectFolder: AbsPath): Result<void> {
  const saysSo = project.roots.some(({ root }) => new FileOwnerLock(root, disk).current() !== undefined);
  if (saysSo || doorOfProject(projectFolder) === undefined) return ok(undefined);
  const what = "a daemon runs this project already";
  return fail(problem("M110", what, 'ask it how it stands ("millrace status"), or stop it first'));
}

/** The folders directly in the project folder that Millrace keeps something in. */
function likelyRoots(projectFolder: AbsPath): AbsPath[] {
  const folders = (disk.list(projectFolder) ?? []).map((name) => join(projectFolder, name));
  return folders.filter((folder) => disk.lstat(join(folder, ".millrace"))?.kind === "folder");
}

/** Takes every root of the project or none; fails with M110 for the first that somebody holds. */
export function claimRoots(project: Project, door: string): Result<OwnerLock[]> {
  const locks: OwnerLock[] = [];
  const owner: Owner = { pid: process.pid, host: hostname(), since: new Date().toISOString(), door };
  for (const { root } of project.roots) {
    const prepared = prepareRoot(root);
    const lock = new FileOwnerLock(root, disk);
    const acquired = prepared.ok ? acquire(lock, owner, root) : prepared;
    if (!acquired.ok) {
      for (const held of locks) held.release();
      return acquired;
    }
    locks.push(lock);
  }
  return ok(locks);
}

function acquire(lock: OwnerLock, owner: Owner, root: AbsPath): Result<void> {
  try {
    return lock.acquire(owner);
  } catch (error) {
    const refusal = refusalWithCause(error, root);
    if (refusal) return fail(refusal);
    throw error;
  }
}

/** What is said of a root whose file system is full or read-only, or where the system runs short; `undefined` for anything else. */
function refusalWithCause(error: unknown, root: AbsPath): Problem | undefined {
  const refusal = isDiskError(error) ? refusalOf(error, root) : undefined;
  return refusal?.code === "M516" ? undefined : refusal;
}

/** A root is made when the folder it lies in is there; a missing parent is more likely a disk that is not mounted. */
function prepareRoot(root: AbsPath): Result<void> {
  if (disk.stat(root) === undefined && disk.stat(join(root, "..")) === undefined)
    return fail(
      problem(
        "M113",
        `the state root "${root}" is not there, nor the folder it lies in`,
        `make it (mkdir -p "${root}"), mount its disk, or correct "stateRoot"`,
      ),
    );
  try {
    disk.makeFolders(join(root, ".millrace"));
    return ok(undefined);
  } catch (error) {
    const refusal = refusalWithCause(error, root);
    if (refusal) return fail(refusal);
    const message = error instanceof Error ? error.message : String(error);
    return fail(
      problem(
        "M113",
        `the state root "${root}" cannot be used: ${message}`,
        "let the user that runs Millrace write there",
      ),
    );
  }
}
