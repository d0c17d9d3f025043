import type { ContentHash, RelPath } from "../core/model/words.ts";
import type { AttemptOutcome, FileStat, ReadRecord } from "../ports.ts";
import type { FactSources } from "./facts.ts";
import { isRacy, look, type LookSources } from "./look.ts";

/** How long a result may wait for the others of its batch, in milliseconds. */
const BATCH_MS = 1000;
/** Up to this size a file with other times is compared by its content. */
const SMALL_BYTES = 1024 * 1024;

/**
 * Compares what attempts have read with what is on disk and with what the table knows. What an attempt saw, the table knows
 * afterwards: its record or failure is judged by the table, and would else never hold.
 */
export class SeenInputs {
  readonly #look: LookSources;
  readonly #facts: FactSources;

  constructor(lookFrom: LookSources, facts: FactSources) {
    this.#look = lookFrom;
    this.#facts = facts;
  }

  /** The first path whose content is no longer what the attempt read, or of which the table knew otherwise; it learns what was read. */
  findOvertaken(outcome: AttemptOutcome): RelPath | undefined {
    return outcome.reads.find((read) => !this.#holds(read, outcome))?.path;
  }

  /** After a failure: brings the table up to date with what was read; the paths of which it knew otherwise. */
  learn(reads: readonly ReadRecord[]): RelPath[] {
    const news = reads.filter(({ path, hash }) => {
      const known = this.#known(path);
      return known !== undefined && known !== hash;
    });
    for (const { path, hash, stat } of news) {
      const now = this.#look.reader.look(path);
      look(path, this.#look);
      const isThere = now.is === "file" || now.is === "folder";
      if (hash !== null && stat && isThere && isSame(now.stat, stat)) this.#set(path, stat, hash);
    }
    return news.map(({ path }) => path);
  }

  /** The hash of what lies at a path; `undefined` when it cannot be had. Throws where the system runs short: the machine's trouble. */
  hashNow(path: RelPath): ContentHash | undefined {
    return this.#hashed(path)?.hash;
  }

  #hashed(path: RelPath): { readonly hash: ContentHash; readonly stat: FileStat } | undefined {
    const hashed = this.#look.reader.hashNow(path);
    if (hashed.is === "changing" && hashed.shortOf !== undefined)
      throw Object.assign(new Error(`${hashed.shortOf}: ${path} cannot be read now`), { code: hashed.shortOf });
    return hashed.is === "hashed" ? hashed : undefined;
  }

  #holds(read: ReadRecord, outcome: AttemptOutcome): boolean {
    const { path, hash } = read;
    const now = this.#look.reader.look(path);
    if (hash === null || !read.stat) {
      if (now.is !== "absent") return false;
      if (this.#known(path) === null) return true;
      look(path, this.#look);
      return false;
    }
    if (now.is !== "file" && now.is !== "folder") return false;
    let { stat } = now;
    const isTouched = !isSame(stat, read.stat);
    // Content decides; but what is large is read again anyway, by the next attempt.
    if (isTouched && (now.is === "folder" || stat.size !== read.stat.size || stat.size > SMALL_BYTES)) return false;
    if (isTouched || this.#mayHide(stat, outcome)) {
      const hashed = this.#hashed(path);
      if (hashed?.hash !== hash) return false;
      stat = hashed.stat;
    }
    const known = this.#known(path);
    if (known !== hash || isTouched) this.#set(path, stat, hash);
    return known === undefined || known === hash;
  }

  /** Was the file so young when it was read that a rewrite since then may have left its stat as it was? */
  #mayHide({ ctimeMs, mtimeMs }: FileStat, { durationMs }: AttemptOutcome): boolean {
    const { racyMs, clock } = this.#look;
    return racyMs > 0 && clock.wallMs() - Math.max(ctimeMs, mtimeMs) < racyMs + durationMs + BATCH_MS;
  }

  /** The hash by which tasks are judged; `null`: nothing is there; `undefined`: something, whose content is not known. */
  #known(path: RelPath): ContentHash | null | undefined {
    const { table } = this.#look;
    const row = table.find(path);
    return row === undefined || !table.isPresent(row) ? null : table.lastHashOf(row);
  }

  #set(path: RelPath, stat: FileStat, hash: ContentHash): void {
    const { table } = this.#look;
    const row = table.ensure(path, this.#facts.stages().topology.roleNumber);
    table.setPresent(row, stat, hash, isRacy(stat, this.#look));
  }
}

function isSame(a: FileStat, b: FileStat): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.ino === b.ino;
}
