import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
  type Stats,
} from "node:fs";
import { dirname } from "node:path/posix";
import type { AbsPath } from "../../core/model/words.ts";
import type { Disk, FileStat, OpenFile } from "../../ports.ts";
import { codeOf } from "./error-code.ts";
import { named } from "./named-error.ts";

const NO_THROW = { throwIfNoEntry: false } as const;
const AS_BYTES = { encoding: "buffer" } as const;
/** NOFOLLOW: a link swapped in at the last moment is not followed. NONBLOCK: a FIFO without a writer does not block us. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** `read` takes a 32-bit length. */
const MAX_READ = 1 << 30;

/** The machine's disk through synchronous `node:fs`; one object may be shared by everything in a thread. */
export class NodeDisk implements Disk {
  lstat(path: AbsPath): FileStat | undefined {
    try {
      const stats = lstatSync(path, NO_THROW);
      return stats === undefined ? undefined : fileStat(stats);
    } catch (error) {
      return absentOrThrow(error);
    }
  }

  stat(path: AbsPath): FileStat | undefined {
    try {
      const stats = statSync(path, NO_THROW);
      return stats === undefined ? undefined : fileStat(stats);
    } catch (error) {
      return absentOrThrow(error);
    }
  }

  realpath(path: AbsPath): AbsPath | undefined {
    try {
      return realpathSync.native(path);
    } catch (error) {
      return absentOrThrow(error);
    }
  }

  readLink(path: AbsPath): string | undefined {
    try {
      return readlinkSync(path);
    } catch (error) {
      return absentOrThrow(error);
    }
  }

  open(path: AbsPath): OpenFile | undefined {
    try {
      return new NodeOpenFile(named(() => openSync(path, OPEN_FLAGS)));
    } catch (error) {
      return absentOrThrow(error);
    }
  }

  list(path: AbsPath): string[] | undefined {
    try {
      return readdirSync(path);
    } catch (error) {
      return absentOrThrow(error);
    }
  }

  listBytes(path: AbsPath): Uint8Array[] | undefined {
    try {
      return readdirSync(path, AS_BYTES);
    } catch (error) {
      return absentOrThrow(error);
    }
  }

  read(path: AbsPath): Uint8Array | undefined {
    try {
      return named(() => readFileSync(path));
    } catch (error) {
      return absentOrThrow(error);
    }
  }

  write(
    path: AbsPath,
    bytes: Uint8Array | string,
    options: { readonly sync?: boolean; readonly mode?: number } = {},
  ): void {
    const mode = options.mode ?? 0o666;
    // A text that Node encodes itself fails with "UNKNOWN" for errors it has no name for.
    const content = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
    named(() => (options.sync === true ? writeSynced(path, content, mode) : writeFileSync(path, content, { mode })));
  }

  rename(from: AbsPath, to: AbsPath): void {
    named(() => renameSync(from, to));
  }

  copy(from: AbsPath, to: AbsPath): void {
    named(() => copyTree(Buffer.from(from), Buffer.from(to)));
  }

  makeFolders(path: AbsPath): void {
    named(() => makeFolders(path));
  }

  remove(path: AbsPath): boolean {
    try {
      named(() => unlinkSync(path));
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (isAbsence(code)) return false;
      // Linux says EISDIR for a folder, other systems EPERM.
      if (code !== "EISDIR" && code !== "EPERM") throw error;
    }
    try {
      rmdirSync(path);
      return true;
    } catch (error) {
      if (isAbsence(codeOf(error))) return false;
      throw error;
    }
  }

  removeTree(path: AbsPath): void {
    rmSync(path, { recursive: true, force: true });
  }

  sync(path: AbsPath): void {
    named(() => {
      const fd = openSync(path, constants.O_RDONLY);
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }
}

/** Node's own recursive `mkdir` says ENOENT for whatever else stops it: a read-only disk, too many open files. */
function makeFolders(path: AbsPath): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const above = dirname(path);
    if (codeOf(error) === "ENOENT" && !isFolder(above)) {
      makeFolders(above);
      makeFolders(path);
    } else if (!isFolder(path)) throw error;
  }
}

function isFolder(path: AbsPath): boolean {
  return statSync(path, NO_THROW)?.isDirectory() ?? false;
}

function writeSynced(path: AbsPath, bytes: Uint8Array, mode: number): void {
  const fd = openSync(path, "w", mode);
  try {
    writeAll(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

class NodeOpenFile implements OpenFile {
  readonly #fd: number;
  constructor(fd: number) {
    this.#fd = fd;
  }

  stat(): FileStat {
    return fileStat(fstatSync(this.#fd));
  }

  read(into: Uint8Array, position: number): number {
    let done = 0;
    while (done < into.length) {
      const count = readSync(this.#fd, into, done, Math.min(into.length - done, MAX_READ), position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function fileStat(stats: Stats): FileStat {
  return {
    kind: kindOf(stats.mode),
    size: stats.size,
    mtimeMs: stats.mtimeMs,
    ctimeMs: stats.ctimeMs,
    ino: stats.ino,
    dev: stats.dev,
  };
}

function kindOf(mode: number): FileStat["kind"] {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return "file";
    case constants.S_IFDIR:
      return "folder";
    case constants.S_IFLNK:
      return "symlink";
    default:
      return "other";
  }
}

/** Paths are bytes here: names that are not UTF-8 are copied too. */
function copyTree(from: Buffer, to: Buffer): void {
  const stats = lstatSync(from);
  if (stats.isSymbolicLink()) {
    symlinkSync(readlinkSync(from, AS_BYTES), to);
  } else if (stats.isDirectory()) {
    // Writable while it is being filled, whatever mode it ends up with.
    mkdirSync(to, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(from, AS_BYTES)) copyTree(joinBytes(from, name), joinBytes(to, name));
    chmodSync(to, stats.mode & 0o7777);
  } else if (stats.isFile()) {
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
  } else {
    // Opening a FIFO would block for ever.
    throw Object.assign(new Error(`EINVAL: neither file, folder nor link, copy '${from.toString()}'`), {
      code: "EINVAL",
    });
  }
}

function joinBytes(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, SLASH, name]);
}
const SLASH = Buffer.from("/");

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, Math.min(bytes.length - done, MAX_READ));
  }
}

/** ENOTDIR: a segment of the path is a file, so nothing can be below it. */
function isAbsence(code: string | undefined): boolean {
  return code === "ENOENT" || code === "ENOTDIR";
}

function absentOrThrow(error: unknown): undefined {
  if (isAbsence(codeOf(error))) return undefined;
  throw error;
}
