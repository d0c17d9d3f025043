import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { AbsPath } from "../../core/model/words.ts";

/** What kind of file system something is on. */
export interface FileSystem {
  /** As `mount` calls it; the magic number in hex when it is not a known one. */
  readonly name: string;
  /** Others may change files without this kernel hearing of it: it must be polled. */
  readonly network: boolean;
}

/** Linux `statfs` magic numbers, from `linux/magic.h` and the sources of those outside the kernel. */
const NETWORK: ReadonlyMap<number, string> = new Map([
  [0x6969, "nfs"],
  [0x517b, "smb"],
  [0xff534d42, "cifs"],
  [0xfe534d42, "smb2"],
  [0x65735546, "fuse"],
  [0x01021997, "9p"],
  [0x786f4256, "vboxsf"],
  [0x5346414f, "afs"],
  [0x6b414653, "kafs"],
  [0x73757245, "coda"],
  [0x00c36400, "ceph"],
  [0x0bd00bd0, "lustre"],
  [0x7461636f, "ocfs2"],
  [0x01161970, "gfs2"],
  [0x564c, "ncp"],
  [0xbacbacbc, "vmhgfs"],
]);
const LOCAL: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext4"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlay"],
  [0x9123683e, "btrfs"],
  [0x58465342, "xfs"],
  [0x2fc12fc1, "zfs"],
  [0xf2f52010, "f2fs"],
  [0xca451a4e, "bcachefs"],
  [0x4d44, "vfat"],
  [0x2011bab0, "exfat"],
  [0x7366746e, "ntfs3"],
  [0x858458f6, "ramfs"],
]);

/** The file system a path is on, or will be on: a path that does not exist yet is judged by its nearest existing parent. */
export function fileSystemOf(path: AbsPath): FileSystem {
  for (let at = path; ; at = dirname(at)) {
    try {
      return fileSystemOfType(statfsSync(at).type);
    } catch (error) {
      // Without an answer there is nothing to be careful about: hints are missed at worst, and the reconcile scan finds out.
      if (at === dirname(at)) return { name: error instanceof Error ? error.message : "unknown", network: false };
    }
  }
}

/** The same from the type that `statfs` gives; only Linux numbers file systems in this way. */
export function fileSystemOfType(type: number, platform: string = process.platform): FileSystem {
  // 32-bit kernels give the upper half of the numbers as negative.
  const magic = type >>> 0;
  const share = platform === "linux" ? NETWORK.get(magic) : undefined;
  if (share !== undefined) return { name: share, network: true };
  return { name: (platform === "linux" ? LOCAL.get(magic) : undefined) ?? `0x${magic.toString(16)}`, network: false };
}
