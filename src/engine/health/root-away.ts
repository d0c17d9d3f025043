import type { NamedTimers } from "../named-timers.ts";
import type { Pauses } from "./pause.ts";
import type { RootPresence } from "./root-presence.ts";

/** How often it is asked whether the root is there, when nobody else asks, in milliseconds. */
const BEAT_MS = 1_000;

/** Stops a root's work while the root is away, and lets it go on when it is back. */
export class RootAway {
  readonly #presence: RootPresence;
  readonly #pauses: Pauses;
  readonly #timers: NamedTimers;
  readonly #onAway: () => void;
  readonly #onReturn: () => void;
  #isAway = false;

  constructor(from: {
    readonly presence: RootPresence;
    readonly pauses: Pauses;
    readonly timers: NamedTimers;
    /** The root has gone: whatever is in its place is not to be watched. */
    readonly onAway: () => void;
    /** The root is there again: look at everything. */
    readonly onReturn: () => void;
  }) {
    this.#presence = from.presence;
    this.#pauses = from.pauses;
    this.#timers = from.timers;
    this.#onAway = from.onAway;
    this.#onReturn = from.onReturn;
  }

  /** Looks now: to be asked before an absence is believed, before anything is begun, and before anything is recorded. */
  readonly isHere = (): boolean => {
    const wasAway = this.#isAway;
    this.#isAway = !this.#presence.isHere();
    if (this.#isAway) {
      this.#pauses.set("away", this.#presence.problem!);
      if (!wasAway) {
        this.#onAway();
        this.beat();
      }
      return false;
    }
    if (wasAway) {
      this.#pauses.clear("away");
      this.#onReturn();
    }
    return true;
  };

  /** Asks from now on, once a second. */
  beat(): void {
    this.#timers.once("presence", BEAT_MS, () => {
      this.beat();
      this.isHere();
    });
  }
}
