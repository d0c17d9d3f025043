/** How often each kind of thing was met, by name. */
export class Tally {
  readonly counts: Map<string, number> = new Map<string, number>();

  add(name: string, by: number = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  join(other: Readonly<Record<string, number>>): void {
    for (const [name, count] of Object.entries(other)) this.add(name, count);
  }

  toJSON(): Record<string, number> {
    return Object.fromEntries([...this.counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** One line for each name. */
  print(): string {
    const rows = Object.entries(this.toJSON());
    const width = Math.max(...rows.map(([name]) => name.length), 0);
    return rows.map(([name, count]) => `  ${name.padEnd(width)} ${count}`).join("\n");
  }
}

/** A hash over what happened, in order. */
export class TraceHash {
  #hash = 0x811c9dc5;

  add(text: string): void {
    let hash = this.#hash;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.#hash = Math.imul(hash, 0x01000193) + 1;
  }

  get text(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}
