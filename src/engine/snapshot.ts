import { canonicalJson, hashBytes } from "../core/hash/hash.ts";
import type { StageKey } from "../core/model/words.ts";
import type { StateTable } from "../core/plan/state-table.ts";
import type { Topology } from "../core/plan/topology.ts";
import type { IndexStore } from "../ports.ts";

/**
 * The document beside the packed table in `.millrace/index.db`. Format 1; any other is thrown away and the table rebuilt.
 */
export interface SnapshotMeta {
  readonly format: 1;
  /** Hash of the stages and patterns that the roles refer to. */
  readonly shape: string;
  /** `Topology.packRoles`. */
  readonly roles: readonly string[];
  /** What each stage's results depended on when the table was saved; another stamp means: judge its tasks again. */
  readonly stamps: Readonly<Record<StageKey, string>>;
  /** Environment variables that runs have read by `$env`, name to HMAC. */
  readonly envSeen: Readonly<Record<string, string>>;
  /**
   * mtime of the manifests' folder when the table was saved. Another one means that manifests came or went since then:
   * statuses are judged again rather than believed.
   */
  readonly manifestsMtimeMs: number;
  /** Folder of sources to the device it was on. */
  readonly devices?: Readonly<Record<string, number>>;
}

/** What a loaded snapshot says about today's definitions. */
export interface Loaded {
  /** Stages whose tasks must be judged again, though no file changed. */
  readonly changed: ReadonlySet<StageKey> | "all";
  readonly envSeen: Readonly<Record<string, string>>;
  /** The document as stored: it stays beside the blobs until they are saved again. */
  readonly meta: SnapshotMeta;
}

function shapeOf(topology: Topology): string {
  return hashBytes(
    canonicalJson(
      topology.stages.map((stage) => [
        stage.key,
        stage.type,
        stage.pattern.text,
        stage.type === "source" ? [] : stage.inputs,
      ]),
    ),
  );
}

/** Fills the table from the index; `undefined` when there is none that can be used: then everything is looked at. */
export function loadSnapshot(
  index: IndexStore,
  table: StateTable,
  topology: Topology,
  today: { readonly stamps: Readonly<Record<StageKey, string>>; readonly manifestsMtimeMs: number },
): Loaded | undefined {
  const stored = index.load();
  const meta = stored?.meta["snapshot"] as SnapshotMeta | undefined;
  if (!stored || meta?.format !== 1 || !table.unpack(stored.blobs)) return undefined;
  if (meta.shape !== shapeOf(topology) || !topology.adoptRoles(meta.roles)) table.assignRoles(topology.roleNumber);
  const { stamps, manifestsMtimeMs } = today;
  const keys = new Set([...Object.keys(stamps), ...Object.keys(meta.stamps)]);
  const changed = new Set([...keys].filter((key) => stamps[key] !== meta.stamps[key]));
  return { changed: meta.manifestsMtimeMs === manifestsMtimeMs ? changed : "all", envSeen: meta.envSeen, meta };
}

/** Saves what changed in the table since the last save, with everything a later start must know; returns the document. */
export function saveSnapshot(
  index: IndexStore,
  table: StateTable,
  topology: Topology,
  more: {
    readonly stamps: Readonly<Record<StageKey, string>>;
    readonly envSeen: Readonly<Record<string, string>>;
    readonly manifestsMtimeMs: number;
    readonly devices: Readonly<Record<string, number>>;
    readonly status: unknown;
    /** Saves every row, not only what changed: the last save failed. */
    readonly all: boolean;
  },
): SnapshotMeta {
  const { status, all, ...facts } = more;
  // The roles come after the rows have theirs: packing meets no new role.
  const blobs = table.pack(all);
  const snapshot: SnapshotMeta = { format: 1, shape: shapeOf(topology), roles: topology.packRoles(), ...facts };
  index.save({ snapshot, status }, blobs);
  return snapshot;
}
