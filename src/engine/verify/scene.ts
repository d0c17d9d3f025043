import type { StateRecord } from "../../core/model/manifest.ts";
import type { Problem } from "../../core/model/problem.ts";
import type { ContentHash, EntityId, RelPath } from "../../core/model/words.ts";
import type { Owner } from "../../ports.ts";
import type { Root } from "../root.ts";
import type { IgnoreTest } from "../calls/why-not.ts";
import type { Findings } from "./findings.ts";

/** One state of one manifest. */
export interface Recorded {
  readonly entityId: EntityId;
  /** The text of the stage's pattern. */
  readonly pattern: string;
  readonly record: StateRecord;
}

/** What a verification is about and what it has gathered: handed from check to check. */
export interface Scene {
  /** Opened for looking, with a table that was filled from the disk alone, and planned. */
  readonly root: Root;
  /** Who holds the root now. */
  readonly owner: Owner | undefined;
  /** Why its lock is none, as the end of a sentence. */
  readonly ownerFault: string | undefined;
  /** What was found wrong when the root was opened. */
  readonly problems: readonly Problem[];
  readonly ignored: IgnoreTest;
  readonly found: Findings;
  /** Every state of every readable manifest of a stage in force, by its path. */
  readonly records: Map<RelPath, Recorded>;
  /** States of stages that are gone. */
  readonly strangers: Recorded[];
  /** What a living owner is about to record, path to hash: it is in place before its manifest is. */
  readonly underway: ReadonlyMap<RelPath, ContentHash | null>;
}

/** The hash on disk now; `null`: nothing is there; `undefined`: it cannot be read or changes all the time. */
export async function hashOnDisk({ root }: Scene, path: RelPath): Promise<ContentHash | null | undefined> {
  const row = root.table.find(path);
  const known = row === undefined ? undefined : root.table.lastHashOf(row);
  if (known !== undefined) return known;
  const hashed = await root.ports.reader.hash(path);
  if (hashed.is === "hashed") return hashed.hash;
  return hashed.is === "absent" ? null : undefined;
}
