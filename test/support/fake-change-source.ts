import type { ChangeHint, ChangeSource, WatchBase, WatchHealth } from "../../src/ports.ts";

const LIVE: WatchHealth = { mode: "live", reason: "", watchedFolders: 0, rescans: {}, canary: null };
const BLIND: WatchHealth = { ...LIVE, mode: "blind", reason: "not started" };

/** A source of changes that hints at what the test says. */
export class FakeChangeSource implements ChangeSource {
  #onHint: ((hint: ChangeHint) => void) | undefined;
  #bases: readonly WatchBase[] = [];
  /** What `health` says while it is started. */
  liveHealth: WatchHealth = LIVE;

  /** What it was last asked to watch. */
  get bases(): readonly WatchBase[] {
    return this.#bases;
  }

  async start(bases: readonly WatchBase[], onHint: (hint: ChangeHint) => void): Promise<void> {
    this.#bases = bases;
    this.#onHint = onHint;
  }

  async update(bases: readonly WatchBase[]): Promise<void> {
    if (this.#onHint !== undefined) this.#bases = bases;
  }

  health(): WatchHealth {
    return this.#onHint === undefined ? BLIND : this.liveHealth;
  }

  async close(): Promise<void> {
    this.#onHint = undefined;
    this.#bases = [];
  }

  /** Hints at each path; one that ends with `/` is a folder hint. Nobody hears it before `start` and after `close`. */
  changed(...paths: readonly string[]): void {
    for (const path of paths) {
      this.hint(
        path.endsWith("/")
          ? { kind: "folder", path: path.slice(0, -1), cause: "folder-event" }
          : { kind: "path", path },
      );
    }
  }

  hint(hint: ChangeHint): void {
    this.#onHint?.(hint);
  }
}
