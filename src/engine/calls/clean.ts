import { ACCEPTED, type Manifest, SOURCE_CODE_HASH, type StateRecord } from "../../core/model/manifest.ts";
import type { Pipeline } from "../../core/model/pipeline.ts";
import { problem } from "../../core/model/problem.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import type { EntityId, RelPath } from "../../core/model/words.ts";
import { matchPattern } from "../../core/pattern/pattern.ts";
import type { CleanReport } from "../control.ts";
import { isDiskError } from "../disk-error.ts";
import { breathe } from "../watching/reconcile.ts";
import type { Root } from "../root.ts";

/** How many manifests are read before others get a turn. */
const SLICE = 128;

/** Every definition of a root, those that are switched off too: what they make is theirs. */
export type DefinedOf = (root: Root) => readonly Pipeline[];

interface Dead {
  readonly entityId: EntityId;
  readonly pattern: string;
  readonly record: StateRecord;
}
interface Found {
  /** Products that lie on disk as we wrote them. */
  readonly products: (Dead & { readonly bytes: number })[];
  /** Records whose file is gone or was never ours: they alone go. */
  readonly records: Dead[];
  /** Failures of stages that are gone: entity and pattern. */
  readonly failures: { readonly entityId: EntityId; readonly pattern: string }[];
  readonly left: { readonly path: RelPath; readonly why: string }[];
}

/**
 * The dead outputs of some roots: what manifests record of stages that no definition has any more. With `remove` those that
 * are unchanged since we wrote them go to the trash, and their records go along. Fails while a definition has an error: it might own them.
 */
export async function cleanRoots(
  roots: readonly Root[],
  definedOf: DefinedOf,
  remove: boolean,
): Promise<Result<CleanReport>> {
  const faults = roots.flatMap((root) => root.problems.filter(isOfDefinition));
  const away = roots.find((root) => !root.mayRetract)?.pauses.current;
  if (away) return fail(away);
  if (faults.length > 0) {
    const hint = "correct it first (millrace validate): a stage that does not load might own what looks dead";
    return fail(...faults, problem("M142", "nothing was cleaned: a definition has an error", hint));
  }
  const report = { version: 1 as const, removed: remove, dead: [], records: 0, left: [] } as Writable<CleanReport>;
  for (const root of roots) {
    const found = await findDead(root, definedOf(root));
    if (remove) {
      // The definitions may have been edited while we looked.
      if (root.problems.some(isOfDefinition)) return cleanRoots(roots, definedOf, false);
      await removeDead(root, found, definedOf);
    }
    const { name } = root.ports;
    report.records += found.records.length + found.failures.length;
    report.left.push(...found.left.map((one) => ({ root: name, ...one })));
    report.dead.push(
      ...found.products.map(({ entityId, record, bytes }) => ({
        root: name,
        path: record.path,
        stage: record.producedBy,
        entity: entityId,
        bytes,
        producedAt: record.producedAt,
      })),
    );
  }
  return ok(report);
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

function isOfDefinition({ severity, code }: { readonly severity: string; readonly code: string }): boolean {
  return severity === "error" && code.startsWith("M2");
}

// ---------------------------------------------------------------- finding

async function findDead(root: Root, pipelines: readonly Pipeline[]): Promise<Found> {
  const { book, ports } = root;
  const living = patternsOf(pipelines);
  const found: Found = { products: [], records: [], failures: [], left: [] };
  for (const [at, entityId] of ports.manifests.ids().entries()) {
    if (at % SLICE === SLICE - 1) await breathe(ports.clock);
    const manifest = book.get(entityId);
    const refusal = book.refusal(entityId);
    if (refusal) {
      found.left.push({ path: ports.manifests.fileOf(entityId), why: refusal[0]!.message });
      continue;
    }
    for (const pattern of Object.keys(manifest.failures))
      if (!living.has(pattern)) found.failures.push({ entityId, pattern });
    for (const [pattern, record] of Object.entries(manifest.states))
      if (!living.has(pattern)) await sortIn(root, pipelines, { entityId, pattern, record }, found);
  }
  return found;
}

function patternsOf(pipelines: readonly Pipeline[]): ReadonlySet<string> {
  return new Set(pipelines.flatMap(({ stages }) => stages.map(({ pattern }) => pattern.text)));
}

/** What is to become of one record of a stage that is gone. */
async function sortIn(root: Root, pipelines: readonly Pipeline[], dead: Dead, found: Found): Promise<void> {
  const { record } = dead;
  const { path } = record;
  const leave = (why: string): void => void found.left.push({ path, why });
  // A source's file is never ours, and a skipped task has none.
  if (record.codeHash === SOURCE_CODE_HASH || record.contentHash === null) return void found.records.push(dead);
  const there = root.ports.reader.look(path);
  if (there.is === "absent") return void found.records.push(dead);
  const owner = ownerOf(path, pipelines);
  if (owner !== undefined) return leave(`it matches the pattern of ${owner} now`);
  if (record.runId === ACCEPTED) return leave("it was accepted as it was found: Millrace did not write it");
  if (there.is === "refused") return leave(`it cannot be looked at: ${there.reason}`);
  const hashed = await root.ports.reader.hash(path);
  if (hashed.is !== "hashed") return leave("it cannot be read now, or is being written");
  if (hashed.hash !== record.contentHash) return leave("it was changed since Millrace wrote it");
  found.products.push({ ...dead, bytes: hashed.stat.size });
}

/** The stage of today that a path, or a folder above it, belongs to. */
function ownerOf(path: RelPath, pipelines: readonly Pipeline[]): string | undefined {
  const names = path.replace(/\/$/, "").split("/");
  const places = [path, ...names.slice(0, -1).map((_, at) => `${names.slice(0, at + 1).join("/")}/`)];
  for (const { stages } of pipelines)
    for (const { key, pattern } of stages)
      if (places.some((place) => matchPattern(pattern, place) !== undefined)) return key;
  return undefined;
}

// ---------------------------------------------------------------- removing

/** Moves the products to the trash, each one looked at again, and forgets the records. What the disk refuses is left, with why. */
async function removeDead(root: Root, found: Found, definedOf: DefinedOf): Promise<void> {
  const { ports, book } = root;
  const gone: Dead[] = [...found.records];
  for (const dead of found.products.splice(0)) {
    const { record, entityId, pattern } = dead;
    const hashed = await ports.reader.hash(record.path);
    const isSame = hashed.is === "hashed" && hashed.hash === record.contentHash;
    // An edit of the definitions may have brought its stage back meanwhile.
    const isDead = !patternsOf(definedOf(root)).has(pattern) && ownerOf(record.path, definedOf(root)) === undefined;
    if (!isSame || !isDead) {
      found.left.push({ path: record.path, why: "it changed, or its stage came back, while it was being cleaned" });
      continue;
    }
    try {
      const of = { taskKey: `${record.producedBy}@${entityId}`, entityId, pattern, record };
      ports.trash.put(record.path, "the stage that made it is in no definition any more", of);
      gone.push(dead);
      found.products.push(dead);
    } catch (error) {
      if (!isDiskError(error)) throw error;
      found.left.push({ path: record.path, why: error.message });
    }
  }
  const living = patternsOf(definedOf(root));
  const isStillDead = ({ pattern }: { readonly pattern: string }): boolean => !living.has(pattern);
  const records = Map.groupBy(gone.filter(isStillDead), ({ entityId }) => entityId);
  const failures = Map.groupBy(found.failures.filter(isStillDead), ({ entityId }) => entityId);
  for (const entityId of new Set([...records.keys(), ...failures.keys()])) {
    const manifest = book.get(entityId);
    book.put({
      ...manifest,
      states: without(manifest.states, records.get(entityId)),
      failures: without(manifest.failures, failures.get(entityId)),
    });
    book.flush(entityId);
  }
}

function without<T extends Manifest["states"] | Manifest["failures"]>(
  records: T,
  dead: readonly { readonly pattern: string }[] = [],
): T {
  const patterns = new Set(dead.map(({ pattern }) => pattern));
  return Object.fromEntries(Object.entries(records).filter(([pattern]) => !patterns.has(pattern))) as T;
}
