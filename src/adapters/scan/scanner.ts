/**
 * Whole subtrees at once: names first, then an lstat of each, which is most of the work and is shared with a second thread.
 */
import { lstatSync, realpathSync, statSync } from "node:fs";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Scan, Scanner, WatchBase } from "../../ports.ts";
import { withoutOverlap } from "./bases.ts";
import { below, listDeep, listFlat, type Listing } from "./names.ts";
import { KIND, LstatJob } from "./lstat-job.ts";
import { LstatThread } from "./lstat-thread.ts";
import { ScanRows } from "./rows.ts";

/** From so many entries on, in one folder or tree, starting the second thread (20 ms) pays. */
const START_FROM = 4_000;
/** From so many on, telling a thread that runs already pays. */
const SHARE_FROM = 1_000;
/** After so many chunks others run: the event loop is kept for some 8 ms at one time. */
const CHUNKS_IN_A_ROW = 16;

export interface ScannerOptions {
  /** The state root; it need not exist yet. */
  readonly root: AbsPath;
  /** `isIgnored(path, isFolder)`: what is left out, and below folders everything. */
  readonly isIgnored: (path: RelPath, isFolder: boolean) => boolean;
  /** Where `lstat-worker` is; left out: one thread does it all. */
  readonly worker?: URL | undefined;
  /** A second thread that was started before the root was known; the scanner takes it over. */
  readonly thread?: LstatThread | undefined;
}

/** Starts a scanner's second thread ahead of the scanner: it takes some 25 ms, in which definitions can be read. */
export function startScanThread(worker: URL): LstatThread {
  return new LstatThread(worker);
}

/** A scanner of one root. It asks the disk directly: a port in between would cost more than the calls. */
export function createScanner(options: ScannerOptions): Scanner {
  return new NodeScanner(options);
}

/** A subtree to list. */
interface Tree {
  readonly path: RelPath;
  readonly depth: number;
  /** `path` with every link resolved. */
  readonly real: AbsPath;
  /** Where the links were that led here: a link that leads to one of them or above would lead in circles. */
  readonly linksFrom: readonly AbsPath[];
}

/** A tree's entries on their way through lstat. */
interface Sheet {
  readonly tree: Tree;
  readonly job: LstatJob;
  /** Whether the listing has left out the ignored already. */
  readonly isFiltered: boolean;
  /** Settled when the second thread has let go of it. */
  readonly shared: Promise<void> | undefined;
}

class NodeScanner implements Scanner {
  readonly #root: AbsPath;
  readonly #isIgnored: ScannerOptions["isIgnored"];
  readonly #entry: URL | undefined;
  #thread: LstatThread | undefined;

  constructor({ root, isIgnored, worker, thread }: ScannerOptions) {
    this.#root = root.length > 1 && root.endsWith("/") ? root.slice(0, -1) : root;
    this.#isIgnored = isIgnored;
    this.#entry = worker;
    this.#thread = thread;
  }

  warmUp(): void {
    if (this.#entry === undefined || this.#thread?.isDead === false) return;
    this.#thread = new LstatThread(this.#entry);
  }

  async close(): Promise<void> {
    await this.#thread?.close();
    this.#thread = undefined;
  }

  async scan(bases: readonly WatchBase[]): Promise<Scan> {
    const rows = new ScanRows(bases);
    const listing: Listing = { isIgnored: this.#isIgnored, problems: rows.problems };
    let trees = this.#openBases(withoutOverlap(bases), rows);
    while (trees.length > 0) {
      const sheets: Sheet[] = [];
      for (const tree of trees) {
        const sheet = await this.#list(tree, listing);
        if (sheet !== undefined) sheets.push(sheet);
      }
      // From the end: the second thread began at the start.
      for (const { job, shared } of sheets.toReversed()) await this.#finish(job, shared);
      trees = sheets.flatMap((sheet) => this.#collect(sheet, rows));
    }
    return rows.toScan();
  }

  // ------------------------------------------------------------ bases

  #openBases(bases: readonly WatchBase[], rows: ScanRows): Tree[] {
    const realRoot = resolve(this.#root);
    const trees: Tree[] = [];
    for (const base of bases) {
      const tree = realRoot === undefined ? undefined : this.#openBase(base, realRoot, rows);
      if (realRoot === undefined) rows.missing.push(base.path);
      if (tree !== undefined) trees.push(tree);
    }
    return trees;
  }

  #openBase({ path, depth }: WatchBase, realRoot: AbsPath, rows: ScanRows): Tree | undefined {
    const real = path === "" ? realRoot : resolve(this.#absolute(path));
    if (real === undefined) {
      rows.missing.push(path);
      return undefined;
    }
    if (!isWithin(realRoot, real)) {
      rows.problems.push({ kind: "link-outside", path, reason: `it leads outside the state root, to "${real}"` });
      return undefined;
    }
    const stat = lstatSync(this.#absolute(path), { throwIfNoEntry: false });
    const target = statSync(real, { throwIfNoEntry: false });
    if (stat === undefined || target === undefined) {
      rows.missing.push(path);
      return undefined;
    }
    if (path !== "") {
      if (this.#isIgnored(path, target.isDirectory())) return undefined;
      rows.addOne(path, stat);
    }
    return target.isDirectory() && depth > 0 ? { path, depth, real, linksFrom: [] } : undefined;
  }

  // ------------------------------------------------------------ names, then lstat

  async #list(tree: Tree, listing: Listing): Promise<Sheet | undefined> {
    const folder = this.#absolute(tree.path);
    const isFlat = tree.depth === 1;
    const names = isFlat
      ? listFlat(folder, tree.path, listing)
      : await listDeep(folder, tree.path, tree.depth, listing);
    if (names === undefined || names.length === 0) return undefined;
    const job = new LstatJob(folder === "/" ? folder : `${folder}/`, names);
    return { tree, job, isFiltered: !isFlat, shared: this.#share(job) };
  }

  #share(job: LstatJob): Promise<void> | undefined {
    if (job.names.length >= START_FROM) this.warmUp();
    if (job.names.length < SHARE_FROM || this.#thread === undefined) return undefined;
    return this.#thread.offer(job, job.names.join("\0"));
  }

  async #finish(job: LstatJob, shared: Promise<void> | undefined): Promise<void> {
    for (let chunk = 1; job.doChunk(); chunk++) {
      if (chunk % CHUNKS_IN_A_ROW === 0) await new Promise((resume) => setImmediate(resume));
    }
    if (shared !== undefined && !job.isDone) await this.#thread?.waitFor(shared);
    job.finishAlone();
  }

  /** Writes a sheet's rows; returns the folders that its links lead to. */
  #collect({ tree, job, isFiltered }: Sheet, rows: ScanRows): Tree[] {
    const { kinds } = job.memory;
    const links: number[] = [];
    const failed: RelPath[] = [];
    const prefix = tree.path === "" ? "" : `${tree.path}/`;
    rows.addAll(prefix, job.names, job.memory, (row, path) => {
      const kind = kinds[row];
      if (kind === KIND.gone || (!isFiltered && this.#isIgnored(path, kind === KIND.folder))) return false;
      if (kind === KIND.symlink) links.push(row);
      if (kind === KIND.failed) failed.push(path);
      return kind !== KIND.failed;
    });
    for (const path of failed) rows.addUnreadable(path, this.#absolute(path));
    return links.flatMap((row) => this.#follow(tree, job.names[row] ?? "", rows) ?? []);
  }

  /** The tree behind a link to a folder inside the root, when that is not where we come from. */
  #follow(tree: Tree, name: string, rows: ScanRows): Tree | undefined {
    const path = below(tree.path, name);
    const depth = tree.depth - name.split("/").length;
    const real = resolve(this.#absolute(path));
    const root = resolve(this.#root);
    if (real === undefined || root === undefined) return undefined;
    if (statSync(real, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
    if (!isWithin(root, real)) {
      rows.problems.push({ kind: "link-outside", path, reason: `it leads outside the state root, to "${real}"` });
      return undefined;
    }
    const slash = name.lastIndexOf("/");
    const linksFrom = [...tree.linksFrom, slash === -1 ? tree.real : `${tree.real}/${name.slice(0, slash)}`];
    const isCircle = linksFrom.some((folder) => isWithin(real, folder));
    const isOwn = isWithin(below(root, ".millrace"), real);
    return isCircle || isOwn || depth <= 0 ? undefined : { path, depth, real, linksFrom };
  }

  #absolute(path: RelPath): AbsPath {
    if (path === "") return this.#root;
    return this.#root === "/" ? `/${path}` : `${this.#root}/${path}`;
  }
}

/** The path without links; `undefined` when it leads to nothing (or in a circle). */
function resolve(path: AbsPath): AbsPath | undefined {
  try {
    return realpathSync.native(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return undefined;
    throw error;
  }
}

function isWithin(folder: AbsPath, path: AbsPath): boolean {
  return folder === "/" || path === folder || path.startsWith(`${folder}/`);
}
