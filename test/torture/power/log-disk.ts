/** A file system whose every write and flush is logged (`logdisk.py`), and the states that a power cut could have left of it. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const SIZE = "48M";
/** Debian's Python: the package for FUSE is there, not in other installations. */
const PYTHON = "/usr/bin/python3";

/** Why power cuts cannot be tried on this machine; `undefined` when they can. */
export function whyNot(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "mounting needs Linux and root";
  if (!existsSync("/dev/fuse")) return "there is no /dev/fuse";
  for (const tool of ["losetup", "mkfs.ext4", "fusermount", PYTHON])
    if (spawnSync("which", [tool]).status !== 0) return `there is no ${tool}`;
  const imports = "try:\n import fusepy\nexcept ImportError:\n import fuse";
  if (spawnSync(PYTHON, ["-c", imports]).status !== 0) return "there is no python3-fusepy";
  const loop = spawnSync("losetup", ["-f"]);
  return loop.status === 0 ? undefined : "there is no free loop device";
}

/** Makes an image with an empty ext4. */
export function makeImage(image: string): void {
  execFileSync("truncate", ["-s", SIZE, image]);
  execFileSync("mkfs.ext4", ["-q", "-b", "1024", "-E", "lazy_itable_init=0", image]);
}

/** A mounted image; `unmount` forces everything to it. */
export class Mounted {
  readonly folder: string;
  readonly #device: string;

  constructor(file: string, folder: string) {
    mkdirSync(folder, { recursive: true });
    this.folder = folder;
    this.#device = execFileSync("losetup", ["-f", "--show", file], { encoding: "utf8" }).trim();
    try {
      execFileSync("mount", ["-t", "ext4", this.#device, folder]);
    } catch (error) {
      execFileSync("losetup", ["-d", this.#device]);
      throw error;
    }
  }

  unmount(): void {
    execFileSync("umount", [this.folder]);
    execFileSync("losetup", ["-d", this.#device]);
  }
}

/** An image that is mounted through the logging file system. */
export class LoggedDisk {
  readonly #log: string;
  readonly #fuse: string;
  readonly #process: ChildProcess;
  readonly #mounted: Mounted;

  private constructor(log: string, fuse: string, python: ChildProcess, mounted: Mounted) {
    this.#log = log;
    this.#fuse = fuse;
    this.#process = python;
    this.#mounted = mounted;
  }

  /** Mounts `image` at `folder`/mnt; the log is `folder`/log. */
  static async mount(image: string, folder: string): Promise<LoggedDisk> {
    const [log, fuse] = [join(folder, "log"), join(folder, "fuse")];
    mkdirSync(fuse, { recursive: true });
    const python = spawn(PYTHON, [join(import.meta.dirname, "logdisk.py"), image, log, fuse], { stdio: "ignore" });
    for (let tries = 0; !existsSync(join(fuse, "disk")); tries++) {
      if (tries > 1000 || python.exitCode !== null) throw new Error("the logging file system does not come up");
      await delay(10);
    }
    return new LoggedDisk(log, fuse, python, new Mounted(join(fuse, "disk"), join(folder, "mnt")));
  }

  get folder(): string {
    return this.#mounted.folder;
  }

  /** How much is in the log now, in bytes. */
  get position(): number {
    return statSync(this.#log).size;
  }

  /** Unmounts everything; the log is complete. */
  async unmount(): Promise<Log> {
    this.#mounted.unmount();
    execFileSync("fusermount", ["-u", this.#fuse]);
    if (this.#process.exitCode === null) await new Promise((resolve) => this.#process.on("exit", resolve));
    return new Log(readFileSync(this.#log));
  }
}

interface Entry {
  /** Where it ends in the log. */
  readonly end: number;
  /** -1: a flush. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** What reached the disk, in order. */
export class Log {
  readonly entries: readonly Entry[];

  constructor(bytes: Buffer) {
    const entries: Entry[] = [];
    for (let position = 0; position + 16 <= bytes.length;) {
      const at = Number(bytes.readBigInt64LE(position));
      const length = Number(bytes.readBigInt64LE(position + 8));
      const end = position + 16 + length;
      entries.push({ at, end, bytes: bytes.subarray(position + 16, end) });
      position = end;
    }
    this.entries = entries;
  }

  get writes(): number {
    return this.entries.filter(({ at }) => at >= 0).length;
  }

  get flushes(): number {
    return this.entries.length - this.writes;
  }

  /**
   * Makes `image` what a cut after the first `cut` entries leaves of `base`. `keeps` tells which of the writes after the
   * last flush before the cut have reached the medium; left out: all.
   */
  cutInto(image: string, base: string, cut: number, keeps: () => boolean = () => true): void {
    copyFileSync(base, image);
    const before = this.entries.slice(0, cut);
    const lastFlush = before.findLastIndex(({ at }) => at < 0);
    const fd = openSync(image, "r+");
    try {
      for (const [index, { at, bytes }] of before.entries())
        if (at >= 0 && (index < lastFlush || keeps())) writeSync(fd, bytes, 0, bytes.length, at);
    } finally {
      closeSync(fd);
    }
  }
}

/** Removes a folder in which nothing is mounted any more. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
