import { randomBytes } from "node:crypto";
import { availableParallelism, tmpdir, userInfo } from "node:os";
import { join, relative } from "node:path";
import { importDefinition } from "../adapters/execute/code/definition.ts";
import { createNodeTypes } from "../adapters/execute/nodes/registry.ts";
import { createNodeRunner } from "../adapters/execute/runner.ts";
import { openLedger } from "../adapters/ledger/sqlite.ts";
import { createLocalQueue } from "../adapters/queue/local.ts";
import { createScanner, startScanThread } from "../adapters/scan/scanner.ts";
import { openControlsStore } from "../adapters/store/controls.ts";
import { SqliteIndexStore } from "../adapters/store/index-db.ts";
import { FileIntents } from "../adapters/store/intents.ts";
import { FileManifestStore } from "../adapters/store/manifests.ts";
import { openRootKey, prepareMillraceFolder } from "../adapters/store/millrace-folder.ts";
import { FileTrash } from "../adapters/store/trash.ts";
import { SystemClock } from "../adapters/system/clock.ts";
import { NodeMachine } from "../adapters/system/machine.ts";
import { SystemRandom } from "../adapters/system/random.ts";
import { createStateReader } from "../adapters/system/state-reader.ts";
import { probeTimestamps } from "../adapters/system/timestamps.ts";
import type { createChangeSource } from "../adapters/watch/change-source.ts";
import { fileSystemOf } from "../adapters/watch/file-system.ts";
import type { Pipeline } from "../core/model/pipeline.ts";
import { fail, ok, type Result } from "../core/model/result.ts";
import type { AbsPath } from "../core/model/words.ts";
import type { Disk, Log, NodeRunner } from "../ports.ts";
import type { ProjectSources } from "./config.ts";
import { batchWorkerUrl, executePorts } from "./compose-execute.ts";
import { IGNORE_FILE, LiveIgnore } from "./watching/live-ignore.ts";
import { RootPresence, whileHere } from "./health/root-presence.ts";
import { Root, type RootPorts } from "./root.ts";
import type { IgnoreTest } from "./calls/why-not.ts";

/** Settle times of sources that name none: on a disk of this machine, and on a share. */
const LOCAL_SETTLE_MS = 200;
const SHARE_SETTLE_MS = 5000;
/** Timestamps of a share are the server's: nothing is concluded from two equal ones close together. */
const SHARE_RACY_MS = 2000;

export type ScanThread = ReturnType<typeof startScanThread>;

export interface OpenedRoot {
  readonly root: Root;
  readonly ignored: IgnoreTest;
  readonly release: () => Promise<void>;
}

export interface OpenRootOptions {
  readonly root: AbsPath;
  readonly projectFolder: AbsPath;
  readonly pipelines: readonly Pipeline[];
  readonly runner: NodeRunner;
  readonly log: Log;
  /** `look` writes nothing; `control` owns the root for one command and runs nothing; `run` works once; `daemon` watches, too. */
  readonly mode: "look" | "control" | "run" | "daemon";
  /** For the first scan, started early. */
  readonly scanThread?: ScanThread | undefined;
  /** Left out: nothing is watched. */
  readonly watch?: typeof createChangeSource;
  /** Ports to use instead of the real ones. */
  readonly instead?: Partial<RootPorts>;
}

/** The runner of all nodes of a process. Nothing is started before the first attempt. */
export function createRunner(): NodeRunner {
  return createNodeRunner({
    ports: executePorts(),
    nodeTypes: createNodeTypes(moduleHostUrl),
    batchWorker: batchWorkerUrl,
  });
}

/** The second thread of scans: what a scan will be glad of when it begins. */
export function startScanThreadEarly(): ScanThread {
  return startScanThread(lstatWorkerUrl);
}

/** What reading the definitions of a project needs. */
export function projectSources(projectFolder: AbsPath, runner: NodeRunner, disk: Disk): ProjectSources {
  return {
    projectFolder,
    disk,
    nodeTypes: runner.nodeTypes,
    // Which root a definition belongs to is not known before it is read, so its compiled form is kept outside all of them.
    importDefinition: (file) => importDefinition(file, join(tmpdir(), `millrace-${userInfo().uid}`, "definitions")),
    realpath: (path) => disk.realpath(path),
  };
}

/** A root with the real adapters. The caller owns it, except in mode `look`. */
export function openRoot(options: OpenRootOptions): Result<OpenedRoot> {
  const { root, projectFolder, runner, log, mode } = options;
  const owns = mode !== "look";
  const bare = executePorts().disk;
  const clock = new SystemClock();
  const random = new SystemRandom();
  if (owns) prepareMillraceFolder(root, bare);
  const name = `${relative(projectFolder, root) || "."}/`;
  const presence = new RootPresence(root, name, bare);
  const disk = owns ? whileHere(bare, root, presence) : bare;
  const onProblem = (found: Parameters<Log["problem"]>[0]): void => log.problem(found);
  const trash = new FileTrash(root, { disk, clock, random });
  const store = { disk, random, trash: owns ? trash : undefined, onProblem };
  const controls = openControlsStore(root, store);
  if (!controls.ok) return fail(...controls.problems);
  const ledger = openLedger(root, store);
  if (!ledger.ok) return fail(...ledger.problems);
  const ignore = new LiveIgnore(root, disk);
  const isIgnored = (path: string, isFolder: boolean): boolean => ignore.test(path, isFolder) !== undefined;
  // The rules themselves are a dotfile: ignored as a state, watched as a file.
  const isUnwatched = (path: string, isFolder: boolean): boolean => path !== IGNORE_FILE && isIgnored(path, isFolder);
  const scanner = createScanner({ root, isIgnored, worker: lstatWorkerUrl, thread: options.scanThread });
  // Reading commands mostly do without a scan, and a scan starts the second thread by itself.
  if (owns) scanner.warmUp();
  const network = disk.stat(root) !== undefined && fileSystemOf(root).network;
  const key = openRootKey(root, { ...store, randomBytes });
  const opened = new Root({
    root,
    name,
    pipelinesFolder: join(projectFolder, "pipelines"),
    cacheFolder: join(root, ".millrace/cache"),
    clock,
    random,
    disk,
    reader: createStateReader(disk, root, ignore),
    manifests: new FileManifestStore(root, store),
    intents: new FileIntents(root, disk),
    index: new SqliteIndexStore(root, { disk, readOnly: !owns, onProblem }),
    controls: controls.value,
    trash,
    ledger: ledger.value,
    scanner,
    machine: new NodeMachine(),
    changes: options.watch?.({ root, disk, clock, isIgnored: isUnwatched }),
    refreshIgnore: () => ignore.refresh(),
    runner,
    envHash: (name) => key.hmacOf(process.env[name] === undefined ? name : `${name}=${process.env[name]}`),
    log,
    presence,
    makeQueue:
      mode === "run" || mode === "daemon"
        ? (limits, run) => createLocalQueue({ clock, limits, slots: slots(), run })
        : undefined,
    onReconcile: () => {},
    defaultSettleMs: network ? SHARE_SETTLE_MS : LOCAL_SETTLE_MS,
    racyMs: network ? SHARE_RACY_MS : owns ? probeTimestamps(disk, join(root, ".millrace/tmp")) : 0,
    ...options.instead,
  });
  return ok({ root: opened, ignored: (path, isFolder) => ignore.test(path, isFolder), release: () => scanner.close() });
}

/** Attempts of commands, requests and modules that may run at one time; they mostly wait. */
export function slots(): number {
  return Math.max(8, availableParallelism() * 4);
}

/** An entry of its own in the build: beside this file when built. */
function entry(source: string, built: string): URL {
  return new URL(import.meta.url.endsWith(".ts") ? source : built, import.meta.url);
}

const lstatWorkerUrl: URL = entry("../adapters/scan/lstat-worker.ts", "./lstat-worker.js");
const moduleHostUrl: URL = entry("../adapters/execute/module/host.ts", "./host.js");
