/** Numbers, the least first; each costs the logarithm of how many there are. */
export class NumberHeap {
  readonly #numbers: number[] = [];

  /** The least number; `undefined` when there is none. */
  least(): number | undefined {
    return this.#numbers[0];
  }

  push(number: number): void {
    const all = this.#numbers;
    let at = all.push(number) - 1;
    for (let up = (at - 1) >> 1; at > 0 && all[up]! > number; up = (at - 1) >> 1) {
      all[at] = all[up]!;
      at = up;
    }
    all[at] = number;
  }

  /** Removes the least number. */
  pop(): void {
    const all = this.#numbers;
    const last = all.pop();
    if (last === undefined || all.length === 0) return;
    let at = 0;
    for (let down = 1; down < all.length; down = at * 2 + 1) {
      if (down + 1 < all.length && all[down + 1]! < all[down]!) down++;
      if (all[down]! >= last) break;
      all[at] = all[down]!;
      at = down;
    }
    all[at] = last;
  }

  clear(): void {
    this.#numbers.length = 0;
  }
}
