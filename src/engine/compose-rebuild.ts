import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLocalQueue } from "../adapters/queue/local.ts";
import { SystemClock } from "../adapters/system/clock.ts";
import type { AbsPath } from "../core/model/words.ts";
import { slots } from "./compose-root.ts";
import type { Rebuilding } from "./verify/rebuild.ts";

/**
 * Where outputs are made again: a folder in the system's temporary folder that only this user may enter, made when the
 * first node is about to run. It is gone after `remove`, and when the process ends by itself.
 */
export class RebuildPlace implements Rebuilding {
  readonly #listen: () => AbortSignal;
  readonly #remove = (): void => this.remove();
  #folder: AbsPath | undefined;
  #signal: AbortSignal | undefined;

  /** @param listen called once, when there begins to be something to clean up: its signal ends the work */
  constructor(listen: () => AbortSignal) {
    this.#listen = listen;
  }

  /** Was the work told to end? */
  get isEnding(): boolean {
    return this.#signal?.aborted === true;
  }

  readonly begin: Rebuilding["begin"] = () => {
    this.#signal ??= this.#listen();
    if (this.#folder === undefined) {
      process.once("exit", this.#remove);
      this.#folder = realpathSync(mkdtempSync(join(tmpdir(), "millrace-rebuild-")));
    }
    return { folder: this.#folder, signal: this.#signal };
  };

  readonly makeQueue: Rebuilding["makeQueue"] = (limits, run) =>
    createLocalQueue({ clock: new SystemClock(), limits, slots: slots(), run });

  remove(): void {
    process.off("exit", this.#remove);
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
    this.#folder = undefined;
  }
}
