import type { Disk } from "../../../src/ports.ts";
import type { Entry, RootView } from "../checker/view.ts";

/** What the checker sees of a root on a disk of the engine, such as the one in memory; taken now, whatever happens to the disk later. */
export function memoryView(disk: Disk, root: string): RootView {
  const entries = new Map<string, Entry>();
  const walk = (folder: string): void => {
    for (const name of disk.list(`${root}/${folder}`) ?? []) {
      const path = `${folder}${name}`;
      const stat = disk.lstat(`${root}/${path}`);
      if (stat === undefined) continue;
      const bytes = bytesAt(disk, `${root}/${path}`, stat.kind);
      entries.set(path, { kind: stat.kind, bytes: () => bytes });
      if (stat.kind === "folder") walk(`${path}/`);
    }
  };
  walk("");
  return { entries };
}

function bytesAt(disk: Disk, path: string, kind: Entry["kind"]): Uint8Array {
  if (kind === "file") return disk.read(path)?.slice() ?? new Uint8Array();
  return new TextEncoder().encode(kind === "symlink" ? disk.readLink(path) : "");
}
