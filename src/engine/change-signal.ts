/** Tells everybody who waits that something changed; whoever is told looks for himself what. */
export class ChangeSignal {
  readonly #waiters = new Set<() => void>();

  /** Resolves at the next change, or when `signal` aborts. */
  next(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiters.delete(wake);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  fire(): void {
    for (const wake of [...this.#waiters]) wake();
  }
}
