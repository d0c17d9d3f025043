import type { RelPath } from "../core/model/words.ts";
import type { Row, StateTable } from "../core/plan/state-table.ts";
import type { Role } from "../core/plan/topology.ts";
import type { Clock, FileStat, ShortOf, StateReader } from "../ports.ts";
import type { Settling } from "./watching/settling.ts";
import type { StagesInForce } from "./stages.ts";

/** Files up to this size are hashed where they are needed; larger ones in slices, beside other work. */
const SMALL_BYTES = 1024 * 1024;
/** How soon a path is looked at again when the system ran short, in milliseconds: before a pause for it can be over. */
const SHORT_MS = 500;

export interface LookSources {
  readonly table: StateTable;
  readonly reader: StateReader;
  readonly clock: Clock;
  readonly settling: Settling;
  readonly stages: () => StagesInForce;
  /** Settle time of a source that names none, in milliseconds: by the root's file system. */
  readonly defaultSettleMs: number;
  /** How close to a look a rewrite can hide from the file system's clock, in milliseconds. */
  readonly racyMs: number;
  /** Looks whether the root itself is there: of one that is away, no absence means anything. */
  readonly isHere: () => boolean;
  /** Told when the system ran short of something while a state was looked at or read. */
  readonly onShort: (code: ShortOf) => void;
}

/**
 * Looks at one state and brings the table up to date: step 3 of the journey.
 * `true` when something a task may care about is different now: it came, went, has other content, or became quiet.
 */
export function look(path: RelPath, from: LookSources): boolean {
  const { table, reader, settling } = from;
  const row = table.find(path);
  const seen = reader.look(path);
  if (seen.is !== "file" && seen.is !== "folder" && !from.isHere()) return false;
  // FIFOs, sockets and devices are nobody's input and no fault: ignored, as if they were not there.
  if (seen.is === "absent" || (seen.is === "refused" && seen.isSpecial)) {
    settling.forget(path);
    return row !== undefined && takeAbsent(row, from);
  }
  if (seen.is === "refused" && seen.shortOf !== undefined) {
    // Nothing was seen: what is known stands until the next look.
    from.onShort(seen.shortOf);
    settling.lookAgain(path, NO_STAT, SHORT_MS);
    return false;
  }
  const found = row ?? table.ensure(path, from.stages().topology.roleNumber);
  const role = roleOf(found, from);
  if (seen.is === "refused") {
    settling.forget(path);
    return takeRefused(found, from);
  }
  return role.producer ? lookAtProduct(path, found, seen.stat, from) : lookAtSource(path, found, seen.stat, role, from);
}

const NO_STAT = { size: 0, mtimeMs: 0, ctimeMs: 0, ino: 0 };

/** Nothing is there. A source leaves no row behind, so any row of one is a change. */
function takeAbsent(row: Row, from: LookSources): boolean {
  const { table } = from;
  const isSource = !roleOf(row, from).producer;
  if (!isSource && !table.isPresent(row) && !table.isRefused(row)) return false;
  table.setAbsent(row);
  if (isSource) table.setStatus(row, undefined);
  return true;
}

function takeRefused(row: Row, from: LookSources): boolean {
  const { table } = from;
  if (table.isRefused(row)) return false;
  table.setRefused(row);
  if (!roleOf(row, from).producer) table.setStatus(row, "failed");
  return true;
}

function roleOf(row: Row, from: LookSources): Role {
  return from.stages().topology.role(from.table.roleOf(row));
}

function isSame(row: Row, stat: FileStat, table: StateTable): boolean {
  return !table.isRacy(row) && table.hasStat(row, stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino);
}

/** A result of ours: settled at once; only other bytes are a change. */
function lookAtProduct(path: RelPath, row: Row, stat: FileStat, from: LookSources): boolean {
  from.settling.forget(path);
  if (isSame(row, stat, from.table)) return false;
  return takeIn(path, row, stat, from);
}

function lookAtSource(path: RelPath, row: Row, stat: FileStat, role: Role, from: LookSources): boolean {
  const { table, settling } = from;
  const status = table.statusOf(row);
  if (isSame(row, stat, table) && status !== "settling") {
    settling.forget(path);
    const marked = role.sources.some((source) => source.marker);
    if (status === "fresh" && !marked) return false;
    table.setStatus(row, "fresh");
    return true;
  }
  const settleMs = Math.max(...role.sources.map((source) => source.settleMs ?? from.defaultSettleMs));
  // Quiet since its last change of any kind, as far as the clock can be believed.
  if (!settling.isQuiet(path, stat, settleMs, settling.quietMs(stat.ctimeMs))) {
    if (status === "settling") return false;
    table.setStatus(row, "settling");
    return true;
  }
  const changed = takeIn(path, row, stat, from);
  const settled = table.statusOf(row) !== "fresh";
  table.setStatus(row, "fresh");
  return changed || settled;
}

/** Takes a new stat in; `false` when the content is known to be the same. */
function takeIn(path: RelPath, row: Row, stat: FileStat, from: LookSources): boolean {
  const { table, reader } = from;
  const before = table.lastHashOf(row);
  // What was never hashed has nothing to be compared with yet: its hash can wait until a task needs it.
  if (before !== undefined && stat.size <= SMALL_BYTES && !path.endsWith("/")) {
    const hashed = reader.hashNow(path);
    if (hashed.is === "hashed") {
      keep(path, row, hashed.stat, hashed.hash, from);
      return hashed.hash !== before;
    }
  }
  keep(path, row, stat, undefined, from);
  return true;
}

function keep(path: RelPath, row: Row, stat: FileStat, hash: string | undefined, from: LookSources): void {
  const racy = isRacy(stat, from);
  from.table.setPresent(row, stat, hash, racy);
  if (racy) from.settling.lookAgain(path, stat, from.racyMs + 1);
}

/**
 * Could a rewrite after this look leave the same stat behind? ("racy" in git's sense) A time in the future is one that
 * somebody set: a rewrite now gets another one.
 */
export function isRacy(stat: FileStat, from: Pick<LookSources, "racyMs" | "clock">): boolean {
  return from.racyMs > 0 && Math.abs(from.clock.wallMs() - Math.max(stat.ctimeMs, stat.mtimeMs)) < from.racyMs;
}

/**
 * Hashes a state whose content a task needs. A small file at once (`done`), anything else in slices: then the promise
 * resolves when the table knows. A path that cannot be read becomes refused; one that changes is left to a later look.
 */
export function learnHash(path: RelPath, from: LookSources): "done" | Promise<void> {
  const row = from.table.find(path);
  if (row === undefined) return "done";
  if (!path.endsWith("/") && from.table.sizeOf(row) <= SMALL_BYTES) {
    learn(path, from.reader.hashNow(path), from);
    return "done";
  }
  return from.reader.hash(path).then((hashed) => learn(path, hashed, from));
}

function learn(path: RelPath, hashed: ReturnType<StateReader["hashNow"]>, from: LookSources): void {
  const { table } = from;
  const row = table.find(path);
  if (row === undefined) return;
  if (hashed.is === "hashed") return keep(path, row, hashed.stat, hashed.hash, from);
  if (!from.isHere()) return;
  if (hashed.is === "absent") return void takeAbsent(row, from);
  if (hashed.is === "refused") return void takeRefused(row, from);
  if (hashed.shortOf !== undefined) from.onShort(hashed.shortOf);
  table.setRefused(row);
  from.settling.lookAgain(path, table.statOf(row), hashed.shortOf === undefined ? from.defaultSettleMs : SHORT_MS);
}
