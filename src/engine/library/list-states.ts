import { join } from "node:path";
import { createIgnore } from "../../core/pattern/ignore.ts";
import type { EntityId, RelPath } from "../../core/model/words.ts";
import { entityIdOf, matchPattern, type Pattern, renderPattern } from "../../core/pattern/pattern.ts";
import type { LibraryPorts } from "../compose-library.ts";

/** The ids of every state of a pattern on disk, sorted by code units; what scans leave out is left out here. */
export function listStates(pattern: Pattern, ports: LibraryPorts): EntityId[] {
  const { disk, root, reader } = ports;
  const lines = disk.read(join(root, ".millraceignore"));
  const ignore = createIgnore(lines === undefined ? "" : new TextDecoder().decode(lines));
  const ids: EntityId[] = [];
  const realRoot = disk.realpath(root);
  /** Real paths of the folders we are in: a link back to one of them would lead in circles. */
  const inside = new Set<string>();

  const take = (path: RelPath): void => {
    const vars = matchPattern(pattern, path);
    if (!vars) return;
    const look = reader.look(path);
    if (look.is === "file" || look.is === "folder") ids.push(entityIdOf(pattern, vars));
  };
  const walk = (folder: RelPath, depth: number): void => {
    const real = disk.realpath(join(root, folder));
    const isOurs = real !== undefined && (real === realRoot || real.startsWith(`${realRoot}/`));
    if (!isOurs || inside.has(real)) return;
    inside.add(real);
    for (const name of disk.list(join(root, folder)) ?? []) {
      const path = folder === "" ? name : `${folder}/${name}`;
      const isFolder = disk.stat(join(root, path))?.kind === "folder";
      if (ignore.test(path, isFolder) !== undefined) continue;
      take(isFolder ? `${path}/` : path);
      if (isFolder && depth > 1) walk(path, depth - 1);
    }
    inside.delete(real);
  };

  // Without variables there is one state at most: one look tells.
  const only = pattern.variables.length === 0 ? renderPattern(pattern, {}) : undefined;
  if (only?.ok) take(only.path);
  else walk(pattern.base, pattern.depth);
  return ids.sort();
}
