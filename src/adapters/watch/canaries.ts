import type { AbsPath, RelPath } from "../../core/model/words.ts";
import type { CanaryReport, Clock } from "../../ports.ts";
import { Canary } from "./canary.ts";
import { FolderEngine } from "./folder-engine.ts";
import { PollingEngine } from "./polling-engine.ts";

/** An event takes milliseconds; a busy process may take longer to hear of it. */
const EVENT_BOUND_MS = 2_000;

/** What the canaries of a root need. */
export interface CanariesOptions {
  readonly root: AbsPath;
  readonly folder: RelPath;
  readonly clock: Clock;
  readonly pollIntervalMs: number;
  /** Is the root on a share, where only polling notices anything? */
  readonly isShare: boolean;
  /** Events are delivered. */
  readonly onBack: () => void;
  /** An event was lost; `losses` in a row. */
  readonly onLost: (losses: number) => void;
}

/** The canaries of a root: one that must come back as an event of the kernel, and, where something is polled, one by polling. */
export class Canaries {
  readonly #options: CanariesOptions;
  readonly #native: Canary | undefined;
  #polling: Canary | undefined;

  constructor(options: CanariesOptions) {
    this.#options = options;
    const { isShare, onBack, onLost } = options;
    if (isShare) return;
    this.#native = new Canary({
      ...options,
      name: "event",
      boundMs: EVENT_BOUND_MS,
      engine: (scope, sink) => new FolderEngine(scope, sink),
      onBack,
      onLost,
    });
  }

  /** Sends one of each kind. Resolves when they are back or given up. */
  async send(): Promise<void> {
    await Promise.all([this.#native?.send(), this.#polling?.send()]);
  }

  /** Polls for canaries, too, or no more, as bases are. */
  follow(isAnyPolled: boolean): void {
    if (isAnyPolled === (this.#polling !== undefined)) return;
    if (!isAnyPolled) {
      void this.#polling?.close();
      this.#polling = undefined;
      return;
    }
    const { clock, pollIntervalMs } = this.#options;
    this.#polling = new Canary({
      ...this.#options,
      name: "poll",
      boundMs: EVENT_BOUND_MS + 3 * pollIntervalMs,
      engine: (scope, sink) => new PollingEngine(scope, sink, clock, pollIntervalMs),
      onBack: () => {},
      onLost: () => {},
    });
    void this.#polling.send();
  }

  /** Of the events, or of the polling where nothing else is done. */
  get report(): CanaryReport | null {
    return (this.#native ?? this.#polling)?.report ?? null;
  }

  /** Did the last event come back? Before the first one, yes: nothing speaks against it. */
  get areEventsProved(): boolean {
    return this.#native === undefined || this.#native.why === "";
  }

  /** Why events are not proved; empty when they are. */
  get whyNoEvents(): string {
    return this.#native?.why ?? "";
  }

  /** Why not even polling is proved; empty when it is, or when nothing is polled. */
  get whyNoPolling(): string {
    return this.#polling?.why ?? "";
  }

  async close(): Promise<void> {
    await Promise.all([this.#native?.close(), this.#polling?.close()]);
  }
}
