import { LowSync, type SyncAdapter } from "lowdb";
import { documentText } from "../../core/model/document-json.ts";
import { hasOnly, isObject, mapOf, stringOf } from "../../core/model/manifest-json.ts";
import { problem, type Problem } from "../../core/model/problem.ts";
import { InternalError } from "../../core/model/problems.ts";
import { fail, ok, type Result } from "../../core/model/result.ts";
import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { Controls, ControlsStore, Disk, Random, Trash } from "../../ports.ts";
import { readText } from "./document-text.ts";
import { DurableWriter } from "./durable-writer.ts";

/** What the controls of a root need from outside. */
export interface ControlsPorts {
  readonly disk: Disk;
  readonly random: Random;
  /** Where a corrupt file goes; `undefined` for a process that does not own the root: it moves nothing. */
  readonly trash: Trash | undefined;
  readonly onProblem: (problem: Problem) => void;
}

const PLACE: RelPath = ".millrace/controls.json";
const KEYS = new Set(["version", "held", "forced", "retractions"]);

/** The controls of a root that nobody told anything. */
function emptyControls(): Controls {
  return { version: 1, held: emptyMap(), forced: emptyMap() };
}

/**
 * The controls of a root, as a lowdb database whose file is replaced whole and synced: what a person was told is done stays done.
 *
 * Fails with M405 when a later release wrote the file: running as if nothing were held would be worse than not running.
 * A corrupt file is set aside with a warning and counts as empty.
 */
export function openControlsStore(root: AbsPath, ports: ControlsPorts): Result<ControlsStore> {
  const store = new FileControlsStore(root, ports);
  const newer = store.newerVersion();
  if (newer === undefined) return ok(store);
  return fail(
    problem(
      "M405",
      `"${PLACE}" has the version ${newer}, which this Millrace does not know`,
      "use the Millrace that wrote it, or a later one; the file was not touched",
    ),
  );
}

class FileControlsStore implements ControlsStore {
  readonly #ports: ControlsPorts;
  readonly #file: ControlsFile;
  readonly #database: LowSync<Controls | null>;
  /** The damage that was reported last, so that a process that may not move the file says it once. */
  #reported: string | undefined;

  constructor(root: AbsPath, ports: ControlsPorts) {
    this.#ports = ports;
    this.#file = new ControlsFile(root, ports);
    this.#database = new LowSync<Controls | null>(this.#file, null);
  }

  /** The version of a file that is too new; `undefined` when it is not. */
  newerVersion(): number | undefined {
    this.#load();
    return this.#file.newerVersion;
  }

  read(): Controls {
    this.#load();
    this.#refuseNewer();
    return this.#database.data ?? emptyControls();
  }

  write(controls: Controls): void {
    this.#load();
    this.#refuseNewer();
    this.#database.data = controls;
    this.#database.write();
  }

  tidy(): boolean {
    return this.#file.tidy();
  }

  #load(): void {
    // lowdb keeps what it had when there is nothing to read.
    this.#database.data = null;
    this.#database.read();
    if (this.#file.damage !== undefined) this.#setAside(this.#file.damage);
  }

  #refuseNewer(): void {
    const { newerVersion } = this.#file;
    if (newerVersion === undefined) return;
    throw new InternalError(`"${PLACE}" was replaced by one of version ${newerVersion} while we ran`);
  }

  #setAside(damage: string): void {
    const kept = this.#ports.trash?.put(PLACE, `it ${damage}`);
    if (kept === undefined && this.#reported === damage) return;
    this.#reported = damage;
    this.#ports.onProblem({
      ...problem("M404", `"${PLACE}" ${damage}`, "hold again what should not run", {
        notes: [
          "nothing is held and nothing is forced now",
          kept === undefined ? "it was left where it is: another process owns this root" : `it was moved to ${kept}`,
        ],
      }),
      severity: "warning",
    });
  }
}

class ControlsFile implements SyncAdapter<Controls | null> {
  damage: string | undefined;
  newerVersion: number | undefined;
  #text: string | undefined;
  readonly #path: AbsPath;
  readonly #disk: Disk;
  readonly #writer: DurableWriter;

  constructor(root: AbsPath, ports: ControlsPorts) {
    this.#path = `${root}/${PLACE}`;
    this.#disk = ports.disk;
    this.#writer = new DurableWriter(`${root}/.millrace/tmp`, ports);
  }

  read(): Controls | null {
    this.damage = undefined;
    this.newerVersion = undefined;
    this.#text = undefined;
    const kind = this.#disk.lstat(this.#path)?.kind;
    if (kind === undefined) return null;
    // Reading a FIFO would block for ever.
    const text = kind === "file" ? readText(this.#disk, this.#path) : null;
    if (text === undefined) return null;
    const controls = text === null ? undefined : this.#parse(text);
    if (controls === undefined && this.newerVersion === undefined) this.damage = "is damaged";
    if (controls !== undefined) this.#text = text ?? undefined;
    return controls ?? null;
  }

  tidy(): boolean {
    return this.#writer.tidy();
  }

  write(controls: Controls | null): void {
    if (controls === null) return;
    const text = documentText(controls) + "\n";
    if (text !== this.#text) this.#writer.write(this.#path, text, { sync: true });
  }

  #parse(text: string): Controls | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    if (!isObject(value)) return undefined;
    const { version } = value;
    if (Number.isSafeInteger(version) && (version as number) > 1) {
      this.newerVersion = version as number;
      return undefined;
    }
    const held = mapOf(value["held"], stringOf);
    const forced = mapOf(value["forced"], stringOf);
    const retractions = Object.hasOwn(value, "retractions") ? mapOf(value["retractions"], retractionOf) : null;
    if (version !== 1 || !hasOnly(value, KEYS) || held === undefined || forced === undefined) return undefined;
    if (retractions === undefined) return undefined;
    return { version: 1, held, forced, ...(retractions === null ? {} : { retractions }) };
  }
}

const RETRACTION_KEYS = new Set(["at", "is"]);

function retractionOf(value: unknown): { at: string; is: "frozen" | "accepted" } | undefined {
  if (!isObject(value) || !hasOnly(value, RETRACTION_KEYS)) return undefined;
  const { at, is } = value;
  return typeof at === "string" && (is === "frozen" || is === "accepted") ? { at, is } : undefined;
}

function emptyMap(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}
