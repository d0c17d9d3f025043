/** The wiring of the library's store: what it needs without a pipeline. Running stages is wired in `compose-library-root.ts`. */
import { hostname } from "node:os";
import { FileIntents } from "../adapters/store/intents.ts";
import { FileManifestStore } from "../adapters/store/manifests.ts";
import { prepareMillraceFolder } from "../adapters/store/millrace-folder.ts";
import { FileOwnerLock } from "../adapters/store/owner.ts";
import { FileTrash } from "../adapters/store/trash.ts";
import { SystemClock } from "../adapters/system/clock.ts";
import { NodeDisk } from "../adapters/system/disk.ts";
import { SystemRandom } from "../adapters/system/random.ts";
import { createStateReader } from "../adapters/system/state-reader.ts";
import { createIgnore } from "../core/pattern/ignore.ts";
import { type Problem, problem } from "../core/model/problem.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Clock, Disk, ManifestStore, Random, StateReader, Trash } from "../ports.ts";
import { ManifestBook } from "./manifest-book.ts";
import { removeCopiesLeft } from "./copies-left.ts";
import { recover } from "./recover.ts";

/** What a `StateStore` is made of. */
export interface LibraryPorts {
  readonly root: AbsPath;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly reader: StateReader;
  readonly manifests: ManifestStore;
  readonly trash: Trash;
  readonly onProblem: (problem: Problem) => void;
  /** Makes the root and its `.millrace` folder; what is there stays. Fails with M113. */
  prepare(): Result<void>;
  /** Makes this process the root's owner until the answer is called; calls may overlap. Fails with M110 when another process is. */
  hold(): Result<() => void>;
}

/** Roots that this process owns through the library, with how many calls need that now. */
const held = new Map<AbsPath, { readonly lock: FileOwnerLock; holders: number }>();

/** The ports of one root, on the real disk. `wallMs` replaces the clock of records and backoff; waits are real. */
export function openLibraryPorts(
  root: AbsPath,
  {
    wallMs,
    onProblem,
  }: { readonly wallMs: (() => number) | undefined; readonly onProblem: (problem: Problem) => void },
): LibraryPorts {
  const disk = new NodeDisk();
  const random = new SystemRandom();
  const system = new SystemClock();
  const clock: Clock = {
    wallMs: wallMs ?? (() => system.wallMs()),
    monoMs: () => system.monoMs(),
    after: (delayMs, fire) => system.after(delayMs, fire),
  };
  const lines = disk.read(`${root}/.millraceignore`);
  const reader = createStateReader(
    disk,
    root,
    createIgnore(lines === undefined ? "" : Buffer.from(lines).toString("utf8")),
  );
  const trash = new FileTrash(root, { disk, clock, random });
  const manifests = new FileManifestStore(root, { disk, random, trash, onProblem });
  const prepare = (): Result<void> => {
    try {
      disk.makeFolders(root);
      prepareMillraceFolder(root, disk);
      return ok(undefined);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const hint = "let the user that runs this process write there";
      return fail(problem("M113", `the state root "${root}" cannot be used: ${message}`, hint));
    }
  };
  return {
    root,
    disk,
    clock,
    random,
    reader,
    manifests,
    trash,
    onProblem,
    prepare,
    hold: () => hold(root, { disk, reader, manifests, onProblem }),
  };
}

type HoldPorts = Pick<LibraryPorts, "disk" | "reader" | "manifests" | "onProblem">;

function hold(root: AbsPath, ports: HoldPorts): Result<() => void> {
  const now = held.get(root) ?? { lock: new FileOwnerLock(root, ports.disk), holders: 0 };
  if (now.holders === 0) {
    const acquired = now.lock.acquire({
      pid: process.pid,
      host: hostname(),
      since: new Date().toISOString(),
      door: "",
    });
    if (!acquired.ok) return fail(...acquired.problems);
    try {
      finishWhatDied(root, ports);
    } catch (error) {
      now.lock.release();
      throw error;
    }
    held.set(root, now);
  }
  now.holders++;
  let isReleased = false;
  return ok(() => {
    if (isReleased) return;
    isReleased = true;
    if (--now.holders > 0) return;
    held.delete(root);
    now.lock.release();
  });
}

/** A new owner finishes what a dead one left half done, as a daemon does at its start. */
function finishWhatDied(
  root: AbsPath,
  { disk, reader, manifests }: Pick<LibraryPorts, "disk" | "reader" | "manifests">,
): void {
  const intents = new FileIntents(root, disk);
  removeCopiesLeft(intents, disk, root);
  recover(intents, new ManifestBook(manifests, (batchId) => intents.remove(batchId)), reader);
}
