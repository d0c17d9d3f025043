import type { RelPath } from "../../../core/model/words.ts";
import type { AttemptRequest, FileStat, InputItem, ReadRecord } from "../../../ports.ts";
import type { Failed, ReadyItem, ReadySet } from "../node-type.ts";
import { withoutSlash } from "../staged-result.ts";
import type { ExecutePorts } from "../wire.ts";

/** What an attempt of the single lane read: its declared inputs, and what its expressions recorded. */
export class ReadBook {
  readonly #reads = new Map<RelPath, ReadRecord>();
  readonly #envReads = new Set<string>();
  #overtaken: RelPath | undefined;

  /** The first state of which two reads of the attempt differ. */
  get overtaken(): RelPath | undefined {
    return this.#overtaken;
  }

  get envReads(): readonly string[] {
    return [...this.#envReads].sort();
  }

  records(): readonly ReadRecord[] {
    return [...this.#reads.values()];
  }

  add({ reads, envReads }: { readonly reads: readonly ReadRecord[]; readonly envReads: readonly string[] }): void {
    for (const read of reads) {
      const before = this.#reads.get(read.path);
      if (before !== undefined && before.hash !== read.hash) this.#overtaken ??= read.path;
      this.#reads.set(read.path, read);
    }
    for (const name of envReads) this.#envReads.add(name);
  }
}

/** Every declared input hashed; or why the attempt cannot begin. */
export async function readyInputs(
  ports: ExecutePorts,
  request: AttemptRequest,
  book: ReadBook,
): Promise<readonly ReadySet[] | Failed | { readonly kind: "overtaken"; readonly path: RelPath }> {
  const { reader } = ports.openRoot(request.root);
  const sets: ReadySet[] = [];
  for (const { name, list, items } of request.inputs) {
    const ready: ReadyItem[] = [];
    for (const item of items) {
      const hashed = await reader.hash(item.path);
      if (hashed.is === "refused") {
        return { kind: "failed", error: `input "${item.path}" cannot be read: ${hashed.reason}`, category: "input" };
      }
      if (hashed.is === "changing" && hashed.shortOf !== undefined)
        return {
          kind: "failed",
          error: `input "${item.path}" cannot be read now: ${hashed.shortOf}`,
          category: "resource",
        };
      if (hashed.is !== "hashed") return { kind: "overtaken", path: item.path };
      book.add({ reads: [{ path: item.path, hash: hashed.hash, stat: hashed.stat }], envReads: [] });
      ready.push(readyItem(request, item, hashed));
    }
    sets.push({ name, list, items: ready });
  }
  return sets;
}

function readyItem(
  { root }: AttemptRequest,
  { id, vars, path }: InputItem,
  { hash, stat }: { readonly hash: string; readonly stat: FileStat },
): ReadyItem {
  const isFolder = path.endsWith("/");
  return { id, vars, path, absolutePath: withoutSlash(`${root}/${path}`), hash, size: isFolder ? 0 : stat.size };
}

/** The first state that is not what the attempt read; `undefined` when all are. Equal stats are enough to know. */
export async function findChanged(
  ports: ExecutePorts,
  request: AttemptRequest,
  book: ReadBook,
): Promise<RelPath | undefined> {
  const { reader } = ports.openRoot(request.root);
  const declared = new Set(request.inputs.flatMap(({ items }) => items.map(({ path }) => path)));
  for (const { path, hash, stat } of book.records()) {
    if (!declared.has(path) || stat === undefined) continue;
    const look = reader.look(path);
    if ((look.is === "file" || look.is === "folder") && isSameStat(look.stat, stat)) continue;
    const now = await reader.hash(path);
    if (now.is !== "hashed" || now.hash !== hash) return path;
  }
  return undefined;
}

function isSameStat(a: FileStat, b: FileStat): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs;
}
