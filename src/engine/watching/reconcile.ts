import type { RelPath } from "../../core/model/words.ts";
import { RowCursor } from "../../core/plan/row-cursor.ts";
import type { StateTable } from "../../core/plan/state-table.ts";
import { hasNoPath, type Topology } from "../../core/plan/topology.ts";
import type { Clock, Scan, WatchBase } from "../../ports.ts";

/** Of `Scan.kinds`. */
const FILE = 0;
const FOLDER = 1;
/** How many entries are compared before others get a turn. */
const SLICE = 20_000;

/**
 * The paths where the disk is not as the table has it: to be looked at. Comparing costs no look at the disk, so a scan in
 * which nothing changed ends here.
 */
export async function findDifferences(
  scan: Scan,
  bases: readonly WatchBase[],
  table: StateTable,
  topology: Topology,
  clock: Clock,
): Promise<RelPath[]> {
  const different = new Set<RelPath>();
  const seen = new Uint8Array(table.end);
  const folders = topology.hasFolders();
  const { paths, kinds, stats } = scan;
  const cursor = new RowCursor(table);
  for (let i = 0; i < paths.length; i++) {
    if (i % SLICE === SLICE - 1) await breathe(clock);
    const path = paths[i]!;
    const kind = kinds[i];
    // A folder state is its whole tree; where a folder took a file's place, the file has vanished.
    if (kind === FOLDER) {
      if (folders) addFolders(`${path}/`, topology, different, table, seen);
      continue;
    }
    const row = cursor.find(path);
    if (row !== undefined) seen[row] = 1;
    // Links need a look of their own.
    const isSame = row !== undefined && kind === FILE && table.isUntouched(row, stats, i * 5);
    if (!isSame || table.statusOf(row) === "settling") different.add(path);
    if (folders) addFolders(path, topology, different, table, seen);
  }
  addVanished(bases, scan, table, seen, different);
  return [...different];
}

function addFolders(
  path: RelPath,
  topology: Topology,
  different: Set<RelPath>,
  table: StateTable,
  seen: Uint8Array,
): void {
  for (const state of topology.statesAt(path)) {
    if (!state.endsWith("/")) continue;
    const row = table.find(state);
    if (row !== undefined && row < seen.length) seen[row] = 1;
    different.add(state);
  }
}

/** Rows the scan should have met and did not; below a folder it could not read nothing is known. */
function addVanished(
  bases: readonly WatchBase[],
  scan: Scan,
  table: StateTable,
  seen: Uint8Array,
  different: Set<RelPath>,
): void {
  const everywhere = bases.some((base) => base.path === "");
  const prefixes = bases.map((base) => `${base.path}/`);
  const unknown = scan.problems.filter((problem) => problem.kind === "unreadable").map((problem) => `${problem.path}/`);
  for (let row = 0; row < seen.length; row++) {
    const wasThere = table.isPresent(row) || table.isRefused(row) || table.statusOf(row) === "settling";
    if (seen[row] === 1 || !wasThere) continue;
    const path = table.pathOf(row);
    if (path === undefined || hasNoPath(path) || unknown.some((prefix) => path.startsWith(prefix))) continue;
    if (everywhere || prefixes.some((prefix) => path.startsWith(prefix))) different.add(path);
  }
}

/** Lets others have a turn. */
export function breathe(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.after(0, resolve));
}

/** The subtrees that the patterns of a root can match in, the wider instead of those below it. */
export function watchBases(topology: Topology): WatchBase[] {
  const depths = new Map<RelPath, number>();
  const add = (path: RelPath, depth: number): void => void depths.set(path, Math.max(depths.get(path) ?? 0, depth));
  for (const stage of topology.stages) {
    const { pattern } = stage;
    add(pattern.base, pattern.isFolder ? Infinity : pattern.depth);
    if (stage.type === "source" && stage.marker) add(stage.marker.base, stage.marker.depth);
  }
  const bases = [...depths].map(([path, depth]) => ({ path, depth }));
  return bases
    .filter((base) => !bases.some((other) => other !== base && covers(other, base)))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function covers(wide: WatchBase, narrow: WatchBase): boolean {
  const inside = wide.path === "" || narrow.path.startsWith(`${wide.path}/`);
  if (!inside) return false;
  const below = narrow.path.split("/").length - (wide.path === "" ? 0 : wide.path.split("/").length);
  return wide.depth >= below + narrow.depth;
}
