import { performance } from "node:perf_hooks";
import type { MonoMs, WallMs } from "../../core/model/words.ts";
import type { Clock, Timer } from "../../ports.ts";

/** Node takes a longer delay for 1 ms. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's clocks and timers. A waiting timer keeps the process alive. */
export class SystemClock implements Clock {
  wallMs(): WallMs {
    return Date.now();
  }

  monoMs(): MonoMs {
    return performance.now();
  }

  after(delayMs: number, fire: () => void): Timer {
    if (delayMs <= 0) {
      const soon = setImmediate(fire);
      return { cancel: () => clearImmediate(soon) };
    }
    const dueAt = performance.now() + delayMs;
    let timeout: NodeJS.Timeout;
    // A timeout may fire up to a millisecond early, and a long delay takes several of them.
    const wait = (): void => {
      const leftMs = dueAt - performance.now();
      if (leftMs <= 0) return fire();
      timeout = setTimeout(wait, Math.min(Math.ceil(leftMs), LONGEST_TIMEOUT_MS));
    };
    wait();
    return { cancel: () => clearTimeout(timeout) };
  }
}
