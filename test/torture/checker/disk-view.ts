/** A view of a real folder, listed by bytes, links not followed. */
import { constants, closeSync, fstatSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { PlanPath } from "./plan.ts";
import type { Entry, RootView } from "./view.ts";

const SLASH = Buffer.from("/");
const NOTHING = new Uint8Array();
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Everything below this folder as it is now; the bytes of files are read when they are asked for. */
export function diskView(root: string): RootView {
  const entries = new Map<PlanPath, Entry>();
  const base = Buffer.from(root);
  const walk = (relative: Buffer): void => {
    const folder = relative.length === 0 ? base : Buffer.concat([base, SLASH, relative]);
    for (const name of readdirSync(folder, { encoding: "buffer" })) {
      const path = relative.length === 0 ? Buffer.from(name) : Buffer.concat([relative, SLASH, name]);
      const entry = entryAt(Buffer.concat([base, SLASH, path]));
      entries.set(planPath(path), entry);
      if (entry.kind === "folder") walk(path);
    }
  };
  walk(Buffer.alloc(0));
  return { entries };
}

/** A path as plans write it: text, or `hex:` and its bytes when it is no UTF-8. */
function planPath(path: Uint8Array): PlanPath {
  try {
    return utf8.decode(path);
  } catch {
    return `hex:${Buffer.from(path).toString("hex")}`;
  }
}

function entryAt(at: Buffer): Entry {
  const stat = lstatSync(at, { bigint: true });
  const common = { mode: Number(stat.mode & 0o7777n), mtimeNs: String(stat.mtimeNs) };
  if (stat.isFile()) return { ...common, kind: "file", bytes: () => readRegular(at) };
  if (stat.isDirectory()) return { ...common, kind: "folder", bytes: () => NOTHING };
  if (stat.isSymbolicLink())
    return { ...common, kind: "symlink", bytes: () => readlinkSync(at, { encoding: "buffer" }) };
  return { ...common, kind: "other", bytes: () => NOTHING };
}

/** Never waits for a pipe and never follows a link that came in between. */
function readRegular(at: Buffer): Uint8Array {
  const file = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return fstatSync(file).isFile() ? readFileSync(file) : NOTHING;
  } finally {
    closeSync(file);
  }
}
