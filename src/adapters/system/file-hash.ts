import { createHashStream, hashBytes } from "../../core/hash/hash.ts";
import type { AbsPath } from "../../core/model/words.ts";
import type { Disk, FileStat, OpenFile, StateHash, StateRead } from "../../ports.ts";

const CHUNK_BYTES = 1 << 20;

/** Shared by all: it is filled and hashed without letting anybody run in between. */
const chunk = new Uint8Array(CHUNK_BYTES);

/**
 * The bytes of a regular file with their hash, proved untorn as far as a stat can.
 * Throws what `Disk.open` throws: ELOOP for a symlink, ENXIO for a socket.
 */
export function readFile(disk: Disk, path: AbsPath): StateRead {
  const file = disk.open(path);
  if (file === undefined) return { is: "absent" };
  try {
    const before = file.stat();
    if (before.kind !== "file") return refuseKind(before);
    // Of its own memory: a slice of Node's pool would drag the whole pool along when it is sent to another thread.
    const bytes = Buffer.allocUnsafeSlow(before.size);
    if (file.read(bytes, 0) < before.size) return { is: "changing" };
    const stat = file.stat();
    if (!sameStat(before, stat)) return { is: "changing" };
    return { is: "read", bytes, hash: hashBytes(bytes), stat };
  } finally {
    file.close();
  }
}

/** The hash of a regular file in one go when it is small; of a large one a step at a time, yielding between chunks. */
export function* hashFile(disk: Disk, path: AbsPath): Generator<void, StateHash> {
  const file = disk.open(path);
  if (file === undefined) return { is: "absent" };
  try {
    const before = file.stat();
    if (before.kind !== "file") return refuseKind(before);
    const hash = before.size <= CHUNK_BYTES ? hashSmall(file, before.size) : yield* hashLarge(file, before.size);
    if (hash === undefined) return { is: "changing" };
    const stat = file.stat();
    return sameStat(before, stat) ? { is: "hashed", hash, stat } : { is: "changing" };
  } finally {
    file.close();
  }
}

function hashSmall(file: OpenFile, size: number): string | undefined {
  const into = chunk.subarray(0, size);
  return file.read(into, 0) < size ? undefined : hashBytes(into);
}

function* hashLarge(file: OpenFile, size: number): Generator<void, string | undefined> {
  const stream = createHashStream();
  for (let position = 0; position < size; position += CHUNK_BYTES) {
    const into = chunk.subarray(0, Math.min(CHUNK_BYTES, size - position));
    if (file.read(into, position) < into.length) return undefined;
    stream.update(into);
    yield;
  }
  return stream.digest();
}

function refuseKind(stat: FileStat): { readonly is: "refused"; readonly reason: string } {
  return { is: "refused", reason: stat.kind === "folder" ? "folder, not a file" : "FIFO, socket or device" };
}

/** Whether nothing happened to a file between two looks, as far as a stat can tell. */
export function sameStat(a: FileStat, b: FileStat): boolean {
  return (
    a.ino === b.ino &&
    a.size === b.size &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs &&
    a.kind === b.kind &&
    a.dev === b.dev
  );
}
